"""A Shopify's calls to the hub: which are asked for, mended and read, and how little they tell."""

from collections.abc import Iterator

import pytest

from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import Make, push
from tests.contract.woocommerce_order_rig import Ear

HOOK = """mutation ($t: WebhookSubscriptionTopic!, $w: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $t, webhookSubscription: $w) { userErrors { message } } }"""
WIDEN = """mutation ($id: ID!, $w: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $w) { userErrors { message } } }"""
HOOKS = "{ webhookSubscriptions(first: 100) { nodes { id topic uri } } }"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def rig(running: ShopifyRig) -> Iterator[ShopifyRig]:
    yield running
    running.tidy("")


def test_calls_name_no_buyer(rig: ShopifyRig, make: Make) -> None:
    """What is told of an order is its number: name and address are read by the hub itself when it needs them."""
    shop, ear = rig.connect(), Ear()
    try:
        draft = make.simple(1, stock=7)
        first = push(shop, draft)[draft.key]
        shop.subscribe(ear.url)
        made = rig.switch("order", lines=[{"sku": draft.variants[0].sku, "quantity": 1}], email="a@b.test")
        rig.edit(str(first.external_id), title="Renamed")
        rig.delete(str(first.external_id))
        rig.switch("webhooks/run")
        heard = {(notice.topic, notice.kind, notice.external_id) for notice in (shop.read_webhook(headers, body) for headers, body in ear.heard)}  # fmt: skip
        assert heard >= {
            ("orders/create", "order", made["id"]),
            ("products/update", "product", first.external_id),
            ("products/delete", "product", first.external_id),
            ("inventory_levels/update", "stock", first.stock_ids["v1"]),
        }
        assert all(len(body) < 80 for _, body in ear.heard)
    finally:
        ear.close()


def test_a_call_that_tells_more_than_is_read_is_asked_for_less(rig: ShopifyRig) -> None:
    shop, ear = rig.connect(), Ear()
    seen = "{ webhookSubscriptions(first: 100) { nodes { id topic uri includeFields } } }"
    try:
        shop.subscribe(ear.url)
        (ours,) = (one for one in rig.graphql(seen)["nodes"] if (one["topic"], one["uri"]) == ("ORDERS_CREATE", ear.url))  # fmt: skip
        assert ours["includeFields"] == ["id"]
        rig.graphql(WIDEN, id=ours["id"], w={"includeFields": []})
        assert list(shop.subscribe(ear.url)) == ["orders/create"] and list(shop.subscribe(ear.url)) == []
        assert ours in rig.graphql(seen)["nodes"]
    finally:
        ear.close()


def test_only_what_is_missing_is_subscribed_and_a_moved_hub_is_found(rig: ShopifyRig) -> None:
    shop, ear = rig.connect(), Ear()
    try:
        stranger = "https://elsewhere.example/other/path"
        rig.graphql(HOOK, t="ORDERS_CREATE", w={"uri": stranger})
        topics = [
            "orders/create", "orders/updated", "orders/cancelled", "refunds/create", "products/update", "products/delete",
            "inventory_levels/update", "app/uninstalled",
        ]  # fmt: skip
        assert list(shop.subscribe(ear.url)) == topics
        assert list(shop.subscribe(ear.url)) == []
        held = rig.graphql(HOOKS)["nodes"]
        gone = next(one for one in held if one["topic"] == "ORDERS_UPDATED")
        rig.graphql("mutation ($id: ID!) { webhookSubscriptionDelete(id: $id) { userErrors { message } } }", id=gone["id"])  # fmt: skip
        assert list(shop.subscribe(ear.url)) == ["orders/updated"]
        moved = ear.url.replace("127.0.0.1", "localhost")
        assert list(shop.subscribe(moved)) == topics
        uris = [one["uri"] for one in rig.graphql(HOOKS)["nodes"]]
        assert uris.count(moved) == 8 and uris.count(stranger) == 1 and len(uris) == 9
    finally:
        ear.close()
