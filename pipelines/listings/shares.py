"""Splits what may be sold of a variant between the shops that list it: pure, in whole pieces, without moving more than it must."""

from collections.abc import Sequence
from dataclasses import dataclass

THOUSANDTHS = 1000
"""A weight of 1 in ShopSettings is so many here: weights have three decimals, and shares are counted in whole numbers."""


@dataclass(frozen=True, slots=True)
class Part:
    """A shop's part. `most` is what it may show at all, in pieces, `wanted` what it was to show so far.

    `shows` is the most that it can still sell, or sold unseen, as far as we know (models.shelves.EXPOSED); None where nobody
    can say. `sent` is the figure that it has or gets, from which it is raised; None: the same as `shows`.
    """

    shop: int
    most: int
    wanted: int = 0
    shows: int | None = 0
    weight: int = THOUSANDTHS
    sent: int | None = None


def allocate(free: int, parts: Sequence[Part], *, scarce: int, elsewhere: int | None = 0, turn: int = 0) -> dict[int, int]:  # fmt: skip
    """What each shop is to show of `free` pieces, by shop.

    Above `scarce` pieces each shows all that it may (0: always). Else they are split, and no shop is raised with pieces
    that another one can still sell, or sold already and did not tell: it is raised when that one has confirmed less.
    `elsewhere` is what those can sell who have no part any more; None where nobody can say. `turn` rotates the odd piece.
    """
    if scarce == 0 or free > scarce:
        return {part.shop: part.most for part in parts}
    targets = keep(parts, fair(free, parts, turn))
    seen = [elsewhere, *(part.shows for part in parts)]
    unclaimed = 0 if None in seen else max(0, free - sum(number or 0 for number in seen))
    shown = {}
    for part in sorted(parts, key=lambda part: (part.wanted - targets[part.shop], part.shop)):
        sent = part.shows if part.sent is None else part.sent
        if sent is None or targets[part.shop] <= sent:
            shown[part.shop] = targets[part.shop]
            continue
        granted = min(targets[part.shop] - sent, unclaimed)
        unclaimed -= granted
        shown[part.shop] = sent + granted
    return shown


def fair(free: int, parts: Sequence[Part], turn: int = 0) -> dict[int, int]:
    """Each shop's part of `free` by weight and largest remainder, none above its most; what one may not have goes on.

    Equal remainders have their turn: `turn` is another number for each variant.
    """
    got = {part.shop: 0 for part in parts}
    open_, left = [part for part in parts if part.most > 0], free
    while open_ and left > 0:
        whole = sum(part.weight for part in open_)
        full = [part for part in open_ if left * part.weight >= part.most * whole]
        if not full:
            break
        for part in full:
            got[part.shop] = part.most
        left -= sum(part.most for part in full)
        open_ = [part for part in open_ if got[part.shop] == 0]
    if not open_ or left <= 0:
        return got
    whole = sum(part.weight for part in open_)
    for part in open_:
        got[part.shop] = left * part.weight // whole
    odd = left - sum(got[part.shop] for part in open_)
    ranked = sorted(
        range(len(open_)), key=lambda place: (-(left * open_[place].weight % whole), (place - turn) % len(open_))
    )  # fmt: skip
    for place in ranked[:odd]:
        got[open_[place].shop] += 1
    return got


def keep(parts: Sequence[Part], ideal: dict[int, int]) -> dict[int, int]:
    """The ideal, as far as it must be: what a shop shows stays there while the sum fits and nobody has none.

    Too much is taken from those furthest above their part, what is left over goes to those furthest below it; a shop
    that has none gets its part from those above theirs, but nobody's last piece: that would only go round.
    """
    now = {part.shop: min(part.wanted, part.most) for part in parts}
    room = sum(ideal.values()) - sum(now.values())
    above = sorted(now, key=lambda shop: (ideal[shop] - now[shop], shop))
    if room < 0:
        _take(now, ideal, above, -room)
    for shop in reversed(above):
        given = min(room, ideal[shop] - now[shop])
        if given > 0:
            now[shop] += given
            room -= given
    for shop in above:
        if now[shop] == 0 and ideal[shop] > 0:
            now[shop] = _take(now, ideal, above, ideal[shop], least=1)
    return now


def _take(
    now: dict[int, int], ideal: dict[int, int], above: Sequence[int], number: int, least: int = 0
) -> int:
    taken = 0
    for shop in above:
        some = min(number - taken, now[shop] - max(ideal[shop], least))
        if some > 0:
            now[shop] -= some
            taken += some
    return taken
