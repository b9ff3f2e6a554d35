"""The head of a file of known records: read without what is needed to read the records themselves."""

import os
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

FORMAT = 1
"""Of the file of known records."""
_READ_BY = ("pipelines/feeds", "connectors/readers")
# As in core.settings, which takes a parser a third of its start to import.
_ROOT = Path(__file__).resolve().parents[2]


@lru_cache(1)
def version() -> str:
    """A hash of all that decides what a record comes to: after an upgrade of the hub every record is looked at again."""
    files = sorted(
        file for folder in _READ_BY for file in (_ROOT / folder).rglob("*") if file.suffix in (".py", ".yaml", ".json", ".txt")
    )  # fmt: skip
    found = blake2b(str(FORMAT).encode(), digest_size=16)
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


def head_of(path: Path) -> dict[str, Any]:
    """{"version", "blocks": how many entries each has, "notes": the combinations}. Raises OSError, ValueError."""
    with path.open("rb") as stream:
        stream.seek(-8, os.SEEK_END)
        size = int.from_bytes(stream.read(8), "little")
        stream.seek(-8 - size, os.SEEK_END)
        head: dict[str, Any] = orjson.loads(stream.read(size))
        return head


def usable(path: Path) -> bool:
    """Whether there is a whole file, written by the hub as it is now."""
    try:
        return bool(head_of(path)["version"] == version())
    except (OSError, ValueError, KeyError, TypeError):
        return False
