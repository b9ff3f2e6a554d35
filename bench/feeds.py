"""From a supplier's file to merged products: how long the hub takes, against the raw path to the same PostgreSQL.

The hub's time runs from the moment the clock asks for a file that lies in the drop folder to the moment its run is
merged, listings not included, through a real worker process with the embedded broker. The floor (bench/feed_floor.py)
takes the same file into a plain table. Both take turns; each figure is the median of its rounds. BENCH_ROWS (1,000,000)
and BENCH_ROUNDS (3) make it shorter; BENCH_ONLY names the measurements wanted ("first_load,fair").
"""

import contextlib
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import feed_floor
from bench.feed_dlt import dlt_ratio
from bench.feed_files import write_list, write_xml
from bench.places import Worker, database
from core.database import Database
from core.settings import CHECKOUT
from models.companies import Company
from models.events import FeedDue
from models.suppliers import Feed
from pipelines.routes import ROUTES

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SMALL = 10_000
XML_ITEMS = max(2_000, ROWS // 5)
PATIENCE = 1_200.0
Figures = dict[str, Any]


class Hub:
    """A hub of its own: a database, a data folder, a worker; feeds whose files are dropped into folders."""

    def __init__(self, url: str, folder: Path, worker: Worker) -> None:
        self.url, self.worker = url, worker
        self._db, self._folder, self._names = Database(url, ROUTES), folder, itertools.count(1)

    def feed(self) -> Feed:
        """A new supplier with one feed, whose drop folder is empty."""
        name = f"s{next(self._names)}"
        (self._folder / name).mkdir()
        with self._db.unit_of_work() as uow:
            company = Company(kind="supplier", code=name.upper(), name=name)
            uow.session.add(company)
            uow.session.flush()
            source = {"kind": "folder", "path": str(self._folder / name)}
            feed = Feed(
                supplier_id=company.id, name=name, source=source, policy={"max_price_changes_percent": 100}
            )
            uow.session.add(feed)
            uow.session.flush()
            return feed

    def drop(self, feed: Feed, file: Path) -> float:
        """Lays a copy of the file into the feed's folder and asks for it; the moment it was asked for."""
        aside = self._folder / "aside"
        shutil.copyfile(file, aside)
        os.utime(aside, (time.time() - 60,) * 2)
        aside.rename(self._folder / feed.name / f"{next(self._names)}.csv")
        threading.Event().wait(1.1)  # it has lain there for a while
        with self._db.unit_of_work() as uow:
            began = time.monotonic()
            uow.emit(FeedDue(tenant=feed.supplier_id, lane=feed.lane, feed_id=feed.id))
        return began

    def take(self, feed: Feed, file: Path) -> float:
        """Seconds until the file's run is merged."""
        before, began = self.runs(feed), self.drop(feed, file)
        self.until(lambda: self.runs(feed) > before and self.ended(feed))
        return time.monotonic() - began

    def look(self, feed: Feed, file: Path) -> float:
        """Seconds until a file that is the same as the last one is put aside and nothing of the feed waits any more."""
        before, began = self.runs(feed), self.drop(feed, file)
        waiting = "SELECT count(*) FROM message WHERE lane = %s"
        folder = self._folder / feed.name
        self.until(lambda: not list(folder.glob("*.csv")) and self._db.run(waiting, [feed.lane]) == [(0,)])
        seconds = time.monotonic() - began
        if self.runs(feed) != before:
            raise RuntimeError("The same file was taken for another.")
        return seconds

    def runs(self, feed: Feed) -> int:
        """How many runs the feed has."""
        return int(self._db.run("SELECT count(*) FROM feed_run WHERE feed_id = %s", [feed.id])[0][0])

    def ended(self, feed: Feed) -> bool:
        """Whether the feed's last run is merged. Raises RuntimeError where it never will be."""
        ((found, problem, plan),) = self._db.run(
            "SELECT state, problem, plan->>'limits' FROM feed_run WHERE feed_id = %s ORDER BY id DESC LIMIT 1",
            [feed.id],
        )
        if found in ("refused", "waiting", "superseded"):
            raise RuntimeError(f"The run of {feed.name} is {found}: {problem or plan}")
        return bool(found == "applied")

    def phases(self, feed: Feed) -> str:
        """Where the last run's time went: from landing to staged, and from there to merged."""
        ((reading, taking),) = self._db.run(
            "SELECT extract(epoch FROM staged_at - landed_at)::float, extract(epoch FROM applied_at - staged_at)::float "
            "FROM feed_run WHERE feed_id = %s ORDER BY id DESC LIMIT 1",
            [feed.id],
        )
        return f"read in {reading:.1f} s, planned and merged in {taking:.1f} s"

    def until(self, done: Callable[[], bool]) -> None:
        """Waits until `done`. Raises RuntimeError when that takes too long."""
        deadline, pause = time.monotonic() + PATIENCE, threading.Event()
        while not done():
            if time.monotonic() > deadline:
                raise RuntimeError("The hub was not done in time.")
            pause.wait(0.02)

    def close(self) -> None:
        """Lets the database go."""
        self._db.close()


@contextlib.contextmanager
def hub() -> Iterator[Hub]:
    """A hub with nothing in it."""
    with (
        database() as url,
        tempfile.TemporaryDirectory(prefix="ep-bench-", dir="/tmp") as folder,
        Worker(url, Path(folder) / "data") as worker,
    ):
        (Path(folder) / "drop").mkdir()
        made = Hub(url, Path(folder) / "drop", worker)
        try:
            made.take(made.feed(), _list(Path(folder), 10, "W"))  # until everything is up
            yield made
        finally:
            made.close()


def measure() -> Figures:
    """The figures, those that were not asked for stay null."""
    asked = os.environ.get("BENCH_ONLY", "first_load,one_percent,unchanged,memory,xml,fair,dlt").split(",")
    found: Figures = {
        "first_load": {"ratio": None, "rows_per_s": None, "peak_mb": None},
        "one_percent": {"ratio": None}, "unchanged": {"seconds": None}, "memory": {"peak_mb_1m": None, "peak_mb_3m": None},
        "xml": {"ratio": None}, "fair": {"small_feed_wait_s": None}, "dlt": {"first_load_ratio": None},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="ep-files-", dir="/tmp") as name:
        files = Path(name)
        if {"first_load", "one_percent", "unchanged"} & set(asked):
            found |= loads(files, asked)
        if "memory" in asked:
            found["memory"] = memory(files, found["first_load"]["peak_mb"])
        if "xml" in asked:
            found["xml"] = xml(files)
        if "fair" in asked:
            found["fair"] = fair(files)
        if "dlt" in asked:
            found["dlt"] = {"first_load_ratio": dlt_ratio(_list(files, ROWS, "A"))}
    return found


def loads(files: Path, asked: list[str]) -> Figures:
    """A first load, files in which one row in a hundred differs, and the same file again; the floor beside each."""
    days = [_list(files, ROWS, "A", day) for day in range(2 if "one_percent" in asked else 1)]
    first: list[tuple[float, float]] = []
    later: list[tuple[float, float]] = []
    same: list[float] = []
    peak = 0.0
    for number in range(1, ROUNDS + 1):
        with hub() as one:
            feed_floor.prepare(one.url)
            raw = feed_floor.merge(one.url, days[0])
            feed, one.worker.peak = one.feed(), 0.0
            first.append((one.take(feed, days[0]), raw))
            peak = max(peak, one.worker.peak)
            _say(f"round {number} of {ROUNDS}, first load: {first[-1][0]:.1f} s, floor {raw:.1f} s, {one.worker.peak:.0f} MB; {one.phases(feed)}")  # fmt: skip
            for day in days[1:]:
                raw = feed_floor.merge(one.url, day)
                later.append((one.take(feed, day), raw))
                _say(f"round {number} of {ROUNDS}, 1 % changed: {later[-1][0]:.1f} s, floor {raw:.1f} s; {one.phases(feed)}")  # fmt: skip
            if "unchanged" in asked:
                same += [one.look(feed, days[-1]) for _ in range(3)]
                _say(f"round {number} of {ROUNDS}, unchanged: {same[-1]:.2f} s")
    return {
        "first_load": {
            "ratio": _ratio(first), "peak_mb": round(peak),
            "rows_per_s": round(ROWS / statistics.median(seconds for seconds, _ in first)),
        },
        "one_percent": {"ratio": _ratio(later)},
        "unchanged": {"seconds": round(statistics.median(same), 2) if same else None},
    }  # fmt: skip


def memory(files: Path, known: float | None) -> Figures:
    """The worker's peak with a file of ROWS and one of three times as many."""
    peaks: list[float | None] = [known]
    for rows in (ROWS, 3 * ROWS)[1 if known else 0 :]:
        with hub() as one:
            feed, one.worker.peak = one.feed(), 0.0
            seconds = one.take(feed, _list(files, rows, "A"))
            peaks.append(one.worker.peak)
            _say(f"{rows} rows: {seconds:.1f} s, {one.worker.peak:.0f} MB")
    small, large = peaks[-2:]
    return {"peak_mb_1m": small and round(small), "peak_mb_3m": large and round(large)}


def xml(files: Path) -> Figures:
    """The parser's process over an XML feed, its lines thrown away, against bare lxml over the same file."""
    file = files / "feed.xml"
    write_xml(file, XML_ITEMS)
    order = f'{{"file": "{file}", "name": "feed.xml", "profile": null, "document": null, "currency": null, "run_id": 1}}'
    rounds = []
    for _ in range(ROUNDS):
        raw = feed_floor.iterparse(file, "item")
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "pipelines.feeds.parse"], input=order.encode(), stdout=subprocess.DEVNULL, cwd=CHECKOUT, check=True
        )  # fmt: skip
        rounds.append((time.monotonic() - began, raw))
        _say(f"{XML_ITEMS} items of XML: {rounds[-1][0]:.1f} s, bare lxml {raw:.1f} s")
    return {"ratio": _ratio(rounds)}


def fair(files: Path) -> Figures:
    """How much longer small feeds take while a large one is on its way: the longest wait of those that came one by one."""
    small = [_list(files, SMALL, letter) for letter in "BCDEFGHIJKLM"]
    with hub() as one:
        alone = statistics.median(one.take(one.feed(), file) for file in small[:3])
        large = one.feed()
        one.drop(large, _list(files, ROWS, "A"))
        waits = []
        for file in small[3:]:
            seconds = one.take(one.feed(), file)
            if one.ended(large):
                break
            waits.append(seconds - alone)
            _say(f"a feed of {SMALL} beside one of {ROWS}: {seconds:.1f} s, alone {alone:.1f} s")
        one.until(lambda: one.ended(large))
    return {"small_feed_wait_s": round(max(waits), 2) if waits else None}


def _list(files: Path, rows: int, supplier: str, day: int = 0) -> Path:
    file = files / f"{supplier}-{rows}-{day}.csv"
    if not file.exists():
        write_list(file, rows, supplier=supplier, day=day)
    return file


def _ratio(rounds: list[tuple[float, float]]) -> float | None:
    return round(statistics.median(ours / raw for ours, raw in rounds), 2) if rounds else None


def _say(what: str) -> None:
    print(f"entrepot: {what}", file=sys.stderr, flush=True)
