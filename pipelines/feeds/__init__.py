"""The way of a feed: landed, read, normalised, planned, applied."""
