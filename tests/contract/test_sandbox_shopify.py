"""The sandbox's Shopify under many hands at once: no unit is sold twice, none is lost, nothing waits for ever."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sandbox.shopify import Shop
from tests.unit.shopify_client import SET, SET_STOCK, Client
from tests.workers import until

SEED = 20261127
HANDS = 8
ITEMS = "{ productVariants(first: 50) { nodes { sku inventoryItem { id } } } }"
STOCK = """query($id: ID!, $place: ID!) { inventoryItem(id: $id) { inventoryLevel(locationId: $place) {
  quantities(names: ["available", "committed"]) { name quantity } } } }"""
HOOK = """mutation($uri: String!) { webhookSubscriptionCreate(topic: ORDERS_CREATE, webhookSubscription: {uri: $uri}) {
  userErrors { message } } }"""


class Hand:
    """One of many: its own connection, its own chance, and what it did."""

    def __init__(self, told: dict[str, str], seed: int) -> None:
        self.client = Client(told, timeout=60)
        self.chance = random.Random(seed)
        self.seed = seed
        self.sold: Counter[str] = Counter()
        self.added: Counter[str] = Counter()
        self.orders: list[str] = []

    def work(self, times: int, items: dict[str, str], place: str) -> None:
        for at in range(times):
            sku = self.chance.choice(sorted(items))
            self.chance.choice((self.buy, self.restock, self.cancel))(sku, items[sku], place, at)
        self.client.line.close()

    def buy(self, sku: str, item: str, place: str, at: int) -> None:
        many = self.chance.randint(1, 3)
        status, found = self.client.wish("POST", "order", lines=[{"sku": sku, "quantity": many}])
        if status == 200:
            self.orders.append(found["id"])
            self.sold[sku] += many
        else:
            assert "out of stock" in found["message"], found

    def restock(self, sku: str, item: str, place: str, at: int) -> None:
        """Reads, then swaps: somebody else's change in between refuses it, and the same key answers the same."""
        level = self.client.ask(STOCK, id=item, place=place)["inventoryItem"]["inventoryLevel"]
        held = {one["name"]: one["quantity"] for one in level["quantities"]}["available"]
        more = self.chance.randint(1, 4)
        row = {
            "inventoryItemId": item,
            "locationId": place,
            "quantity": held + more,
            "changeFromQuantity": held,
        }
        wish = {"name": "available", "reason": "correction", "quantities": [row]}
        key = f"{self.seed}-{at}"
        first = self.client.change(SET_STOCK, input=wish, key=key)
        codes = [one["code"] for one in first["userErrors"]]
        again = self.client.change(SET_STOCK, input=wish, key=key)
        if codes:
            assert codes == ["CHANGE_FROM_QUANTITY_STALE"]
            assert [one["code"] for one in again["userErrors"]] == ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]
        else:
            assert again == first
            self.added[sku] += more

    def cancel(self, sku: str, item: str, place: str, at: int) -> None:
        if not self.orders:
            return
        found = self.client.switch("POST", "order/cancel", order=self.orders[-1])
        self.orders.pop()
        self.sold[found["lines"][0]["sku"]] -= found["lines"][0]["quantity"]


def made(client: Client, skus: list[str], stock: int) -> tuple[dict[str, str], str]:
    place = client.place()
    variants = [
        {
            "sku": sku, "price": "1.00", "optionValues": [{"optionName": "Size", "name": sku}],
            "inventoryItem": {"tracked": True},
            "inventoryQuantities": [{"locationId": place, "name": "available", "quantity": stock}],
        }
        for sku in skus
    ]  # fmt: skip
    options = [{"name": "Size", "values": [{"name": sku} for sku in skus]}]
    wish = {"title": "Bowl", "productOptions": options, "variants": variants}
    product = client.change(SET, input=wish)["product"]["id"]
    client.change("mutation($id: ID!) { publishablePublish(id: $id, input: [{publicationId: \"gid://shopify/Publication/1000000001\"}]) { userErrors { message } } }", id=product)  # fmt: skip
    nodes = client.ask(ITEMS)["productVariants"]["nodes"]
    return {one["sku"]: one["inventoryItem"]["id"] for one in nodes}, place


def held(client: Client, items: dict[str, str], place: str) -> tuple[dict[str, int], dict[str, int]]:
    """SKU → available, and SKU → committed."""
    rows: dict[str, dict[str, Any]] = {}
    for sku, item in items.items():
        level = client.ask(STOCK, id=item, place=place)["inventoryItem"]["inventoryLevel"]
        rows[sku] = {one["name"]: one["quantity"] for one in level["quantities"]}
    return (
        {sku: row["available"] for sku, row in rows.items()},
        {sku: row["committed"] for sku, row in rows.items()},
    )


@pytest.mark.parametrize("times", [12, pytest.param(150, marks=pytest.mark.deep)])
def test_many_hands_at_once_leave_exactly_what_they_did(tmp_path: Path, times: int) -> None:
    print(f"seed {SEED}")
    with Shop(tmp_path, retry_seconds=0.02) as shop:
        client = Client(shop.description(), timeout=60)
        items, place = made(client, ["A", "B", "C"], 10)
        client.change(
            HOOK, uri="http://127.0.0.1:9/closed"
        )  # every delivery fails, and eight end the subscription
        hands = [Hand(shop.description(), SEED + n) for n in range(HANDS)]
        with ThreadPoolExecutor(HANDS) as pool:
            for ended in [pool.submit(hand.work, times, items, place) for hand in hands]:
                ended.result(timeout=120)
        added: Counter[str] = sum((hand.added for hand in hands), Counter())
        sold = {sku: sum(hand.sold[sku] for hand in hands) for sku in items}
        available, committed = held(client, items, place)
        assert committed == sold
        assert available == {sku: 10 + added[sku] - sold[sku] for sku in items}
        assert min(available.values()) >= 0
        open_orders = [one["id"] for one in client.switch("GET", "orders") if not one["cancelled"]]
        assert sorted(open_orders) == sorted(order for hand in hands for order in hand.orders)
        until(
            lambda: (
                client.ask("{ webhookSubscriptions(first: 1) { nodes { id } } }")["webhookSubscriptions"][
                    "nodes"
                ]
                == []
            )
        )
        client.line.close()


def test_a_hundred_buyers_get_ten_units(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        client = Client(shop.description())
        items, place = made(client, ["A"], 10)
        gate = threading.Barrier(20)

        def buy() -> list[int]:
            hand = Client(shop.description(), timeout=60)
            gate.wait(timeout=30)
            found = [hand.wish("POST", "order", lines=[{"sku": "A", "quantity": 1}])[0] for _ in range(5)]
            hand.line.close()
            return found

        with ThreadPoolExecutor(20) as pool:
            statuses = [
                status for one in [pool.submit(buy) for _ in range(20)] for status in one.result(timeout=60)
            ]
        assert Counter(statuses) == {200: 10, 400: 90}
        assert held(client, items, place) == ({"A": 0}, {"A": 10})
        client.line.close()


def test_bulk_and_single_calls_pass_each_other(tmp_path: Path) -> None:
    """A single call waits for one line of a bulk operation, never for all of them."""
    with Shop(tmp_path) as shop:
        client = Client(shop.description(), timeout=60)
        made(client, ["A"], 10)
        place = shop.site.folder / "uploads" / "lines"
        place.parent.mkdir(exist_ok=True)
        rows = [{"input": {"title": f"P{n}"}} for n in range(300)]
        place.write_text("\n".join(json.dumps(row) for row in rows))
        shop.site.put("Upload", {"id": 1, "slug": "lines", "parameters": []})
        run = """mutation($text: String!) { bulkOperationRunMutation(mutation: $text, stagedUploadPath: "lines") {
          bulkOperation { id } userErrors { message } } }"""
        text = "mutation($input: ProductSetInput!) { productSet(input: $input) { product { id } userErrors { message } } }"
        number = client.change(run, text=text)["bulkOperation"]["id"]
        look = "query($id: ID!) { bulkOperation(id: $id) { status objectCount } }"
        seen: list[int] = []

        def ended() -> bool:
            client.switch("POST", "order", lines=[{"sku": "A", "quantity": 1}]) if len(seen) < 5 else None
            found = client.ask(look, id=number)["bulkOperation"]
            seen.append(int(found["objectCount"]))
            return str(found["status"]) == "COMPLETED"

        until(ended)
        assert seen == sorted(seen)
        assert seen[-1] == 300
        assert len(set(seen)) > 2
        assert client.ask("{ productsCount { count } }")["productsCount"]["count"] == 301
        client.line.close()


@pytest.mark.deep
def test_a_shop_killed_among_many_hands_is_whole_when_it_is_back(tmp_path: Path) -> None:
    """What was answered is there; what was not is there whole or not at all."""
    print(f"seed {SEED}")
    command = [sys.executable, "-P", "-m", "sandbox.shopify", "--folder", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[2]
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        client = Client(told)
        items, place = made(client, ["A", "B", "C"], 10)
        hands = [Hand(told, SEED + n) for n in range(HANDS)]
        with ThreadPoolExecutor(HANDS) as pool:
            ends = [pool.submit(hand.work, 10_000, items, place) for hand in hands]
            until(lambda: sum(len(hand.orders) for hand in hands) > 10)
            os.kill(process.pid, signal.SIGKILL)
            assert all(
                isinstance(end.exception(timeout=60), (OSError, http.client.HTTPException)) for end in ends
            )
    with Shop(tmp_path) as shop:
        client = Client(shop.description())
        available, committed = held(client, items, place)
        orders = client.switch("GET", "orders")
        sold: Counter[str] = Counter()
        for order in orders:
            for line in [] if order["cancelled"] else order["lines"]:
                sold[line["sku"]] += line["current"]
        assert committed == {sku: sold[sku] for sku in items}
        assert min(available.values()) >= 0
        added: Counter[str] = sum((hand.added for hand in hands), Counter())
        # What swaps added that nobody answered for.
        more = {sku: available[sku] + sold[sku] - 10 - added[sku] for sku in items}
        assert min(more.values()) >= 0
        assert sum(more.values()) <= 4 * HANDS
        cancelled = {one["id"]: one["cancelled"] for one in orders}
        for hand in hands:  # only the last may have been cancelled without an answer
            assert all(cancelled[order] is False for order in hand.orders[:-1])
            assert all(order in cancelled for order in hand.orders)
        client.line.close()
