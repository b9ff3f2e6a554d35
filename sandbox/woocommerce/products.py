"""The addresses of products and variations: list, read, create, change, delete."""

from typing import Any

from sandbox.woocommerce import listing, product_view, product_write, schema, webhooks
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.site import Site


def products(site: Site, call: Call) -> Answer:
    return listing.products(site, call, lambda doc: product_view.product(site, call, doc))


def product(site: Site, call: Call, number: int) -> Answer:
    doc = _anything(site, number)
    if doc is None:
        raise _no_product(404)
    return Answer(200, product_view.product(site, call, doc))


def new_product(site: Site, call: Call) -> Answer:
    fields = fields_of(call)
    schema.check(fields, schema.PRODUCT)
    shown = create_product(site, call, fields)
    return Answer(201, shown, {"Location": f"{call.api}/products/{shown['id']}"})


def change_product(site: Site, call: Call, number: int) -> Answer:
    fields = fields_of(call)
    schema.check(fields, schema.PRODUCT)
    return Answer(200, update_product(site, call, {**fields, "id": number}))


def remove_product(site: Site, call: Call, number: int) -> Answer:
    return Answer(200, delete_product(site, call, number, force=call.query.get("force") in ("true", "1")))


def create_product(site: Site, call: Call, fields: Fields) -> Fields:
    """Make one product and show it. A given id is not simulated (a real shop treats it its own way)."""
    if fields.get("id"):
        raise NotSimulated("creating a product with an id")
    doc = product_write.blank(str(fields.get("type") or "simple"), 0, 0, site.now())
    product_write.apply(site, call, doc, fields, creating=True)
    doc["id"] = site.store.next("post")
    save(site, doc)
    webhooks.fire(site, "product", "created", doc["id"])
    return product_view.product(site, call, doc, edit=True)


def update_product(site: Site, call: Call, fields: Fields) -> Fields:
    """Change one product and show it; `date_modified` moves even when nothing changed."""
    number = fields.get("id")
    doc = _anything(site, number) if isinstance(number, int) else None
    if doc is None:
        raise _no_product(400)
    if doc["type"] == "variation":
        message = (
            "To manipulate product variations you should use the "
            "/products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint."
        )
        raise Refusal("woocommerce_rest_invalid_product_id", message, 404)
    was = doc["type"]
    product_write.apply(site, call, doc, fields, creating=False)
    doc["modified"] = site.now()
    save(site, doc)
    if was == "variable" != doc["type"]:
        _drop_children(site, doc["id"])  # product_type_changed in WooCommerce's class-wc-post-data.php
    webhooks.fire(site, "product", "updated", doc["id"])
    return product_view.product(site, call, doc, edit=True)


def delete_product(site: Site, call: Call, number: int, *, force: bool) -> Fields:
    """To the trash, or for good with `force`; shown as it was before."""
    doc = _anything(site, number)
    if doc is None:
        raise _no_product(404)
    if doc["type"] == "variation":
        raise NotSimulated("deleting a variation through /products/ID")
    shown = product_view.product(site, call, doc, edit=True)
    if not force and doc["status"] == "trash":
        raise Refusal("woocommerce_rest_already_trashed", "The product has already been deleted.", 410)
    if force:
        _drop_children(site, number)
        site.store.drop("product", number)
        site.store.shelve(number, [])
    else:
        doc["modified"] = site.now()
        product_write.apply(site, call, doc, {"status": "trash"}, creating=False)
        save(site, doc)
        _trash_children(site, number)
        # Only here: the topic hangs on WordPress' wp_trash_post, which a deletion for good does not pass.
        webhooks.fire(site, "product", "deleted", number)
    return shown


def variations(site: Site, call: Call, parent: int) -> Answer:
    the_parent(site, parent)
    return listing.variations(site, call, parent, lambda doc: product_view.variation(site, call, doc))


def variation(site: Site, call: Call, parent: int, number: int) -> Answer:
    return Answer(200, product_view.variation(site, call, _variation(site, parent, number)))


def new_variation(site: Site, call: Call, parent: int) -> Answer:
    fields = fields_of(call)
    schema.check(fields, schema.VARIATION)
    shown = create_variation(site, call, parent, fields)
    # The unfilled pattern in the address is what the shop really sends.
    address = f"{call.api}/products/(?P<product_id>[\\d]+)/variations/{shown['id']}"
    return Answer(201, shown, {"Location": address})


def change_variation(site: Site, call: Call, parent: int, number: int) -> Answer:
    fields = fields_of(call)
    schema.check(fields, schema.VARIATION)
    return Answer(200, update_variation(site, call, parent, {**fields, "id": number}))


def remove_variation(site: Site, call: Call, parent: int, number: int) -> Answer:
    if call.query.get("force") not in ("true", "1"):
        raise NotSimulated("moving a single variation to the trash")
    return Answer(200, delete_variation(site, call, parent, number))


def create_variation(site: Site, call: Call, parent: int, fields: Fields) -> Fields:
    if fields.get("id"):
        raise NotSimulated("creating a variation with an id")
    the_parent(site, parent)
    doc = product_write.blank("variation", 0, parent, site.now())
    product_write.apply(site, call, doc, fields, creating=True)
    doc["id"] = site.store.next("post")
    save(site, doc)
    webhooks.fire(site, "product", "created", doc["id"])
    return product_view.variation(site, call, doc, edit=True)


def update_variation(site: Site, call: Call, parent: int, fields: Fields) -> Fields:
    doc = _variation(site, parent, fields.get("id"))
    product_write.apply(site, call, doc, fields, creating=False)
    doc["modified"] = site.now()
    save(site, doc)
    webhooks.fire(site, "product", "updated", doc["id"])
    return product_view.variation(site, call, doc, edit=True)


def delete_variation(site: Site, call: Call, parent: int, number: int) -> Fields:
    doc = _variation(site, parent, number)
    shown = product_view.variation(site, call, doc, edit=True)
    site.store.drop("variation", number)
    _touch(site, parent)
    return shown


def save(site: Site, doc: Fields) -> None:
    """Store a product or variation with what follows from it elsewhere."""
    kind = "variation" if doc["type"] == "variation" else "product"
    site.store.put(kind, doc)
    if kind == "product":
        shelves = [*doc["categories"], *doc.get("tags", [])]
        site.store.shelve(doc["id"], shelves if doc["status"] == "publish" else [])
    else:
        _touch(site, doc["parent"])


def the_parent(site: Site, number: int) -> Fields:
    """The product that variations belong to; one that is absent or of another type was never recorded."""
    doc = site.store.get("product", number)
    if doc is None or doc["type"] != "variable":
        raise NotSimulated(f"variations of {number}, which is no variable product")
    return doc


def _touch(site: Site, parent: int) -> None:
    """A variation that comes, goes or changes makes its parent be saved again."""
    doc = site.store.get("product", parent)
    if doc is not None:
        site.store.put("product", {**doc, "modified": site.now()})
        webhooks.fire(site, "product", "updated", parent)


def _variation(site: Site, parent: int, number: Any) -> Fields:
    doc = site.store.get("variation", number) if isinstance(number, int) else None
    if doc is None or doc["parent"] != parent:
        raise Refusal("woocommerce_rest_product_variation_invalid_id", "Invalid ID.", 404)
    return doc


def _anything(site: Site, number: int) -> Fields | None:
    return site.store.get("product", number) or site.store.get("variation", number)


def _children(site: Site, parent: int) -> list[Fields]:
    return site.store.find("kind = 'variation' AND parent = ?", (parent,))


def _drop_children(site: Site, parent: int) -> None:
    for child in _children(site, parent):
        site.store.drop("variation", child["id"])


def _trash_children(site: Site, parent: int) -> None:
    """Variations go to the trash with their product. A product that is published again through the API comes back
    alone: its variations hang on WordPress' untrashed_post, which only the back office passes (class-wc-post-data.php)."""
    for child in _children(site, parent):
        site.store.put("variation", {**child, "status": "trash"})


def _no_product(status: int) -> Refusal:
    return Refusal("woocommerce_rest_product_invalid_id", "Invalid ID.", status)
