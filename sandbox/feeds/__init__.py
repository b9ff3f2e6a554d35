"""Three suppliers of our own invention and the script that writes their files."""
