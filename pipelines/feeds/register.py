"""Every key of a file with the content and place of its first record, as numbers: millions of them in little memory."""

import tempfile
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.feeds.hashing import Hashes

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_FILTER_BITS = 26  # of the filter that knows most new hashes from seen ones: 8 MiB
_RUN = 16  # so many small sorted runs are merged into a large one
_LISTED = 255  # instead of a prefix: the place stands in a list
_CONTENT_BITS = 23
_CONTENT = np.uint64((1 << _CONTENT_BITS) - 1)
_COUNTED = np.uint64(1 << _CONTENT_BITS)
_SHIFT = np.uint64(_CONTENT_BITS + 1)


class Seen:
    """Distinct hashes in the order of their value, each with a number of 64 bits beside it.

    Kept as sorted runs; a filter of bits tells at once of most hashes that they are new. What stands beside the hashes of
    large runs lies in a file without a name: it is asked for only where a hash comes again.
    """

    def __init__(self) -> None:
        self.count = 0
        self._filter = np.zeros(1 << (_FILTER_BITS - 3), dtype=np.uint8)
        self._runs: list[tuple[Hashes, Hashes]] = []
        self._large: list[tuple[Hashes, Hashes]] = []

    def find(self, hashes: Hashes) -> tuple[Mask, Hashes]:
        """(which of the sorted `hashes` are there, what stands beside them)."""
        found, beside = np.zeros(len(hashes), dtype=bool), np.zeros(len(hashes), dtype=np.uint64)
        byte, bit = _bits(hashes)
        maybe = np.flatnonzero(self._filter[byte] & bit)
        if not len(maybe):
            return found, beside
        wanted = hashes[maybe]
        for keys, values in self.runs():
            places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            hit = keys[places] == wanted
            found[maybe[hit]] = True
            beside[maybe[hit]] = values[places[hit]]
        return found, beside

    def add(self, hashes: Hashes, beside: Hashes) -> None:
        """Takes in sorted hashes that are not there yet."""
        if not len(hashes):
            return
        self.count += len(hashes)
        byte, bit = _bits(hashes)
        np.bitwise_or.at(self._filter, byte, bit)
        self._runs.append((hashes, beside))
        if len(self._runs) == _RUN:
            keys = np.concatenate([one for one, _ in self._runs])
            order = np.argsort(keys, kind="stable")
            values = np.concatenate([one for _, one in self._runs])[order]
            self._large.append((keys[order], _laid_aside(values)))
            self._runs = []

    def runs(self) -> Iterator[tuple[Hashes, Hashes]]:
        """All runs, each sorted by hash."""
        yield from self._large
        yield from self._runs


class Register:
    """The keys of a file: which came before, with the same or other content, and where."""

    def __init__(self) -> None:
        self._keys = Seen()
        self._loose = Seen()  # keys of records that are no offers, or not new: products of one row
        self._groups = Seen()
        self._counted = 0
        self._places = _Places()

    @property
    def variants(self) -> int:
        """How many different keys offers have."""
        return self._keys.count

    def note(
        self, hashes: Hashes, contents: Hashes, locators: pa.Array, grouped: Mask
    ) -> tuple[Mask, Mask, dict[int, str]]:
        """(rows that repeat a key with the same content, with other content, row -> place of the key's first record).

        `grouped` rows belong to a product of several.
        """
        distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        there, beside = self._keys.find(distinct)
        new = ~there
        own = (contents & _CONTENT) | np.where(grouped, np.uint64(0), _COUNTED)
        own |= self._places.of(locators) << _SHIFT
        beside[new] = own[first[new]]
        self._keys.add(distinct[new], beside[new])
        self._counted += int((~grouped[first[new]]).sum())
        again = np.ones(len(hashes), dtype=bool)
        again[first[new]] = False
        if not again.any():
            return again, again, {}
        theirs = beside[inverse]
        same = again & ((theirs & _CONTENT) == (contents & _CONTENT))
        uncounted = again & ~grouped & ((theirs & _COUNTED) == 0)
        if uncounted.any():
            self.loose(hashes[uncounted])
        rows = np.flatnonzero(again).tolist()
        return same, again & ~same, {row: self._places.text(int(theirs[row] >> _SHIFT)) for row in rows}

    def loose(self, hashes: Hashes) -> None:
        """Keys of rows that are products of their own but no new offers."""
        _add_new(self._loose, hashes)

    def group(self, hashes: Hashes) -> None:
        """Products of several rows."""
        _add_new(self._groups, hashes)

    def products(self) -> int:
        """How many different products the file has."""
        alone = self._counted
        for hashes, _ in self._loose.runs():
            there, beside = self._keys.find(hashes)
            alone += int((~there | ((beside & _COUNTED) == 0)).sum())
        return alone + self._groups.count

    def knows(self, hashes: Hashes) -> Mask:
        """Which of these keys came before."""
        order = np.argsort(hashes)
        found = np.zeros(len(hashes), dtype=bool)
        found[order] = self._keys.find(hashes[order])[0]
        return found


class _Places:
    """Places like "row 12" as numbers of 40 bits: a prefix and a figure, or a place in a list where they have no such form."""

    def __init__(self) -> None:
        self._prefixes: dict[str, int] = {}
        self._listed: list[str] = []

    def of(self, locators: pa.Array) -> Hashes:
        if not len(locators):
            return np.zeros(0, np.uint64)
        prefix = locators[0].as_py().rstrip("0123456789")
        figures = pc.utf8_slice_codeunits(locators, len(prefix))
        plain = pc.and_(
            pc.starts_with(locators, prefix), pc.match_substring_regex(figures, "^(0|[1-9][0-9]{0,8})$")
        )
        number = self._prefixes.setdefault(prefix, len(self._prefixes))
        if number < _LISTED and pc.all(plain).as_py():
            places: Hashes = np.uint64(number) << np.uint64(32) | figures.cast(pa.uint64()).to_numpy()
            return places
        start = len(self._listed)
        self._listed += locators.to_pylist()
        return np.uint64(_LISTED) << np.uint64(32) | np.arange(start, len(self._listed), dtype=np.uint64)

    def text(self, place: int) -> str:
        number, figure = place >> 32, place & ((1 << 32) - 1)
        if number == _LISTED:
            return self._listed[figure]
        return f"{list(self._prefixes)[number]}{figure}"


def _add_new(seen: Seen, hashes: Hashes) -> None:
    distinct = np.unique(hashes)
    fresh = distinct[~seen.find(distinct)[0]]
    seen.add(fresh, np.zeros(len(fresh), dtype=np.uint64))


def _laid_aside(values: Hashes) -> Hashes:
    """The same, in a file of their own that has no name and goes with them."""
    with tempfile.TemporaryFile() as file:
        file.write(values.tobytes())
        file.flush()
        return np.memmap(file, dtype=np.uint64, mode="r", shape=values.shape)


def _bits(hashes: Hashes) -> tuple[Numbers, npt.NDArray[np.uint8]]:
    place = hashes >> np.uint64(64 - _FILTER_BITS)
    return (place >> np.uint64(3)).astype(np.int64), np.uint8(1) << (place & np.uint64(7)).astype(np.uint8)
