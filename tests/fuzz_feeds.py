"""`./run fuzz [--files N] [--seed N] [--json]`: hostile files through what `feed try` does, each in a child of its own.

Each file must be answered (accepted + rejected + quarantined = records) or refused in one sentence, within 10 seconds
of one processor and 600 MB. What does not is kept in var/fuzz, made smaller where that is possible, and the exit code is 1.
"""

import argparse
import importlib
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
SECONDS = 10
"""Of the processor, so that the figure is the same on a busy machine; on an idle one it is the time that passes."""
PATIENCE = 60.0
"""Seconds that may pass altogether: longer is a wait for something that never comes."""
MEMORY_MB = 600
ADDRESS_BYTES = 4 << 30
"""What a feed's parser may reserve (pipelines/feeds/parse.py); Arrow reserves far more than it touches."""
SENTENCE = 700
COMPARED = 500_000
"""Records whose places are compared: a set of ten million would cost more than reading them."""
Told = tuple[str, str]
"""Verdict, and the rule of a refusal or what went wrong."""
ANSWERED, REFUSED, CRASHED, HUNG = "answered", "refused", "crash", "hang"


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `told` is the rule of a refusal, or what went wrong."""

    verdict: str
    told: str
    seconds: float
    peak_mb: float


@dataclass
class Report:
    """Figures of all files; `kept` names the files that failed."""

    seed: int
    files: int = 0
    refused: int = 0
    answered: int = 0
    crashes: int = 0
    hangs: int = 0
    slowest_s: float = 0.0
    peak_mb: float = 0.0
    seconds: float = 0.0
    kept: tuple[str, ...] = ()
    rules: dict[str, int] = field(default_factory=dict)
    slowest: tuple[str, ...] = ()


def fuzz(files: int, seed: int, keep: Path, *, children: int = 2, whole: float = 1.0) -> Report:
    """Of the files the share `whole` goes all the way, the others only through their reader, ten times as fast.

    Runs the first `files` of `seed`; failures go to `keep`, the first of each kind made smaller.

    Interrupted, it reports on the files that were tried.
    """
    started = time.monotonic()
    report, rules, faults = Report(seed), Counter[str](), set[str]()
    times: list[tuple[float, str]] = []
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for place, outcome in _all(files, seed, Path(folder), children, whole):
            report.files += 1
            report.answered += outcome.verdict == ANSWERED
            report.refused += outcome.verdict == REFUSED
            report.crashes += outcome.verdict == CRASHED
            report.hangs += outcome.verdict == HUNG
            report.slowest_s = max(report.slowest_s, round(outcome.seconds, 2))
            report.peak_mb = max(report.peak_mb, round(outcome.peak_mb, 1))
            if outcome.verdict == REFUSED:
                rules[outcome.told] += 1
            if outcome.verdict in (CRASHED, HUNG):
                new = outcome.verdict == CRASHED and outcome.told not in faults
                faults.add(outcome.told)
                report.kept += (_kept(keep, Path(folder), seed, place, outcome, shrink=new),)
            times.append((outcome.seconds, f"{seed}:{place} {outcome.seconds:.1f} s"))
    report.seconds = round(time.monotonic() - started, 1)
    report.rules = dict(rules.most_common())
    report.slowest = tuple(told for _, told in sorted(times)[-5:])
    return report


def tried(file: Path) -> Outcome:
    """One file, in a child of this process."""
    return _alone(file)


# ------------------------------------------------------------------------------------------------ children
@dataclass
class _Child:
    place: int
    pid: int
    pipe: int
    started: float


def _all(files: int, seed: int, folder: Path, children: int, whole: float) -> Iterator[tuple[int, Outcome]]:
    running: list[_Child] = []
    try:
        yield from _row(files, seed, folder, children, whole, running)
    finally:
        for child in running:
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _row(
    files: int, seed: int, folder: Path, children: int, whole: float, running: list[_Child]
) -> Iterator[tuple[int, Outcome]]:
    places = iter(range(files))
    while True:
        while len(running) < children and (place := next(places, None)) is not None:
            all_the_way = random.Random(place).random() < whole
            running.append(_begun(place, _written(folder, seed, place), _answer if all_the_way else _read))
        if not running:
            return
        left = min(child.started for child in running) + PATIENCE - time.monotonic()
        ready, _, _ = select.select([child.pipe for child in running], [], [], max(left, 0))
        for child in list(running):
            if child.pipe in ready or time.monotonic() - child.started > PATIENCE:
                running.remove(child)
                yield child.place, _ended(child)
                for file in (folder / str(child.place)).iterdir():
                    file.unlink()


def _alone(file: Path) -> Outcome:
    child = _begun(0, file, _answer)
    select.select([child.pipe], [], [], PATIENCE)
    return _ended(child)


def _begun(place: int, file: Path, check: Callable[[Path], Told]) -> _Child:
    _warm()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(place, pid, reading, time.monotonic())
    os.close(reading)
    os.setpgid(0, 0)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.write(writing, json.dumps(_checked(file, check)).encode()[:4000])
    finally:
        os._exit(0)  # nothing of the parent's may run twice


def _ended(child: _Child) -> Outcome:
    """Reads what the child told, ends it and its own children, and measures it."""
    told = os.read(child.pipe, 4096) if select.select([child.pipe], [], [], 0)[0] else b""
    os.close(child.pipe)
    waited = time.monotonic() - child.started > PATIENCE
    if waited and not told:
        os.killpg(child.pid, signal.SIGKILL)
    _, status, used = os.wait4(child.pid, 0)
    seconds, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    code = os.waitstatus_to_exitcode(status)
    if seconds > SECONDS or code == -signal.SIGXCPU or (waited and not told):
        return Outcome(HUNG, f"no verdict within {SECONDS} s", seconds, peak)
    if not told:
        return Outcome(CRASHED, f"ended by {code} without a word", seconds, peak)
    verdict, why = json.loads(told)
    if peak > MEMORY_MB:
        return Outcome(CRASHED, f"{peak:.0f} MB ({verdict})", seconds, peak)
    return Outcome(verdict, why, seconds, peak)


def _checked(file: Path, check: Callable[[Path], Told]) -> Told:
    from core.errors import Refused

    try:
        return check(file)
    except Refused as refusal:
        return _refusal(refusal)
    except BaseException as error:
        return CRASHED, _last_lines(error)


def _answer(file: Path) -> Told:
    """(verdict, rule or what is wrong) of one file: what `entrepot feed try FILE --json` does, and its promises."""
    import orjson

    from cli.feed_try import tried as try_file

    told = try_file(file)
    orjson.dumps(told)
    verdicts = told["accepted"] + told["rejected"] + told["quarantined"]
    if verdicts != told["records"]:
        return CRASHED, f"{verdicts} verdicts for {told['records']} records"
    if sum(told["reasons"].values()) < told["rejected"] + told["quarantined"]:
        return CRASHED, "a record was refused without a reason"
    return ANSWERED, ""


def _read(file: Path) -> Told:
    """The same of its reader alone: every record has a place of its own and no fault that nobody knows."""
    from connectors.readers.frames import FAULT, LOCATOR
    from connectors.readers.packing import FileReader
    from pipelines.feeds.verdicts import READER_FAULTS

    reader = FileReader()
    places: set[str] = set()
    compared = records = 0
    for frame in reader.frames(file, reader.detect(file)):
        if compared < COMPARED:
            places.update(frame[LOCATOR])
            compared += len(frame)
        records += len(frame)
        if unknown := set(frame[FAULT]) - {"", *READER_FAULTS}:
            return CRASHED, f"unknown faults {unknown}"
    if len(places) != compared:
        return CRASHED, f"{len(places)} places for {compared} of {records} records"
    return ANSWERED, ""


def _refusal(refusal: Any) -> Told:
    sentence = str(refusal)
    if not refusal.rule:
        return CRASHED, f"a refusal without a rule: {sentence[:300]}"
    if "\n" in sentence or len(sentence) > SENTENCE or not sentence.endswith("."):
        return CRASHED, f"not one sentence: {sentence[:300]!r}"
    return REFUSED, refusal.rule


def _last_lines(error: BaseException) -> str:
    import traceback

    places = traceback.extract_tb(error.__traceback__)[-4:]
    way = " < ".join(f"{Path(place.filename).name}:{place.lineno}" for place in reversed(places))
    return f"{type(error).__name__}: {str(error)[:200]} ({way})"


def _warm() -> None:
    """Loads what every child needs, once; nothing runs in the parent, so that no thread is there to be forked."""
    for name in ("cli.feed_try", "connectors.readers.packing", "pipelines.feeds.normalise"):
        importlib.import_module(name)
    from connectors.registry import READERS
    from pipelines.feeds.profiles import profiles

    profiles()
    for kind in READERS:
        READERS[kind]


# ------------------------------------------------------------------------------------------------ failures
def _written(folder: Path, seed: int, place: int) -> Path:
    from tests.hostile import hostile

    name, content = hostile(seed, place)
    own = folder / str(place)
    own.mkdir(exist_ok=True)
    file = own / "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)[-100:]
    file.write_bytes(content)
    return file


def _kept(keep: Path, folder: Path, seed: int, place: int, outcome: Outcome, *, shrink: bool) -> str:
    """Keeps a file that failed, as small as halving makes it while it still fails in the same way."""
    keep.mkdir(parents=True, exist_ok=True)
    file = _written(folder, seed, place)
    content = _smaller(file, outcome) if shrink else file.read_bytes()
    kept = keep / f"{seed}-{place}-{file.name}"
    kept.write_bytes(content)
    sys.stderr.write(f"{outcome.verdict}: {kept} ({len(content):,} bytes): {outcome.told}\n")
    return kept.name


def _smaller(file: Path, outcome: Outcome) -> bytes:
    content, tries = file.read_bytes(), 0
    size = len(content) // 2
    fault = outcome.told.partition(":")[0]
    while size >= 1 and tries < 40:
        for start in range(0, len(content), size):
            tries += 1
            shorter = content[:start] + content[start + size :]
            file.write_bytes(shorter)
            found = _alone(file)
            if found.verdict == CRASHED and found.told.partition(":")[0] == fault:
                content = shorter
                break
            if tries >= 40:
                break
        else:
            size //= 2
    return content


def main(arguments: list[str]) -> int:
    """Prints one table, or with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(prog="./run fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    parser.add_argument("--children", type=int, default=2, help="how many at the same time")
    parser.add_argument("--whole", type=float, default=1.0, help="share that goes further than its reader")
    parser.add_argument(
        "--keep", type=Path, default=CHECKOUT / "var" / "fuzz", help="folder for files that fail"
    )
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--file", type=Path, help="try this one file instead")
    given = parser.parse_args(arguments)
    if given.file:
        print(tried(given.file))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = fuzz(given.files, given.seed, given.keep, children=given.children, whole=given.whole)
    if given.as_json:
        print(json.dumps(asdict(report)))
    else:
        for name, value in asdict(report).items():
            told = [f"{rule} {count}" for rule, count in value.items()] if isinstance(value, dict) else value
            print(f"{name:10} {', '.join(told) if isinstance(told, list | tuple) else told}")
    return int(bool(report.crashes or report.hangs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
