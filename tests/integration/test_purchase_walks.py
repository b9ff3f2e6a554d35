"""Suppliers, buyers and steps in random order, each step twice: stock, deposit and purchase orders still agree."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.database import Database
from core.errors import Refused, Temporary
from ledger.proof import prove
from pipelines.orders import answers
from pipelines.orders.ship import ship
from pipelines.routes import ROUTES
from tests.integration.test_ship import Shown
from tests.stepping import one, pending, rows, run_message
from tests.trade import Trade

MOVES = 40


@pytest.fixture
def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    shown = Shown()
    monkeypatch.setattr("pipelines.orders.report.connect", lambda db, shop: shown)
    database = Database(database_url, ROUTES, pool_size=10)
    yield Trade(database)
    database.close()


def settle(trade: Trade, chance: random.Random, most: int = 10_000) -> None:
    """Runs waiting messages in any order, each twice; one that has to wait for another comes again."""
    while most and (messages := pending(trade.db)):
        chance.shuffle(messages)
        went = False
        for message in messages[:most]:
            most -= 1
            try:
                route = next(
                    r for r in ROUTES if (r.name, r.event.__name__) == (message["step"], message["event"])
                )
                route.step(
                    route.event(tenant=message["tenant"], lane=message["lane"], **message["payload"]),
                    trade.db,
                )
                run_message(trade.db, message)
                went = True
            except Temporary:
                continue
        if not went:
            assert most < 10_000, f"nothing goes on: {[m['step'] for m in messages]}"
            return


def agree(trade: Trade) -> None:
    """The invariants that orders, purchase orders, stock and ledger share."""
    with trade.db.unit_of_work() as uow:
        proof = prove(uow)
    assert proof.ok, [check for check in proof.checks if not check.ok]
    assert (
        rows(
            trade.db,
            "SELECT o.id FROM offer o WHERE o.stock <> o.free"
            " + coalesce((SELECT sum(quantity + sold) FROM reservation WHERE offer_id = o.id), 0)",
        )
        == []
    ), "sold + set aside + free = stock"
    assert (
        rows(
            trade.db,
            "SELECT l.id FROM order_line l JOIN reservation r ON r.line_id = l.id"
            " WHERE l.covered > 0 AND (r.quantity <> l.covered - l.shipped OR r.sold <> l.shipped)",
        )
        == []
    ), "what is covered is set aside or sold"
    assert (
        rows(
            trade.db,
            "SELECT l.id FROM order_line l WHERE l.covered - l.refunded <> (SELECT coalesce(sum(quantity - released - refunded), 0)"
            " FROM hold WHERE line_id = l.id)",
        )
        == []
    ), "what is covered is held"
    assert (
        rows(
            trade.db,
            "SELECT l.id FROM order_line l WHERE l.state IN ('submitting', 'accepted', 'cancel_requested') AND l.covered <>"
            " (SELECT coalesce(sum(b.quantity), 0) FROM purchase_order_line b JOIN purchase_order p ON p.id = b.purchase_order_id"
            " WHERE b.line_id = l.id AND p.state NOT IN ('rejected', 'cancelled'))",
        )
        == []
    ), "what is bought stands in one purchase order"
    assert (
        rows(
            trade.db,
            "SELECT l.id FROM order_line l WHERE l.shipped <> (SELECT coalesce(sum(quantity), 0) FROM shipment_line WHERE line_id = l.id)",
        )
        == []
    ), "what is shipped left in a shipment"


@pytest.mark.parametrize("known", [1, 2, 3, 4, None])
def test_whatever_they_say_in_whatever_order_the_books_agree(trade: Trade, known: int | None) -> None:
    seed = known or random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    norden, sueden = trade.supplier("Norden"), trade.supplier("Sueden")
    offers = [trade.offer(norden, "3.335", 20), trade.offer(norden, "7", 6)]
    offers.append(trade.offer(sueden, "3.50", 20, of=offers[0]))
    orders: list[int] = []
    refused = 0
    for number in range(MOVES):
        wish = chance.choice(
            ["order", "want", "confirm", "reject", "ship", "ship", "cancelled", "cancel_refused", "steps"]
        )
        if wish == "order" and len(orders) < 8:
            chosen = chance.sample(offers[:2], chance.randint(1, 2))
            orders.append(trade.order(*((offer, chance.randint(1, 4)) for offer in chosen)))
        elif wish == "want" and orders:
            order_id = chance.choice(orders)
            left = [wanted for _, wanted, _, _ in trade.lines(order_id)]
            trade.want(order_id, *(chance.randint(0, wanted) for wanted in left), run=False)
        pos = [row[0] for row in rows(trade.db, "SELECT id FROM purchase_order ORDER BY id")]
        if pos:
            refused += not said(trade, wish, chance, chance.choice(pos), number)
        settle(trade, chance, chance.randint(0, 6))
    settle(trade, chance)
    agree(trade)
    assert one(trade.db, "SELECT count(*) FROM purchase_order") > 0


def said(trade: Trade, wish: str, chance: random.Random, po_id: int, number: int) -> bool:
    """A supplier says something, twice; False where it is refused."""
    line = chance.choice(trade.line_ids(po_id))
    quantity = chance.randint(1, 3)
    for _ in range(2):
        try:
            with trade.db.unit_of_work() as uow:
                match wish:
                    case "confirm":
                        answers.confirm(uow, po_id)
                    case "reject":
                        answers.reject(uow, po_id, "Sold out.")
                    case "cancelled":
                        answers.cancelled(uow, po_id)
                    case "cancel_refused":
                        answers.cancel_refused(uow, po_id, "Too late.")
                    case "ship":
                        ship(uow, po_id, f"P{number}", {line: quantity}, "DHL", str(number))
        except Refused:
            return False
    return True


def test_of_a_shipment_and_a_rejection_at_once_one_happens(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    po_id = trade.placed((offer, 3))

    def speak(turn: int) -> str:
        try:
            with trade.db.unit_of_work() as uow:
                if turn % 2:
                    ship(uow, po_id, "P1", None, "DHL", "1")
                    return "shipped"
                answers.reject(uow, po_id, "Sold out.")
                return "rejected"
        except Refused:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(speak, range(16)))
    state = trade.po(po_id)
    assert (said.count(state), said.count("refused")) == (8, 8)
    assert one(trade.db, "SELECT count(*) FROM shipment") == (1 if state == "shipped" else 0)
    assert trade.stock(offer) == ((2, 0, 3) if state == "shipped" else (5, 0, 0))
    settle(trade, random.Random(1))
    agree(trade)
