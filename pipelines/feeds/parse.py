"""The child process that parses one file: frames of ready COPY lines go to its standard output.

Parsing holds the interpreter for minutes and may meet hostile input, so it has a process of its own: the worker's
heartbeats go on, a memory limit can be set, and whatever happens here ends here.

The stream is a row of frames, each a line of JSON and then `bytes` bytes: "facts" and "summary" carry a JSON body,
"offers" lines of CSV for COPY INTO staged_offer, "rejects" JSON lines, "error" a refusal with its rule.
"""

import io
import json
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from core.errors import EntrepotError
from pipelines.feeds.normalise import Batch, normalise
from pipelines.feeds.staging import COLUMNS, DETAILS

STRUCTURED = ("options", "attributes", "images")
LARGEST = 2_147_483_647
"""What PostgreSQL's integer holds."""
MEMORY_LIMIT = 4 << 30
"""Bytes of address space (Arrow reserves far more than it touches; resident size stays near a tenth of it)."""


def main() -> int:
    """Reads one JSON order from standard input: {"file", "name", "profile", "document", "currency", "run_id"}."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    out = sys.stdout.buffer
    order = json.load(sys.stdin)
    try:
        parse(order, out)
    except EntrepotError as error:
        # The archive knows the file by its hash, its sender by the name he gave it.
        sentence = str(error).replace(Path(order["file"]).name, order["name"])
        send(out, "error", orjson.dumps({"message": sentence, "rule": getattr(error, "rule", "")}))
    except MemoryError:
        send(
            out,
            "error",
            orjson.dumps(
                {"message": "The file needs more memory than a feed may take; split it.", "rule": "too_large"}
            ),
        )
    return 0


def parse(order: dict[str, Any], out: BinaryIO) -> None:
    """Normalises the file and writes its frames. Raises Refused where the file cannot be used."""
    found = normalise(
        Path(order["file"]),
        name=order["name"],
        profile=order["profile"],
        mapping=order["document"],
        currency=order["currency"],
    )
    file = {
        name: getattr(found.facts, name) for name in ("bytes", "sha256", "encoding", "format", "delimiter")
    }
    facts = {"file": file, "profile": found.profile, "mapping": found.mapping, "drift": found.drift}
    if found.drift:
        facts |= {"breaks": found.breaks, "dialect": found.written}
    send(out, "facts", orjson.dumps({"facts": facts, "document": found.document}))
    place = offers = 0
    for batch in found.batches():
        if len(batch.offers):
            send(out, "offers", copy_lines(batch.offers, order["run_id"], offers))
            offers += len(batch.offers)
        lines = rejects(batch, place)
        place += len(batch.answers)
        send(out, "rejects", lines, records=place)
    summary = found.summary()
    names = ("records", "products", "variants", "accepted", "rejected", "quarantined", "reasons", "notes")
    send(out, "summary", orjson.dumps({name: getattr(summary, name) for name in names}))


def copy_lines(offers: pd.DataFrame, run_id: int, before: int) -> bytes:
    """The run's id, the offer's place (`before` counts those of earlier batches) and COLUMNS as CSV for COPY … (FORMAT csv): every value quoted, every missing one empty and unquoted, so that "" is not NULL."""
    frame = offers.loc[:, [name for name in COLUMNS if name not in ("details", "record_hash")]].copy()
    for name in STRUCTURED:
        frame[name] = [orjson.dumps(value).decode() for value in frame[name]]
    frame["details"] = details(offers)
    frame["record_hash"] = (
        offers["record_hash"] if "record_hash" in offers else pd.array([None] * len(frame), dtype="Int64")
    )
    for name in ("stock", "lead_time_days", "weight_g"):
        frame[name] = pd.array([storable(value, name) for value in frame[name]], dtype="Int64")
    frame.insert(0, "run_id", run_id)
    frame.insert(1, "place", range(before + 1, before + 1 + len(frame)))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = io.BytesIO()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    return sink.getvalue()


def details(offers: pd.DataFrame) -> list[str | None]:
    """What few offers have (models.catalogue.DETAILS) as one JSON object each; None where there is nothing."""
    names = [name for name in DETAILS if name in offers]
    rows = zip(*(offers[name].tolist() for name in names), strict=True)
    known = ({n: v for n, v in zip(names, row, strict=True) if v is not None} for row in rows)
    return [orjson.dumps(one).decode() if one else None for one in known]


def storable(value: Any, name: str) -> int | None:
    """The figure as an integer column takes it: a stock beyond LARGEST is as good as LARGEST, another such figure is none."""
    if value is None or pd.isna(value):
        return None
    if value > LARGEST:
        return LARGEST if name == "stock" else None
    return int(value)


def rejects(batch: Batch, place: int) -> bytes:
    """One JSON line per record of the batch that was not accepted; `place` counts the records before it."""
    answers = batch.answers.reset_index(drop=True)
    refused = answers[answers["verdict"] != "accepted"]
    lines = []
    for index, answer in refused.iterrows():
        line = {
            name: answer[name] for name in ("locator", "verdict", "reasons", "supplier_sku", "message", "raw")
        }
        line["supplier_sku"] = None if pd.isna(line["supplier_sku"]) else line["supplier_sku"]
        lines.append(orjson.dumps({"place": place + int(str(index)) + 1, **line}))
    return b"".join(line + b"\n" for line in lines)


def send(out: BinaryIO, kind: str, body: bytes, **more: int) -> None:
    """One frame: its head as a line of JSON, then its body."""
    out.write(orjson.dumps({"kind": kind, "bytes": len(body), **more}) + b"\n" + body)
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
