"""Small charts as values for SVG: no script, no style attribute, drawn by templates/macros/charts.html."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 120, 32


@dataclass(frozen=True, slots=True)
class Spark:
    """A sparkline in a box of WIDTH x HEIGHT: the line, the area below it, and what it says in words."""

    line: str
    area: str
    words: str
    flat: bool


def spark(values: Sequence[float], words: str) -> Spark:
    """`values` from the oldest to the newest; the scale starts at nought. `words` is read out instead of it."""
    top = max(values, default=0)
    step = WIDTH / max(len(values) - 1, 1)
    points = [
        (round(index * step, 1), round(HEIGHT - 2 - (value / top if top else 0) * (HEIGHT - 4), 1))
        for index, value in enumerate(values)
    ]
    line = " ".join(f"{x:g},{y:g}" for x, y in points)
    return Spark(line, f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}" if points else "", words, not top)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a stacked bar: where it starts and how wide it is, in per cent of the bar."""

    label: str
    tone: str
    count: int
    start: float
    width: float


def stack(parts: Sequence[tuple[str, str, int]]) -> list[Piece]:
    """(label, tone, count) → the pieces of a bar of 100; what is there is at least 0.8 wide, so that it is seen."""
    there = [part for part in parts if part[2] > 0]
    whole = sum(count for _, _, count in there)
    if not whole:
        return []
    widths = [max(count * 100 / whole, 0.8) for _, _, count in there]
    scale = 100 / sum(widths)
    pieces, start = [], 0.0
    for (label, tone, count), width in zip(there, widths, strict=True):
        pieces.append(Piece(label, tone, count, round(start, 2), round(width * scale, 2)))
        start += width * scale
    return pieces
