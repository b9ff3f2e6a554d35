"""The only writer of money: what a business fact posts, how it is posted, what it proves."""
