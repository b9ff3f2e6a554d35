"""A buyer's order is covered, bought, shipped: receive, pull, reserve, release; purchase, submit, ship, report."""
