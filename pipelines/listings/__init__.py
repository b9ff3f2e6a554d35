"""Products become true listings in a shop: price, plan, push, verify."""
