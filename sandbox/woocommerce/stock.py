"""What orders do to the stock: taken once at processing or on-hold, given back at cancelled, never at the trash."""

from sandbox.woocommerce import product_write, products, webhooks
from sandbox.woocommerce.answers import Fields
from sandbox.woocommerce.site import Site

_TAKEN = "_reduced_stock"


def enough(site: Site, doc: Fields, quantity: int) -> bool:
    """Whether the shop front would sell so many."""
    keeper = _keeper(site, doc)
    if keeper is None:
        return bool(doc["stock_status"] != "outofstock")
    return keeper["backorders"] != "no" or (keeper["stock_quantity"] or 0) >= quantity


def take(site: Site, order: Fields) -> None:
    """Lower the stock of every line that has not been taken yet, and count the sale."""
    for line in order["lines"]:
        product = _product(site, line)
        if product is None or any(meta["key"] == _TAKEN for meta in line["meta"]):
            continue
        keeper = _keeper(site, product)
        if keeper is not None:
            _move(site, keeper, -line["quantity"])
            number = site.store.next("order meta")
            text = str(line["quantity"])
            line["meta"].append(
                {"id": number, "key": _TAKEN, "value": text, "display_key": _TAKEN, "display_value": text}
            )


def give_back(site: Site, order: Fields) -> None:
    """Raise the stock again by what had been taken."""
    for line in order["lines"]:
        taken = [meta for meta in line["meta"] if meta["key"] == _TAKEN]
        if taken:
            _return(site, line, int(taken[0]["value"]))
            line["meta"].remove(taken[0])


def adjust(site: Site, line: Fields, quantity: int) -> None:
    """A person changed how many of a line there are: what had been taken for it follows."""
    taken = [meta for meta in line["meta"] if meta["key"] == _TAKEN]
    if taken:
        _return(site, line, int(taken[0]["value"]) - quantity)
        taken[0].update(value=str(quantity), display_value=str(quantity))


def restock(site: Site, line: Fields, quantity: int) -> None:
    """A refund puts some of a line back on the shelf."""
    taken = [meta for meta in line["meta"] if meta["key"] == _TAKEN]
    if not taken:
        return
    _return(site, line, quantity)
    left = str(int(taken[0]["value"]) - quantity)
    taken[0].update(value=left, display_value=left)
    key, text = "_restock_refunded_items", str(quantity)
    line["meta"].append(
        {
            "id": site.store.next("order meta"),
            "key": key,
            "value": text,
            "display_key": key,
            "display_value": text,
        }
    )


def _return(site: Site, line: Fields, quantity: int) -> None:
    product = _product(site, line)
    keeper = _keeper(site, product) if product else None
    if keeper is not None:
        _move(site, keeper, quantity)


def _product(site: Site, line: Fields) -> Fields | None:
    if line["variation_id"]:
        return site.store.get("variation", line["variation_id"])
    return site.store.get("product", line["product_id"])


def _keeper(site: Site, doc: Fields) -> Fields | None:
    """Who manages the stock of a product: itself, a variation's parent, or nobody."""
    if doc["manage_stock"]:
        return doc
    parent = site.store.get("product", doc["parent"]) if doc["type"] == "variation" else None
    return parent if parent and parent["manage_stock"] else None


def _move(site: Site, keeper: Fields, by: int) -> None:
    keeper["stock_quantity"] = (keeper["stock_quantity"] or 0) + by
    keeper["total_sales"] += max(0, -by)
    keeper["modified"] = site.now()
    product_write.settle_stock(keeper)
    products.save(site, keeper)
    webhooks.fire(site, "product", "updated", keeper["id"])
