"""Ways to a supplier: what holds for each of them, and what the supplier with an order server adds."""

import json
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.orders import Buyer
from connectors.purchasing import PurchaseDraft, PurchaseLine, SupplierConnector
from connectors.registry import SUPPLIERS
from connectors.suppliers.api import ApiSupplier
from core.errors import EntrepotError, Misconfigured, Permanent, Refused, Temporary, Unknown
from core.money import Money
from sandbox.supplier import SupplierServer

PATIENCE = 0.5
"""Seconds an order may take in these tests; slow answers take longer."""
BUYER = Buyer(
    name="Ada Buyer", email="ada@buyer.example", street="Weg 1", postcode="24103", city="Kiel", country="DE"
)
LINES = (
    PurchaseLine(7, "CV-100", "Lámpara de mesa", 2, Decimal("12.5")),
    PurchaseLine(8, "CV-200", "Silla", 1, Decimal(99)),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SupplierServer]:
    with SupplierServer("Casa Verde", tmp_path / "supplier") as running:
        yield running


def connect(server: SupplierServer, **options: Any) -> ApiSupplier:
    given = {
        "url": server.url,
        "key": server.desk.key,
        "ca_file": server.ca_file,
        "patience": PATIENCE,
        **options,
    }
    return ApiSupplier(private_hosts=frozenset({"127.0.0.1"}), sleep=lambda seconds: None, **given)


@pytest.fixture
def api(server: SupplierServer) -> Iterator[ApiSupplier]:
    with closing(connect(server)) as connector:
        yield connector


@pytest.fixture(params=["portal", "api"])
def way(request: pytest.FixtureRequest) -> SupplierConnector:
    """Each way that the registry knows; a new one joins here."""
    if request.param == "portal":
        return SUPPLIERS["portal"]()
    connector: SupplierConnector = request.getfixturevalue("api")
    return connector


def draft(reference: str = "PO-1") -> PurchaseDraft:
    return PurchaseDraft(reference, LINES, BUYER, Money(495, "EUR"))


def posts(server: SupplierServer, path: str = "/orders") -> list[dict[str, Any]]:
    return [seen for seen in server.faults.seen() if (seen["method"], seen["path"]) == ("POST", path)]


def test_every_way_of_the_registry_is_under_this_contract() -> None:
    assert set(SUPPLIERS) == {"portal", "api"}
    assert SUPPLIERS["api"] is ApiSupplier


def test_what_was_placed_is_found_under_the_number_that_was_told(way: SupplierConnector) -> None:
    assert way.find("PO-1") is None
    number = way.place(draft())
    assert way.find("PO-1") == number
    assert way.find("PO-2") is None


def test_placed_again_it_is_the_same_order(way: SupplierConnector) -> None:
    assert way.place(draft()) == way.place(draft())


def test_an_order_is_cancelled_or_waits_for_the_suppliers_word_and_so_does_it_asked_again(
    way: SupplierConnector,
) -> None:
    number = way.place(draft())
    expected = None if number is None else True
    assert (way.cancel("PO-1"), way.cancel("PO-1")) == (expected, expected)


def test_a_portal_has_no_numbers_of_its_own() -> None:
    way = SUPPLIERS["portal"]()
    assert (way.place(draft()), way.find("PO-1"), way.cancel("PO-1")) == (None, None, None)


def test_the_supplier_gets_every_field(server: SupplierServer, api: ApiSupplier) -> None:
    assert api.place(draft()) == "10001"
    (order,) = server.orders()
    assert order == {
        "reference": "PO-1",
        "lines": [
            {"line": 7, "sku": "CV-100", "title": "Lámpara de mesa", "quantity": 2, "unit_cost": {"amount": "12.50", "currency": "EUR"}},
            {"line": 8, "sku": "CV-200", "title": "Silla", "quantity": 1, "unit_cost": {"amount": "99.00", "currency": "EUR"}},
        ],
        "ship_to": {
            "name": "Ada Buyer", "company": "", "email": "ada@buyer.example", "phone": "", "street": "Weg 1", "street2": "",
            "postcode": "24103", "city": "Kiel", "region": "", "country": "DE",
        },
        "shipping": {"amount": "4.95", "currency": "EUR"},
        "number": "10001",
        "state": "open",
        "asked": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "there"),
    [("drop_after", True), ("late", True), ("drop_before", False), ("hang", False), ("status", False)],
)
def test_a_lost_answer_is_unknown_asked_once_and_then_looked_up(
    server: SupplierServer, api: ApiSupplier, kind: str, there: bool
) -> None:
    server.desk.twice = True
    server.faults.add(kind, method="POST", seconds=3)
    with pytest.raises(Unknown, match="is not known"):
        api.place(draft())
    assert len(posts(server)) == 1
    assert api.find("PO-1") == ("10001" if there else None)
    assert [order["asked"] for order in server.orders()] == ([1] if there else [])


def test_with_one_reply_in_twenty_lost_no_order_is_made_twice(
    server: SupplierServer, api: ApiSupplier
) -> None:
    server.desk.twice = True  # this supplier would make a second one
    server.faults.add("drop_after", method="POST", every=20, times=None)
    unknown = 0
    for n in range(100):
        try:
            api.place(draft(f"PO-{n}"))
        except Unknown:
            unknown += 1
            assert api.find(f"PO-{n}") is not None
    assert unknown == 5
    assert [(order["reference"], order["asked"]) for order in server.orders()] == [
        (f"PO-{n}", 1) for n in range(100)
    ]


def test_a_refusal_carries_the_suppliers_words(server: SupplierServer, api: ApiSupplier) -> None:
    server.faults.add("refuse", message="This article is <b>no longer</b> made.")
    with pytest.raises(Refused) as refused:
        api.place(draft())
    host = server.url.removeprefix("https://")
    assert (
        str(refused.value) == f"The supplier {host} refuses the order PO-1: This article is no longer made."
    )
    assert server.orders() == []


def test_a_refusal_without_words_tells_its_status(server: SupplierServer, api: ApiSupplier) -> None:
    server.faults.add("status", status=409)
    with pytest.raises(Refused, match=r"refuses the order PO-1: he answered 409\."):
        api.place(draft())


def test_a_buyer_without_a_name_is_refused_by_the_supplier_and_kept_out_of_the_sentence(
    server: SupplierServer, api: ApiSupplier
) -> None:
    with pytest.raises(Refused, match="ship_to") as refused:
        api.place(replace(draft(), ship_to=replace(BUYER, name="")))
    assert "ada@buyer.example" not in str(refused.value)
    assert server.orders() == []


def test_where_waiting_helps_it_is_asked_again_and_then_temporary(
    server: SupplierServer, api: ApiSupplier
) -> None:
    server.faults.add("status", method="POST", status=429, times=2)
    assert api.place(draft()) == "10001"
    server.faults.add("status", method="POST", status=429, times=None)
    with pytest.raises(Temporary):
        api.place(draft("PO-2"))
    assert [order["reference"] for order in server.orders()] == ["PO-1"]


def test_a_look_up_that_fails_is_temporary_and_changes_nothing(
    server: SupplierServer, api: ApiSupplier
) -> None:
    api.place(draft())
    server.faults.add("drop_after", method="GET", times=3)
    with pytest.raises(Temporary):
        api.find("PO-1")
    assert api.find("PO-1") == "10001"
    assert len(posts(server)) == 1


def test_what_is_shipped_is_not_cancelled_any_more(server: SupplierServer, api: ApiSupplier) -> None:
    number = api.place(draft())
    ask(server, "POST", "ship", {"number": number})
    assert api.cancel("PO-1") is False
    assert [order["state"] for order in server.orders()] == ["shipped"]


def test_what_he_never_had_is_cancelled_without_a_call_to_cancel(
    server: SupplierServer, api: ApiSupplier
) -> None:
    assert api.cancel("PO-9") is True
    assert [seen["method"] for seen in server.faults.seen()] == ["GET"]


def test_a_lost_answer_to_a_cancellation_is_unknown_and_asked_again_it_is_true(
    server: SupplierServer, api: ApiSupplier
) -> None:
    api.place(draft())
    server.faults.add("drop_after", method="POST", path="/orders/10001/cancel")
    with pytest.raises(Unknown):
        api.cancel("PO-1")
    assert api.cancel("PO-1") is True


def test_two_orders_of_one_reference_are_a_matter_for_a_person(
    server: SupplierServer, api: ApiSupplier
) -> None:
    server.desk.twice = True
    assert (api.place(draft()), api.place(draft())) == ("10001", "10002")
    with pytest.raises(Permanent, match=r"has the order PO-1 2 times \(10001, 10002\)"):
        api.find("PO-1")


def test_a_wrong_key_is_the_owners_matter_and_appears_nowhere(server: SupplierServer) -> None:
    with closing(connect(server, key="canary-secret")) as stranger:
        for call in (lambda: stranger.place(draft()), lambda: stranger.find("PO-1")):
            with pytest.raises(Misconfigured, match="does not accept the key") as fault:
                call()
            assert "canary-secret" not in str(fault.value) + repr(stranger)
    assert server.orders() == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "casa.example", "https://", "https://a:b@casa.example", "ftp://x"]
)
def test_an_address_that_is_not_https_is_refused_at_once(url: str) -> None:
    with pytest.raises(Misconfigured, match="enter it like https"):
        ApiSupplier(url, "key")


def test_a_private_address_is_asked_only_where_the_operator_allows_it(server: SupplierServer) -> None:
    connector = ApiSupplier(server.url, server.desk.key, server.ca_file)
    with closing(connector), pytest.raises(Misconfigured):
        connector.place(draft())
    assert server.faults.seen() == []


@pytest.mark.parametrize(
    "body",
    [{}, {"number": ""}, {"number": 7}, {"number": "9", "reference": "PO-2"}, [], {"number": "x" * 101}],
)
def test_a_placement_that_is_not_answered_with_its_number_is_unknown(
    server: SupplierServer, api: ApiSupplier, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    monkeypatch.setattr(server.desk, "answer", lambda request: (200, body))
    with pytest.raises(Unknown, match=r"docs/suppliers\.md"):
        api.place(draft())


@pytest.mark.parametrize("body", [{}, {"orders": {}}, [], {"orders": ["x"]}, {"orders": [{"number": None}]}])
def test_a_look_up_that_is_not_answered_by_the_protocol_is_the_owners_matter(
    server: SupplierServer, api: ApiSupplier, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    monkeypatch.setattr(server.desk, "answer", lambda request: (200, body))
    with pytest.raises(Misconfigured, match=r"docs/suppliers\.md"):
        api.find("PO-1")


def test_a_cancellation_that_is_neither_yes_nor_no_is_unknown(
    server: SupplierServer, api: ApiSupplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.place(draft())
    genuine = server.desk.answer
    monkeypatch.setattr(
        server.desk, "answer", lambda request: (200, {}) if request.method == "POST" else genuine(request)
    )
    with pytest.raises(Unknown, match="does not say whether the order PO-1 is cancelled"):
        api.cancel("PO-1")


def test_a_supplier_who_is_away_is_temporary(tmp_path: Path) -> None:
    with SupplierServer("Casa Verde", tmp_path / "supplier") as running:
        connector = connect(running)
    with closing(connector), pytest.raises(Temporary):
        connector.place(draft())


def test_orders_key_and_counts_survive_a_restart(tmp_path: Path) -> None:
    with SupplierServer("Casa Verde", tmp_path / "supplier") as first, closing(connect(first)) as connector:
        connector.place(draft())
        key = first.desk.key
    with (
        SupplierServer("Casa Verde", tmp_path / "supplier") as second,
        closing(connect(second, key=key)) as connector,
    ):
        assert connector.place(draft()) == "10001"
        assert [(order["number"], order["asked"]) for order in second.orders()] == [("10001", 2)]


def test_many_at_once_make_one_order_of_one_reference(server: SupplierServer) -> None:
    start = threading.Barrier(8)

    def place(n: int) -> str | EntrepotError:
        with closing(connect(server, patience=10)) as connector:
            start.wait(10)
            return connector.place(draft())

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(place, range(8))) == {"10001"}
    assert [order["asked"] for order in server.orders()] == [8]


def ask(server: SupplierServer, method: str, name: str, wish: Any = None) -> Any:
    """One of the supplier's own switches, over https as another process would."""
    request = urllib.request.Request(
        f"{server.url}/sandbox/{name}",
        method=method,
        data=None if wish is None else json.dumps(wish).encode(),
        headers={"Authorization": f"Bearer {server.desk.admin_token}"},
    )
    with urllib.request.urlopen(
        request, timeout=10, context=ssl.create_default_context(cafile=server.ca_file)
    ) as answer:
        return json.load(answer)


def test_the_switches_are_reached_over_https(server: SupplierServer, api: ApiSupplier) -> None:
    ask(server, "POST", "settings", {"twice": True})
    ask(server, "POST", "faults", {"kind": "drop_after", "every": 2, "times": None})
    assert [fault["kind"] for fault in ask(server, "GET", "faults")] == ["drop_after"]
    api.place(draft())
    with pytest.raises(Unknown):
        api.place(draft())
    assert [order["asked"] for order in ask(server, "GET", "orders")] == [2, 2]
    assert [seen["fault"] for seen in ask(server, "GET", "requests")] == [None, "drop_after"]
    ask(server, "DELETE", "faults")
    ask(server, "DELETE", "requests")
    assert (ask(server, "GET", "faults"), ask(server, "GET", "requests")) == ([], [])
