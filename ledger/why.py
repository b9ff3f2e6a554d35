"""Why a hold or a fee is what it is: sentences with the numbers stored when it was made, and the entries that made it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.errors import Refused
from core.money import Money, exact
from core.unit_of_work import UnitOfWork
from ledger.rules import PARTS

HOLDS = """
SELECT h.id, h.number, h.supplier_id, s.name, h.currency, h.quantity, h.captured, h.released, h.refunded, h.unit_cost,
    h.commission_percent, h.vat_percent, h.terms_version, h.opened_at,
    (SELECT id FROM journal_entry WHERE key = 'hold:' || h.id),
    (SELECT jsonb_object_agg(part, jsonb_build_array(total, captured, released, refunded)) FROM hold_part WHERE hold_id = h.id)
FROM hold h JOIN company s ON s.id = h.supplier_id WHERE h.line_id = %s ORDER BY h.number"""

CHANGES = "SELECT kind, quantity, amount_minor, currency, why, entry_id FROM hold_change WHERE line_id = %s ORDER BY at, entry_id"

DONE = {"release": "released", "capture": "captured", "refund": "refunded"}


@dataclass(frozen=True, slots=True)
class Why:
    """`sentences` for a person; `figures` amounts in major units; `entries` the journal entries it rests on."""

    sentences: list[str]
    figures: dict[str, Decimal]
    currency: str
    entries: list[int]

    def as_json(self) -> dict[str, Any]:
        """{"sentences": [...], "figures": {"commission": "2.00"}, "currency": "EUR", "entries": [12]}"""
        return {
            "sentences": self.sentences,
            "figures": {name: str(amount) for name, amount in self.figures.items()},
            "currency": self.currency,
            "entries": self.entries,
        }


def why_hold(uow: UnitOfWork, line_id: int) -> Why:
    """What was set aside for the line, by component, and what became of it. Raises Refused ("no_hold")."""
    holds = _holds(uow, line_id)
    currency, sentences = holds[0].currency, []
    for hold in holds:
        amounts = {part: str(Money(hold.parts[part][0], currency).amount) for part in PARTS}
        sentences.append(
            f"Hold {hold.number} covers {hold.quantity} at {exact(hold.unit_cost, currency)} {currency} from {hold.supplier}, "
            f"opened {hold.opened_at:%Y-%m-%d %H:%M}{_by(hold.entry_id)}: goods {amounts['goods']}, "
            f"shipping {amounts['shipping']}, commission {amounts['commission']} "
            f"({_number(hold.commission_percent)} % of the goods), VAT on it {amounts['vat']} "
            f"({_number(hold.vat_percent)} %); together {Money(hold.sum(0), currency)}."
        )
    changes = _changes(uow, line_id)
    for kind, quantity, minor, of, why, entry_id in changes:
        because = f" because: {why}" if why else ""
        sentences.append(f"{quantity} {DONE[kind]}, {Money(minor, of)}{_by(entry_id)}{because}.")
    figures = {
        "held": sum(hold.sum(0) for hold in holds),
        "captured": sum(hold.sum(1) for hold in holds),
        "released": sum(hold.sum(2) for hold in holds),
        "refunded": sum(hold.sum(3) for hold in holds),
    }
    figures["open"] = figures["held"] - figures["captured"] - figures["released"]
    sentences.append(f"Still set aside: {Money(figures['open'], currency)}.")
    return _why(sentences, figures, currency, [*(hold.entry_id for hold in holds), *(c[5] for c in changes)])


def why_fee(uow: UnitOfWork, line_id: int) -> Why:
    """How the commission of the line and the VAT on it came about. Raises Refused ("no_hold")."""
    holds = _holds(uow, line_id)
    currency, sentences = holds[0].currency, []
    for hold in holds:
        goods, commission, vat = (
            Money(hold.parts[part][0], currency) for part in ("goods", "commission", "vat")
        )
        terms = (
            f"version {hold.terms_version} of the terms of {hold.supplier}"
            if hold.terms_version
            else f"no terms of {hold.supplier} being agreed"
        )
        sentences.append(
            f"The commission is {_number(hold.commission_percent)} % of goods for {goods}: {commission}, "
            f"by {terms}. VAT on it is {_number(hold.vat_percent)} %: {vat}."
        )
        fee = [sum(hold.parts[part][n] for part in ("commission", "vat")) for n in range(4)]
        sentences.append(
            f"Of both, {Money(fee[1], currency)} was captured for {hold.captured} of {hold.quantity} pieces, "
            f"{Money(fee[2], currency)} released, {Money(fee[3], currency)} given back with refunds."
        )
    figures = {
        name: sum(hold.parts[part][1] - hold.parts[part][3] for hold in holds)
        for name, part in (("commission", "commission"), ("vat", "vat"))
    }
    entries = [entry_id for kind, *_, entry_id in _changes(uow, line_id) if kind in ("capture", "refund")]
    return _why(sentences, figures, currency, [*(hold.entry_id for hold in holds), *entries])


@dataclass(frozen=True, slots=True)
class _Hold:
    id: int
    number: int
    supplier_id: int
    supplier: str
    currency: str
    quantity: int
    captured: int
    released: int
    refunded: int
    unit_cost: Decimal
    commission_percent: Decimal
    vat_percent: Decimal
    terms_version: int
    opened_at: datetime
    entry_id: int | None
    parts: dict[str, list[int]]

    def sum(self, n: int) -> int:
        return sum(minors[n] for minors in self.parts.values())


def _holds(uow: UnitOfWork, line_id: int) -> list[_Hold]:
    cursor = uow.cursor()
    cursor.execute(HOLDS, [line_id])
    holds = [_Hold(*row) for row in cursor.fetchall()]
    if not holds:
        raise Refused(f"Order line {line_id} has no hold: nothing was set aside for it yet.", rule="no_hold")
    return holds


def _changes(uow: UnitOfWork, line_id: int) -> list[tuple[Any, ...]]:
    cursor = uow.cursor()
    cursor.execute(CHANGES, [line_id])
    return cursor.fetchall()


def _why(sentences: list[str], minors: dict[str, int], currency: str, entries: list[int | None]) -> Why:
    figures = {name: Money(minor, currency).amount for name, minor in minors.items()}
    return Why(sentences, figures, currency, [entry_id for entry_id in entries if entry_id is not None])


def _number(value: Decimal) -> str:
    """A percentage without zeros at its end: 12.5, 19."""
    return f"{value.normalize():f}"


def _by(entry_id: int | None) -> str:
    return f" (entry {entry_id})" if entry_id is not None else ""
