"""Many changes in one request: errors stand beside their own change inside a 200, and nothing is undone."""

from collections.abc import Callable
from typing import Any

from sandbox.woocommerce import products, races
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.site import Site

LIMIT = 100


def of_products(site: Site, call: Call) -> Answer:
    return _batch(
        site,
        call,
        create=lambda fields, now: products.create_product(site, now, fields),
        update=lambda fields, now: products.update_product(site, now, fields),
        delete=lambda number, now: products.delete_product(site, now, number, force=True),
    )


def of_variations(site: Site, call: Call, parent: int) -> Answer:
    with site.store.work():
        products.the_parent(site, parent)
    return _batch(
        site,
        call,
        create=lambda fields, now: products.create_variation(site, now, parent, fields),
        before=races.sku_looked_up,
        update=lambda fields, now: products.update_variation(site, now, parent, fields),
        delete=lambda number, now: products.delete_variation(site, now, parent, number),
    )


def sizes(body: Any) -> dict[str, int]:
    """How many changes of each kind a batch asks for."""
    if not isinstance(body, dict):
        return {}
    return {
        name: len(body[name]) for name in ("create", "update", "delete") if isinstance(body.get(name), list)
    }


def _batch(
    site: Site,
    call: Call,
    *,
    create: Callable[[Fields, Call], Fields],
    update: Callable[[Fields, Call], Fields],
    delete: Callable[[int, Call], Fields],
    before: Callable[[Site, Call, Fields], Call] = lambda site, call, fields: call,
) -> Answer:
    fields = fields_of(call)
    if "_fields" in call.query:
        raise NotSimulated("_fields on a batch")
    total = sum(sizes(fields).values())
    if total > LIMIT:
        message = f"Unable to accept more than {LIMIT} items for this request."
        raise Refusal("woocommerce_rest_request_entity_too_large", message, 413)
    changes = [*(fields.get("create") or []), *(fields.get("update") or [])]
    if not all(isinstance(wish, dict) for wish in changes):
        raise NotSimulated("a batch whose members are no objects")
    shown: dict[str, list[Fields]] = {}
    kinds: tuple[tuple[str, Callable[[Any, Call], Fields]], ...] = (
        ("create", create),
        ("update", update),
        ("delete", delete),
    )
    for kind, change in kinds:
        for wish in fields.get(kind) or []:
            number = wish.get("id") if kind == "update" else wish if kind == "delete" else 0
            site.pause(call.pause / total)
            now = before(site, call, wish) if kind == "create" else call
            with site.store.work():  # each for itself: others read, buy and write in between
                shown.setdefault(kind, []).append(_one(change, wish, now, number))
    return Answer(200, shown or [])


def _one(change: Callable[[Any, Call], Fields], wish: Any, call: Call, number: Any) -> Fields:
    try:
        return change(wish, call)
    except Refusal as refusal:
        return {"id": number, "error": refusal.as_json()}
