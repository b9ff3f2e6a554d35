"""Webhook subscriptions, and what is told when something happens; deliveries.py sends it."""

import json
import secrets
from collections.abc import Callable
from typing import Any

from sandbox.shopify import money, products
from sandbox.shopify.answers import Fields, UserError, not_simulated, only
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.site import APP, VERSION, Site, connection, gid, time_text

_WISH = ("uri", "format", "includeFields", "name")
TOPICS = [
    "ORDERS_CREATE",
    "ORDERS_UPDATED",
    "ORDERS_CANCELLED",
    "ORDERS_PAID",
    "ORDERS_EDITED",
    "REFUNDS_CREATE",
    "FULFILLMENTS_CREATE",
    "PRODUCTS_CREATE",
    "PRODUCTS_UPDATE",
    "PRODUCTS_DELETE",
    "INVENTORY_LEVELS_UPDATE",
    "APP_UNINSTALLED",
    "BULK_OPERATIONS_FINISH",
]


def fire(site: Site, topic: str, kind: str, number: int) -> None:
    """Queues the state of now for every subscription of the topic, all with one event id."""
    listening = site.all("WebhookSubscription", "slug = ?", topic)
    if not listening:
        return
    body, event = json.dumps(_body(site, kind, number)), secrets.token_hex(16)
    for one in listening:
        seen = body
        if one["includeFields"]:
            seen = json.dumps({k: v for k, v in json.loads(body).items() if k in one["includeFields"]})
        queue(site, header_topic(topic), seen, one["uri"], event=event, parent=one["id"])


def queue(site: Site, topic: str, body: str, uri: str, *, event: str = "", parent: int | None = None) -> None:
    """One delivery under the topic as its header names it. It is dropped when its subscription (`parent`) is gone."""
    site.put(
        "Delivery",
        {
            "id": site.number("Delivery"),
            "parent": parent,
            "uri": uri,
            "lasting": parent is None,
            "topic": topic,
            "body": body,
            "webhookId": secrets.token_hex(16),
            "eventId": event or secrets.token_hex(16),
            "triggered": site.now(),
            "created": site.clock(),
            "attempt": 0,
            "modified": 0,  # when it is due
        },
    )


def header_topic(topic: str) -> str:
    """ORDERS_CREATE → orders/create, INVENTORY_LEVELS_UPDATE → inventory_levels/update."""
    resource, _, event = topic.rpartition("_")
    return f"{resource}/{event}".lower()


@field("QueryRoot.webhookSubscriptions")
def subscriptions(site: Site, _source: Any, arguments: Fields) -> Fields:
    if arguments.get("query"):
        raise not_simulated("a search for webhook subscriptions")
    rows = site.all("WebhookSubscription")
    if arguments.get("topics"):
        rows = [one for one in rows if one["topic"] in arguments["topics"]]
    if arguments.get("uri"):
        rows = [one for one in rows if one["uri"] == arguments["uri"]]
    return connection(rows, arguments)


@field("QueryRoot.webhookSubscription")
def subscription(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return site.one("WebhookSubscription", arguments["id"])


@field("WebhookSubscription.apiVersion")
def version(_site: Site, _one: Fields, _arguments: Fields) -> Fields:
    return {"handle": VERSION, "displayName": VERSION, "supported": True}


@mutation("webhookSubscriptionCreate", scope="")
def create(site: Site, _source: Any, arguments: Fields) -> Fields:
    topic, wish = arguments["topic"], arguments["webhookSubscription"]
    only(wish, "a webhook subscription", *_WISH)
    if topic not in TOPICS:
        raise not_simulated(f"the topic {topic}")
    _demand(site, topic)
    made = site.new(
        "WebhookSubscription", topic=topic, slug=topic, failures=0, uri="", format="JSON", includeFields=[]
    )
    made.update(filter=None, name=None, metafieldNamespaces=[])
    _write(site, made, wish)
    return {"webhookSubscription": made, "userErrors": []}


@mutation("webhookSubscriptionUpdate", scope="")
def update(site: Site, _source: Any, arguments: Fields) -> Fields:
    wish = arguments["webhookSubscription"]
    only(wish, "a webhook subscription", *_WISH)
    found = site.one("WebhookSubscription", arguments["id"])
    if found is None:
        raise UserError("Webhook subscription does not exist", "", "id")
    _write(site, found, wish)
    return {"webhookSubscription": found, "userErrors": []}


@mutation("webhookSubscriptionDelete", scope="")
def delete(site: Site, _source: Any, arguments: Fields) -> Fields:
    found = site.one("WebhookSubscription", arguments["id"])
    if found is None:
        raise UserError("Webhook subscription does not exist", "", "id")
    site.store.drop("WebhookSubscription", found["id"])
    return {"deletedWebhookSubscriptionId": gid("WebhookSubscription", found["id"]), "userErrors": []}


def _write(site: Site, one: Fields, wish: Fields) -> None:
    if wish.get("format") not in (None, "JSON"):
        raise not_simulated("webhooks in XML")
    if "uri" in wish or not one["uri"]:
        uri = str(wish.get("uri") or "")
        if not uri.startswith(("http://", "https://")):
            raise UserError("Address is invalid", "", "webhookSubscription", "uri")
        same = [row for row in site.all("WebhookSubscription", "slug = ?", one["slug"]) if row["uri"] == uri]
        if any(row["id"] != one["id"] for row in same):
            message = "Address for this topic has already been taken"
            raise UserError(message, "", "webhookSubscription", "callbackUrl")
        one["uri"] = uri
    if wish.get("includeFields") is not None:
        one["includeFields"] = wish["includeFields"]
    if "name" in wish:
        one["name"] = wish["name"]
    site.touch(one)


def _demand(site: Site, topic: str) -> None:
    """A topic without its scope is refused as an access error of the app, in userErrors."""
    needed = {"ORDERS": "orders", "REFUNDS": "orders", "PRODUCTS": "products", "INVENTORY": "inventory"}
    scope = needed.get(topic.partition("_")[0])
    if scope and not {f"read_{scope}", f"write_{scope}"} & set(site.scopes):
        message = "You do not have permission to create or update webhooks with the provided topic"
        raise UserError(f"{message}: {header_topic(topic)}", "", "webhookSubscription")


def _body(site: Site, kind: str, number: int) -> Fields:
    word, _, rest = kind.partition(" ")
    makers: dict[str, Callable[[], Fields]] = {
        "Order": lambda: _order(site, site.one("Order", number) or {}),
        "Refund": lambda: _refund(site, site.one("Order", number) or {}, int(rest)),
        "Product": lambda: _product(site, number),
        "BulkOperation": lambda: _bulk(site.one("BulkOperation", number) or {}),
        "InventoryLevel": lambda: _level(site, number, rest),
        "Shop": lambda: {"id": 1, "name": site.name, "domain": site.domain, "myshopify_domain": site.domain},
    }
    return makers[word]()


def _order(site: Site, order: Fields) -> Fields:
    """The REST order, as far as shopify.dev's webhook reference shows it and somebody may lean on it."""
    now, then = money.totals(order, current=True), money.totals(order, current=False)
    status = money.fulfillment_status(order)
    return {
        "id": order["id"],
        "admin_graphql_api_id": gid("Order", order["id"]),
        "app_id": APP,
        "name": order["name"],
        "order_number": int(order["name"].lstrip("#")),
        "email": order["email"],
        "note": order["note"],
        "tags": ", ".join(order["tags"]),
        "test": order["test"],
        "created_at": time_text(order["created"]),
        "updated_at": time_text(order["modified"]),
        "processed_at": time_text(order["processedAt"]),
        "cancelled_at": time_text(order["cancelledAt"]),
        "cancel_reason": (order["cancelReason"] or "").lower() or None,
        "financial_status": money.financial_status(order).lower(),
        "fulfillment_status": {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}.get(status),
        "taxes_included": order["taxesIncluded"],
        "currency": site.currency,
        "presentment_currency": (order.get("presentment") or {}).get("currency") or site.currency,
        "source_name": order["sourceName"],
        "total_price": money.cents(then["total"]),
        "subtotal_price": money.cents(then["subtotal"]),
        "total_tax": money.cents(then["tax"]),
        "total_discounts": money.cents(then["discounts"]),
        "current_total_price": money.cents(now["total"]),
        "shipping_address": {
            "first_name": order["shippingAddress"]["firstName"],
            "last_name": order["shippingAddress"]["lastName"],
            "address1": order["shippingAddress"]["address1"],
            "zip": order["shippingAddress"]["zip"],
            "city": order["shippingAddress"]["city"],
            "country_code": order["shippingAddress"]["countryCodeV2"],
        },
        "line_items": [_line(line) for line in order["lines"]],
        "refunds": [
            {"id": one["id"], "admin_graphql_api_id": gid("Refund", one["id"])} for one in order["refunds"]
        ],
    }


def _line(line: Fields) -> Fields:
    return {
        "id": line["id"],
        "admin_graphql_api_id": gid("LineItem", line["id"]),
        "variant_id": line["variant"],
        "product_id": line["product"],
        "sku": line["sku"],
        "title": line["title"],
        "quantity": line["quantity"],
        "current_quantity": line["current"],
        "price": line["price"],
        "total_discount": line["discount"],
    }


def _refund(site: Site, order: Fields, number: int) -> Fields:
    one = next(row for row in order["refunds"] if row["id"] == number)
    return {
        "id": number,
        "admin_graphql_api_id": gid("Refund", number),
        "order_id": order["id"],
        "created_at": time_text(one["createdAt"]),
        "note": one["note"],
        "refund_line_items": [
            {
                "id": row["id"],
                "line_item_id": row["line"],
                "quantity": row["quantity"],
                "restock_type": row["restockType"].lower(),
                "subtotal": row["subtotalSet"],
                "total_tax": row["totalTaxSet"],
            }
            for row in one["lines"]
        ],
        "transactions": [
            {"id": row["id"], "kind": "refund", "amount": row["amount"], "currency": site.currency}
            for row in order["transactions"]
            if row.get("refund") == number
        ],
    }


def _product(site: Site, number: int) -> Fields:
    product = site.one("Product", number)
    if product is None:
        return {"id": number}
    return {
        "id": number,
        "admin_graphql_api_id": gid("Product", number),
        "title": product["title"],
        "handle": product["handle"],
        "status": product["status"].lower(),
        "updated_at": time_text(product["modified"]),
        "tags": ", ".join(product["tags"]),
        "variants": [
            {
                "id": one["id"],
                "admin_graphql_api_id": gid("ProductVariant", one["id"]),
                "sku": one["sku"],
                "price": one["price"],
                "inventory_item_id": one["itemId"],
            }
            for one in products.variants_of(site, product)
        ],
    }


def _bulk(one: Fields) -> Fields:
    return {
        "admin_graphql_api_id": gid("BulkOperation", one["id"]),
        "status": one["status"].lower(),
        "type": one["type"].lower(),
        "error_code": one["errorCode"] and one["errorCode"].lower(),
        "created_at": time_text(one["created"]),
        "completed_at": time_text(one["completedAt"]),
    }


def _level(site: Site, number: int, place: str) -> Fields:
    item = site.one("InventoryItem", number)
    held = item["levels"][place] if item else {"available": None, "updated": None}
    return {
        "inventory_item_id": number,
        "location_id": int(place),
        "available": held["available"],
        "updated_at": time_text(held["updated"]),
        "admin_graphql_api_id": f"{gid('InventoryLevel', int(place))}?inventory_item_id={number}",
    }
