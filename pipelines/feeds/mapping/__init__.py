"""The mapping: a versioned document without code that says which of a file's columns is which field of an offer."""
