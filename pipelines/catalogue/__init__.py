"""Offers become products and variants: match, merge."""
