"""Covers what a buyer wants: stock and deposit set aside in one unit of work, or the line waits and says why."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta

from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Temporary
from core.settings import Settings, load
from ledger.holds import Line, Short, open_holds
from models.catalogue import give_back, lock_offers, take
from models.events import LinesFunded, OrderChanged, PurchaseOrderMade, StockMoved
from models.orders import Order, OrderLine, Reservation
from models.purchasing import PurchaseOrder
from pipelines.orders.choose import Ask, Candidate, choose
from pipelines.orders.costs import own_cost, parities
from pipelines.orders.lines import beyond, needs
from pipelines.orders.stored import NOT_PAID, lock_order, move, pieces, reservations_of, set_aside, tell
from pipelines.orders.take_over import why_not_bought

ALONE = timedelta(hours=48)
"""How long stock is set aside for a line whose deposit is missing."""

CANDIDATES = """
SELECT id, variant_id, supplier_id, free, cost, currency FROM offer
WHERE variant_id = ANY(%s) AND state = 'offered' AND cost IS NOT NULL ORDER BY id"""

REFUSALS = """
SELECT l.line_id, p.supplier_id FROM purchase_order_line l JOIN purchase_order p ON p.id = l.purchase_order_id
WHERE l.line_id = ANY(%s) AND p.state = 'rejected'"""


def reserve(event: OrderChanged, db: Database) -> None:
    """Covers the order's lines that want it: all of one supplier together, or none of them."""
    with db.unit_of_work(last=True) as uow:
        cover(uow, event.order_id, load())


def cover(uow: UnitOfWork, order_id: int, settings: Settings) -> None:
    """Funds what stock and deposit allow; the rest waits in the state that says for what. Repeating it changes nothing."""
    order, lines = lock_order(uow, order_id)
    if order.standing != "open" or why_not_bought(order):
        return
    _go_on(uow, order, lines)
    for line in lines:
        _tell_beyond(uow, order, line)
    wanting = [line for line in lines if needs(line).cover]
    if not wanting:
        return
    work = _Cover(uow, order, wanting, settings)
    chosen = choose([work.ask(line) for line in wanting], work.candidates())
    groups: dict[int, list[OrderLine]] = defaultdict(list)
    for line in wanting:
        if line.id in chosen:
            groups[chosen[line.id].supplier_id].append(line)
        else:
            work.park_for_stock(line)
    funded = [work.fund(group, chosen) for _, group in sorted(groups.items())]
    for offer_id in sorted(work.moved):
        uow.emit(StockMoved(tenant=order.seller_id, lane=order.lane, offer_id=offer_id))
    if any(funded):
        uow.emit(LinesFunded(tenant=order.seller_id, lane=order.lane, order_id=order.id))


class _Cover:
    """One order being covered. Its offers are locked from the beginning, so that what is chosen is there to be taken."""

    def __init__(self, uow: UnitOfWork, order: Order, lines: list[OrderLine], settings: Settings) -> None:
        self.uow, self.order, self.settings = uow, order, settings
        self.moved: set[int] = set()
        self.rateless: dict[int, set[str]] = defaultdict(set)
        self.variants = sorted({line.variant_id for line in lines})
        self.alone = reservations_of(uow, lines)
        ids = [line.id for line in lines]
        cursor = uow.cursor()
        cursor.execute("SELECT id FROM offer WHERE variant_id = ANY(%s)", [self.variants])
        lock_offers(
            cursor, [row[0] for row in cursor.fetchall()] + [kept.offer_id for kept in self.alone.values()]
        )
        self.refusals: dict[int, set[int]] = defaultdict(set)
        for line_id, supplier_id in cursor.execute(REFUSALS, [ids]).fetchall():
            self.refusals[line_id].add(supplier_id)
        self.waited = {line.id for line in lines if line.state == "awaiting_deposit"}
        for line in lines:
            if line.id in self.alone and self.alone[line.id].quantity != needs(line).cover:
                self.let_go(line)
                self.waited.discard(line.id)

    def ask(self, line: OrderLine) -> Ask:
        """What the line wants, for `choose`."""
        kept = self.alone.get(line.id)
        refusals = frozenset(self.refusals[line.id])
        return Ask(line.id, line.variant_id, needs(line).cover, kept.offer_id if kept else None, refusals)

    def candidates(self) -> list[Candidate]:
        """The sellable offers of the lines' variants, as they are under the lock; those without a rate only name their currency."""
        cursor, own = self.uow.cursor(), self.settings.currency
        rates = parities(cursor, self.settings)
        candidates: list[Candidate] = []
        for offer_id, variant_id, supplier_id, free, asked, currency in cursor.execute(CANDIDATES, [self.variants]).fetchall():  # fmt: skip
            cost = own_cost(asked, currency, rates)
            if cost is None:
                self.rateless[variant_id].add(currency)
                continue
            told = f" Its supplier asks {asked.normalize():f} {currency}, by the rate {cost.normalize():f} {own}."
            candidates.append(
                Candidate(offer_id, variant_id, supplier_id, free, cost, told if currency != own else "")
            )
        return candidates

    def fund(self, lines: list[OrderLine], chosen: Mapping[int, Candidate]) -> bool:
        """Stock and hold for all lines of one supplier; with too little deposit, stock alone for a while."""
        order = self.order
        wants = [
            Line(line.id, order.id, order.seller_id, chosen[line.id].supplier_id, needs(line).cover, chosen[line.id].cost)
            for line in lines
        ]  # fmt: skip
        opened = open_holds(
            self.uow, wants, currency=self.settings.currency, happened_at=now(), vat_percent=self.settings.vat_percent
        )  # fmt: skip
        if isinstance(opened, Short):
            for line in lines:
                self.park_for_deposit(line, chosen[line.id], opened)
            return False
        for line, hold in zip(lines, opened, strict=True):
            reservation = self.alone.get(line.id) or self.set_aside(line, chosen[line.id])
            reservation.expires_at = None
            line.covered, line.unit_cost = reservation.quantity, chosen[line.id].cost
            move(line, "funded")
            text = f"{pieces(line.covered, line.sku)} are reserved and covered by the deposit.{chosen[line.id].asked}"
            tell(self.uow, order.id, "funded", text, line.id, link=f"hold:{hold.id}")
        return True

    def park_for_deposit(self, line: OrderLine, offer: Candidate, short: Short) -> None:
        """The line keeps its stock for a while; one whose time ran out once is reserved again only with its hold."""
        reason = f"The deposit lacks {short.missing} of the {short.needed} that this needs: top it up, and it goes on by itself."
        if line.id not in self.waited:
            self.set_aside(line, offer).expires_at = now() + ALONE
            text = f"{pieces(needs(line).cover, line.sku)} are reserved for 48 hours. {reason}"
            tell(self.uow, self.order.id, "parked", text, line.id)
        if (line.state, line.reason) != ("awaiting_deposit", reason):
            move(line, "awaiting_deposit", reason)

    def park_for_stock(self, line: OrderLine) -> None:
        """Nothing is set aside: whoever wants fewer must not wait for who wants more than there is."""
        if line.id in self.alone:
            self.let_go(line)
        rateless = " or ".join(sorted(self.rateless[line.variant_id]))
        hint = (
            f" (for {rateless} a rate of the last {self.settings.rate_days} days is missing)"
            if rateless
            else ""
        )
        wanted = pieces(needs(line).cover, line.sku)
        reason = f"No supplier has {wanted} free in {self.settings.currency}{hint}: it goes on when one has."
        if (line.state, line.reason) != ("awaiting_stock", reason):
            tell(self.uow, self.order.id, "parked", reason, line.id)
            move(line, "awaiting_stock", reason)

    def set_aside(self, line: OrderLine, offer: Candidate) -> Reservation:
        """Takes the stock and writes the reservation. Raises Temporary where it is gone despite the lock."""
        quantity = needs(line).cover
        if not take(self.uow.cursor(), offer.offer_id, quantity):
            raise Temporary(
                f"Offer {offer.offer_id} has no {quantity} free any more; line {line.id} looks anew."
            )
        self.moved.add(offer.offer_id)
        return set_aside(self.uow, line, offer.offer_id, quantity, offer.cost)

    def let_go(self, line: OrderLine) -> None:
        """Gives a lone reservation back."""
        kept = self.alone.pop(line.id)
        quantity, kept.quantity, kept.expires_at = kept.quantity, 0, None
        self.uow.session.flush()
        give_back(self.uow.cursor(), kept.offer_id, quantity)
        self.moved.add(kept.offer_id)


def _go_on(uow: UnitOfWork, order: Order, lines: list[OrderLine]) -> None:
    """An order is paid again: what was kept from being bought is bought."""
    if any(line.state == "funded" and line.reason == NOT_PAID for line in lines):
        uow.emit(LinesFunded(tenant=order.seller_id, lane=order.lane, order_id=order.id))
    kept = uow.session.query(PurchaseOrder).filter_by(order_id=order.id, state="submitting", reason=NOT_PAID)
    for po in kept.order_by(PurchaseOrder.id):
        uow.emit(PurchaseOrderMade(tenant=po.supplier_id, lane=po.lane, purchase_order_id=po.id))


def _tell_beyond(uow: UnitOfWork, order: Order, line: OrderLine) -> None:
    """A buyer who wants more after his line was covered gets no second purchase behind his back."""
    if not beyond(line):
        return
    reason = (
        f"The buyer wants {pieces(beyond(line), line.sku)} more than were covered: let him order them anew."
    )
    if line.reason != reason:
        move(line, line.state, reason)
        tell(uow, order.id, "beyond", reason, line.id)
