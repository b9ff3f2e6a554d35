"""Decides what an order line needs: pure functions of its quantities and its state, so that every case can be tested."""

from dataclasses import dataclass, replace
from typing import Protocol

COVERABLE = ("received", "awaiting_stock", "awaiting_deposit")
"""States in which nothing of a line is covered and the hub may cover it."""
AT_SUPPLIER = ("submitting", "submit_unknown", "accepted", "cancel_requested")
"""States in which a supplier has, or may have, been asked: what is open is cancelled there first."""


class Line(Protocol):
    """The quantities and the state of models.orders.OrderLine, to be read."""

    @property
    def ordered(self) -> int: ...
    @property
    def wanted(self) -> int: ...
    @property
    def covered(self) -> int: ...
    @property
    def shipped(self) -> int: ...
    @property
    def refunded(self) -> int: ...
    @property
    def overruled(self) -> int: ...
    @property
    def state(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """A line's quantities as a value; models.orders.OrderLine has the same and says what each one means."""

    ordered: int
    wanted: int
    covered: int = 0
    shipped: int = 0
    refunded: int = 0
    state: str = "received"
    overruled: int = 0


@dataclass(frozen=True, slots=True)
class Needs:
    """Pieces to cover, to release (not yet bought), to have cancelled at the supplier, and to refund (shipped)."""

    cover: int = 0
    release: int = 0
    cancel: int = 0
    refund: int = 0


def facts_of(line: Line) -> Facts:
    """The value of a stored line."""
    return Facts(
        line.ordered, line.wanted, line.covered, line.shipped, line.refunded, line.state, line.overruled
    )


def needs(line: Line) -> Needs:
    """What is to be done so that what is covered becomes what is wanted.

    A line is covered once, whole and from one offer: where the buyer wants more than was covered for him, the rest is
    not bought behind his back under another hold; `beyond` tells of it. What he gave back is refunded only as far as
    it was shipped: what is open goes first, since it costs nobody anything. Overruled pieces stay: the supplier, who did
    not cancel them, is paid for them.
    """
    kept = line.covered - line.refunded
    excess = max(0, kept - line.wanted - line.overruled)
    open_ = line.covered - line.shipped
    back = min(excess, open_)
    at_supplier = line.state in AT_SUPPLIER
    return Needs(
        cover=line.wanted if line.covered == 0 and line.state in COVERABLE else 0,
        release=0 if at_supplier else back,
        cancel=back if at_supplier else 0,
        refund=excess - back,
    )


def beyond(line: Line) -> int:
    """How many pieces the buyer wants beyond those covered for him, once something is covered: a person's decision."""
    return max(0, line.wanted - (line.covered - line.refunded)) if line.covered else 0


def released(line: Line, quantity: int) -> Facts:
    """The line after `quantity` open pieces were let go: at its supplier no longer, where nothing is open."""
    return _settled(_bounded(replace(facts_of(line), covered=line.covered - quantity)))


def refunded(line: Line, quantity: int) -> Facts:
    """The line after `quantity` shipped pieces were refunded."""
    return _settled(replace(facts_of(line), refunded=line.refunded + quantity))


def came_back(line: Line, quantity: int) -> Facts:
    """The line after `quantity` shipped pieces reached the supplier again, whatever the shop says: overruled ones first."""
    after = refunded(line, quantity)
    return replace(after, overruled=max(0, line.overruled - quantity))


def wanted_anew(line: Line, wanted: int) -> Facts:
    """The line once `wanted` pieces are wanted of it: a piece that is wanted again is overruled no longer."""
    return _bounded(replace(facts_of(line), wanted=wanted))


def state_of(line: Line) -> str:
    """The state that a line's quantities ask for; its own where they leave it open.

    Nothing wanted and nothing covered is cancelled. Nothing open any more is shipped, or refunded where all of it came
    back. Everything else is where it stands: waiting, funded, or with the supplier.
    """
    if line.covered == 0:
        return "cancelled" if line.wanted == 0 else line.state
    if line.shipped == line.covered:
        return "refunded" if line.refunded == line.shipped else "shipped"
    return line.state


def told(state: str, *, wanted: int, covered: int, paid: bool) -> str:
    """The state of a line after its shop told of it anew. Only what has no cover yet moves: the rest follows its cover."""
    if covered:
        return state
    if not paid:
        return "unpaid"
    if state == "unpaid" or (state == "cancelled" and wanted):
        return "received"
    return state


def _bounded(line: Facts) -> Facts:
    """No more is overruled than is kept beyond what is wanted."""
    return replace(line, overruled=max(0, min(line.overruled, line.covered - line.refunded - line.wanted)))


def _settled(line: Facts) -> Facts:
    return replace(line, state=state_of(line))
