"""The REST API of orders and purchasing: exact answers on built rows, each command once by its key, one clear sentence."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console import Console, console
from tests.stepping import one, pending, rows
from tests.trade import Trade

CAPTURE = "settlement.capture.capture"


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    with console(database_url, tmp_path, sign_in=False) as made:
        yield made


@pytest.fixture
def trade(opened: Console) -> Trade:
    return Trade(opened.db)


def ask(
    opened: Console, method: str, address: str, status: int = 200, key: str | None = None, **more: Any
) -> Any:
    """The JSON of an answer that must have this status."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    answer = opened.api(method, address, headers=headers, **more)
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(
    opened: Console, method: str, address: str, status: int, key: str | None = None, **more: Any
) -> tuple[str, str]:
    """Rule and sentence of a refusal with this status."""
    error = ask(opened, method, address, status, key, **more)["error"]
    return error["rule"], error["message"]


def test_orders_are_paged_filtered_and_counted(opened: Console, trade: Trade) -> None:
    offer = trade.offer(trade.supplier(), stock=3)
    ids = [trade.funded((offer, 1)) for _ in range(1)]
    for _ in range(2):
        ids.append(trade.order((offer, 5)))
        trade.run("orders.reserve.reserve")
    first = ask(opened, "GET", "/orders?limit=2")
    assert first["states"] == {"awaiting_stock": 2, "funded": 1}
    second = ask(opened, "GET", f"/orders?limit=2&after={first['after']}")
    assert [order["id"] for page in (first, second) for order in page["orders"]] == ids[::-1]
    assert second["after"] is None
    (order,) = second["orders"]
    assert (order["standing"], order["total"], order["currency"], order["test"]) == (
        "open",
        "0.00",
        "EUR",
        False,
    )
    (line,) = order["lines"]
    assert (line["supplier"], line["unit_cost"], line["covered"], line["reserved"], line["state"]) == (
        "Norden", "10.000000", 1, 1, "funded",
    )  # fmt: skip
    assert "Torstr" not in str(first), "a list has no buyer's address"
    for query, found in (
        ("state=funded", ids[:1]), (f"shop={trade.shop_id}&state=awaiting_stock", ids[:0:-1]), ("shop=99", []),
        (f"q={line['sku'].lower()}", ids[::-1]), ("q=nothing", []),
    ):  # fmt: skip
        assert [each["id"] for each in ask(opened, "GET", f"/orders?{query}")["orders"]] == found, query
    assert refused(opened, "GET", "/orders?state=lost", 422)[0] == "invalid"


def test_one_order_has_its_address_money_parcels_and_story(opened: Console, trade: Trade) -> None:
    trade.placed((trade.offer(trade.supplier()), 2))
    ask(opened, "POST", "/purchase-orders/1/shipments", 201, "P1", json={"lines": {"1": 1}, "carrier": "DHL"})
    told = ask(opened, "GET", "/orders/1")
    assert told["buyer"]["street"] == "Torstr. 1"
    assert [(po["reference"], po["state"], po["shipping"]) for po in told["purchase_orders"]] == [
        ("EP-1", "accepted", "4.90")
    ]
    assert [(each["key"], each["lines"]) for each in told["shipments"]] == [
        ("P1", [{"line": 1, "sku": told["lines"][0]["sku"], "quantity": 1}])
    ]
    (hold,) = told["holds"]
    # 20.00 goods, 4.90 shipping, 2.00 commission, 0.38 VAT
    assert (hold["total"], hold["open"], len(hold["parts"])) == ("27.28", "27.28", 4)
    assert [line["what"] for line in told["story"]] == trade.story(1)
    assert refused(opened, "GET", "/orders/9", 404)[1].startswith("Order 9 is not there.")
    assert refused(opened, "GET", "/shipments?order=9", 404)[0] == "not_found"


def test_a_shop_is_asked_for_its_orders(opened: Console, trade: Trade) -> None:
    assert ask(opened, "POST", f"/shops/{trade.shop_id}/orders/pull", 202) == {"asked": True}
    (message,) = [each for each in pending(opened.db) if each["event"] == "OrdersDue"]
    assert message["payload"] == {"shop_id": trade.shop_id}
    assert refused(opened, "POST", "/shops/9/orders/pull", 404)[0] == "not_found"


def test_purchase_orders_are_answered_once(opened: Console, trade: Trade) -> None:
    for _ in range(4):
        trade.placed((trade.offer(trade.supplier()), 1))
    first = ask(opened, "GET", "/purchase-orders?limit=3")
    rest = ask(opened, "GET", f"/purchase-orders?limit=3&after={first['after']}")
    assert [po["id"] for page in (first, rest) for po in page["purchase_orders"]] == [4, 3, 2, 1]
    assert first["states"] == {"placed": 4}
    for _ in range(2):
        told = ask(opened, "POST", "/purchase-orders/1/confirm", json={"number": "N-5"})
        assert (told["state"], told["external_number"], told["cost"]) == ("accepted", "N-5", "10.000000")
    assert (
        ask(opened, "POST", "/purchase-orders/2/reject", json={"reason": "Sold out."})["state"] == "rejected"
    )
    for number in (3, 4):
        trade.want(number, 0)
    assert ask(opened, "POST", "/purchase-orders/3/cancelled")["state"] == "cancelled"
    assert (
        ask(opened, "POST", "/purchase-orders/4/refuse-cancel", json={"reason": "Packed."})["state"]
        == "accepted"
    )
    assert (
        ask(opened, "GET", "/purchase-orders?state=rejected")["purchase_orders"][0]["reason"] == "Sold out."
    )
    assert [po["id"] for po in ask(opened, "GET", "/purchase-orders?q=EP-3")["purchase_orders"]] == [3]
    for method, address, body, status, rule in (
        ("GET", "/purchase-orders/9", None, 404, "not_found"),
        ("POST", "/purchase-orders/9/confirm", {}, 404, "not_found"),
        ("POST", "/purchase-orders/1/confirm", {"number": "N-6"}, 422, "number"),
        ("POST", "/purchase-orders/1/reject", {}, 422, "invalid"),
        ("POST", "/purchase-orders/1/reject", {"reason": " "}, 422, "reason"),
        ("POST", "/purchase-orders/2/confirm", {}, 422, "ended"),
        ("POST", "/purchase-orders/1/cancelled", None, 422, "not_asked"),
        ("POST", "/purchase-orders/1/again", None, 422, "answered"),
    ):
        assert refused(opened, method, address, status, json=body)[0] == rule, address


def test_a_file_goes_out_and_comes_back(opened: Console, trade: Trade) -> None:
    first, second = trade.supplier(), trade.supplier("Sueden")
    trade.placed((trade.offer(first), 2))
    trade.placed((trade.offer(second), 1))
    answer = opened.api("GET", "/purchase-orders/file")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["reference"] for row in table] == ["EP-1", "EP-2"]
    own = opened.api("GET", f"/purchase-orders/file?supplier={second}").text
    assert "EP-2" in own and "EP-1" not in own
    sent = b"reference,confirmed,shipped\nEP-1,yes,2\nEP-2,yes,\n"
    told = ask(opened, "POST", f"/purchase-orders/file?supplier={second}", content=sent)
    assert [(row["row"], row["verdict"]) for row in told["rows"]] == [(2, "refused"), (3, "taken")]
    assert (trade.po(1), trade.po(2)) == ("placed", "accepted"), "nobody answers for another supplier"
    told = ask(opened, "POST", "/purchase-orders/file", content=sent)
    assert [(row["row"], row["verdict"]) for row in told["rows"]] == [(2, "taken"), (3, "unchanged")]
    assert trade.po(1) == "shipped"
    assert refused(opened, "POST", "/purchase-orders/file", 422, content=b"")[0] == "empty"
    assert refused(opened, "POST", "/purchase-orders/file", 422, content=b"a,b\n")[0] == "columns"
    assert (
        refused(opened, "POST", "/purchase-orders/file", 422, content=b"x" * ((16 << 20) + 1))[0]
        == "too_large"
    )


def test_parcels_and_refunds_need_a_key_and_happen_once(opened: Console, trade: Trade) -> None:
    trade.placed((trade.offer(trade.supplier()), 2))
    parcels, refunds = "/purchase-orders/1/shipments", "/order-lines/1/refunds"
    for address, body in ((parcels, {}), (refunds, {"quantity": 1})):
        assert refused(opened, "POST", address, 422, json=body) == (
            "invalid",
            "Idempotency-Key: Field required.",
        )
    first = ask(opened, "POST", parcels, 201, "P1", json={"number": "00340"})
    assert ask(opened, "POST", parcels, 201, "P1", json={"number": "00340"}) == first
    assert refused(opened, "POST", parcels, 422, "P1", json={"number": "00341"})[0] == "key_reused"
    assert refused(opened, "POST", parcels, 422, "P2", json={"lines": {"1": 1}})[0] == "ended"
    assert refused(opened, "POST", "/purchase-orders/9/shipments", 404, "P1", json={})[0] == "not_found"
    assert refused(opened, "POST", refunds, 503, "R1", json={"quantity": 1})[0] == "temporary"
    trade.run(CAPTURE)
    first = ask(opened, "POST", refunds, 201, "R1", json={"quantity": 1})
    assert (first["amount"], first["currency"], first["line"], first["quantity"]) == ("13.64", "EUR", 1, 1)
    assert ask(opened, "POST", refunds, 201, "R1", json={"quantity": 1}) == first
    assert refused(opened, "POST", refunds, 422, "R1", json={"quantity": 2})[0] == "key_reused"
    assert refused(opened, "POST", refunds, 422, "R2", json={"quantity": 2})[0] == "beyond_shipped"
    assert refused(opened, "POST", refunds, 422, "R2", json={"quantity": 0})[0] == "invalid"
    assert refused(opened, "POST", refunds, 422, " ", json={"quantity": 1})[0] == "key"
    assert (
        refused(opened, "POST", "/order-lines/9/refunds", 404, "R2", json={"quantity": 1})[0] == "not_found"
    )
    assert trade.money() == (8636, 0)
    assert rows(opened.db, "SELECT wanted, refunded FROM order_line") == [(2, 1)]
    (listed,) = ask(opened, "GET", "/refunds")["refunds"]
    assert (listed["line"], listed["order"], listed["amount"], listed["entry"]) == (
        1,
        1,
        "13.64",
        first["entry"],
    )
    assert one(opened.db, "SELECT count(*) FROM shipment") == 1


def test_terms_and_bank_accounts(opened: Console, trade: Trade) -> None:
    supplier = trade.supplier()
    terms, account = f"/suppliers/{supplier}/terms", f"/companies/{supplier}/bank-account"
    assert ask(opened, "GET", terms) == {
        "supplier": supplier, "commission_percent": "10.00", "shipping": "4.90", "currency": "EUR", "transport": "portal", "url": None,
        "version": 1,
    }  # fmt: skip
    told = ask(
        opened,
        "PATCH",
        terms,
        json={"shipping": "5", "transport": "api", "url": "https://o.example", "key": "geheim"},
    )
    assert (told["shipping"], told["transport"], told["version"]) == ("5.00", "api", 2)
    assert "geheim" not in str(told)
    for body, rule in (
        ({"commission_percent": "101"}, "percent"), ({"shipping": "much"}, "not_a_number"), ({"comission": "1"}, "invalid"),
        ({"transport": "pigeon"}, "invalid"),
    ):  # fmt: skip
        assert refused(opened, "PATCH", terms, 422, json=body)[0] == rule
    assert refused(opened, "GET", f"/suppliers/{trade.seller_id}/terms", 404)[0] == "not_found"
    assert refused(opened, "PATCH", "/suppliers/99/terms", 404, json={})[0] == "not_found"
    assert refused(opened, "GET", account, 404)[0] == "not_found"
    details = {
        "holder": "Norden GmbH",
        "iban": "DE89 3704 0044 0532 0130 00",
        "town": "Hamburg",
        "country": "de",
    }
    told = ask(opened, "PUT", account, json=details)
    assert (told["iban"], told["country"], told["bic"]) == ("DE89370400440532013000", "DE", "")
    assert ask(opened, "GET", account) == told
    assert refused(opened, "PUT", account, 422, json={**details, "iban": "DE00"})[0] == "iban"
    assert refused(opened, "PUT", "/companies/1/bank-account", 404, json=details)[0] == "not_found"


def test_why_a_hold_a_fee_and_a_price_are_what_they_are(opened: Console, trade: Trade) -> None:
    trade.placed((trade.offer(trade.supplier()), 2))
    told = ask(opened, "GET", "/why/hold/1")
    assert (told["figures"]["held"], told["currency"]) == ("27.28", "EUR")
    assert "commission 2.00 (10 % of the goods)" in told["sentences"][0]
    assert "10 % of goods for 20.00 EUR: 2.00 EUR" in ask(opened, "GET", "/why/fee/1")["sentences"][0]
    assert refused(opened, "GET", "/why/fee/9", 422)[0] == "no_hold"
    assert refused(opened, "GET", f"/why/price?shop={trade.shop_id}&sku=NONE", 404)[0] == "not_found"
