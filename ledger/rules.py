"""What each business fact posts: pure functions from amounts and present balances to moves between accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Self

from core.money import Money, exponent
from ledger import chart

PARTS = ("goods", "shipping", "commission", "vat")
"""The components of a hold. The supplier earns the first two; the hub's are the commission and the VAT on it."""
EARNED = PARTS[:2]


@dataclass(frozen=True, slots=True)
class Move:
    """One positive amount out of `source` (debited) into `destination` (credited); `part` is one of PARTS or ""."""

    source: str
    destination: str
    amount: Money
    part: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed with a supplier; `shipping_minor` is flat per buyer's order."""

    commission_percent: Decimal = Decimal(0)
    shipping_minor: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """The components of an amount, in minor units of `currency`."""

    goods: int
    shipping: int
    commission: int
    vat: int
    currency: str

    @classmethod
    def of(cls, parts: Mapping[str, int], currency: str) -> Self:
        """From {"goods": 900, …}; what is absent is zero."""
        return cls(
            parts.get("goods", 0),
            parts.get("shipping", 0),
            parts.get("commission", 0),
            parts.get("vat", 0),
            currency,
        )

    @property
    def parts(self) -> dict[str, int]:
        """{"goods": 900, "shipping": 490, "commission": 90, "vat": 17}"""
        return {name: getattr(self, name) for name in PARTS}

    @property
    def earned(self) -> int:
        """The supplier's: goods and shipping."""
        return self.goods + self.shipping

    @property
    def total(self) -> Money:
        """All four."""
        return Money(sum(self.parts.values()), self.currency)


def quote(
    quantity: int,
    unit_cost: Decimal,
    terms: Terms,
    shipping_minor: int,
    vat_percent: Decimal,
    currency: str,
) -> Quote:
    """What covers `quantity` pieces at `unit_cost` (major units, net): rounded half-up once per component.

    The commission is a percentage of the goods, the VAT a percentage of the commission.
    """
    goods = _half_up((unit_cost * quantity).scaleb(exponent(currency)))
    commission = _half_up(goods * terms.commission_percent / 100)
    return Quote(goods, shipping_minor, commission, _half_up(commission * vat_percent / 100), currency)


def part(total: int, done: int, all_: int, already: int) -> int:
    """Cumulative rounding: round(total * done / all_), half-up, less what is already posted. Not negative numbers."""
    return (2 * total * done + all_) // (2 * all_) - already


def share(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """`amount_minor` split by largest remainder; it adds up exactly. Weights that are all zero count alike."""
    weighed = list(weights) if any(weights) else [1] * len(weights)
    all_ = sum(weighed)
    shares = [amount_minor * weight // all_ for weight in weighed]
    by_rest = sorted(range(len(weighed)), key=lambda n: (-(amount_minor * weighed[n] % all_), n))
    for n in by_rest[: amount_minor - sum(shares)]:
        shares[n] += 1
    return shares


def top_up(seller_id: int, amount: Money, *, owed: int, via: str = chart.BANK) -> list[Move]:
    """Money of a seller arrived; `owed` is what he owes the hub, which it repays first. `via` is bank or psp."""
    return _flow([(via, amount.minor)], _to_seller(seller_id, owed), amount.currency)


def unallocated(amount: Money) -> list[Move]:
    """Money arrived and nobody knows whose it is."""
    return [Move(chart.BANK, chart.UNALLOCATED, amount)]


def unallocated_returned(amount: Money) -> list[Move]:
    """Money left the bank account and nobody knows why, or what was unallocated went back."""
    return [Move(chart.UNALLOCATED, chart.BANK, amount)]


def allocate(seller_id: int, amount: Money, *, owed: int) -> list[Move]:
    """A person said whose money it is."""
    return _flow([(chart.UNALLOCATED, amount.minor)], _to_seller(seller_id, owed), amount.currency)


def hold(seller_id: int, of: Quote) -> list[Move]:
    """Deposit is set aside for a line."""
    return _moves(chart.deposit(seller_id), chart.held(seller_id), of)


def release(seller_id: int, of: Quote, *, owed: int) -> list[Move]:
    """What was set aside goes back: cancelled, refused, timed out."""
    destinations = _to_seller(seller_id, owed)
    return [
        move
        for name, minor in of.parts.items()
        for move in _flow([(chart.held(seller_id), minor)], destinations, of.currency, name)
    ]


def capture(seller_id: int, supplier_id: int, of: Quote) -> list[Move]:
    """A parcel left or a service is complete: the supplier has earned it, and the hub its commission."""
    to = {"commission": chart.COMMISSION, "vat": chart.VAT}
    return [
        Move(chart.held(seller_id), to.get(name, chart.pending(supplier_id)), Money(minor, of.currency), name)
        for name, minor in of.parts.items()
        if minor
    ]


def mature(supplier_id: int, amount: Money) -> list[Move]:
    """The return window is over."""
    return _some(Move(chart.pending(supplier_id), chart.available(supplier_id), amount))


def refund(
    seller_id: int, supplier_id: int, of: Quote, *, pending: int, available: int, reserve: int, owed: int
) -> list[Move]:
    """Captured money goes back to the seller: the supplier's share, and the commission with its VAT.

    The supplier gives from what is `pending` of these captures, then from what is `available`, then from his
    `reserve`; he owes the rest. The seller's own debt (`owed`) is repaid first. All in minor units.
    """
    destinations = _to_seller(seller_id, owed)
    supplier: list[tuple[str, int]] = [
        (chart.pending(supplier_id), pending),
        (chart.available(supplier_id), available),
        (chart.reserve(supplier_id), reserve),
        (chart.supplier_receivable(supplier_id), of.earned),
    ]
    found: list[Move] = []
    for name, minor in of.parts.items():
        if name in EARNED:
            given = _take(supplier, minor)
        else:
            given = [(chart.VAT if name == "vat" else chart.COMMISSION, minor)]
        found += _flow(given, destinations, of.currency, name)
    return found


def payout_built(supplier_id: int, amount: Money) -> list[Move]:
    """A settlement run pays a supplier."""
    return [Move(chart.available(supplier_id), chart.in_payout(supplier_id), amount)]


def payout_paid(supplier_id: int, amount: Money) -> list[Move]:
    """The bank statement shows the payout."""
    return [Move(chart.in_payout(supplier_id), chart.BANK, amount)]


def payout_rejected(supplier_id: int, amount: Money) -> list[Move]:
    """The payout was cancelled, or the bank refused it before any money moved."""
    return [Move(chart.in_payout(supplier_id), chart.available(supplier_id), amount)]


def payout_returned(supplier_id: int, amount: Money) -> list[Move]:
    """A payout that was paid came back: the supplier is owed it again."""
    return [Move(chart.BANK, chart.available(supplier_id), amount)]


def netted(supplier_id: int, amount: Money) -> list[Move]:
    """What a supplier owes is taken from what is available to him."""
    return [Move(chart.available(supplier_id), chart.supplier_receivable(supplier_id), amount)]


def withdrawal_asked(seller_id: int, amount: Money) -> list[Move]:
    """A seller wants deposit back."""
    return [Move(chart.deposit(seller_id), chart.withdrawing(seller_id), amount)]


def withdrawal_paid(seller_id: int, amount: Money) -> list[Move]:
    """The bank statement shows it."""
    return [Move(chart.withdrawing(seller_id), chart.BANK, amount)]


def withdrawal_failed(seller_id: int, amount: Money, *, owed: int) -> list[Move]:
    """It was cancelled, or the bank refused it before any money moved."""
    return _flow([(chart.withdrawing(seller_id), amount.minor)], _to_seller(seller_id, owed), amount.currency)


def withdrawal_returned(seller_id: int, amount: Money, *, owed: int) -> list[Move]:
    """A withdrawal that was paid came back."""
    return _flow([(chart.BANK, amount.minor)], _to_seller(seller_id, owed), amount.currency)


def bank_fee(amount: Money) -> list[Move]:
    """The bank took its fee."""
    return [Move(chart.BANK_FEES, chart.BANK, amount)]


def reverse(moves: Sequence[Move]) -> list[Move]:
    """The mirror: each move back, the last one first."""
    return [Move(move.destination, move.source, move.amount, move.part) for move in reversed(moves)]


Pots = list[tuple[str, int | None]]
"""Accounts to fill one after the other and what fits in each, in minor units; None: all the rest."""


def _to_seller(seller_id: int, owed: int) -> Pots:
    """Every credit to a deposit repays the seller's receivable first."""
    return [(chart.seller_receivable(seller_id), owed), (chart.deposit(seller_id), None)]


def _take(pots: list[tuple[str, int]], amount: int) -> list[tuple[str, int]]:
    """`amount` out of the pots, the first ones first; what is left in them stays in the list."""
    given: list[tuple[str, int]] = []
    for n, (name, there) in enumerate(pots):
        taken = min(amount, there)
        pots[n] = (name, there - taken)
        amount -= taken
        if taken:
            given.append((name, taken))
    return given


def _flow(given: Sequence[tuple[str, int]], into: Pots, currency: str, name: str = "") -> list[Move]:
    """The moves that fill `into` from `given`; how much still fits is written back to `into`."""
    moves: list[Move] = []
    for source, minor in given:
        left = minor
        for n, (destination, fits) in enumerate(into):
            moved = left if fits is None else min(left, fits)
            into[n] = (destination, None if fits is None else fits - moved)
            left -= moved
            if moved:
                moves.append(Move(source, destination, Money(moved, currency), name))
    return moves


def _moves(source: str, destination: str, of: Quote) -> list[Move]:
    return [
        Move(source, destination, Money(minor, of.currency), name)
        for name, minor in of.parts.items()
        if minor
    ]


def _some(move: Move) -> list[Move]:
    return [move] if move.amount.minor else []


def _half_up(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))
