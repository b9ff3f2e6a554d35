"""A drop folder gives complete files only, oldest first, each once, and never one from outside of it."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.sources.archive import archive, archived
from connectors.sources.folder import DropFolder
from core.errors import Misconfigured, Refused


class Drop:
    """A folder with files of known age; `during` happens between the two looks."""

    def __init__(self, root: Path) -> None:
        self.root, self.into = root / "drop", root / "archive"
        self.root.mkdir()
        self.waited: list[float] = []
        self.during: Callable[[], object] = lambda: None
        self.clock: Callable[[], float] = lambda: 0.0  # long before any change: never left alone long enough

    def put(self, name: str, content: str = "a;b\n", age: int = 100) -> Path:
        path = self.root / name
        path.write_text(content)
        os.utime(path, (1_800_000_000 - age, 1_800_000_000 - age))
        return path

    def fetch(self, last: str | None = None) -> str | None:
        def wait(seconds: float) -> None:
            self.waited.append(seconds)
            self.during()

        landed = DropFolder(self.root, wait=wait, clock=self.clock).fetch(self.into, last)
        if landed is None:
            return None
        assert landed.path.read_bytes().decode() != "" or landed.bytes == 0
        assert landed.bytes == landed.path.stat().st_size
        assert landed.path == archived(self.into, landed.sha256)
        return landed.name

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir())


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path)


def sha(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def test_an_empty_folder_gives_nothing_and_waits_for_nothing(drop: Drop) -> None:
    assert drop.fetch() is None
    assert drop.waited == []


def test_a_file_lands_whole_under_its_hash(drop: Drop) -> None:
    drop.put("prices.csv", "sku;price\nA;1\n")
    assert drop.fetch() == "prices.csv"
    assert drop.waited == [0.5]
    digest = sha("sku;price\nA;1\n")
    kept = [path for path in drop.into.rglob("*") if path.is_file()]
    assert kept == [drop.into / digest[:2] / f"{digest}.bin"]
    assert kept[0].read_text() == "sku;price\nA;1\n"
    assert drop.names() == ["prices.csv"]


def test_what_was_left_alone_long_enough_needs_no_second_look(drop: Drop) -> None:
    changed = drop.put("prices.csv", "1").stat().st_ctime
    drop.clock = lambda: changed + 0.51
    assert drop.fetch() == "prices.csv"
    assert drop.waited == []
    drop.clock = lambda: changed + 0.3
    assert drop.fetch() == "prices.csv"
    assert drop.waited == [pytest.approx(0.2, abs=1e-6)], "no longer than the rest of the pause"


def test_a_young_file_beside_old_ones_is_looked_at_twice(drop: Drop) -> None:
    growing = drop.put("growing.csv", "a", age=500)
    drop.clock = lambda: growing.stat().st_ctime + 0.1
    drop.during = lambda: growing.write_text("a and more")
    assert drop.fetch() is None
    assert len(drop.waited) == 1


def test_a_test_tells_what_would_be_taken_and_takes_nothing(drop: Drop) -> None:
    drop.put("late.csv", "2", age=100)
    drop.put("early.csv", "sku;price\nA;1\n", age=300)
    facts = DropFolder(drop.root).test()
    assert (facts.name, facts.bytes, facts.looks, facts.start) == (
        "early.csv", 14, "text, such as CSV", "sku;price\nA;1",
    )  # fmt: skip
    assert facts.changed_at is not None and facts.changed_at.timestamp() == 1_800_000_000 - 300
    assert facts.warnings == ("2 files wait; the oldest comes first.",)
    assert drop.names() == ["early.csv", "late.csv"] and not drop.into.exists()


def test_the_oldest_comes_first_and_the_recorded_one_is_put_aside(drop: Drop) -> None:
    drop.put("b.csv", "1", age=300)
    drop.put("a.csv", "2", age=100)
    drop.put("c.csv", "3", age=200)
    assert drop.fetch() == "b.csv"
    assert drop.fetch() == "b.csv", "not recorded yet: it comes again"
    assert drop.fetch(sha("1")) == "c.csv"
    assert drop.fetch(sha("3")) == "a.csv"
    assert drop.fetch(sha("2")) is None
    assert drop.names() == [f"taken/{sha(text)[:8]}-{name}" for text, name in sorted((("1", "b.csv"), ("2", "a.csv"), ("3", "c.csv")), key=lambda pair: sha(pair[0]))]  # fmt: skip
    assert drop.fetch(sha("2")) is None


def test_the_same_name_with_new_content_is_new(drop: Drop) -> None:
    drop.put("list.csv", "1", age=300)
    assert drop.fetch() == "list.csv"
    drop.put("list.csv", "2", age=200)
    assert drop.fetch(sha("1")) == "list.csv"
    assert (drop.into / sha("2")[:2] / f"{sha('2')}.bin").read_text() == "2"


def test_the_same_content_again_is_no_news(drop: Drop) -> None:
    drop.put("again.csv", "1")
    assert drop.fetch(sha("1")) is None


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.csv",
        "x.csv.tmp",
        "x.csv.part",
        "x.PART",
        "x.filepart",
        "x.csv.partial",
        "x.crdownload",
        "x.csv~",
    ],
)
def test_unfinished_and_hidden_names_are_left_alone(drop: Drop, name: str) -> None:
    drop.put(name)
    assert drop.fetch() is None
    assert drop.names() == [name]


def test_a_file_still_growing_waits_and_does_not_hold_up_the_others(drop: Drop) -> None:
    growing = drop.put("growing.csv", "a", age=500)
    drop.put("whole.csv", "b", age=100)
    drop.during = lambda: growing.write_text("a and more")
    assert drop.fetch() == "whole.csv"
    drop.during = lambda: None
    assert drop.fetch(sha("b")) == "growing.csv"


def test_a_file_rewritten_with_the_same_size_is_not_complete(drop: Drop) -> None:
    path = drop.put("a.csv", "12", age=500)

    def rewrite() -> None:
        path.write_text("34")
        os.utime(path, (1_800_000_000, 1_800_000_000))

    drop.during = rewrite
    assert drop.fetch() is None


def test_a_file_renamed_in_is_taken_at_the_next_look(drop: Drop) -> None:
    unfinished = drop.put("list.csv.part", "1")
    drop.during = lambda: unfinished.rename(drop.root / "list.csv")
    drop.put("other.csv", "2", age=900)
    assert drop.fetch() == "other.csv"
    drop.during = lambda: None
    assert drop.fetch(sha("2")) == "list.csv"


def test_a_file_removed_between_the_looks_is_no_error(drop: Drop) -> None:
    path = drop.put("gone.csv")
    drop.during = path.unlink
    assert drop.fetch() is None


def test_links_pipes_and_subfolders_lead_nowhere(drop: Drop, tmp_path: Path) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text("secret")
    (drop.root / "link.csv").symlink_to(outside)
    (drop.root / "folder").mkdir()
    (drop.root / "folder" / "deep.csv").write_text("x")
    os.mkfifo(drop.root / "pipe.csv")
    assert drop.fetch() is None
    assert not drop.into.exists()


def test_a_file_swapped_for_a_link_between_look_and_reading(drop: Drop, tmp_path: Path) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text("secret")
    path = drop.put("a.csv")
    source = DropFolder(drop.root, wait=lambda seconds: None)
    look = source._look

    def swap() -> dict[Path, tuple[int, ...]]:
        found = look()
        if path.is_symlink() is False and drop.waited:
            path.unlink()
            path.symlink_to(outside)
        drop.waited.append(1)
        return found

    source._look = swap  # type: ignore[method-assign]
    with pytest.raises(Misconfigured):
        source.fetch(drop.into, None)
    assert not list(drop.into.rglob("*.bin"))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"drop folder .*absent cannot be used: .*No such file"):
        DropFolder(tmp_path / "absent").fetch(tmp_path / "archive", None)


def test_an_upload_lands_once_under_its_own_name(tmp_path: Path) -> None:
    upload = tmp_path / "upload.bin"
    upload.write_bytes(b"x" * 3_000_000)
    first = archive(upload, tmp_path / "archive", "Preise März.csv")
    written = first.path.stat()
    second = archive(upload, tmp_path / "archive", "other.csv")
    assert (first.name, first.bytes, first.sha256) == (
        "Preise März.csv",
        3_000_000,
        hashlib.sha256(b"x" * 3_000_000).hexdigest(),
    )
    assert (second.path, second.name) == (first.path, "other.csv")
    assert (second.path.stat().st_ino, second.path.stat().st_mtime_ns) == (
        written.st_ino,
        written.st_mtime_ns,
    )
    assert [path for path in (tmp_path / "archive").rglob("*") if path.is_file()] == [first.path]


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe"])
def test_an_upload_that_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(Refused, match="cannot be taken in") as caught:
        archive(path, tmp_path / "archive")
    assert caught.value.rule == "unreadable"
    assert not list((tmp_path / "archive").rglob("*")) if (tmp_path / "archive").exists() else True


def test_a_file_with_the_longest_name_there_is_does_not_stop_the_folder(drop: Drop) -> None:
    name = "a" * 251 + ".csv"
    drop.put(name, "1")
    drop.put("b.csv", "2", age=50)
    assert drop.fetch() == name
    assert drop.fetch(sha("1")) == "b.csv"
    assert drop.names() == ["b.csv", f"taken/{sha('1')[:8]}-{name[9:]}"]
