"""What knows nothing of commerce: settings, errors, money, the database, the broker."""
