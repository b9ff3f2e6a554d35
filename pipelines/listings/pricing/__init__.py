"""What a listing costs: a seller's rules, the formula's steps in their order, exchange rates, and every step told."""
