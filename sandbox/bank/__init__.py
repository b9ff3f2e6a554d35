"""A bank with its own books: takes payment files, returns what it must, and says in camt.053 what it booked."""
