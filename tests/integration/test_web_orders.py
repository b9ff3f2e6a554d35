"""The console's pages of orders and purchase orders: exact figures, and each form does its thing once."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console import Console, console, token_in
from tests.stepping import one, pending, rows
from tests.trade import Trade


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    with console(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def trade(opened: Console) -> Trade:
    return Trade(opened.db)


def shown(opened: Console, address: str) -> str:
    """What a page says, as one line of text."""
    answer = opened.get(address)
    assert answer.status_code == 200, answer.text
    text = answer.text[answer.text.index("<main") : answer.text.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def said(answer: Any) -> str:
    """Where a form leads to; its own words where it was refused."""
    return (
        str(answer.headers["location"])
        if answer.status_code == 303
        else f"{answer.status_code} {answer.text}"
    )


def facts(trade: Trade) -> tuple[Any, ...]:
    """All that a form could have changed."""
    counts = "SELECT (SELECT count(*) FROM journal_entry), (SELECT count(*) FROM shipment), (SELECT count(*) FROM message), "
    states = "(SELECT string_agg(state || version, ',' ORDER BY id) FROM purchase_order)"
    return tuple(rows(trade.db, counts + states)[0])


def test_an_order_shows_what_is_covered_bought_and_shipped_of_it(opened: Console, trade: Trade) -> None:
    supplier = trade.supplier()
    po = trade.placed((trade.offer(supplier), 2))
    number = one(trade.db, "SELECT number FROM shop_order")
    listed = shown(opened, "/orders")
    assert f"{number} · " in listed
    assert "Berlin, DE 1 2 0.00 EUR being ordered" in listed
    assert (
        "Torstr" not in listed and "Byron" not in listed
    )  # of the buyer a list shows town and country alone
    page = shown(opened, "/orders/1")
    assert "Covered by stock and deposit 2 of 2 wanted 27.28 EUR held for it" in page
    assert "Open at the supplier 2 pieces 1 purchase order" in page
    assert "Shipped 0 of 2 covered 0.00 EUR captured" in page
    assert (
        "goods 20.00, shipping 4.90, commission 2.00 (10 % of the goods), VAT on it 0.38 (19 %); together 27.28 EUR"
        in page
    )
    assert "Torstr" not in page and "Byron" not in page
    assert f"/purchase-orders/{po}" in opened.get("/orders/1").text
    assert "EP-1 placed" in shown(opened, f"/purchase-orders/{po}")


def test_filters_and_words_of_the_list(opened: Console, trade: Trade) -> None:
    supplier = trade.supplier()
    dear, cheap = trade.offer(supplier, cost="500.00"), trade.offer(supplier, cost="1.00")
    trade.order((dear, 1)), trade.order((cheap, 1))
    trade.run("orders.reserve.reserve")
    numbers = [row[0] for row in rows(trade.db, "SELECT number FROM shop_order ORDER BY id")]
    everything, waiting = shown(opened, "/orders"), shown(opened, "/orders?state=awaiting_deposit")
    assert "All 2 awaits deposit 1 funded 1" in everything
    assert [f" {number} · " in waiting for number in numbers] == [True, False]
    assert "The deposit lacks 464.40 EUR" in waiting
    assert "No order is like that" in shown(opened, "/orders?q=there-is-none")
    assert "No order has come yet" not in everything
    deposit = shown(opened, f"/money/deposits/{trade.seller_id}")
    assert "1 line waits" in deposit and "The deposit lacks 464.40 EUR" in deposit
    overview = shown(opened, "/")
    assert "1 order waits 1 for deposit" in overview and "1 deposit at risk" in overview


def test_a_purchase_order_is_confirmed_shipped_and_refunded_once(opened: Console, trade: Trade) -> None:
    po = trade.placed((trade.offer(trade.supplier()), 2))
    line = trade.line_ids(po)[0]
    to = f"/purchase-orders/{po}"
    for _ in range(2):
        assert said(opened.post(f"{to}/confirm", number="AB-7", back="order")) == "/orders/1?said=confirmed"
    assert trade.story(1).count("confirmed") == 1
    assert "his number AB-7" in shown(opened, to)
    parcel = {
        "key": "P-1",
        "carrier": "DHL",
        "number": "123",
        "url": "https://dhl.example/123",
        f"line_{line}": "1",
    }
    assert said(opened.post(f"{to}/ship", **parcel)) == f"{to}?said=shipped"
    before = facts(trade)
    assert said(opened.post(f"{to}/ship", **parcel)) == f"{to}?said=shipped"
    assert facts(trade) == before
    other = opened.post(f"{to}/ship", **{**parcel, f"line_{line}": "2"})
    assert (other.status_code, facts(trade)) == (422, before)
    assert trade.lines(1) == [("accepted", 2, 2, 1)]
    page = opened.get("/orders/1").text
    assert 'href="https://dhl.example/123"' in page
    trade.run("settlement.capture.capture")
    refund = f"/orders/1/lines/{line}/refund"
    for _ in range(2):
        assert said(opened.post(refund, quantity="1", key="form-1")) == "/orders/1?said=refunded"
    assert one(trade.db, "SELECT refunded FROM order_line") == 1
    assert one(trade.db, "SELECT count(*) FROM hold_change WHERE kind = 'refund'") == 1
    before = facts(trade)
    for quantity, sentence in (
        ("1", "has 0 pieces that were shipped and not refunded"),
        ("0", "is not a number of pieces"),
        ("x", "is not a number of pieces"),
    ):
        refused = opened.post(refund, quantity=quantity, key="form-2")
        assert refused.status_code == 422
        assert sentence in html.unescape(refused.text)
    assert opened.post(f"/orders/2/lines/{line}/refund", quantity="1", key="form-3").status_code == 404
    assert facts(trade) == before


def test_a_rejection_needs_a_reason_and_gives_everything_back(opened: Console, trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po = trade.placed((offer, 2))
    assert trade.money() == (7_272, 2_728)
    before = facts(trade)
    refused = opened.post(f"/purchase-orders/{po}/reject", reason="  ")
    assert (refused.status_code, facts(trade)) == (422, before)
    assert "Say why, in a sentence: the seller reads it." in refused.text
    for _ in range(2):
        answer = opened.post(f"/purchase-orders/{po}/reject", reason="Out of print.")
        assert said(answer) == f"/purchase-orders/{po}?said=rejected"
    assert (trade.money(), trade.stock(offer)) == ((10_000, 0), (5, 0, 0))
    assert "Out of print." in shown(opened, f"/purchase-orders/{po}")


def test_a_cancellation_is_granted_or_refused(opened: Console, trade: Trade) -> None:
    supplier = trade.supplier()
    for order, (act, fields, state) in enumerate(
        ((("cancelled"), {}, "cancelled"), ("refuse-cancel", {"reason": "It is on the lorry."}, "accepted")),
        start=1,
    ):
        po = trade.placed((trade.offer(supplier), 1))
        opened.post(f"/purchase-orders/{po}/confirm")
        assert opened.post(f"/purchase-orders/{po}/{act}", **fields).status_code == (
            422 if act == "cancelled" else 303
        )
        trade.want(order, 0)
        assert trade.po(po) == "cancel_requested"
        assert f'action="/purchase-orders/{po}/refuse-cancel"' in opened.get(f"/purchase-orders/{po}").text
        for _ in range(2):
            assert opened.post(f"/purchase-orders/{po}/{act}", **fields).status_code == 303
        assert trade.po(po) == state


def test_an_unknown_one_is_sent_again_by_a_person(opened: Console, trade: Trade) -> None:
    po = trade.placed((trade.offer(trade.supplier()), 1))
    with trade.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE purchase_order SET state = 'unknown'")
        uow.cursor().execute("UPDATE order_line SET state = 'submit_unknown'")
    assert "does Norden have it?" in shown(opened, "/")
    assert "He does not have it: send it again" in shown(opened, f"/purchase-orders/{po}")
    for _ in range(2):
        opened.post(f"/purchase-orders/{po}/again")
    assert [m["event"] for m in pending(trade.db) if m["step"] == "orders.submit.submit"] == [
        "PurchaseOrderMade"
    ]


def test_a_suppliers_file_leaves_and_comes_back_with_a_verdict_for_each_row(
    opened: Console, trade: Trade
) -> None:
    supplier = trade.supplier()
    po = trade.placed((trade.offer(supplier), 2))
    file = opened.get(f"/purchase-orders/open.csv?supplier={supplier}")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    header, row = file.content.decode("utf-8-sig").splitlines()
    assert row.startswith(f"EP-{po},")
    filled = dict(zip(header.split(","), row.split(","), strict=True)) | {"confirmed": "yes", "number": "X-9"}
    content = "\r\n".join(
        [header, ",".join(filled.values()), ",".join({**filled, "reference": "EP-99"}.values())]
    )
    for verdicts in ("1 taken", "1 unchanged"):
        answer = opened.client.post(
            "/purchase-orders/file",
            data={"csrf": token_in(opened.get("/purchase-orders").text), "supplier": str(supplier)},
            files={"file": ("answers.csv", content.encode())},
        )
        assert answer.status_code == 200
        text = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())
        assert "1 refused" in text and verdicts in text
        assert "Purchase order EP-99 is not there" in text
    assert one(trade.db, "SELECT external_number FROM purchase_order") == "X-9"
    assert trade.story(1).count("confirmed") == 1


def test_forms_without_their_token_and_pages_of_nothing(opened: Console, trade: Trade) -> None:
    po = trade.placed((trade.offer(trade.supplier()), 1))
    line, before = trade.line_ids(po)[0], facts(trade)
    for address, fields in (
        (f"/purchase-orders/{po}/confirm", {}),
        (f"/purchase-orders/{po}/reject", {"reason": "No."}),
        (f"/purchase-orders/{po}/ship", {"key": "P", f"line_{line}": "1"}),
        (f"/orders/1/lines/{line}/refund", {"quantity": "1", "key": "k"}),
    ):
        assert opened.client.post(address, data=fields).status_code == 403, address
    for address in (
        "/orders/99",
        "/orders/1/lines/99",
        "/purchase-orders/99",
        "/orders/x",
        "/orders?shop=99999999999",
    ):
        assert opened.get(address).status_code == 404, address
    assert facts(trade) == before
