"""The child process that parses one file: frames of ready COPY lines go to its standard output.

Parsing holds the interpreter for minutes and may meet hostile input, so it has a process of its own: the worker's
heartbeats go on, a memory limit can be set, and whatever happens here ends here.

The stream is a row of frames, each a line of JSON and then `bytes` bytes: "facts" and "summary" carry a JSON body,
"offers" lines of CSV for COPY INTO staged_offer, "unseen" such lines for staged_unseen, "rejects" JSON lines, "error" a refusal with its rule.
"""

import gc
import json
import resource
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from core.errors import EntrepotError
from pipelines.feeds.ahead import ahead
from pipelines.feeds.known import Memory, can_be_known
from pipelines.feeds.known_head import usable
from pipelines.feeds.mapping.arrays import TEXT
from pipelines.feeds.mapping.jsontext import objects, quoted
from pipelines.feeds.normalise import Batch, normalise
from pipelines.feeds.offers import STRUCTURED
from pipelines.feeds.staged_facts import Staged
from pipelines.feeds.staging import COLUMNS, DETAILS

LARGEST = 2_147_483_647
"""What PostgreSQL's integer holds."""
MEMORY_LIMIT = 4 << 30
"""Bytes of address space (Arrow reserves far more than it touches; resident size stays near a tenth of it)."""


def main() -> int:
    """Reads one JSON order from standard input: {"file", "name", "profile", "document", "currency", "run_id", "sha256"}, and
    for records known before {"known", "known_out": paths, "base": a run} or nothing."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    if "jemalloc" in pa.supported_memory_backends():  # keeps 30 MB less than the other allocators
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    # Values come by the hundred thousand and none refers to itself: looking through them is a tenth of XML's time.
    gc.set_threshold(50_000)
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
        sha256=order.get("sha256"),
    )
    file = {
        name: getattr(found.facts, name) for name in ("bytes", "sha256", "encoding", "format", "delimiter")
    }
    facts = {"file": file, "profile": found.profile, "mapping": found.mapping, "drift": found.drift}
    if found.drift:
        facts |= {"breaks": found.breaks, "dialect": found.written}
    send(out, "facts", orjson.dumps({"facts": facts, "document": found.document}))
    memory = memory_of(order, found.document)
    place = offers = 0
    staged = Staged()
    with memory or nullcontext():
        for batch in ahead(found.batches(memory)):
            if len(batch.table):
                send(out, "offers", copy_lines(batch.table, order["run_id"], offers))
            offers += len(batch.table)  # places have no gaps: the catalogue takes them piece by piece
            staged.note(batch.table)
            lines = rejects(batch, place)
            place += batch.records
            send(out, "rejects", lines, records=place)
    summary = found.summary()
    names = ("records", "products", "variants", "accepted", "rejected", "quarantined", "reasons", "notes")
    counts = {name: getattr(summary, name) for name in names}
    remembered: dict[str, int] = {}
    if memory and memory.known:
        unseen = 0
        for some in memory.known.unseen():
            send(out, "unseen", unseen_lines(some, order["run_id"]))
            unseen += len(some)
        remembered = {"base": order["base"], "unchanged": memory.unchanged, "unseen": unseen}
    facts_staged = {**staged.facts(), **remembered}
    send(out, "summary", orjson.dumps({**counts, "as_of": found.stated.moment, "staged": facts_staged}))


def memory_of(order: dict[str, Any], document: dict[str, Any]) -> Memory | None:
    """What the base run knew and this one is to know, where the document's records can be known at all."""
    if not order.get("known_out") or not can_be_known(document):
        return None
    known = Path(order["known"]) if order.get("known") else None
    return Memory(known if known is not None and usable(known) else None, Path(order["known_out"]))


def unseen_lines(records: npt.NDArray[np.int64], run_id: int) -> memoryview:
    """Lines of CSV for COPY INTO staged_unseen: the run and a record that did not come up."""
    table = pa.table({"run_id": pa.repeat(run_id, len(records)), "record_hash": pa.array(records)})
    return csv_of(table, csv.WriteOptions(include_header=False))


def copy_lines(offers: pa.Table, run_id: int, before: int) -> memoryview:
    """The run's id, the offer's place (`before` counts those of earlier batches) and COLUMNS as CSV for COPY … (FORMAT csv): every value quoted, every missing one empty and unquoted, so that "" is not NULL."""
    rows = len(offers)
    columns = {name: offers[name] for name in offers.column_names}
    columns |= {name: storable(offers[name], name) for name in ("stock", "lead_time_days", "weight_g")}
    columns["details"] = details(offers)
    columns.setdefault("record_hash", pa.nulls(rows, pa.int64()))
    places = pa.array(range(before + 1, before + 1 + rows))
    table = pa.table(
        [pa.repeat(run_id, rows), places, *(columns[name] for name in COLUMNS)],
        names=["run_id", "place", *COLUMNS],
    )
    return csv_of(table, csv.WriteOptions(include_header=False, quoting_style="all_valid"))


def csv_of(table: pa.Table, options: csv.WriteOptions) -> memoryview:
    """The table's lines, as Arrow wrote them: no copy is made."""
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink, options)
    return memoryview(sink.getvalue())


def details(offers: pa.Table) -> pa.Array:
    """What few offers have (models.catalogue.DETAILS) as one JSON object each, none where there is nothing."""
    literals: dict[str, pa.Array] = {}
    for name in DETAILS:
        if name not in offers.column_names or offers[name].null_count == len(offers):
            continue
        values = offers[name].combine_chunks()
        plain = name not in STRUCTURED and values.type == TEXT
        literals[name] = quoted(values) if plain else values.cast(TEXT)
    return objects(literals, len(offers))


def storable(figures: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Figures as an integer column takes them: a stock beyond LARGEST is as good as LARGEST, another such figure is none."""
    other = pa.scalar(LARGEST if name == "stock" else None, pa.int64())
    return pc.if_else(pc.greater(figures, LARGEST), other, figures)


def rejects(batch: Batch, place: int) -> bytes:
    """One JSON line per record of the batch that was not accepted; `place` counts the records before it."""
    if batch.accepted.all():
        return b""
    names = ("locator", "verdict", "reasons", "supplier_sku", "message", "raw")
    lines = []
    for answer in batch.refused.to_dict("records"):
        line = {"place": place + answer["place"] + 1, **{name: answer[name] for name in names}}
        lines.append(orjson.dumps(line) + b"\n")
    return b"".join(lines)


def send(out: BinaryIO, kind: str, body: bytes | memoryview, **more: int) -> None:
    """One frame: its head as a line of JSON, then its body."""
    out.write(orjson.dumps({"kind": kind, "bytes": len(body), **more}) + b"\n")
    out.write(body)
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
