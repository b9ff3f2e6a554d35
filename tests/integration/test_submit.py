"""A purchase order reaches its supplier once, whatever is lost on the way; what is in doubt is looked up, not repeated."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.purchasing import PurchaseDraft
from core.database import Database
from core.errors import Misconfigured, Permanent, Refused, Temporary, Unknown
from core.money import Money
from pipelines.orders import transport
from pipelines.orders.answers import confirm, send_again
from pipelines.routes import ROUTES
from sandbox.supplier import SupplierServer
from tests.stepping import rows
from tests.trade import Trade

SUBMIT = "orders.submit.submit"


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
        running.desk.twice = True  # a second ask would be a second order
        yield running


class Scripted:
    """A supplier that answers as told: an exception is raised, a number returned. Without a script he takes the order."""

    def __init__(self) -> None:
        self.script: list[BaseException | str] = []
        self.found: BaseException | str | None = None
        self.calls: list[str] = []

    def place(self, draft: PurchaseDraft) -> str | None:
        self.calls.append(f"place {draft.reference}")
        return self._told(self.script.pop(0) if self.script else "N-1")

    def find(self, reference: str) -> str | None:
        self.calls.append(f"find {reference}")
        return self._told(self.found)

    def cancel(self, reference: str) -> bool | None:
        raise AssertionError("nobody asked to cancel")

    @staticmethod
    def _told(answer: BaseException | str | None) -> str | None:
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted()
    monkeypatch.setattr(transport, "way_to", lambda uow, supplier_id: made)
    monkeypatch.setattr("pipelines.orders.submit.way_to", lambda uow, supplier_id: made)
    return made


def reached(server: SupplierServer) -> dict[str, Any]:
    """The terms of a supplier who is asked at the sandbox's server."""
    told = server.description()
    return {
        "transport": "api",
        "url": told["url"],
        "credentials": {"key": told["key"], "ca_file": told["ca_file"]},
    }


def asked(trade: Trade, po_id: int) -> tuple[Any, ...]:
    """(state, number, reason, was asked, has it) of a purchase order."""
    (row,) = rows(
        trade.db,
        "SELECT state, external_number, reason, asked_at IS NOT NULL, placed_at IS NOT NULL FROM purchase_order WHERE id = %s",
        po_id,
    )
    return row


def test_a_supplier_who_comes_by_himself_has_it_at_once(trade: Trade) -> None:
    po_id = trade.made((trade.offer(trade.supplier()), 2))
    trade.run(SUBMIT, twice=True)
    assert asked(trade, po_id) == ("placed", None, None, True, True)
    assert trade.lines(1) == [("submitting", 2, 2, 0)]
    assert trade.story(1).count("placed") == 1


def test_the_server_gets_the_whole_order_once(trade: Trade, server: SupplierServer) -> None:
    supplier = trade.supplier(**reached(server))
    po_id = trade.made((trade.offer(supplier, "10.005"), 2), (trade.offer(supplier), 1))
    trade.run(SUBMIT, twice=True)
    (order,) = server.orders()
    assert (order["reference"], order["asked"]) == ("EP-1", 1)
    assert [(line["quantity"], line["unit_cost"]) for line in order["lines"]] == [
        (2, {"amount": "10.005", "currency": "EUR"}),
        (1, {"amount": "10.00", "currency": "EUR"}),
    ]
    assert order["ship_to"]["street"] == "Torstr. 1"
    assert order["shipping"] == {"amount": "4.90", "currency": "EUR"}
    assert asked(trade, po_id) == ("placed", order["number"], None, True, True)


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_after_a_lost_reply_he_is_looked_up_before_he_is_asked_again(
    trade: Trade, server: SupplierServer, fault: str
) -> None:
    po_id = trade.made((trade.offer(trade.supplier(**reached(server))), 1))
    server.faults.add(fault, method="POST", path="/orders")
    with pytest.raises(Unknown):
        trade.run(SUBMIT)
    assert asked(trade, po_id)[0] == "unknown"
    assert trade.lines(1) == [("submit_unknown", 1, 1, 0)]
    trade.run(SUBMIT, twice=True)
    (order,) = server.orders()
    assert order["asked"] == 1, "asked twice for one reference"
    assert asked(trade, po_id) == ("placed", order["number"], None, True, True)
    assert trade.lines(1) == [("submitting", 1, 1, 0)]
    seen = [(entry["method"], entry["fault"]) for entry in server.faults.seen()]
    again = [("POST", None)] if fault == "drop_before" else []
    assert seen == [("POST", fault), ("GET", None), *again]


def test_a_crash_during_the_call_is_a_doubt(trade: Trade, scripted: Scripted) -> None:
    po_id = trade.made((trade.offer(trade.supplier()), 1))
    scripted.script, scripted.found = [KeyboardInterrupt()], "N-7"
    with pytest.raises(KeyboardInterrupt):
        trade.run(SUBMIT)
    assert asked(trade, po_id) == ("unknown", None, None, True, False)
    trade.run(SUBMIT)
    assert scripted.calls == ["place EP-1", "find EP-1"]
    assert asked(trade, po_id) == ("placed", "N-7", None, True, True)


@pytest.mark.parametrize("error", [Temporary("He answers 503."), Misconfigured("The key is wrong.")])
def test_a_call_that_brought_nothing_leaves_it_unsent(
    trade: Trade, scripted: Scripted, error: Exception
) -> None:
    po_id = trade.made((trade.offer(trade.supplier()), 1))
    scripted.script = [error]
    with pytest.raises(type(error)):
        trade.run(SUBMIT)
    assert asked(trade, po_id) == ("submitting", None, str(error), False, False)
    trade.run(SUBMIT)
    assert scripted.calls == ["place EP-1", "place EP-1"], "what never arrived is not looked for"
    assert asked(trade, po_id) == ("placed", "N-1", None, True, True)


def test_a_doubt_stays_one_though_a_later_call_brings_nothing(trade: Trade, scripted: Scripted) -> None:
    po_id = trade.made((trade.offer(trade.supplier()), 1))
    scripted.script = [Unknown("No answer."), Temporary("He answers 503.")]
    for error in (Unknown, Temporary):
        with pytest.raises(error):
            trade.run(SUBMIT)
    assert asked(trade, po_id) == ("unknown", None, "He answers 503.", True, False)
    scripted.found = Temporary("He cannot be reached.")
    with pytest.raises(Temporary):
        trade.run(SUBMIT)
    assert asked(trade, po_id) == ("unknown", None, "He cannot be reached.", True, False)
    scripted.found = "N-2"
    trade.run(SUBMIT)
    assert scripted.calls == ["place EP-1", "find EP-1", "place EP-1", "find EP-1", "find EP-1"]
    assert asked(trade, po_id)[:2] == ("placed", "N-2")


def test_a_refusal_while_placing_is_a_rejection(trade: Trade, scripted: Scripted) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.made((offer, 2))
    scripted.script = [Refused("He no longer makes it.")]
    trade.run(SUBMIT, twice=True)
    assert asked(trade, po_id)[0::2] == ("rejected", "He no longer makes it.", False)
    assert trade.lines(1) == [("rejected", 2, 0, 0)]
    assert (trade.stock(offer), trade.money()) == ((5, 0, 0), (10_000, 0))


def test_where_nobody_can_look_a_person_decides(trade: Trade, scripted: Scripted) -> None:
    po_id = trade.made((trade.offer(trade.supplier()), 1))
    scripted.script, scripted.found = [Unknown("No answer.")], Permanent("He has it twice.")
    with pytest.raises(Unknown):
        trade.run(SUBMIT)
    with pytest.raises(Permanent):
        trade.run(SUBMIT)
    assert asked(trade, po_id) == ("unknown", None, "He has it twice.", True, False)
    with trade.db.unit_of_work() as uow:
        uow.cursor().execute("DELETE FROM message")
    for _ in range(2):  # asked again while it waits to be sent: nothing more
        with trade.db.unit_of_work() as uow:
            assert send_again(uow, po_id).state == "submitting"
    assert trade.waiting(SUBMIT) == 1
    scripted.found = None
    trade.run(SUBMIT)
    assert scripted.calls == ["place EP-1", "find EP-1", "place EP-1"]
    with trade.db.unit_of_work() as uow, pytest.raises(Refused, match="placed"):
        send_again(uow, po_id)


def test_one_that_was_confirmed_during_the_doubt_is_not_sent_again(trade: Trade, scripted: Scripted) -> None:
    po_id = trade.made((trade.offer(trade.supplier()), 1))
    scripted.script = [Unknown("No answer.")]
    with pytest.raises(Unknown):
        trade.run(SUBMIT)
    with trade.db.unit_of_work() as uow:
        confirm(uow, po_id, "N-9")
    trade.run(SUBMIT)
    assert scripted.calls == ["place EP-1"]
    assert asked(trade, po_id) == ("accepted", "N-9", None, True, True)
    assert trade.lines(1) == [("accepted", 1, 1, 0)]


def test_without_an_address_nothing_is_sent(trade: Trade, scripted: Scripted) -> None:
    po_id = trade.made((trade.offer(trade.supplier()), 1))
    with trade.db.unit_of_work() as uow:
        uow.cursor().execute("DELETE FROM order_buyer")
    with pytest.raises(Refused, match="The address of order 1"):
        trade.run(SUBMIT)
    assert scripted.calls == []
    state, number, reason, was_asked, there = asked(trade, po_id)
    assert (state, number, was_asked, there) == ("submitting", None, False, False)
    assert reason.startswith("The address of order 1 is not there.")


def test_the_lines_are_asked_at_the_open_quantity_and_the_cost_they_are_held_at(
    trade: Trade, scripted: Scripted
) -> None:
    drafts: list[PurchaseDraft] = []
    place = scripted.place
    scripted.place = lambda draft: (drafts.append(draft), place(draft))[1]  # type: ignore[method-assign,func-returns-value]
    offer = trade.offer(trade.supplier(), "3.335")
    trade.made((offer, 3))
    with trade.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE offer SET cost = 99 WHERE id = %s", [offer])
    trade.run(SUBMIT)
    (line,) = drafts[0].lines
    assert (line.quantity, line.unit_cost, drafts[0].shipping) == (3, Decimal("3.335"), Money(490, "EUR"))
