"""What PHP makes of a value of the wrong type: the silent corruptions behind an HTTP 200."""

import re
from typing import Any

from sandbox.woocommerce.answers import NotSimulated


def integer(value: Any) -> int:
    """PHP's intval: "abc" -> 0, "12abc" -> 12, 2.5 -> 2, null -> 0."""
    if isinstance(value, str):
        found = re.match(r"\s*[+-]?\d+", value)
        return int(found[0]) if found else 0
    if value is None or isinstance(value, bool | int | float):
        return int(value or 0)
    raise NotSimulated(f"a {type(value).__name__} where a whole number belongs")


def boolean(value: Any) -> bool:
    """WooCommerce's wc_string_to_bool."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in ("yes", "true", "1"))


def string(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if isinstance(value, str | int | float):
        return str(value)
    raise NotSimulated(f"a {type(value).__name__} where a string belongs")
