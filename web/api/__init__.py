"""The REST API, version 1: the same functions as the console's, for programs."""
