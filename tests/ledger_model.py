"""The ledger once more, on paper: written from the page about money and with nothing of ledger/, to be compared with it."""

import math
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

PARTS = ("goods", "shipping", "commission", "vat")


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


@dataclass
class PaperCapture:
    shipment: int
    pending: int
    matured: bool = False


@dataclass
class PaperHold:
    """A hold: how many pieces, and for each component what was set aside, captured, released, refunded."""

    order: int
    line: int
    supplier: int
    quantity: int
    total: dict[str, int]
    pieces: Counter[str] = field(default_factory=Counter)
    done: dict[str, Counter[str]] = field(default_factory=lambda: {part: Counter() for part in PARTS})
    captures: list[PaperCapture] = field(default_factory=list)

    @property
    def open(self) -> int:
        return self.quantity - self.pieces["captured"] - self.pieces["released"]

    @property
    def refundable(self) -> int:
        return self.pieces["captured"] - self.pieces["refunded"]

    def leave(self, what: str, pieces: int) -> dict[str, int]:
        """Pieces captured or released: each component's share is rounded over all that has left so far."""
        self.pieces[what] += pieces
        left = self.pieces["captured"] + self.pieces["released"]
        shares = {}
        for part in PARTS:
            done = self.done[part]
            shares[part] = half_up(Fraction(self.total[part] * left, self.quantity)) - (
                done["captured"] + done["released"]
            )
            done[what] += shares[part]
        return shares

    def come_back(self, pieces: int) -> dict[str, int]:
        """Pieces refunded: the share of what was captured; never negative; all of them give all of it."""
        self.pieces["refunded"] += pieces
        shares = {}
        for part in PARTS:
            done = self.done[part]
            whole = half_up(Fraction(done["captured"] * self.pieces["refunded"], self.pieces["captured"]))
            shares[part] = max(0, whole - done["refunded"])
            done["refunded"] += shares[part]
        return shares


@dataclass
class Paper:
    """All accounts by name, credits minus debits, and the holds of each line. `vat` is in percent."""

    vat: int = 19
    terms: dict[int, tuple[Fraction, int]] = field(default_factory=dict)
    """Supplier -> commission in percent, flat shipping."""
    accounts: Counter[str] = field(default_factory=Counter)
    holds: dict[int, list[PaperHold]] = field(default_factory=dict)
    seller_of: dict[int, int] = field(default_factory=dict)
    """Line -> seller."""

    def move(self, source: str, destination: str, minor: int) -> None:
        self.accounts[source] -= minor
        self.accounts[destination] += minor

    def credit(self, seller: int, source: str, minor: int) -> None:
        """Money to a deposit: what he owes is repaid first."""
        repaid = min(minor, -self.accounts[f"seller:{seller}:receivable"])
        self.move(source, f"seller:{seller}:receivable", repaid)
        self.move(source, f"seller:{seller}:deposit", minor - repaid)

    def quotes(
        self, order: int, supplier: int, wanted: list[tuple[int, int, Fraction]]
    ) -> list[dict[str, int]]:
        """Components for (line, quantity, cost in minor units) covered together."""
        percent, flat = self.terms[supplier]
        carried = sum(
            hold.total["shipping"] - hold.done["shipping"]["released"]
            for holds in self.holds.values()
            for hold in holds
            if (hold.order, hold.supplier) == (order, supplier)
        )
        goods = [half_up(cost * quantity) for _, quantity, cost in wanted]
        commissions = [half_up(minor * percent / 100) for minor in goods]
        return [
            {"goods": g, "shipping": s, "commission": c, "vat": half_up(Fraction(c * self.vat, 100))}
            for g, s, c in zip(goods, shared(max(0, flat - carried), goods), commissions, strict=True)
        ]

    def hold(
        self, seller: int, order: int, supplier: int, wanted: list[tuple[int, int, Fraction]]
    ) -> int | None:
        """Covers all of it: None. Otherwise how much is missing."""
        quotes = self.quotes(order, supplier, wanted)
        needed = sum(sum(quote.values()) for quote in quotes)
        free = self.accounts[f"seller:{seller}:deposit"]
        if free < needed:
            return needed - free
        self.move(f"seller:{seller}:deposit", f"seller:{seller}:held", needed)
        for (line, quantity, _), quote in zip(wanted, quotes, strict=True):
            self.holds.setdefault(line, []).append(PaperHold(order, line, supplier, quantity, quote))
        return None

    def held_pieces(self, line: int) -> int:
        return sum(hold.quantity - hold.pieces["released"] for hold in self.holds.get(line, []))

    def open(self, line: int) -> int:
        return sum(hold.open for hold in self.holds.get(line, []))

    def refundable(self, line: int) -> int:
        return sum(hold.refundable for hold in self.holds.get(line, []))

    def release(self, line: int, pieces: int) -> int:
        seller, back = self.seller_of[line], 0
        for hold in reversed(self.holds[line]):
            taken = min(pieces, hold.open)
            pieces -= taken
            back += sum(hold.leave("released", taken).values()) if taken else 0
        self.credit(seller, f"seller:{seller}:held", back)
        return back

    def capture(self, line: int, pieces: int, shipment: int) -> int:
        spent = 0
        for hold in self.holds[line]:
            if not (taken := min(pieces, hold.open)):
                continue
            pieces -= taken
            shares = hold.leave("captured", taken)
            earned = shares["goods"] + shares["shipping"]
            held = f"seller:{self.seller_of[line]}:held"
            self.move(held, f"supplier:{hold.supplier}:pending", earned)
            self.move(held, "commission", shares["commission"])
            self.move(held, "vat", shares["vat"])
            hold.captures.append(PaperCapture(shipment, earned))
            spent += sum(shares.values())
        return spent

    def refund(self, line: int, pieces: int) -> int:
        seller, back = self.seller_of[line], 0
        for hold in reversed(self.holds[line]):
            if not (taken := min(pieces, hold.refundable)):
                continue
            pieces -= taken
            shares = hold.come_back(taken)
            earned = shares["goods"] + shares["shipping"]
            for capture in hold.captures:
                given = min(earned, capture.pending)
                capture.pending -= given
                earned -= given
                self.credit(seller, f"supplier:{hold.supplier}:pending", given)
            for pot in ("available", "reserve"):
                given = min(earned, self.accounts[f"supplier:{hold.supplier}:{pot}"])
                earned -= given
                self.credit(seller, f"supplier:{hold.supplier}:{pot}", given)
            self.credit(seller, f"supplier:{hold.supplier}:receivable", earned)
            self.credit(seller, "commission", shares["commission"])
            self.credit(seller, "vat", shares["vat"])
            back += sum(shares.values())
        return back

    def mature(self, line: int, shipment: int) -> None:
        for hold in self.holds[line]:
            for capture in hold.captures:
                if capture.shipment == shipment and not capture.matured:
                    self.move(
                        f"supplier:{hold.supplier}:pending",
                        f"supplier:{hold.supplier}:available",
                        capture.pending,
                    )
                    capture.pending, capture.matured = 0, True

    def earned(self, supplier: int) -> int:
        """Captured less refunded, goods and shipping."""
        return sum(
            hold.done[part]["captured"] - hold.done[part]["refunded"]
            for holds in self.holds.values()
            for hold in holds
            if hold.supplier == supplier
            for part in ("goods", "shipping")
        )


def shared(amount: int, weights: list[int]) -> list[int]:
    """By largest remainder; equal remainders go to the first; no weights at all count alike."""
    weights = weights if sum(weights) else [1] * len(weights)
    exact = [Fraction(amount * weight, sum(weights)) for weight in weights]
    floors = [math.floor(value) for value in exact]
    places = sorted(range(len(weights)), key=lambda n: exact[n] - floors[n], reverse=True)
    for n in places[: amount - sum(floors)]:
        floors[n] += 1
    return floors
