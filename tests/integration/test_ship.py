"""Parcels and completed services: counted once, told to the shop once, and never more than was open."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.orders import ShipmentReport
from core.database import Database
from core.errors import Misconfigured, Refused, Unknown
from pipelines.orders import answers
from pipelines.orders.ship import complete, ship
from pipelines.routes import ROUTES
from tests.integration.test_answers import answer, refusal
from tests.stepping import one, pending, rows
from tests.trade import Trade

REPORT, CANCEL = "orders.report.report_shipment", "orders.cancel.ask_cancel"


class Shown:
    """A shop that shows what it is told; `error` is raised instead, once, after it was told where `told` says so."""

    def __init__(self) -> None:
        self.reports: dict[str, tuple[str, ShipmentReport]] = {}
        self.error: Exception | None = None
        self.told = False
        self.calls = 0

    def report_shipment(self, order_id: str, report: ShipmentReport) -> str:
        self.calls += 1
        error, self.error = self.error, None
        if error is None or self.told:
            assert self.reports.get(report.key, (order_id, report)) == (order_id, report)
            self.reports[report.key] = (order_id, report)
        if error is not None:
            raise error
        return f"shown-{report.key}"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    made = Shown()
    monkeypatch.setattr("pipelines.orders.report.connect", lambda db, shop: made)
    return made


@pytest.fixture
def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield Trade(database)
    database.close()


def test_two_parcels_of_one_order(trade: Trade, shown: Shown) -> None:
    norden = trade.supplier()
    offer, other = trade.offer(norden), trade.offer(norden)
    po_id = trade.placed((offer, 3), (other, 1))
    first, _ = trade.line_ids(po_id)
    answer(trade, ship, po_id, "P1", {first: 1}, "DHL", "JD01", "https://dhl.example/JD01")
    assert (trade.po(po_id), trade.lines(1)) == ("accepted", [("accepted", 3, 3, 1), ("accepted", 1, 1, 0)])
    assert trade.stock(offer) == (2, 2, 1)
    answer(trade, ship, po_id, "P2", None, "DHL", "JD02")
    assert (trade.po(po_id), trade.lines(1)) == ("shipped", [("shipped", 3, 3, 3), ("shipped", 1, 1, 1)])
    assert (trade.stock(offer), trade.stock(other)) == ((2, 0, 3), (4, 0, 1))
    assert one(trade.db, "SELECT count(*) FROM reservation WHERE sold_at IS NULL") == 0
    emitted = [m["payload"]["shipment_id"] for m in pending(trade.db) if m["step"] == REPORT]
    assert emitted == [1, 2], "each parcel is told once, however often the supplier reports it"
    trade.run(REPORT, twice=True)
    assert shown.calls == 2, "what was reported before is not asked of the shop again"
    order, ones = one(trade.db, "SELECT external_id FROM shop_order"), rows(trade.db, "SELECT external_id FROM order_line ORDER BY id")  # fmt: skip
    assert shown.reports == {
        "EP-S1": (
            order,
            ShipmentReport("EP-S1", ((ones[0][0], 1),), "DHL", "JD01", "https://dhl.example/JD01"),
        ),
        "EP-S2": (order, ShipmentReport("EP-S2", ((ones[0][0], 2), (ones[1][0], 1)), "DHL", "JD02", "")),
    }
    assert rows(
        trade.db, "SELECT external_id, problem, reported_at IS NOT NULL FROM shipment ORDER BY id"
    ) == [
        ("shown-EP-S1", None, True),
        ("shown-EP-S2", None, True),
    ]
    assert trade.story(1).count("shipped") == 3
    assert trade.story(1).count("reported") == 2


def test_the_same_key_is_the_same_parcel_and_another_content_is_refused(trade: Trade) -> None:
    po_id = trade.placed((trade.offer(trade.supplier()), 3))
    (line,) = trade.line_ids(po_id)
    answer(trade, ship, po_id, " P1 ", {line: 1}, "DHL", "JD01")
    assert refusal(trade, ship, po_id, "P1", {line: 2}, "DHL", "JD01") == "key_reused"
    assert refusal(trade, ship, po_id, "P1", {line: 1}, "DHL", "JD02") == "key_reused"
    assert refusal(trade, ship, po_id, "P1", None, "UPS", "JD01") == "key_reused"
    answer(trade, ship, po_id, "P1", None, "DHL", "JD01")
    answer(trade, ship, po_id, "P2", None, "DHL", "JD01")
    assert rows(trade.db, "SELECT shipment_id, quantity FROM shipment_line ORDER BY 1") == [(1, 1), (2, 2)]
    answer(trade, ship, po_id, "P1", {line: 1}, "DHL", "JD01")
    assert trade.lines(1) == [("shipped", 3, 3, 3)]


def test_what_cannot_be_shipped_is_refused_by_name(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 2))
    elsewhere = trade.placed((trade.offer(trade.supplier()), 1))
    (line,), (foreign,) = trade.line_ids(po_id), trade.line_ids(elsewhere)
    with pytest.raises(Refused, match=rf"Line {line} \(A-\d+\) of EP-1 has 2 open, not 3"):
        answer(trade, ship, po_id, "P1", {line: 3})
    assert refusal(trade, ship, po_id, "P1", {line: 3}) == "beyond_open"
    assert refusal(trade, ship, po_id, "P1", {foreign: 1}) == "no_line"
    assert refusal(trade, ship, po_id, "P1", {line: 0}) == "quantity"
    assert refusal(trade, ship, po_id, "P1", {line: -1}) == "quantity"
    assert refusal(trade, ship, po_id, "P1", {}) == "quantity"
    assert refusal(trade, ship, po_id, "  ", {line: 1}) == "invalid"
    assert refusal(trade, ship, po_id, "P\x00", {line: 1}) == "invalid"
    assert refusal(trade, ship, po_id, "P1", {line: 1}, "D" * 101) == "invalid"
    for url in ("javascript:alert(1)", "https://", "http://[x", "https://x/" + "a" * 2000):
        assert refusal(trade, ship, po_id, "P1", {line: 1}, "DHL", "1", url) == "invalid"
    answer(trade, ship, po_id, "P1", {line: 2})
    assert refusal(trade, ship, po_id, "P2", {line: 1}) == "ended"
    assert trade.stock(offer) == (3, 0, 2)


def test_a_service_is_completed_without_a_carrier(trade: Trade, shown: Shown) -> None:
    po_id = trade.placed((trade.offer(trade.supplier(), kind="service"), 1))
    answer(trade, complete, po_id, "done")
    assert (trade.po(po_id), trade.lines(1)) == ("shipped", [("shipped", 1, 1, 1)])
    assert "completed" in one(trade.db, "SELECT text FROM order_event WHERE what = 'shipped'")
    trade.run(REPORT)
    ((_, report),) = shown.reports.values()
    assert (report.carrier, report.number, report.url) == ("", "", "")


def test_a_shipment_out_of_doubt_says_that_he_has_it(trade: Trade) -> None:
    po_id = trade.placed((trade.offer(trade.supplier()), 1))
    with trade.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE purchase_order SET state = 'unknown', placed_at = NULL; UPDATE order_line SET state = 'submit_unknown'")  # fmt: skip
    answer(trade, ship, po_id, "P1")
    assert (trade.po(po_id), trade.lines(1)) == ("shipped", [("shipped", 1, 1, 1)])
    assert one(trade.db, "SELECT answered_at IS NOT NULL FROM purchase_order")


def test_goods_that_left_before_the_cancellation_came(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 2))
    trade.want(1, 0)
    trade.run(CANCEL)
    answer(trade, ship, po_id, "P1")
    assert (trade.po(po_id), trade.lines(1)) == ("shipped", [("shipped", 0, 2, 2)])
    assert "before the supplier could cancel" in one(trade.db, "SELECT reason FROM order_line")
    assert (trade.stock(offer), trade.money()) == ((3, 0, 2), (7272, 2728)), "nothing is released: it left"
    assert refusal(trade, answers.cancelled, po_id) == "not_asked"
    trade.run(CANCEL)
    assert trade.po(po_id) == "shipped"


def test_a_part_left_and_the_unwanted_rest_is_still_cancelled(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 3))
    (line,) = trade.line_ids(po_id)
    trade.want(1, 1)
    trade.run(CANCEL)
    answer(trade, ship, po_id, "P1", {line: 1})
    assert (trade.po(po_id), trade.lines(1)) == ("cancel_requested", [("cancel_requested", 1, 3, 1)])
    answer(trade, answers.cancelled, po_id, times=1)
    assert (trade.po(po_id), trade.lines(1)) == ("shipped", [("shipped", 1, 1, 1)])
    assert trade.stock(offer) == (4, 0, 1)


def test_goods_of_an_order_that_was_cancelled_are_not_booked(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 2))
    trade.want(1, 0)
    answer(trade, answers.cancelled, po_id)
    assert refusal(trade, ship, po_id, "P1") == "ended"
    assert trade.waiting(REPORT) == 0
    assert (trade.stock(offer), trade.money()) == ((5, 0, 0), (10_000, 0))


def test_a_shop_that_refuses_says_so_and_is_left_in_peace(trade: Trade, shown: Shown) -> None:
    po_id = trade.placed((trade.offer(trade.supplier()), 1))
    answer(trade, ship, po_id, "P1")
    shown.error = Refused("The order is archived.")
    trade.run(REPORT)
    assert rows(trade.db, "SELECT external_id, problem, reported_at FROM shipment") == [
        (None, "The order is archived.", None)
    ]
    assert trade.waiting(REPORT) == 0
    assert trade.story(1)[-1] == "not_reported"
    assert trade.lines(1) == [("shipped", 1, 1, 1)]


def test_a_lost_reply_of_the_shop_is_repeated_by_our_key(trade: Trade, shown: Shown) -> None:
    po_id = trade.placed((trade.offer(trade.supplier()), 1))
    answer(trade, ship, po_id, "P1")
    shown.error, shown.told = Unknown("No answer."), True
    with pytest.raises(Unknown):
        trade.run(REPORT)
    assert one(trade.db, "SELECT reported_at FROM shipment") is None
    trade.run(REPORT)
    assert list(shown.reports) == ["EP-S1"]
    assert one(trade.db, "SELECT external_id FROM shipment") == "shown-EP-S1"


def test_a_wrong_key_of_the_shop_stays_visible_until_it_is_mended(trade: Trade, shown: Shown) -> None:
    po_id = trade.placed((trade.offer(trade.supplier()), 1))
    answer(trade, ship, po_id, "P1")
    shown.error = Misconfigured("The shop refuses the key.")
    with pytest.raises(Misconfigured):
        trade.run(REPORT)
    assert one(trade.db, "SELECT problem FROM shipment") == "The shop refuses the key."
    trade.run(REPORT)
    assert rows(trade.db, "SELECT external_id, problem FROM shipment") == [("shown-EP-S1", None)]
