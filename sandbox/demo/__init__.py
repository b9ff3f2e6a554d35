"""The demo: three suppliers' files become listings, orders, purchases and payouts, by the commands any user would type."""
