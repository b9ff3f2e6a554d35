"""What Shopify's answers mean to the hub: waits, sentences for the owner, and never a token in one of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.shops.shopify.client import ENDPOINT, GraphQL, document, refusals, site_of
from core.errors import Misconfigured, Permanent, Refused, Temporary, Unknown
from core.guard import Guard
from tests.unit.scripted_server import JSON, Script, cut, drop, hang, secure_server

TOKEN = "shpat_canary_token"
COST = {"requestedQueryCost": 110, "throttleStatus": {"currentlyAvailable": 10, "restoreRate": 50}}
THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {"cost": COST},
}


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    yield made
    made.hold.set()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def graphql(script: Script, waits: list[float], meter: "Meter", tmp_path: Path) -> Iterator[GraphQL]:
    with secure_server(script, tmp_path) as (port, ca_file):
        made = GraphQL(
            f"https://127.0.0.1:{port}", TOKEN, guard=Guard({"127.0.0.1"}), ca_file=ca_file, patience=0.5, pace=meter, sleep=waits.append,
        )  # fmt: skip
        yield made
        made.close()
        script.hold.set()


class Meter:
    """What a pace hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def take(self, cost: float) -> None:
        self.heard.append(("take", round(cost, 6)))

    def told(self, *, left: float, most: float, a_second: float) -> None:
        self.heard.append(("told", (left, most, a_second)))

    def pause(self, seconds: float) -> None:
        self.heard.append(("pause", seconds))

    def ended(self, *, well: bool) -> None:
        self.heard.append(("ended", well))


@pytest.fixture
def meter() -> Meter:
    return Meter()


def says(body: Any, status: int = 200) -> tuple[int, dict[str, str], str]:
    return status, JSON, json.dumps(body)


def error(code: str, message: str = "No.", **more: Any) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code, **more}}]}


def test_a_query_is_posted_with_the_token_and_its_variables(graphql: GraphQL, script: Script) -> None:
    script.answers = [says({"data": {"order": None}})]
    assert graphql.read("Order", id="gid://shopify/Order/1") == {"order": None}
    ((method, path, headers, body),) = script.received
    assert (method, path) == ("POST", f"/{ENDPOINT}")
    assert headers["x-shopify-access-token"] == TOKEN and "authorization" not in headers
    assert json.loads(body) == {"query": document("Order"), "variables": {"id": "gid://shopify/Order/1"}}


def test_a_throttled_call_waits_for_the_bucket_and_is_sent_again(
    graphql: GraphQL, script: Script, waits: list[float]
) -> None:
    script.answers = [says(THROTTLED), says({"data": {"draft": {"userErrors": []}}})]
    assert graphql.change("Draft", id="x") == {"userErrors": []}
    assert len(script.received) == 2
    assert len(waits) == 1 and 2.0 <= waits[0] <= 2.5, "100 points are lacking and 50 come back each second"


def test_three_throttled_calls_are_left_for_later(
    graphql: GraphQL, script: Script, waits: list[float]
) -> None:
    script.answers = [says(THROTTLED)]
    with pytest.raises(Temporary, match="no calls left") as caught:
        graphql.change("Draft", id="x")
    assert caught.value.retry_after == 2.0
    assert len(script.received) == 3 and len(waits) == 2


def test_a_long_wait_is_not_waited_here(graphql: GraphQL, script: Script, waits: list[float]) -> None:
    slow = {"requestedQueryCost": 1000, "throttleStatus": {"currentlyAvailable": 0, "restoreRate": 50}}
    script.answers = [says({**THROTTLED, "extensions": {"cost": slow}})]
    with pytest.raises(Temporary) as caught:
        graphql.read("Shop")
    assert caught.value.retry_after == 20.0
    assert len(script.received) == 1 and waits == []


def costs(requested: float, left: float) -> dict[str, Any]:
    bucket = {"maximumAvailable": 2000.0, "currentlyAvailable": left, "restoreRate": 100.0}
    return {"extensions": {"cost": {"requestedQueryCost": requested, "throttleStatus": bucket}}}


def test_the_pace_is_asked_for_what_the_shop_told_a_document_costs(
    graphql: GraphQL, script: Script, meter: Meter
) -> None:
    done: dict[str, Any] = {"data": {"productSet": {"userErrors": []}}}
    script.answers = [says({**done, **costs(17, 1983.0)}), says({**done, **costs(12, 1971.0)})]
    carried = {"variants": [{"file": {}}] * 10, "files": [{}] * 2, "metafields": [{}]}
    graphql.change("ProductSet", input=carried)
    graphql.change("ProductSet", input={"variants": [{}]})
    assert meter.heard == [
        ("take", 32.2), ("ended", True), ("told", (1983.0, 2000.0, 100.0)),
        ("take", 5.0), ("ended", True), ("told", (1971.0, 2000.0, 100.0)),
    ]  # fmt: skip


def test_a_look_at_many_is_paid_for_each_of_them(graphql: GraphQL, script: Script, meter: Meter) -> None:
    script.answers = [says({"data": {"nodes": []}, **costs(40, 1960.0)})]
    graphql.read("Stock", ids=["a"] * 10)
    graphql.read("Stock", ids=["a"] * 4)
    assert [words for words in meter.heard if words[0] == "take"] == [("take", 200.0), ("take", 16.0)]


def test_the_pace_hears_of_an_empty_bucket_and_of_failures(
    graphql: GraphQL, script: Script, meter: Meter
) -> None:
    script.answers = [says(THROTTLED), (502, JSON, "{}")]
    with pytest.raises(Unknown):
        graphql.change("Draft", id="x")
    assert meter.heard[1:] == [
        ("ended", True), ("told", (10.0, 0.0, 50.0)), ("pause", 2.0), ("take", 110.0), ("ended", False),
    ]  # fmt: skip


@pytest.mark.parametrize("step", [drop, cut, hang], ids=["dropped", "cut", "hung"])
def test_a_lost_answer_is_unknown_for_a_change(graphql: GraphQL, script: Script, step: Any) -> None:
    script.answers = [step]
    with pytest.raises(Unknown):
        graphql.change("Draft", id="x")
    assert len(script.received) == 1, "what may have happened is never sent again by itself"


def test_a_lost_answer_to_a_look_is_asked_again(graphql: GraphQL, script: Script) -> None:
    script.answers = [drop, says({"data": {"order": None}})]
    assert graphql.read("Order", id="x") == {"order": None}
    assert len(script.received) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (says({"errors": "[API] Invalid API key or access token"}, 401), Misconfigured, "access token has expired or was revoked. Connect the shop again"),
        (says({"errors": "Unavailable Shop"}, 402), Misconfigured, "its bill is unpaid"),
        (says({"errors": "Locked"}, 423), Misconfigured, "Shopify has closed the shop"),
        (says({"errors": "Not Found"}, 404), Misconfigured, "There is no Shopify shop at 127.0.0.1"),
        (says({"errors": "Forbidden"}, 403), Misconfigured, "closes its door to the hub: Forbidden"),
        (says({"errors": "bad"}, 400), Refused, r"refused the call: bad \(400\)"),
        (says(error("ACCESS_DENIED", "Access denied for productSet field. Required access: `write_products` access scope.")), Misconfigured, "write_products is missing"),
        (says(error("SHOP_INACTIVE")), Misconfigured, "not active"),
        (says(error("MAX_COST_EXCEEDED", "Query cost is 1200")), Permanent, "does not understand the hub's call: Query cost is 1200"),
        (says(error("INTERNAL_SERVER_ERROR", "Oops")), Unknown, r"failed inside \(Oops\); whether"),
        (says({"data": None}), Unknown, "without data"),
        (says([1]), Unknown, "no GraphQL result"),
        (says({"data": {"productUpdate": None}}), Unknown, "did not say what became"),
        (says({"errors": "x"}, 502), Unknown, "not known"),
    ],
)  # fmt: skip
def test_what_an_answer_to_a_change_means(
    graphql: GraphQL, script: Script, answer: Any, kind: type[Exception], words: str
) -> None:
    script.answers = [answer]
    with pytest.raises(kind, match=words) as caught:
        graphql.change("Draft", id="x")
    assert type(caught.value) is kind
    assert TOKEN not in str(caught.value)
    assert len(script.received) == 1


def test_an_inner_failure_of_a_look_is_temporary(graphql: GraphQL, script: Script) -> None:
    script.answers = [says(error("INTERNAL_SERVER_ERROR"))]
    with pytest.raises(Temporary):
        graphql.read("Shop")


def test_an_echoed_token_is_not_passed_on(graphql: GraphQL, script: Script) -> None:
    script.answers = [(400, {"Content-Type": "text/html"}, f"<p>Bad header {TOKEN}</p>")]
    with pytest.raises(Refused) as caught:
        graphql.read("Shop")
    assert "canary" not in str(caught.value) and "Bad header" in str(caught.value)


@pytest.mark.parametrize(
    ("pasted", "site"),
    [
        ("lampen.myshopify.com", "https://lampen.myshopify.com"),
        (" https://lampen.myshopify.com/admin/products?x=1 ", "https://lampen.myshopify.com"),
        ("https://admin.shopify.com/store/lampen-2/settings", "https://lampen-2.myshopify.com"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
    ],
)
def test_what_people_paste_becomes_the_shops_address(pasted: str, site: str) -> None:
    assert site_of(pasted) == site


@pytest.mark.parametrize(
    "pasted", ["http://lampen.myshopify.com", "", "https://", "https://a:b@shop.example"]
)
def test_an_address_that_will_not_do_is_refused(pasted: str) -> None:
    with pytest.raises(Misconfigured, match=r"enter it like https://your-shop\.myshopify\.com"):
        site_of(pasted)


def test_user_errors_become_plain_values() -> None:
    errors = [
        {"code": "TAKEN", "field": ["input", "variants", 3], "message": "<b>Taken</b>"},
        {"message": None},
    ]
    assert refusals({"userErrors": errors}) == [
        {"code": "TAKEN", "field": ["input", "variants", "3"], "message": "Taken"},
        {"code": "", "field": [], "message": "without a reason"},
    ]
    assert refusals({"userErrors": []}) == []
