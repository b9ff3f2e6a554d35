"""Webhooks as the shop keeps them: created, shown, fired; deliveries.py sends what was fired."""

from sandbox.woocommerce import coerce, listing, schema
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.site import Site, links

_ALLOW = "GET, POST, PUT, PATCH, DELETE"
_RULES = {
    "name": schema.STRING,
    "topic": schema.STRING,
    "secret": schema.STRING,
    "delivery_url": schema.STRING,
    "status": schema.Rule("string", ("active", "paused", "disabled")),
}
# Topic -> the WordPress hooks it hangs on. The first two were recorded; of the others only what they are for is
# known, so their hooks are the ones WooCommerce's class-wc-webhook.php names.
TOPICS = {
    "order.created": ["woocommerce_new_order"],
    "product.updated": [
        "woocommerce_process_product_meta",
        "woocommerce_update_product",
        "woocommerce_update_product_variation",
    ],
    "order.updated": ["woocommerce_update_order", "woocommerce_order_refunded"],
    "product.created": [
        "woocommerce_process_product_meta",
        "woocommerce_new_product",
        "woocommerce_new_product_variation",
    ],
    "product.deleted": ["wp_trash_post"],
    "order.deleted": ["wp_trash_post", "woocommerce_trash_order"],
}
_UNSIMULATED_TOPICS = (
    "order.restored",
    "product.restored",
    "coupon.",
    "customer.",
    "action.",
)


def webhooks(site: Site, call: Call) -> Answer:
    query = listing.checked(call, schema.PAGES)
    where, values = "kind = 'webhook'", []
    if query.get("status", "all") != "all":
        where, values = f"{where} AND status = ?", [query["status"]]
    return listing.page(site, call, where, values, query, lambda doc: _view(site, call, doc))


def webhook(site: Site, call: Call, number: int) -> Answer:
    return Answer(200, _view(site, call, _known(site, number)))


def new_webhook(site: Site, call: Call) -> Answer:
    """Answers `active` whatever the address; a ping goes out to it."""
    fields = fields_of(call)
    schema.check(fields, _RULES)
    topic = str(fields.get("topic") or "")
    if topic not in TOPICS:
        if topic.startswith(_UNSIMULATED_TOPICS):
            raise NotSimulated(f"the topic {topic}")
        message = "Webhook topic is required and must be valid."
        raise Refusal("woocommerce_rest_shop_webhook_invalid_topic", message, 400)
    if not str(fields.get("delivery_url") or "").startswith(("http://", "https://")):
        raise NotSimulated("a webhook without an http address")
    doc = {
        "id": site.store.next("webhook"),
        "name": coerce.string(fields.get("name")) or f"Webhook created on {site.local(site.now())}",
        "status": fields.get("status") or "active",
        "topic": topic,
        "delivery_url": fields["delivery_url"],
        "secret": coerce.string(fields.get("secret")),
        "created": site.now(),
        "modified": None,
        "failures": 0,
    }
    site.store.put("webhook", doc)
    _queue(site, doc["id"], "ping", 0)
    return Answer(201, _view(site, call, doc), {"Location": f"{call.api}/webhooks/{doc['id']}"})


def change_webhook(site: Site, call: Call, number: int) -> Answer:
    fields = fields_of(call)
    schema.check(fields, _RULES)
    doc = _known(site, number)
    if fields.get("topic") not in (None, doc["topic"]):
        raise NotSimulated("another topic for a webhook")
    for name in ("name", "status", "delivery_url", "secret"):
        if fields.get(name) is not None:
            doc[name] = fields[name]
    if fields.get("status") == "active":
        doc["failures"] = 0
    doc["modified"] = site.now()
    site.store.put("webhook", doc)
    return Answer(200, _view(site, call, doc))


def remove_webhook(site: Site, call: Call, number: int) -> Answer:
    doc = _known(site, number)
    if call.query.get("force") not in ("true", "1"):
        message = "Webhooks do not support trashing."
        raise Refusal("woocommerce_rest_trash_not_supported", message, 501)
    site.store.drop("webhook", number)
    return Answer(200, _view(site, call, doc))


def fire(site: Site, resource: str, event: str, number: int) -> None:
    """Something happened to an order or product; doubles that still wait collapse into one."""
    for doc in site.store.find("kind = 'webhook' AND status = 'active'", ()):
        if doc["topic"] == f"{resource}.{event}":
            _queue(site, doc["id"], resource, number)


def _queue(site: Site, webhook: int, resource: str, number: int) -> None:
    waiting = site.store.find(
        "kind = 'delivery' AND parent = ? AND slug = ?", (webhook, f"{resource} {number}")
    )
    if not waiting:
        site.store.put(
            "delivery",
            {
                "id": site.store.next("delivery"),
                "parent": webhook,
                "slug": f"{resource} {number}",
                "resource": resource,
                "number": number,
            },
        )


def _known(site: Site, number: int) -> Fields:
    doc = site.store.get("webhook", number)
    if doc is None:
        raise Refusal("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
    return doc


def _view(site: Site, call: Call, doc: Fields) -> Fields:
    resource, _, event = doc["topic"].partition(".")
    return {
        "id": doc["id"],
        "name": doc["name"],
        "status": doc["status"],
        "topic": doc["topic"],
        "resource": resource,
        "event": event,
        "hooks": TOPICS[doc["topic"]],
        "delivery_url": doc["delivery_url"],
        "date_created": site.local(doc["created"]),
        "date_created_gmt": site.gmt(doc["created"]),
        "date_modified": site.local(doc["modified"]),
        "date_modified_gmt": site.gmt(doc["modified"]),
        "_links": links(call, f"webhooks/{doc['id']}", "webhooks", allow=_ALLOW),
    }
