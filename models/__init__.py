"""The hub's tables and their small invariants."""
