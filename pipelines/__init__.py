"""The steps, and the map of them: routes.py."""
