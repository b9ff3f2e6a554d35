"""Way C: what was shipped is captured, matures, is settled and paid, and the bank's word closes it."""
