"""Webhooks of the sandbox's Shopify: signed, repeated until taken, unreliable on wish, given up like Shopify's."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sandbox.shopify import Shop
from tests.unit.shopify_client import Client, opened
from tests.workers import until

CREATE = """mutation($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) {
    webhookSubscription { id uri topic } userErrors { field message } } }"""
LIST = "{ webhookSubscriptions(first: 10) { nodes { id topic uri } } }"
SEED = 7


class Ear:
    """Takes every webhook on 127.0.0.1 and answers `status`."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(ear.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def topics(self) -> list[str]:
        return [headers["x-shopify-topic"] for headers, _ in self.heard]


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[tuple[Shop, Client]]:
    with opened(tmp_path, retry_seconds=0.02) as (shop, client):
        client.offered(stock=100)
        yield shop, client


@pytest.fixture
def shop(opening: tuple[Shop, Client]) -> Shop:
    return opening[0]


@pytest.fixture
def client(opening: tuple[Shop, Client]) -> Client:
    return opening[1]


def subscribe(client: Client, ear: Ear, *topics: str, **more: Any) -> None:
    for topic in topics:
        assert client.change(CREATE, topic=topic, hook={"uri": ear.url, **more})["userErrors"] == []


def buy(client: Client, quantity: int = 1) -> Any:
    return client.switch("POST", "order", lines=[{"sku": "BOWL-B", "quantity": quantity}])


def settled(client: Client) -> bool:
    return bool(client.switch("GET", "webhooks")["waiting"] == 0)


def test_an_order_is_told_by_itself_signed_with_the_client_secret(client: Client, ear: Ear) -> None:
    subscribe(client, ear, "ORDERS_CREATE", "INVENTORY_LEVELS_UPDATE")
    order = buy(client)
    until(lambda: len(ear.heard) == 2, seconds=10)
    (_, level), (headers, body) = sorted(ear.heard, key=lambda one: one[0]["x-shopify-topic"])
    digest = hmac.digest(client.known["client_secret"].encode(), body, hashlib.sha256)
    assert headers["x-shopify-hmac-sha256"] == base64.b64encode(digest).decode()
    named = [headers[f"x-shopify-{name}"] for name in ("topic", "shop-domain", "api-version")]
    assert named == ["orders/create", "sandbox.myshopify.com", "2026-10"]
    assert all(headers[f"x-shopify-{name}"] for name in ("webhook-id", "event-id", "triggered-at"))
    told = json.loads(body)
    assert (told["admin_graphql_api_id"], told["id"]) == (order["id"], int(order["id"].rpartition("/")[2]))
    assert [(line["sku"], line["quantity"], line["price"]) for line in told["line_items"]] == [
        ("BOWL-B", 1, "10.00")
    ]
    assert json.loads(level)["available"] == 99


def test_every_act_of_the_seller_is_told(client: Client, ear: Ear) -> None:
    subscribe(
        client,
        ear,
        "ORDERS_UPDATED",
        "ORDERS_CANCELLED",
        "REFUNDS_CREATE",
        "PRODUCTS_UPDATE",
        "APP_UNINSTALLED",
    )
    order = buy(client)["id"]
    client.switch("POST", "order/refund", order=order, amount="1.00")
    client.switch("POST", "edit", sku="BOWL-B", set={"price": "11.00"})
    client.switch("POST", "order/cancel", order=order)
    client.switch("POST", "uninstall")
    until(lambda: "app/uninstalled" in ear.topics() and settled(client), seconds=10)
    told = {topic: ear.topics().count(topic) for topic in set(ear.topics())}
    assert told == {
        "orders/updated": 3,
        "refunds/create": 2,
        "products/update": 1,
        "orders/cancelled": 1,
        "app/uninstalled": 1,
    }
    refund = json.loads(
        next(body for headers, body in ear.heard if headers["x-shopify-topic"] == "refunds/create")
    )
    assert refund["transactions"][0]["amount"] == "1.00"
    assert client.raw("POST", "/admin/api/2026-10/graphql.json", {"query": LIST})[0] == 401


def test_what_is_not_taken_comes_again_unchanged_and_eight_failures_end_it(client: Client, ear: Ear) -> None:
    ear.status = 500
    subscribe(client, ear, "ORDERS_CREATE")
    buy(client)
    until(lambda: len(ear.heard) >= 2, seconds=10)
    assert len({(headers["x-shopify-webhook-id"], body) for headers, body in ear.heard}) == 1
    until(lambda: not client.ask(LIST)["webhookSubscriptions"]["nodes"] and settled(client), seconds=20)
    assert len(ear.heard) == 8


def test_a_delivery_taken_late_keeps_the_subscription(client: Client, ear: Ear) -> None:
    ear.status = 503
    subscribe(client, ear, "ORDERS_CREATE")
    buy(client)
    until(lambda: len(ear.heard) == 3, seconds=10)
    ear.status = 200
    until(lambda: settled(client), seconds=10)
    assert len(client.ask(LIST)["webhookSubscriptions"]["nodes"]) == 1


def test_deliveries_can_be_lost_doubled_held_and_shuffled(client: Client, ear: Ear) -> None:
    subscribe(client, ear, "ORDERS_CREATE")
    client.switch("POST", "webhooks", lose=100)
    buy(client)
    until(lambda: settled(client), seconds=10)
    assert (ear.heard, client.switch("GET", "webhooks")["lost"]) == ([], 1)
    client.switch("POST", "webhooks", lose=0, double=100)
    buy(client)
    until(lambda: len(ear.heard) == 2, seconds=10)
    assert len({headers["x-shopify-webhook-id"] for headers, _ in ear.heard}) == 1
    until(lambda: settled(client), seconds=10)
    client.switch("POST", "webhooks", double=0, hold=True, shuffle=True, seed=SEED)
    ear.heard.clear()
    bought = [buy(client)["name"] for _ in range(8)]
    assert (ear.heard, client.switch("GET", "webhooks")["waiting"]) == ([], 8)
    client.switch("POST", "webhooks", hold=False)
    until(lambda: len(ear.heard) == 8, seconds=10)
    told = [json.loads(body)["name"] for _, body in ear.heard]
    assert sorted(told) == sorted(bought)
    assert told != bought, f"seed {SEED}"
    assert client.wish("POST", "webhooks", mangle=1)[0] == 400


def test_an_address_of_another_machine_is_never_called_and_a_second_one_is_refused(
    client: Client, ear: Ear
) -> None:
    elsewhere = {"uri": "https://hub.example/hooks"}
    assert client.change(CREATE, topic="ORDERS_CREATE", hook=elsewhere)["userErrors"] == []
    double = client.change(CREATE, topic="ORDERS_CREATE", hook=elsewhere)
    assert double["userErrors"][0]["message"] == "Address for this topic has already been taken"
    assert (
        client.change(CREATE, topic="ORDERS_CREATE", hook={"uri": "nowhere"})["webhookSubscription"] is None
    )
    buy(client)
    until(lambda: not client.ask(LIST)["webhookSubscriptions"]["nodes"], seconds=20)
    assert client.refused(CREATE, topic="ORDERS_DELETE", hook={"uri": ear.url}) == "NOT_SIMULATED"


def test_subscriptions_are_changed_deleted_and_choose_fields(client: Client, ear: Ear) -> None:
    subscribe(client, ear, "ORDERS_CREATE", includeFields=["id", "name"])
    number = client.ask(LIST)["webhookSubscriptions"]["nodes"][0]["id"]
    change = """mutation($id: ID!, $hook: WebhookSubscriptionInput!) {
      webhookSubscriptionUpdate(id: $id, webhookSubscription: $hook) { webhookSubscription { uri } userErrors { message } } }"""
    other = f"{ear.url}/other"
    assert client.change(change, id=number, hook={"uri": other})["webhookSubscription"] == {"uri": other}
    name = buy(client)["name"]
    until(lambda: len(ear.heard) == 1, seconds=10)
    assert json.loads(ear.heard[0][1]).keys() == {"id", "name"}
    assert json.loads(ear.heard[0][1])["name"] == name
    delete = "mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }"
    assert client.change(delete, id=number)["deletedWebhookSubscriptionId"] == number
    assert len(client.change(delete, id=number)["userErrors"]) == 1
    buy(client)
    assert client.switch("GET", "webhooks")["waiting"] == 0


def test_what_waits_survives_a_restart(tmp_path: Path, ear: Ear) -> None:
    with opened(tmp_path) as (_, client):
        client.offered()
        subscribe(client, ear, "ORDERS_CREATE")
        client.switch("POST", "webhooks", hold=True)
        buy(client)
    assert ear.heard == []
    with opened(tmp_path):
        until(lambda: len(ear.heard) == 1, seconds=10)


def test_the_privacy_topics_come_by_the_app_s_configuration_even_after_it_was_taken_out(
    client: Client, ear: Ear
) -> None:
    order = buy(client)["id"]
    assert client.wish("POST", "privacy", topic="shop/redact")[0] == 400
    client.switch("POST", "app", compliance=ear.url)
    client.switch("POST", "privacy", topic="customers/data_request", orders=[order])
    client.switch("POST", "uninstall")
    client.switch("POST", "privacy", topic="customers/redact", orders=[order])
    client.switch("POST", "privacy", topic="shop/redact")
    until(lambda: len(ear.heard) == 3, seconds=10)
    bodies = {headers["x-shopify-topic"]: json.loads(body) for headers, body in ear.heard}
    number = int(order.rpartition("/")[2])
    asked, forgotten = bodies["customers/data_request"], bodies["customers/redact"]
    assert (asked["orders_requested"], asked["customer"]["email"]) == ([number], "erika@example.com")
    assert (forgotten["orders_to_redact"], "data_request" in forgotten) == ([number], False)
    assert bodies["shop/redact"] == {"shop_id": 1, "shop_domain": "sandbox.myshopify.com"}
    headers, body = ear.heard[0]
    signed = hmac.digest(client.known["client_secret"].encode(), body, hashlib.sha256)
    assert headers["x-shopify-hmac-sha256"] == base64.b64encode(signed).decode()


def test_a_late_post_is_late(client: Client, shop: Shop, ear: Ear) -> None:
    subscribe(client, ear, "ORDERS_CREATE")
    client.switch("POST", "webhooks", late=3600)
    buy(client)
    shop.deliveries.run()
    assert ear.heard == []
    assert client.switch("GET", "webhooks")["waiting"] == 1
    client.switch("POST", "webhooks/run")
    assert ear.topics() == ["orders/create"]


def test_a_chatty_shop_calls_a_sale_a_change_of_the_product_too(client: Client, ear: Ear) -> None:
    subscribe(client, ear, "PRODUCTS_UPDATE", "INVENTORY_LEVELS_UPDATE")
    buy(client)
    client.switch("POST", "settings", chatty=True)
    buy(client)
    until(lambda: settled(client), seconds=10)
    told = ["inventory_levels/update", "inventory_levels/update", "products/update"]
    assert sorted(ear.topics()) == told
