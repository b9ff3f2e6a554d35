"""A supplier's answers: each once, by whatever door; stock and deposit follow to the cent, and nothing else moves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.database import Database
from core.errors import Refused
from pipelines.orders import answers
from pipelines.orders.ship import ship
from pipelines.orders.take_back import take_back
from pipelines.routes import ROUTES
from sandbox.supplier import SupplierServer
from tests.stepping import one, rows
from tests.trade import Trade

CANCEL, SUBMIT, RESERVE = "orders.cancel.ask_cancel", "orders.submit.submit", "orders.reserve.reserve"


@pytest.fixture
def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    database = Database(database_url, ROUTES)
    yield Trade(database)
    database.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SupplierServer]:
    with SupplierServer("Norden", tmp_path / "supplier") as running:
        yield running


def from_server(trade: Trade, server: SupplierServer) -> int:
    """A supplier who is asked at the sandbox's server."""
    told = server.description()
    credentials = {"key": told["key"], "ca_file": told["ca_file"]}
    return trade.supplier(transport="api", url=told["url"], credentials=credentials)


def answer(trade: Trade, given: Callable[..., object], *values: object, times: int = 2) -> None:
    """The supplier answers, `times` times the same."""
    for _ in range(times):
        with trade.db.unit_of_work() as uow:
            given(uow, *values)


def refusal(trade: Trade, given: Callable[..., object], *values: object) -> str:
    """The rule by which an answer is refused; nothing of it is stored."""
    before = snapshot(trade)
    with pytest.raises(Refused) as error, trade.db.unit_of_work() as uow:
        given(uow, *values)
    assert snapshot(trade) == before
    return error.value.rule


def snapshot(trade: Trade) -> list[list[tuple[object, ...]]]:
    return [
        rows(trade.db, f"SELECT t::text FROM {table} t ORDER BY 1")
        for table in (
            "order_line", "purchase_order", "purchase_order_line", "reservation", "offer", "account", "hold", "shipment",
            "order_event", "message",
        )
    ]  # fmt: skip


def test_a_confirmation_accepts_once_and_moves_no_money(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 2))
    answer(trade, answers.confirm, po_id, " N-5 ")
    assert trade.po(po_id) == "accepted"
    assert trade.lines(1) == [("accepted", 2, 2, 0)]
    assert one(trade.db, "SELECT external_number FROM purchase_order") == "N-5"
    assert trade.story(1).count("confirmed") == 1
    # 20.00 goods, 4.90 shipping, 2.00 commission, 0.38 VAT
    assert (trade.stock(offer), trade.money()) == ((3, 2, 0), (7272, 2728))
    answer(trade, answers.confirm, po_id)
    assert one(trade.db, "SELECT external_number FROM purchase_order") == "N-5"
    assert refusal(trade, answers.confirm, po_id, "N-6") == "number"
    assert refusal(trade, answers.confirm, po_id, "N" * 101) == "number"


def test_nobody_answers_what_was_not_sent_or_is_not_there(trade: Trade) -> None:
    po_id = trade.made((trade.offer(trade.supplier()), 1))
    assert refusal(trade, answers.confirm, po_id) == "not_sent"
    assert refusal(trade, answers.reject, po_id, "no") == "not_sent"
    assert refusal(trade, ship, po_id, "1") == "not_sent"
    assert refusal(trade, answers.confirm, 99) == "not_found"


def test_a_rejection_gives_stock_and_deposit_back_once(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 2))
    assert refusal(trade, answers.reject, po_id, "  ") == "reason"
    answer(trade, answers.reject, po_id, "Broken in the\n warehouse.")
    assert trade.po(po_id) == "rejected"
    assert rows(trade.db, "SELECT state, reason FROM order_line") == [
        ("rejected", "The supplier rejected it: Broken in the warehouse.")
    ]
    assert (trade.stock(offer), trade.money()) == ((5, 0, 0), (10_000, 0))
    assert one(trade.db, "SELECT quantity FROM purchase_order_line") == 2, "what he rejected stays to be read"
    assert trade.story(1).count("rejected") == 1
    assert trade.waiting("orders.resume.resume") == 1
    assert trade.waiting("orders.resume.resume_stock") == 1
    assert refusal(trade, answers.confirm, po_id) == "ended"
    assert refusal(trade, ship, po_id, "1") == "ended"
    assert refusal(trade, answers.cancel_refused, po_id, "x") == "ended"
    assert trade.waiting(RESERVE) == 0, "there is nobody else to ask"


def test_a_rejected_line_is_bought_from_the_next_supplier_and_never_from_the_first_again(
    trade: Trade,
) -> None:
    first = trade.offer(trade.supplier("Norden"), "10")
    second = trade.offer(trade.supplier("Sueden"), "11", of=first)
    po_id = trade.placed((first, 2))
    answer(trade, answers.reject, po_id, "Sold out.")
    assert trade.lines(1) == [("received", 2, 0, 0)]
    trade.run(RESERVE)
    trade.run("orders.purchase.purchase")
    trade.until(SUBMIT)
    trade.run(SUBMIT)
    assert rows(trade.db, "SELECT reference, state FROM purchase_order ORDER BY id") == [
        ("EP-1", "rejected"),
        ("EP-2", "placed"),
    ]
    assert (trade.stock(first), trade.stock(second)) == ((5, 0, 0), (3, 2, 0))
    assert trade.money() == (10_000 - 2200 - 490 - 220 - 42, 2200 + 490 + 220 + 42)
    answer(trade, answers.reject, po_id + 1, "Sold out too.")
    assert trade.lines(1) == [("rejected", 2, 0, 0)]
    assert trade.money() == (10_000, 0)


def test_what_he_shipped_before_he_gave_up_stays_shipped(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    trade.offer(trade.supplier("Sueden"), "11", of=offer)
    po_id = trade.placed((offer, 3))
    (line,) = trade.line_ids(po_id)
    answer(trade, ship, po_id, "P1", {line: 1})
    answer(trade, answers.reject, po_id, "The rest broke.", times=1)
    assert refusal(trade, answers.reject, po_id, "The rest broke.") == "ended"
    assert trade.po(po_id) == "shipped"
    assert trade.lines(1) == [("shipped", 3, 1, 1)]
    assert trade.stock(offer) == (4, 0, 1)
    # two thirds of 30.00 + 4.90 + 3.00 + 0.57 by cumulative rounding
    assert trade.money() == (10_000 - 3847 + 2565, 3847 - 2565)
    assert trade.waiting(RESERVE) == 0


@pytest.mark.parametrize("accepted", [False, True])
def test_a_cancellation_the_supplier_grants(trade: Trade, accepted: bool) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 2))
    if accepted:
        answer(trade, answers.confirm, po_id)
    assert refusal(trade, answers.cancelled, po_id) == "not_asked"
    trade.want(1, 0)
    trade.run(CANCEL, twice=True)
    assert (trade.po(po_id), trade.lines(1)) == ("cancel_requested", [("cancel_requested", 0, 2, 0)])
    assert trade.money() == (7272, 2728), "nothing comes back before he says so"
    answer(trade, answers.cancelled, po_id)
    assert (trade.po(po_id), trade.lines(1)) == ("cancelled", [("cancelled", 0, 0, 0)])
    assert (trade.stock(offer), trade.money()) == ((5, 0, 0), (10_000, 0))
    assert refusal(trade, ship, po_id, "late") == "ended"
    assert refusal(trade, answers.confirm, po_id) == "ended"


def test_a_part_is_cancelled_and_the_rest_goes_on_as_it_stood(trade: Trade) -> None:
    norden = trade.supplier()
    offer, other = trade.offer(norden), trade.offer(norden)
    po_id = trade.placed((offer, 3), (other, 1))
    trade.want(1, 1, 1)
    trade.run(CANCEL)
    answer(trade, answers.confirm, po_id, times=1)
    assert trade.po(po_id) == "cancel_requested", "a confirmation does not answer the cancellation"
    assert trade.lines(1) == [("cancel_requested", 1, 3, 0), ("accepted", 1, 1, 0)]
    answer(trade, answers.cancelled, po_id, times=1)
    assert refusal(trade, answers.cancelled, po_id) == "not_asked"
    assert (trade.po(po_id), trade.lines(1)) == ("accepted", [("accepted", 1, 1, 0), ("accepted", 1, 1, 0)])
    assert rows(trade.db, "SELECT quantity FROM purchase_order_line ORDER BY line_id") == [(1,), (1,)]
    assert (trade.stock(offer), trade.stock(other)) == ((4, 1, 0), (4, 1, 0))
    assert one(trade.db, "SELECT released FROM hold ORDER BY id LIMIT 1") == 2


def test_a_cancellation_he_refuses_leaves_everything_covered(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 2))
    trade.want(1, 0)
    trade.run(CANCEL)
    assert refusal(trade, answers.cancel_refused, po_id, "") == "reason"
    answer(trade, answers.cancel_refused, po_id, "It is on the lorry.")
    assert (trade.po(po_id), trade.lines(1)) == ("accepted", [("accepted", 0, 2, 0)])
    assert (trade.stock(offer), trade.money()) == ((3, 2, 0), (7272, 2728))
    assert (
        one(trade.db, "SELECT reason FROM order_line")
        == "The supplier does not cancel it: It is on the lorry."
    )
    assert trade.story(1).count("cancel_refused") == 1
    assert refusal(trade, answers.cancelled, po_id) == "not_asked"
    assert one(trade.db, "SELECT overruled FROM order_line") == 2
    trade.want(1, 0)
    assert (trade.po(po_id), trade.lines(1)) == ("accepted", [("accepted", 0, 2, 0)]), "he said no already"
    assert trade.waiting(CANCEL) == 0


def test_what_he_refused_to_cancel_is_paid_and_refunded_only_when_it_comes_back(trade: Trade) -> None:
    po_id = trade.placed((trade.offer(trade.supplier()), 3))
    (line,) = trade.line_ids(po_id)
    trade.want(1, 1)
    trade.run(CANCEL)
    answer(trade, answers.cancel_refused, po_id, "It is on the lorry.")
    answer(trade, ship, po_id, "P1")
    trade.run("settlement.capture.capture")
    paid, held = trade.money()
    assert (held, captured(trade)) == (0, [(3, 0)])
    trade.want(1, 1)
    assert (trade.money(), captured(trade)) == ((paid, 0), [(3, 0)]), "the late pieces are paid"
    give_back(trade, line, 2, "R1")
    returned = trade.money()[0]
    assert (returned > paid, captured(trade)) == (True, [(3, 2)])
    assert one(trade.db, "SELECT overruled FROM order_line") == 0
    trade.want(1, 1)
    assert (trade.money()[0], captured(trade)) == (returned, [(3, 2)]), "never a second refund"
    trade.want(1, 0)
    assert captured(trade) == [(3, 3)], "the wanted one came back too"


def test_what_left_before_he_was_asked_is_paid(trade: Trade) -> None:
    po_id = trade.placed((trade.offer(trade.supplier()), 2))
    trade.want(1, 0, run=False)
    answer(trade, ship, po_id, "P1")
    trade.run("settlement.capture.capture")
    paid = trade.money()
    trade.run("orders.release.release")
    assert (trade.money(), captured(trade), trade.lines(1)) == (paid, [(2, 0)], [("shipped", 0, 2, 2)])


def test_a_cancellation_that_grows_is_asked_anew_of_a_server(trade: Trade, server: SupplierServer) -> None:
    po_id = trade.placed((trade.offer(from_server(trade, server)), 3))
    trade.want(1, 1)
    trade.run(CANCEL)
    assert trade.po(po_id) == "cancel_requested", "a part is not asked of a server"
    trade.want(1, 0)
    trade.run(CANCEL, twice=True)
    assert (trade.po(po_id), trade.lines(1)) == ("cancelled", [("cancelled", 0, 0, 0)])
    assert trade.money() == (10_000, 0)


def test_wanted_again_before_he_was_asked_it_goes_on_and_can_be_asked_again(trade: Trade) -> None:
    po_id = trade.placed((trade.offer(trade.supplier()), 2))
    answer(trade, answers.confirm, po_id)
    trade.want(1, 0)
    trade.want(1, 2)
    trade.run(CANCEL)
    assert (trade.po(po_id), trade.lines(1)) == ("accepted", [("accepted", 2, 2, 0)])
    trade.want(1, 0)
    assert (trade.po(po_id), trade.waiting(CANCEL)) == ("cancel_requested", 1)
    assert trade.story(1).count("cancel_asked") == 2


def captured(trade: Trade) -> list[tuple[int, int]]:
    """(captured, refunded) of each hold."""
    return rows(trade.db, "SELECT captured, refunded FROM hold ORDER BY line_id")


def give_back(trade: Trade, line_id: int, quantity: int, key: str) -> None:
    with trade.db.unit_of_work() as uow:
        take_back(uow, line_id, quantity, key)


def test_what_was_never_sent_is_cancelled_without_asking_and_the_rest_is_sent(
    trade: Trade, server: SupplierServer
) -> None:
    supplier = from_server(trade, server)
    offer, other = trade.offer(supplier), trade.offer(supplier)
    po_id = trade.made((offer, 2), (other, 1))
    trade.want(1, 0, 1)
    trade.run(SUBMIT)
    assert server.faults.seen() == [], "it is not sent while a cancellation is to be answered"
    trade.run(CANCEL, twice=True)
    assert (trade.po(po_id), trade.lines(1)) == (
        "submitting",
        [("cancelled", 0, 0, 0), ("submitting", 1, 1, 0)],
    )
    trade.run(SUBMIT, twice=True)
    (order,) = server.orders()
    assert [(line["quantity"], line["sku"][:2]) for line in order["lines"]] == [(1, "A-")]
    assert order["asked"] == 1
    assert trade.po(po_id) == "placed"
    assert trade.stock(offer) == (5, 0, 0)


def test_a_server_is_asked_to_cancel_and_its_answer_counts(trade: Trade, server: SupplierServer) -> None:
    offer = trade.offer(from_server(trade, server))
    po_id = trade.placed((offer, 2))
    trade.want(1, 0)
    trade.run(CANCEL, twice=True)
    assert [order["state"] for order in server.orders()] == ["cancelled"]
    assert (trade.po(po_id), trade.lines(1)) == ("cancelled", [("cancelled", 0, 0, 0)])
    assert (trade.stock(offer), trade.money()) == ((5, 0, 0), (10_000, 0))


def test_a_server_that_ships_all_the_same_keeps_the_order(trade: Trade, server: SupplierServer) -> None:
    offer = trade.offer(from_server(trade, server))
    po_id = trade.placed((offer, 2))
    trade.want(1, 0)
    (order,) = server.orders()
    server._store.move(order["number"], "shipped", unless="cancelled")
    trade.run(CANCEL, twice=True)
    assert (trade.po(po_id), trade.lines(1)) == ("accepted", [("accepted", 0, 2, 0)])
    assert trade.money() == (7272, 2728)


def test_a_part_is_not_asked_of_a_server_that_only_cancels_whole_orders(
    trade: Trade, server: SupplierServer
) -> None:
    po_id = trade.placed((trade.offer(from_server(trade, server)), 3))
    server.faults.forget()
    trade.want(1, 1)
    trade.run(CANCEL)
    assert server.faults.seen() == []
    assert trade.po(po_id) == "cancel_requested"
    answer(trade, answers.cancelled, po_id, times=1)
    assert (trade.po(po_id), trade.lines(1)) == ("placed", [("submitting", 1, 1, 0)])


def test_in_doubt_it_is_first_found_out_whether_he_has_it(trade: Trade, server: SupplierServer) -> None:
    offer = trade.offer(from_server(trade, server))
    po_id = trade.made((offer, 1))
    server.faults.add("drop_after", method="POST", path="/orders")
    with pytest.raises(Exception, match="not known"):
        trade.run(SUBMIT)
    trade.want(1, 0)
    server.faults.forget()
    trade.run(CANCEL, twice=True)
    assert (server.faults.seen(), trade.po(po_id)) == ([], "cancel_requested")
    trade.run(SUBMIT)
    assert one(trade.db, "SELECT placed_at IS NOT NULL FROM purchase_order")
    trade.run(CANCEL)
    assert [(order["state"], order["asked"]) for order in server.orders()] == [("cancelled", 1)]
    assert (trade.po(po_id), trade.money()) == ("cancelled", (10_000, 0))


def test_in_doubt_and_to_be_cancelled_it_is_not_placed_any_more(trade: Trade, server: SupplierServer) -> None:
    po_id = trade.made((trade.offer(from_server(trade, server)), 1))
    server.faults.add("drop_before", method="POST", path="/orders")
    with pytest.raises(Exception, match="not known"):
        trade.run(SUBMIT)
    trade.want(1, 0)
    trade.run(CANCEL)
    trade.run(SUBMIT)
    trade.run(CANCEL)
    assert server.orders() == []
    assert (trade.po(po_id), trade.lines(1)) == ("cancelled", [("cancelled", 0, 0, 0)])


def test_confirmed_out_of_doubt_he_is_asked_to_cancel(trade: Trade, server: SupplierServer) -> None:
    po_id = trade.made((trade.offer(from_server(trade, server)), 1))
    server.faults.add("drop_after", method="POST", path="/orders")
    with pytest.raises(Exception, match="not known"):
        trade.run(SUBMIT)
    trade.want(1, 0)
    trade.run(CANCEL)
    answer(trade, answers.confirm, po_id)
    assert trade.po(po_id) == "cancel_requested"
    trade.run(CANCEL)
    assert [order["state"] for order in server.orders()] == ["cancelled"]
    assert (trade.po(po_id), trade.lines(1)) == ("cancelled", [("cancelled", 0, 0, 0)])
