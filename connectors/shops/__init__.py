"""Sellers' shops: one package per channel, each keeping the Protocol ShopConnector."""
