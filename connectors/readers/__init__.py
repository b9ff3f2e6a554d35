"""Feed formats: each reader turns one file into frames of text and knows a syntax, never a supplier's fields."""
