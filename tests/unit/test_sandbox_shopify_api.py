"""The sandbox's Shopify as an API: who is let in, what a query costs, how it fails, and that it survives a kill."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse, print_ast, validate

from sandbox.shopify import Shop, graph
from tests.unit.shopify_client import FIRST_PRODUCT, PATH, SET, SET_STOCK, Client, opened

SHARED = Path(__file__).resolve().parents[3] / "shared" / "shopify" / "operations.graphql"
STRANGER = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
SHOP = "{ shop { name currencyCode } }"


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[tuple[Shop, Client]]:
    with opened(tmp_path, name="Lamps & More", steady=lambda: 1000.0) as made:
        yield made


@pytest.fixture
def shop(opening: tuple[Shop, Client]) -> Shop:
    return opening[0]


@pytest.fixture
def client(opening: tuple[Shop, Client]) -> Client:
    return opening[1]


def operations() -> dict[str, str]:
    if not SHARED.exists():
        pytest.skip("the shared operations are not here")
    rows = (one for one in parse(SHARED.read_text()).definitions if isinstance(one, OperationDefinitionNode))
    return {one.name.value: print_ast(one) for one in rows if one.name}


def test_only_its_own_ca_and_its_own_token_open_the_door(shop: Shop, client: Client, tmp_path: Path) -> None:
    assert client.ask(SHOP) == {"shop": {"name": "Lamps & More", "currencyCode": "EUR"}}
    client.token = "shpat_wrong"
    status, _, body = client.raw("POST", PATH, {"query": SHOP})
    assert (status, json.loads(body)) == (401, STRANGER)
    with Shop(tmp_path / "other") as other:
        stranger = Client({**shop.description(), "ca_file": str(other.ca_file)})
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.ask(SHOP)


def test_a_token_expires_and_another_is_granted(client: Client) -> None:
    client.switch("POST", "token", expire=True)
    assert client.raw("POST", PATH, {"query": SHOP})[0] == 401
    fresh = client.switch("POST", "token", renew=True)["access_token"]
    assert fresh != client.token
    wish = {"client_id": client.known["client_id"], "client_secret": client.known["client_secret"]}
    grant = {**wish, "grant_type": "client_credentials"}
    status, _, body = client.raw("POST", "/admin/oauth/access_token", grant)
    assert (status, json.loads(body)["access_token"]) == (200, fresh)
    assert client.raw("POST", "/admin/oauth/access_token", {**grant, "client_secret": "x"})[0] == 400
    client.switch("POST", "token", expire=True)
    _, _, body = client.raw("POST", "/admin/oauth/access_token", grant)
    assert json.loads(body)["access_token"] not in (fresh, client.token)
    fresh = json.loads(body)["access_token"]
    client.token = fresh
    assert client.ask(SHOP)["shop"]["currencyCode"] == "EUR"


@pytest.mark.parametrize("state", [402, 403, 423, 503])
def test_a_closed_shop_answers_nothing_else(client: Client, state: int) -> None:
    client.switch("POST", "settings", state=state)
    status, _, body = client.raw("POST", PATH, {"query": SET, "variables": {"input": FIRST_PRODUCT}})
    assert (status, list(json.loads(body))) == (state, ["errors"])
    assert client.switch("GET", "products") == []


def test_a_missing_scope_is_told_by_field_and_a_write_scope_reads(client: Client) -> None:
    client.switch("POST", "settings", scopes=["write_products"])
    found = client.whole("{ orders(first: 1) { nodes { id } } }")
    assert found["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert found["errors"][0]["extensions"]["requiredAccess"] == "`read_orders` access scope."
    assert client.ask("{ products(first: 1) { nodes { id } } }") == {"products": {"nodes": []}}
    client.switch("POST", "settings", scopes=["read_products"])
    assert client.refused(SET, input=FIRST_PRODUCT) == "ACCESS_DENIED"
    assert client.switch("GET", "products") == []


def test_what_is_no_document_or_not_simulated_is_said(client: Client) -> None:
    assert client.raw("POST", PATH, b"{")[0] == 400
    assert client.raw("POST", PATH.replace("2026-10", "2020-01"), {"query": SHOP})[0] == 404
    wrong = client.whole("{ shop { nothing } }")
    assert (list(wrong), "nothing" in wrong["errors"][0]["message"]) == (["errors"], True)
    assert client.refused("{ giftCards(first: 1) { nodes { id } } }") == "NOT_SIMULATED"
    assert client.refused("mutation { orderOpen(input: {id: \"gid://shopify/Order/1\"}) { order { id } } }") == "NOT_SIMULATED"  # fmt: skip


@pytest.mark.parametrize(("size", "points"), [(10, 442), (50, 772), (100, 992)])
def test_the_settlement_query_costs_what_it_was_measured_to_cost(
    client: Client, size: int, points: int
) -> None:
    document = operations()["Orders"].replace("first: 50", f"first: {size}")
    cost = client.whole(document, q="")["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (points, 2)


def test_product_set_costs_more_for_what_it_carries(client: Client) -> None:
    files = [{"originalSource": f"https://pictures.example/{n}.jpg"} for n in range(10)]
    bare = "mutation($input: ProductSetInput!) { productSet(input: $input) { product { id } userErrors { message } } }"
    cost = client.whole(bare, input={**FIRST_PRODUCT, "files": files})["extensions"]["cost"]
    assert cost["requestedQueryCost"] == 30  # 10 + 10 · 1.9 + 2 · 0.2, rounded up


def test_who_asks_too_much_is_throttled_or_refused_and_nothing_is_done(client: Client) -> None:
    client.switch("POST", "settings", plan="basic", points=15)
    assert client.whole(SHOP)["extensions"]["cost"] == {
        "requestedQueryCost": 1,
        "actualQueryCost": 1,
        "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 14, "restoreRate": 100.0},
    }
    found = client.whole(SET, input=FIRST_PRODUCT)
    assert found["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert ("data" in found, found["extensions"]["cost"]["actualQueryCost"]) == (False, None)
    assert found["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 14
    inner = "nodes { id variants(first: 250) { nodes { id inventoryItem { inventoryLevels(first: 50) { nodes { id } } } } } }"
    dear = "{ products(first: 250) { INNER } }".replace("INNER", inner)
    assert client.refused(dear) == "MAX_COST_EXCEEDED"
    assert client.switch("GET", "products") == []


def test_what_was_asked_too_dear_is_given_back(client: Client) -> None:
    client.switch("POST", "settings", plan="basic")
    status = client.whole("{ products(first: 250) { nodes { id } } }")["extensions"]["cost"]
    assert (status["requestedQueryCost"], status["actualQueryCost"]) == (13, 2)
    assert status["throttleStatus"]["currentlyAvailable"] == 1998


@pytest.mark.parametrize(("kind", "made"), [("drop_before", 0), ("hang", 0), ("drop_after", 1)])
def test_a_cut_connection_leaves_what_it_says(client: Client, kind: str, made: int) -> None:
    client.switch("POST", "faults", kind=kind, field="productSet", seconds=0.05)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
        client.change(SET, input=FIRST_PRODUCT)
    client.line.close()
    assert len(client.switch("GET", "products")) == made
    (asked,) = client.switch("GET", "requests")
    assert (asked["fields"], asked["fault"], asked["status"]) == (["productSet"], kind, None)


def test_a_late_answer_leaves_the_product_made(shop: Shop, client: Client) -> None:
    shop.faults.add("late", seconds=30)
    hasty = Client(shop.description(), timeout=0.3)
    with pytest.raises(TimeoutError):
        hasty.change(SET, input=FIRST_PRODUCT)
    assert len(client.switch("GET", "products")) == 1


@pytest.mark.parametrize(
    ("fault", "status", "made"),
    [
        ({"kind": "status", "status": 429, "retry_after": 2}, 429, 0),
        ({"kind": "status", "status": 502}, 502, 0),
        ({"kind": "throttled"}, 200, 0),
        ({"kind": "internal"}, 200, 0),
        ({"kind": "html"}, 200, 0),
        ({"kind": "cut"}, 200, 1),
        ({"kind": "unauthorized"}, 401, 0),
        ({"kind": "stray"}, 200, 1),
    ],
)
def test_an_answer_can_be_spoiled_once_for_the_field_named(
    client: Client, fault: dict[str, Any], status: int, made: int
) -> None:
    client.switch("POST", "faults", field="productSet", **fault)
    assert client.ask(SHOP)["shop"]["currencyCode"] == "EUR"
    got, headers, body = client.raw("POST", PATH, {"query": SET, "variables": {"input": FIRST_PRODUCT}})
    assert (got, headers.get("retry-after")) == (status, "2.0" if status == 429 else None)
    if fault["kind"] in ("html", "cut", "stray"):
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
            json.loads(body)
    else:
        assert "data" not in json.loads(body)
    assert len(client.switch("GET", "products")) == made
    assert client.change(SET, input=FIRST_PRODUCT)["userErrors"] == []


def test_the_front_shows_what_is_on_sale_and_escapes_it(client: Client) -> None:
    client.change(SET, input={"title": "Not published"})
    client.offered(title="<b>Bowl</b>")
    status, headers, body = client.raw("GET", "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"&lt;b&gt;Bowl&lt;/b&gt;" in body
    assert b"from 10.00 EUR" in body
    assert b"In stock \xc2\xb7 20" in body
    assert b"Not published" not in body


def test_the_sandbox_s_own_switches_want_their_token(client: Client) -> None:
    assert client.raw("GET", "/sandbox/orders", Authorization="Bearer no")[0] == 401
    assert client.wish("POST", "faults", kind="earthquake")[0] == 400
    assert client.wish("POST", "weather")[0] == 404


def test_kill_9_keeps_what_was_answered(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.shopify", "--name", "K", "--folder", str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        first = Client(told)
        first.offered()
        order = first.switch("POST", "order", lines=[{"sku": "BOWL-B", "quantity": 2}])
        os.kill(process.pid, signal.SIGKILL)
    with opened(tmp_path, name="K") as (shop, client):
        known = ("access_token", "client_secret", "admin_token", "domain")
        assert [shop.description()[name] for name in known] == [told[name] for name in known]
        assert client.switch("GET", "orders") == [order]
        assert client.stock() == {"BOWL-B": 8, "BOWL-R": 10}


def test_every_shared_operation_is_valid() -> None:
    for name, text in operations().items():
        assert validate(graph.schema(), parse(text)) == [], name


def test_the_simulated_shared_operations_run(client: Client) -> None:
    known, product, place = operations(), client.offered(), client.place()
    order = client.switch("POST", "order", lines=[{"sku": "BOWL-B", "quantity": 1}])["id"]
    whole = client.ask(
        "query($id: ID!) { order(id: $id) { fulfillmentOrders(first: 1) { nodes { id } } } }", id=order
    )
    part = whole["order"]["fulfillmentOrders"]["nodes"][0]["id"]
    item, channel = (
        product["variants"]["nodes"][1]["inventoryItem"]["id"],
        "gid://shopify/Publication/1000000001",
    )
    row = {"inventoryItemId": item, "locationId": place, "quantity": 3, "changeFromQuantity": 10}
    staged = {
        "resource": "BULK_MUTATION_VARIABLES",
        "filename": "a",
        "mimeType": "text/jsonl",
        "httpMethod": "POST",
    }
    definition = {"name": "Code", "namespace": "hub", "key": "code", "type": "id", "ownerType": "PRODUCT"}
    asked: dict[str, dict[str, Any]] = {
        "Shop": {},
        "Locs": {},
        "Pubs": {},
        "DefCreate": {"d": definition},
        "ProductByCustomId": {"ns": "hub", "key": "code", "v": "1"},
        "ProductSet": {"input": FIRST_PRODUCT, "sync": True},
        "Activate": {"i": item, "l": place.replace("1000000001", "1000000002"), "k": "a"},
        "SetQty": {"input": {"name": "available", "reason": "correction", "quantities": [row]}, "key": "b"},
        "Pub": {"id": product["id"], "i": [{"publicationId": channel}]},
        "Unpub": {"id": product["id"], "i": [{"publicationId": channel}]},
        "Archive": {"id": product["id"]},
        "Orders": {"q": "updated_at:>='2020-01-01T00:00:00Z'"},
        "Fulfil": {"f": {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": part}]}},
        "HookCreate": {"t": "ORDERS_CREATE", "w": {"uri": "http://127.0.0.1:9/hooks"}},
        "Hooks": {},
        "VarBulk": {"pid": product["id"], "v": [{"id": product["variants"]["nodes"][0]["id"], "price": "9"}]},
        "Staged": {"i": [staged]},
        "BulkOp": {"id": "gid://shopify/BulkOperation/1"},
    }
    for name, variables in asked.items():
        try:
            found = client.ask(known[name], **variables)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
        for payload in found.values():
            assert not (isinstance(payload, dict) and payload.get("userErrors")), (name, payload)
    queued = client.change(known["ProductSet"], input={"title": "Later"}, sync=False)
    assert (queued["product"], queued["productSetOperation"]["status"]) == (None, "CREATED")
    ended = client.ask(known["ProductOperation"], id=queued["productSetOperation"]["id"])["productOperation"]
    assert (ended["status"], ended["product"]["id"].startswith("gid://shopify/Product/")) == (
        "COMPLETE",
        True,
    )
    assert client.refused(known["BulkQ"], q=SHOP) == "NOT_SIMULATED"


def test_what_was_spent_is_told_and_the_rate_can_be_set(client: Client) -> None:
    client.switch("POST", "settings", plan="basic", rate=50, points=20)
    client.whole("{ products(first: 250) { nodes { id } } }")
    client.whole(SET, input=FIRST_PRODUCT)
    found = client.switch("GET", "bucket")
    assert found == {
        "plan": "basic", "rate": 50.0, "size": 1000.0, "left": 18.0, "spent": 2.0, "taken": 1, "throttled": 1,
        "at": 1000.0,
    }  # fmt: skip
    assert client.wish("POST", "settings", rate=0)[0] == 400


def test_a_mutation_can_be_refused_by_a_switch_as_if_another_were_under_way(client: Client) -> None:
    client.switch("POST", "faults", kind="refused", field="inventorySetQuantities")
    wish = {"name": "available", "reason": "correction", "quantities": []}
    refused = client.change(SET_STOCK, input=wish, key="a")
    assert refused["userErrors"][0]["code"] == "IDEMPOTENCY_CONCURRENT_REQUEST"
    assert client.change(SET_STOCK, input=wish, key="a")["userErrors"] == []
