"""The head of a file of known records: read without what is needed to read the records themselves."""

import os
from pathlib import Path
from typing import Any

import orjson

VERSION = 1
"""Of the file and of what the mapping makes of a record: files of another version are not used."""


def head_of(path: Path) -> dict[str, Any]:
    """{"version", "blocks": how many entries each has, "notes": the combinations}. Raises OSError, ValueError."""
    with path.open("rb") as stream:
        stream.seek(-8, os.SEEK_END)
        size = int.from_bytes(stream.read(8), "little")
        stream.seek(-8 - size, os.SEEK_END)
        head: dict[str, Any] = orjson.loads(stream.read(size))
        return head


def usable(path: Path) -> bool:
    """Whether there is a whole file of this version."""
    try:
        return bool(head_of(path)["version"] == VERSION)
    except (OSError, ValueError, KeyError, TypeError):
        return False
