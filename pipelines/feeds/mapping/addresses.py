"""Addresses of the web in a column: plain ones pass together, odd ones are parted and mended one by one."""

import html as entities
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.arrays import (
    Mask,
    codes_of,
    offsets_of,
    per_value,
    present,
    put,
    rows_with,
    texts,
    true,
)  # fmt: skip

_BETWEEN = re.compile(rf"[{OUTER}{INNER}]|[,;|]\s*(?=(?:https?:)?//)|(?<=\S)\s+(?=https?://)", re.I)
_ONE = r"https?://[!#-%'()*+./0-9:=?@A-Z_a-z~-]+"  # nothing in it could part two addresses or want mending
_SEVERAL = rf"^{_ONE}(?:\x1f{_ONE})*$"
_LONGEST = 2048
_ADDRESS = re.compile(r"https?://[^\s/]+", re.I)


def addresses(values: pa.Array) -> tuple[pa.Array, Mask]:
    """(addresses joined by INNER, none where there is none; the rows that also held what is no address)."""
    there = present(values)
    plain = true(pc.match_substring_regex(values, _SEVERAL))
    if len(values):
        plain &= np.diff(offsets_of(values)) <= _LONGEST
    several = rows_with(values, INNER.encode())
    if several is not None:
        plain &= ~_repeating(values, several & plain)
    odd = there & ~plain
    if not odd.any():
        return values, np.zeros(len(values), dtype=bool)
    answers = per_value(values.filter(pa.array(odd)), _parted).tolist()
    unusable = np.zeros(len(values), dtype=bool)
    unusable[odd] = [faulty for _, faulty in answers]
    return put(values, odd, texts(INNER.join(many) or None for many, _ in answers)), unusable


def _repeating(values: pa.Array, rows: Mask) -> Mask:
    """Which of these rows name an address twice."""
    lists = pc.split_pattern(values.filter(pa.array(rows)), INNER)
    flat = lists.flatten()
    if len(flat) == 2 * len(lists) and (np.diff(lists.offsets.to_numpy()) == 2).all():
        places = np.arange(0, len(flat), 2)
        some = true(pc.equal(flat.take(pa.array(places)), flat.take(pa.array(places + 1))))
    else:
        parents, codes = lists.value_parent_indices().to_numpy(), codes_of(flat.dictionary_encode())
        order = np.lexsort((codes, parents))
        parents, codes = parents[order], codes[order]
        twice = (parents[1:] == parents[:-1]) & (codes[1:] == codes[:-1])
        some = np.zeros(len(lists), dtype=bool)
        some[parents[1:][twice]] = True
    found = np.zeros(len(values), dtype=bool)
    found[rows] = some
    return found


def _parted(many: str) -> tuple[list[str], bool]:
    found: list[str] = []
    odd = False
    for piece in _BETWEEN.split(many):
        address = "%20".join(entities.unescape(piece).split())
        if address.startswith("//"):
            address = "https:" + address
        if not address:
            continue
        if _ADDRESS.match(address) and len(address) <= _LONGEST:
            if address not in found:
                found.append(address)
        else:
            odd = True
    return found, odd
