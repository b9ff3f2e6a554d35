"""What the law makes Shopify ask of every app: buyers' data to be shown or forgotten, a shop to be forgotten.

The topics are set in the app's configuration, not subscribed, and come even after the app was taken out of the shop
(shopify.dev, "Privacy law compliance"). Without an address nothing is told.
"""

import json

from sandbox.shopify import buying, webhooks
from sandbox.shopify.answers import Fields
from sandbox.shopify.site import Site

TOPICS = ("customers/data_request", "customers/redact", "shop/redact")


def ask(site: Site, wish: Fields) -> Fields:
    """`{"topic", "orders"?: [order, …]}`: the person who placed these orders asks, or for shop/redact nobody does.

    Raises ValueError for another topic, for an app without an address and for a buyer without orders.
    """
    topic, uri = str(wish["topic"]), site.fact("compliance")
    if topic not in TOPICS:
        raise ValueError(f"topic is one of {', '.join(TOPICS)}.")
    if not uri:
        raise ValueError("The app names no address for this; set it with POST app.")
    body: Fields = {"shop_id": 1, "shop_domain": site.domain}
    if topic != "shop/redact":
        orders = [buying.found(site, one) for one in wish["orders"]]
        if not orders:
            raise ValueError("orders names the orders of the person who asks.")
        ids = [one["id"] for one in orders]
        body["customer"] = {
            "id": site.number("Customer"),
            "email": orders[0]["email"],
            "phone": orders[0]["phone"],
        }
        body |= {"orders_requested": ids} if topic.endswith("request") else {"orders_to_redact": ids}
        if topic.endswith("request"):
            body["data_request"] = {"id": site.number("DataRequest")}
    webhooks.queue(site, topic, json.dumps(body), uri)
    return body
