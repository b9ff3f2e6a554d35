"""Where suppliers' files come from; each source lands complete files in the archive."""
