"""One JSON object after the other -> the cells of a row: paths as columns, lists joined in place like XML's elements."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.readers.frames import INNER, MAX_CELL, MAX_NAME, OUTER, plain
from connectors.readers.json_text import Broken, Cursor

KEY, VALUE, ABOVE = "key", "value", "../"
EVERY = "*"
_DEEPEST = 40  # levels inside one record; what is below is no catalogue field
_SHOWN = 1000  # characters kept of a value that is too long
_STEP = re.compile(r'"[^"]+"|[^.\[\]"]+')
_BARE = re.compile(r"[^.\[\]\"@]+")
Cells = dict[str, str]
Found = tuple[Cells, str]  # cells and fault


def steps_of(record_path: str | None) -> list[str]:
    """ "catalog.products[].variants[]" -> its names; lists are gone through wherever they stand, "*" is every member."""
    return [step.strip('"') for step in _STEP.findall(record_path or "") if step != "@"]


def written(steps: Sequence[str]) -> str:
    """The other way round; a name with a dot in it is quoted, and no names at all are "@"."""
    return ".".join(step if _BARE.fullmatch(step) else f'"{step}"' for step in steps) or "@"


def records(cursor: Cursor, steps: list[str]) -> Iterator[Found]:
    """The records at `steps`, streamed, of all values the file has. What breaks off is one last record "truncated";
    broken ones are marked, and so is what is no JSON behind them.
    """
    try:
        yield from _streamed(cursor, steps)
        while mark := cursor.peek():
            if mark not in "[{,":
                raise Broken("not_well_formed")
            if mark == ",":
                cursor.take()
            else:
                yield from _streamed(cursor, steps)
    except Broken as broken:
        yield {}, broken.rule


def inside(value: Any, steps: list[str], above: Cells | None = None) -> Iterator[Found]:
    """The records at `steps` below a value in memory; the plain fields of what is around a record are columns "../name"."""
    above = above or {}
    if isinstance(value, list):
        for one in value:
            yield from inside(one, steps, above)
    elif not steps:
        cells, fault = flat(value)
        for name, cell in above.items():
            cells.setdefault(name, cell)
        yield cells, fault
    elif isinstance(value, dict):
        step, rest = steps[0], steps[1:]
        around = {ABOVE + name: cell for name, cell in above.items()}
        if step == EVERY:
            for key, one in value.items():
                for cells, fault in inside(one, rest, around):
                    cells.setdefault(KEY if not rest else ABOVE * len(rest) + KEY, key)
                    yield cells, fault
            return
        own, fault = flat({name: one for name, one in value.items() if name != step})
        around |= {ABOVE + name: cell for name, cell in own.items()}
        below = value.get(step)
        if below in (None, [], {}):
            yield around, fault  # a product without variants is still a record
            return
        yield from inside(below, rest, around)


def flat(value: Any) -> Found:
    """A record's columns: {"variants": [{"price": 1}, {"price": 2}]} -> "variants/price".

    Scalars of one list are joined by INNER; values of repeated objects by OUTER, so that the third name and the
    third value of a list of parameters stay the third.
    """
    cells: Cells = {}
    if not isinstance(value, dict):
        value = {VALUE: value}
    fault = _collect(value, "", cells, {"": 1}, {}, _DEEPEST)
    return cells, fault


def _streamed(cursor: Cursor, steps: list[str]) -> Iterator[Found]:
    """Goes down to the first list (or to the members of "*") on the stream; each of its elements is taken whole."""
    opening = cursor.peek()
    if opening == "[":
        for _ in _members(cursor, "]"):
            yield from _whole(cursor, steps, None)
    elif opening == "{" and steps:
        for key in _members(cursor, "}"):
            if steps[0] == EVERY:
                yield from _whole(cursor, steps[1:], key)
            elif key == steps[0]:
                yield from _streamed(cursor, steps[1:])
            else:
                cursor.skip()
    elif opening == "{":
        yield from _whole(cursor, [], None)
    elif not opening:
        raise Broken("truncated")
    else:
        cursor.skip()


def _members(cursor: Cursor, closing: str) -> Iterator[str]:
    """Stands at each member of the list or object here (yielding its key) until it is closed."""
    cursor.take()
    while True:
        while (mark := cursor.peek()) == ",":
            cursor.take()
        if mark == closing:
            cursor.take()
            return
        if not mark:
            raise Broken("truncated")
        key = ""
        if closing == "}":
            key = cursor.word()
            if cursor.peek() != ":":
                raise Broken("not_well_formed" if cursor.peek() else "truncated")
            cursor.take()
        yield key


def _whole(cursor: Cursor, steps: list[str], key: str | None) -> Iterator[Found]:
    try:
        value = cursor.value()
    except Broken as broken:
        if broken.rule == "truncated":
            raise
        cursor.skip()
        yield {}, broken.rule
        return
    if key is None:
        yield from inside(value, steps)
        return
    yield from inside({key: value}, [EVERY, *steps])


def _collect(
    value: dict[str, Any], below: str, cells: Cells, times: dict[str, int], last: dict[str, int], left: int
) -> str:
    """`times` counts the objects at each path so far, `last` the one that a column's last value was in."""
    parent, fault = times[below], ""
    for key, one in value.items():
        name = below + (plain(key.strip()[:MAX_NAME]) or VALUE)
        many = one if isinstance(one, list) else [one]
        for element in _plain(many):
            if isinstance(element, dict):
                if left:
                    times[name + "/"] = times.get(name + "/", 0) + 1
                    fault = _collect(element, name + "/", cells, times, last, left - 1) or fault
                continue
            if element is None:
                continue
            text = element if isinstance(element, str) else "true" if element else "false"
            if len(text) > MAX_CELL:
                text, fault = text[:_SHOWN], "too_long"
            _put(cells, name, text, parent, last)
    return fault


def _plain(many: list[Any]) -> Iterator[Any]:
    """The elements of a list, lists inside it opened; None stands where nothing is."""
    stack = [iter(many)]
    while stack:
        for one in stack[-1]:
            if isinstance(one, list):
                stack.append(iter(one))
                break
            yield one
        else:
            stack.pop()


def _put(cells: Cells, name: str, text: str, parent: int, last: dict[str, int]) -> None:
    before = cells.get(name)
    if before is None:
        cells[name] = OUTER * (parent - 1) + text
    else:
        cells[name] = before + (OUTER * (parent - last.get(name, 1)) or INNER) + text
    if parent > 1:
        last[name] = parent
