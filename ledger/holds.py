"""What happens to a seller's deposit for an order line: held, released, captured, refunded, matured.

Every command works in the caller's unit of work and emits nothing: after `Done.amount` came back to a deposit (release,
refund) the caller emits DepositCredited. A command with a key may be repeated: the second time it changes nothing and
says so by `again`. The order's row is locked first, then accounts by id, so commands of one order come one by one.

`open_hold` has no key of its caller: opening again for the same line is a further hold, refused with the rule
"held_already" as soon as more pieces would be held than were ordered. What guards it is the line's own transition.
An `entry_id` is None where rounding left nothing to post (or the goods are free of charge). Lines of one order and
supplier that are covered together go through `open_holds`, so that they share the supplier's flat shipping.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from core.clock import now
from core.errors import Refused
from core.money import Money
from core.unit_of_work import UnitOfWork
from ledger import chart, hold_rows, rules
from ledger.hold_rows import Open
from ledger.posting import Draft, balances_of, post, post_all
from ledger.rules import PARTS, Quote, Terms
from models.ledger import Hold

__all__ = ["Done", "Line", "Short", "capture", "mature", "open_hold", "open_holds", "refund", "release"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line to cover: `quantity` pieces at `unit_cost` (major units, net) of one supplier."""

    line_id: int
    order_id: int
    seller_id: int
    supplier_id: int
    quantity: int
    unit_cost: Decimal


@dataclass(frozen=True, slots=True)
class Short:
    """The deposit does not cover it: nothing was written."""

    missing: Money
    needed: Money


@dataclass(frozen=True, slots=True)
class Done:
    """What a command moved. `again`: it was done by an earlier call with this key, this one changed nothing."""

    amount: Money
    entry_id: int | None
    again: bool = False
    parts: dict[str, int] = field(default_factory=dict)
    """Minor units by component; empty where `again`."""


def open_hold(
    uow: UnitOfWork,
    *,
    line_id: int,
    order_id: int,
    seller_id: int,
    supplier_id: int,
    quantity: int,
    unit_cost: Decimal,
    currency: str,
    happened_at: datetime,
    vat_percent: Decimal,
) -> Hold | Short:
    """One line covered from the seller's deposit, as `open_holds` does it."""
    line = Line(line_id, order_id, seller_id, supplier_id, quantity, unit_cost)
    opened = open_holds(uow, [line], currency=currency, happened_at=happened_at, vat_percent=vat_percent)
    return opened if isinstance(opened, Short) else opened[0]


def open_holds(
    uow: UnitOfWork,
    lines: Sequence[Line],
    *,
    currency: str,
    happened_at: datetime,
    vat_percent: Decimal,
) -> list[Hold] | Short:
    """All lines covered, or none. They are of one order, seller and supplier; shipping is shared by their goods.

    The supplier's flat shipping is charged once an order: less what holds of the order already carry and did not
    release. Raises Refused ("held_already", "other_order" for lines that do not belong together).
    """
    first = lines[0]
    if any(
        (line.order_id, line.seller_id, line.supplier_id)
        != (first.order_id, first.seller_id, first.supplier_id)
        for line in lines
    ):
        raise Refused("Only lines of one order, seller and supplier are held together.", rule="other_order")
    uow.session.flush()
    hold_rows.lock_order(uow, first.order_id)
    hold_rows.refuse_too_many(uow, {line.line_id: line.quantity for line in lines})
    terms = hold_rows.terms(uow, first.supplier_id)
    carried = hold_rows.shipping_carried(uow, first.order_id, first.supplier_id, currency)
    quotes = _quotes(lines, terms, max(0, terms.shipping_minor - carried), vat_percent, currency)
    needed = sum(each.total.minor for each in quotes)
    (there, _) = balances_of(uow, currency, chart.deposit(first.seller_id), chart.held(first.seller_id))
    if there < needed:
        return Short(Money(needed - there, currency), Money(needed, currency))
    holds = [
        hold_rows.add(
            uow,
            Hold(
                line_id=line.line_id,
                order_id=line.order_id,
                seller_id=line.seller_id,
                supplier_id=line.supplier_id,
                currency=currency,
                quantity=line.quantity,
                unit_cost=line.unit_cost,
                commission_percent=terms.commission_percent,
                vat_percent=vat_percent,
                terms_version=terms.version,
                opened_at=happened_at,
            ),
            each,
        )
        for line, each in zip(lines, quotes, strict=True)
    ]
    drafts = [
        Draft(
            f"hold:{made.id}",
            "hold",
            rules.hold(made.seller_id, each),
            happened_at,
            {"line": made.line_id, "order": made.order_id, "hold": made.id},
        )
        for made, each in zip(holds, quotes, strict=True)
        if each.total.minor
    ]
    if drafts:
        post_all(uow, drafts)
    return holds


def release(
    uow: UnitOfWork, line_id: int, quantity: int, key: str, why: str, happened_at: datetime | None = None
) -> Done:
    """`quantity` pieces that will not be shipped: their share goes back to the deposit, the newest hold's first.

    Raises Refused: "beyond_open" where fewer are open, "key_reused" where the key did something else.
    """
    holds = hold_rows.lock_line(uow, line_id)
    if done := _earlier(uow, key, line_id, "release", quantity):
        return done
    takes = _takes(holds[::-1], quantity, lambda hold: hold.open, line_id, "is still open")
    seller_id, currency = holds[0].seller_id, holds[0].currency
    owed, _, _ = balances_of(
        uow, currency, chart.seller_receivable(seller_id), chart.deposit(seller_id), chart.held(seller_id)
    )
    amounts = [hold.next_part(taken) for hold, taken in takes]
    moves = rules.release(seller_id, _sum(amounts, currency), owed=max(0, -owed))
    for (hold, taken), parts in zip(takes, amounts, strict=True):
        hold_rows.add_to(uow, hold.id, "released", taken, parts)
    return _record(uow, key, holds[0], "release", quantity, moves, amounts, happened_at or now(), why)


def capture(
    uow: UnitOfWork,
    *,
    line_id: int,
    shipment_id: int,
    quantity: int,
    happened_at: datetime,
    matures_at: datetime,
) -> Done:
    """`quantity` pieces left in a shipment, or a service is complete: earned by supplier and hub, the oldest hold first.

    The key is the line and the shipment. Raises Refused: "beyond_open" where fewer are open, "key_reused".
    """
    key = f"capture:{line_id}:{shipment_id}"
    holds = hold_rows.lock_line(uow, line_id)
    if done := _earlier(uow, key, line_id, "capture", quantity):
        return done
    takes = _takes(holds, quantity, lambda hold: hold.open, line_id, "is still open")
    amounts = [hold.next_part(taken) for hold, taken in takes]
    moves = []
    for (hold, taken), parts in zip(takes, amounts, strict=True):
        share = Quote.of(parts, hold.currency)
        moves += rules.capture(hold.seller_id, hold.supplier_id, share)
        hold_rows.add_to(uow, hold.id, "captured", taken, parts)
        hold_rows.add_capture(uow, hold, shipment_id, taken, share.earned, happened_at, matures_at)
    return _record(
        uow, key, holds[0], "capture", quantity, moves, amounts, happened_at, "", {"shipment": shipment_id}
    )


def refund(uow: UnitOfWork, *, line_id: int, quantity: int, key: str, happened_at: datetime) -> Done:
    """`quantity` captured pieces came back: supplier and hub give back their share, the newest hold's first.

    The supplier's comes out of what is pending of these captures, then available, then reserve; he owes the rest.
    Raises Refused: "beyond_captured" where fewer are captured and not yet refunded, "key_reused".
    """
    holds = hold_rows.lock_line(uow, line_id)
    if done := _earlier(uow, key, line_id, "refund", quantity):
        return done
    takes = _takes(
        holds[::-1], quantity, lambda hold: hold.captured - hold.refunded, line_id, "was captured and is left"
    )
    seller_id, currency = holds[0].seller_id, holds[0].currency
    # All that is posted to is locked at once: a later lock on the commission could wait for a capture that waits for us.
    names = [chart.seller_receivable(seller_id), chart.deposit(seller_id), chart.COMMISSION, chart.VAT]
    for supplier_id in sorted({hold.supplier_id for hold, _ in takes}):
        names += [
            chart.pending(supplier_id), chart.available(supplier_id), chart.reserve(supplier_id),
            chart.supplier_receivable(supplier_id),
        ]  # fmt: skip
    there = dict(zip(names, balances_of(uow, currency, *names), strict=True))
    amounts = [hold.next_refund(taken) for hold, taken in takes]
    moves = []
    for (hold, taken), parts in zip(takes, amounts, strict=True):
        added = rules.refund(
            seller_id,
            hold.supplier_id,
            Quote.of(parts, currency),
            pending=hold.pending,
            available=there[chart.available(hold.supplier_id)],
            reserve=there[chart.reserve(hold.supplier_id)],
            owed=max(0, -there[chart.seller_receivable(seller_id)]),
        )
        for move in added:
            for name, minor in ((move.source, -move.amount.minor), (move.destination, move.amount.minor)):
                there[name] = there.get(name, 0) + minor
        from_pending = sum(m.amount.minor for m in added if m.source == chart.pending(hold.supplier_id))
        hold_rows.lower_pending(uow, hold.id, from_pending)
        hold_rows.add_to(uow, hold.id, "refunded", taken, parts)
        moves += added
    return _record(uow, key, holds[0], "refund", quantity, moves, amounts, happened_at, "")


def mature(uow: UnitOfWork, capture_id: int, now: datetime) -> Done | None:
    """What is pending of a capture becomes available to the supplier. None: not yet due, or matured before."""
    hold_rows.lock_order_of_capture(uow, capture_id)
    due = hold_rows.matured(uow, capture_id, now)
    if due is None:
        return None
    supplier_id, line_id, hold_id, minor, currency = due
    moves = rules.mature(supplier_id, Money(minor, currency))
    refs = {"line": line_id, "hold": hold_id, "capture": capture_id}
    entry_id = post(uow, f"mature:{capture_id}", "mature", moves, now, refs).id if moves else None
    return Done(Money(minor, currency), entry_id)


def _quotes(
    lines: Sequence[Line], terms: Terms, shipping: int, vat_percent: Decimal, currency: str
) -> list[Quote]:
    bare = [
        rules.quote(line.quantity, line.unit_cost, terms, 0, vat_percent, currency).goods for line in lines
    ]
    shares = rules.share(shipping, bare)
    return [
        rules.quote(line.quantity, line.unit_cost, terms, minor, vat_percent, currency)
        for line, minor in zip(lines, shares, strict=True)
    ]


def _takes(
    holds: Sequence[Open], quantity: int, left: Callable[[Open], int], line_id: int, there: str
) -> list[tuple[Open, int]]:
    """Which hold gives how many pieces. Raises Refused where they have fewer than `quantity` together."""
    all_ = sum(left(hold) for hold in holds)
    if not 0 < quantity <= all_:
        raise Refused(
            f"Of order line {line_id} {all_} {there}; {quantity} cannot be taken.",
            rule="beyond_captured" if "captured" in there else "beyond_open",
        )
    takes = []
    for hold in holds:
        if taken := min(quantity, left(hold)):
            takes.append((hold, taken))
            quantity -= taken
    return takes


def _earlier(uow: UnitOfWork, key: str, line_id: int, kind: str, quantity: int) -> Done | None:
    found = hold_rows.change(uow, key)
    if found is None:
        return None
    *what, minor, currency, entry_id = found
    if what != [line_id, kind, quantity]:
        raise Refused(
            f"The key {key} was used for another {what[1]}; a new command needs a new key.", rule="key_reused"
        )
    return Done(Money(minor, currency), entry_id, again=True)


def _record(
    uow: UnitOfWork,
    key: str,
    hold: Open,
    kind: str,
    quantity: int,
    moves: Sequence[rules.Move],
    amounts: Sequence[Mapping[str, int]],
    happened_at: datetime,
    why: str,
    more: Mapping[str, int] | None = None,
) -> Done:
    refs = {"line": hold.line_id, "order": hold.order_id, "quantity": quantity, **(more or {})}
    entry_id = post(uow, key, kind, moves, happened_at, refs).id if moves else None
    total = _sum(amounts, hold.currency)
    hold_rows.remember(uow, key, hold.line_id, kind, quantity, total.total, why, entry_id, happened_at)
    return Done(total.total, entry_id, parts=total.parts)


def _sum(amounts: Sequence[Mapping[str, int]], currency: str) -> Quote:
    return Quote.of({name: sum(parts[name] for parts in amounts) for name in PARTS}, currency)
