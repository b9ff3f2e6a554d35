"""Rows of cells -> Arrow-backed frames of text: what every reader does in the same way, with the same limits."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

LOCATOR, FAULT = "_locator", "_fault"
OUTER, INNER = "\x1e", "\x1f"  # between repeated parents, between repeated values inside one cell
MAX_CELL = 1 << 20  # characters in one value
MAX_COLUMNS = 5_000
MAX_NAME = 300  # characters of a column's name; what is longer is no name
FRAME_ROWS = 10_000
FRAME_CELLS = 4 << 20  # rows times columns of a frame: a blank cell takes memory too
FRAME_CHARACTERS = 16 << 20  # a frame ends here even when it has few rows, so that memory stays bounded


def unique_names(names: list[str]) -> list[str]:
    """Header cells as column names: trimmed, blanks as "column 3", doubles as "price #2"."""
    taken: dict[str, int] = {}
    unique: list[str] = []
    for position, cell in enumerate(names, start=1):
        name = " ".join(cell.split())[:MAX_NAME] or f"column {position}"
        name = plain(name)
        taken[name] = taken.get(name, 0) + 1
        unique.append(name if taken[name] == 1 else f"{name} #{taken[name]}")
    return unique


def plain(text: str) -> str:
    """The text, bytes that are none (they come as lone surrogates) replaced."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def frame(
    names: list[str], columns: Sequence[list[str | None] | pa.Array], locators: list[str], faults: list[str]
) -> pd.DataFrame:
    """A frame of text; columns that are Arrow's already are text for certain. Of others cells that hold undecodable bytes (as lone surrogates) mark their row's `_fault`."""
    arrays = []
    for cells in columns:
        if isinstance(cells, pa.Array):
            arrays.append(cells)
            continue
        try:
            arrays.append(pa.array(cells, pa.large_string()))
        except UnicodeEncodeError:
            mended = list(cells)
            for row, cell in enumerate(cells):
                if cell is not None and any("\ud800" <= character <= "\udfff" for character in cell):
                    mended[row] = plain(cell)
                    faults[row] = faults[row] or "undecodable"
            arrays.append(pa.array(mended, pa.large_string()))
    arrays += [pa.array(locators, pa.large_string()), pa.array(faults, pa.large_string())]
    table = pa.table(arrays, names=[*names, LOCATOR, FAULT])
    result: pd.DataFrame = table.to_pandas()
    return result


def text_frame(names: list[str], table: pa.Table, numbers: npt.NDArray[np.int64]) -> pd.DataFrame:
    """A frame of a table of text without faults, its columns called `names`, whose rows stand at "row 7" and so on."""
    rows = pa.array(numbers).cast(pa.large_string())
    word, between = pa.scalar("row", pa.large_string()), pa.scalar(" ", pa.large_string())
    locators = pc.binary_join_element_wise(word, rows, between)
    faults = pa.repeat(pa.scalar("", pa.large_string()), len(rows))
    whole = pa.table([*table.columns, locators, faults], names=[*names, LOCATOR, FAULT])
    result: pd.DataFrame = whole.to_pandas()
    return result


def joined(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Small frames with the same columns as one, up to the size of a frame: each costs the same, however few its rows."""
    held: list[pd.DataFrame] = []
    rows = size = 0
    for one in frames:
        own = int(one.memory_usage(deep=False).sum())
        if held and (
            rows + len(one) > FRAME_ROWS
            or size + own > FRAME_CHARACTERS
            or list(one.columns) != list(held[0].columns)
        ):
            yield held[0] if len(held) == 1 else pd.concat(held, ignore_index=True)
            held, rows, size = [], 0, 0
        held.append(one)
        rows, size = rows + len(one), size + own
    if held:
        yield held[0] if len(held) == 1 else pd.concat(held, ignore_index=True)


def listed(names: list[str]) -> str:
    """The first names for a sentence, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name[:100]) for name in names[:5]) + more
