"""Which objects of a JSON file are its records, told from its beginning without knowing the format."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.readers.json_records import EVERY, written

SAMPLE_TOKENS = 600_000  # about a second of looking
_KEPT = 60  # elements of one list or object that are looked at
_DEEPEST = 200
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+', re.S)
_ALIKE = 0.5  # members of an object that share so many of their names are records keyed by id


@dataclass
class _Seen:
    times: int = 0
    names: set[str] = field(default_factory=set)


def record_paths_of(text: str) -> list[str]:
    """Paths of objects with plain fields ("products", "catalog.products.variants", "*", "@"), the likeliest first.

    That is the one with most different fields, where repeating counts double; of equals the outer one.
    """
    seen: dict[tuple[str, ...], _Seen] = {}
    _look(sampled(text), (), seen, True, _DEEPEST)
    scored = [
        (len(found.names) * (2 if found.times > 1 else 1), -len(path), path)
        for path, found in seen.items()
        if found.names
    ]
    return [written(path) for _, _, path in sorted(scored, reverse=True)]


def sampled(text: str) -> Any:
    """The beginning of a JSON text as values; long lists are cut, what is not closed ends where the text does."""
    root: list[Any] = []
    stack: list[Any] = [root]
    keys: list[str | None] = [None]
    for count, found in enumerate(_TOKEN.finditer(text.lstrip("\ufeff\0 "))):
        piece = found[0]
        if count > SAMPLE_TOKENS or len(stack) > _DEEPEST:
            break
        if piece in "{[":
            opened: Any = {} if piece == "{" else []
            _add(stack[-1], keys, opened)
            stack.append(opened)
            keys.append(None)
        elif piece in "}]":
            if len(stack) == 1:
                break
            stack.pop()
            keys.pop()
        elif piece in ":,":
            continue
        elif isinstance(stack[-1], dict) and keys[-1] is None:
            keys[-1] = piece[1:-1]
        else:
            _add(stack[-1], keys, None if piece == "null" else piece)
    return root[0] if root else None


def _add(into: Any, keys: list[str | None], value: Any) -> None:
    if isinstance(into, dict):
        name, keys[-1] = keys[-1], None
        if name is not None and len(into) < _KEPT * 10:
            into[name] = value
    elif len(into) < _KEPT:
        into.append(value)


def _look(
    value: Any, path: tuple[str, ...], seen: dict[tuple[str, ...], _Seen], repeats: bool, left: int
) -> None:
    """Counts the objects at each path; `repeats` says that the one here stands in a list, is keyed, or is the root."""
    if isinstance(value, list):
        for one in value:
            if isinstance(one, dict | list):
                _look(one, path, seen, True, left)
        return
    if not isinstance(value, dict) or not left:
        return
    if _keyed(value):
        for one in value.values():
            _look(one, (*path, EVERY), seen, True, left - 1)
        return
    if repeats:
        found = seen.setdefault(path, _Seen())
        found.times += 1
        found.names.update(_names(value, "", left))
    for key, one in value.items():
        if isinstance(one, dict | list):
            _look(one, (*path, key), seen, False, left - 1)


def _names(value: dict[str, Any], below: str, left: int) -> Iterator[str]:
    """Plain fields of an object and of single objects inside it."""
    for key, one in value.items():
        if isinstance(one, dict):
            if left and not _keyed(one):
                yield from _names(one, f"{below}{key}/", left - 1)
        elif not isinstance(one, list) or not any(isinstance(element, dict | list) for element in one):
            yield below + key


def _keyed(value: dict[str, Any]) -> bool:
    """{"a1": {...}, "a2": {...}}: members that are all objects of one kind."""
    members = list(value.values())[:_KEPT]
    if len(members) < 2 or not all(isinstance(one, dict) and one for one in members):
        return False
    shared = set.intersection(*(set(one) for one in members))
    usual = sorted(len(one) for one in members)[len(members) // 2]
    return len(shared) >= 2 and len(shared) >= _ALIKE * usual
