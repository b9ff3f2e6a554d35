"""Reads one record of an archived file as it was received, in a process of its own with a limit of time and memory."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from connectors.readers.frames import FAULT, INNER, LOCATOR, OUTER
from core.errors import EntrepotError, Refused
from core.settings import CHECKOUT
from pipelines.feeds.normalise import normalise
from pipelines.feeds.parse import MEMORY_LIMIT

SECONDS = 45.0
"""How long a person waits for a record at the end of a large file."""


def raw_record(
    file: Path, name: str, document: dict[str, Any], locator: str, seconds: float = SECONDS
) -> dict[str, str]:
    """column -> what stood there, of the record at `locator` ("row 12"); columns without a value are left out.

    Raises Refused, in a sentence for people, where the file is gone, cannot be read any more, has no such record, or
    reading takes longer than `seconds`.
    """
    if not file.is_file():
        raise Refused(f"The file {name} is no longer in the archive.", rule="not_found")
    order = json.dumps({"file": str(file), "name": name, "document": document, "locator": locator})
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.feeds.raw_record"], input=order.encode(), capture_output=True, check=False,
            cwd=CHECKOUT, env=environment, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Refused(f"Reading {name} up to {locator} takes longer than {seconds:.0f} s; the report has the record too.", rule="too_slow") from None  # fmt: skip
    if done.returncode != 0 or not done.stdout:
        raise Refused(f"{name} could not be read once more: its reader ended with code {done.returncode}.", rule="unreadable")  # fmt: skip
    answer = orjson.loads(done.stdout)
    if "error" in answer:
        raise Refused(answer["error"], rule=answer["rule"])
    found: dict[str, str] = answer["raw"]
    return found


def look_up(file: Path, name: str, document: dict[str, Any], locator: str) -> dict[str, str]:
    """The same in this process: the file is read up to the record. Raises Refused where there is none."""
    for frame in normalise(file, name=name, mapping=document).frames():
        found = frame.index[frame[LOCATOR] == locator]
        if len(found):
            return _cells(frame.loc[found[0]])
    raise Refused(f"{name} has no record {locator!r}.", rule="not_found")


def _cells(record: "pd.Series[Any]") -> dict[str, str]:
    """The record's cells; the marks between repeated elements made readable."""
    return {
        str(name): value.replace(OUTER, " | ").replace(INNER, ", ")
        for name, value in record.items()
        if name not in (LOCATOR, FAULT) and isinstance(value, str)
    }


def main() -> int:
    """Answers one order on standard input: {"raw": …}, or {"error", "rule"}."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    order = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"raw": look_up(Path(order["file"]), order["name"], order["document"], order["locator"])}  # fmt: skip
    except EntrepotError as error:
        answer = {"error": str(error), "rule": getattr(error, "rule", "")}
    sys.stdout.buffer.write(orjson.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
