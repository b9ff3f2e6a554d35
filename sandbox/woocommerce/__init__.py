"""A WooCommerce shop that answers as the recorded one did, written from the recordings alone."""

from sandbox.woocommerce.shop import Shop

__all__ = ["Shop"]
