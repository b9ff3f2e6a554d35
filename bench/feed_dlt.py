"""dlt's merge of the same file beside the floor, where dlt is installed: what a user might take instead."""

import importlib
import importlib.util
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import feed_floor
from bench.places import database


def dlt_ratio(file: Path) -> float | None:
    """dlt's first load (upsert, Arrow tables, CSV to PostgreSQL) by the floor's; None where dlt is not installed."""
    if importlib.util.find_spec("dlt") is None:
        return None
    from pyarrow import csv

    dlt: Any = importlib.import_module("dlt")  # not locked: no dependency of ours

    def tables() -> Iterator[Any]:
        with csv.open_csv(file, parse_options=csv.ParseOptions(delimiter=";")) as reader:
            yield from reader

    with database() as url, tempfile.TemporaryDirectory(prefix="ep-dlt-", dir="/tmp") as folder:
        feed_floor.prepare(url)
        raw = feed_floor.merge(url, file)
        began = time.monotonic()
        pipeline = dlt.pipeline(
            "bench", pipelines_dir=folder, dataset_name="dlt_bench",
            destination=dlt.destinations.postgres(url.replace("postgresql://hub@/", "postgresql://hub@localhost/")),
        )  # fmt: skip
        merge: Any = {"disposition": "merge", "strategy": "upsert"}
        pipeline.run(
            tables(), table_name="offer", primary_key="sku", write_disposition=merge, loader_file_format="csv"
        )
        return round((time.monotonic() - began) / raw, 2)
