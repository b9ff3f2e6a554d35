"""Between what the shop reads and what it writes others act: changes of a stock are lost, variations are doubled.

`inventory_delta` reads the stock, counts, and writes it: what happens in between is lost, as measured.

Version3/class-wc-rest-products-controller.php of WooCommerce adds to what it read when the request began and saves the
sum; 20 parallel changes by -1 made 83 of 100. A sale in between is lost the same way. How long that moment is, is
`Site.race_seconds`: 0 leaves no room for anything.

Whether a SKU is free is asked before a thing is made. A product is then made under a lock of its SKU, a variation is not:
create in class-wc-product-data-store-cpt.php has it, in class-wc-product-variation-data-store-cpt.php it is missing.
"""

from dataclasses import replace
from typing import Any

from sandbox.woocommerce.answers import Call, Fields
from sandbox.woocommerce.site import Site


def stocks_before(site: Site, call: Call, fields: Fields) -> dict[int, int]:
    """The stock of everything the request changes by a delta, by id, as it was `race_seconds` before now."""
    if not site.race_seconds:
        return {}
    last = call.path.rstrip("/").rpartition("/")[2]
    wishes = [*_members(fields.get("update")), *([{**fields, "id": int(last)}] if last.isdecimal() else [])]
    numbers = [wish["id"] for wish in wishes if "inventory_delta" in wish and isinstance(wish.get("id"), int)]
    found = {}
    with site.store.work():
        for number in numbers:
            doc = site.store.get("product", number) or site.store.get("variation", number)
            if doc is not None and doc["manage_stock"]:
                found[number] = doc["stock_quantity"] or 0
    if found:
        site.pause(site.race_seconds)
    return found


def sku_looked_up(site: Site, call: Call, fields: Fields) -> Call:
    """The call that makes a variation, knowing that its SKU was free `race_seconds` before now."""
    sku = str(fields.get("sku") or "").casefold()
    if not site.race_seconds or not sku:
        return call
    with site.store.work():
        held = site.store.count("sku = ? AND kind IN ('product', 'variation')", (sku,))
    site.pause(site.race_seconds)
    return call if held else replace(call, unheld=sku)


def _members(value: Any) -> list[Fields]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []
