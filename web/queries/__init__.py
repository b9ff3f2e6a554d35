"""What the pages and the API show, read from the tables in as few round trips as it takes."""
