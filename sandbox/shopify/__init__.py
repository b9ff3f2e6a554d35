"""A Shopify shop that executes documents against the real schema, written from Shopify's documents alone."""

from sandbox.shopify.shop import Shop

__all__ = ["Shop"]
