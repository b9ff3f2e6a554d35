"""Every source keeps one contract: what is new lands once with its own bytes, what is not lands never, nothing leaks."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import FeedSource
from connectors.registry import SOURCES
from core.errors import Misconfigured, Temporary
from tests.contract.source_rigs import Rig, rig

FIRST = [{"sku": f"A{n}", "title": f"Lampe Ø {n}"} for n in range(5)]
SECOND = [*FIRST[:4], {"sku": "A4", "title": "changed"}]
KINDS = ("folder", "url", "sftp", "api")


@pytest.fixture(params=KINDS)
def supplier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with rig(request.param, tmp_path) as made:
        if request.param == "api":
            for record in (*FIRST, *SECOND):
                record["title"] = record["title"].replace("Ø", "O")
        yield made


def look(source: FeedSource, into: Path, last: str | None) -> tuple[str, bytes] | None:
    landed = source.fetch(into, last)
    if landed is None:
        return None
    content = landed.path.read_bytes()
    assert landed.sha256 == hashlib.sha256(content).hexdigest()
    assert landed.bytes == len(content)
    return landed.sha256, content


def test_every_kind_of_source_is_here() -> None:
    assert sorted(SOURCES) == sorted(KINDS)


def test_new_lands_once_unchanged_never_changed_once(supplier: Rig, tmp_path: Path) -> None:
    into = tmp_path / "archive"
    supplier.put(FIRST)
    source = supplier.source()
    first = look(source, into, None)
    assert first is not None and first[1] == supplier.bytes_of(FIRST)
    for _ in range(2):
        source = supplier.source(source.remembered)
        assert look(source, into, first[0]) is None
    supplier.put(SECOND)
    source = supplier.source(source.remembered)
    second = look(source, into, first[0])
    assert second is not None and second[1] == supplier.bytes_of(SECOND)
    assert look(supplier.source(source.remembered), into, second[0]) is None
    kept = sorted(file.name for file in into.rglob("*") if file.is_file())
    assert kept == sorted(f"{sha}.bin" for sha, _ in (first, second))


def test_killed_between_landing_and_recording_it_lands_again(supplier: Rig, tmp_path: Path) -> None:
    supplier.put(FIRST)
    first = look(supplier.source(), tmp_path / "archive", None)
    again = look(supplier.source(), tmp_path / "archive", None)
    assert first == again is not None


def test_the_same_content_published_anew_is_no_news(supplier: Rig, tmp_path: Path) -> None:
    supplier.put(FIRST)
    source = supplier.source()
    first = look(source, tmp_path / "archive", None)
    assert first is not None
    supplier.put(FIRST)
    source = supplier.source(source.remembered)
    assert look(source, tmp_path / "archive", first[0]) is None


def test_wrong_credentials_are_told_without_the_right_or_the_wrong_ones(
    supplier: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    supplier.put(FIRST)
    with pytest.raises(Misconfigured) as caught:
        supplier.wrong().fetch(tmp_path / "archive", None)
    with pytest.raises(Misconfigured):
        supplier.wrong().test()
    told = f"{caught.value} {caught.value!r} {supplier.source()!r} {caplog.text}"
    assert not [secret for secret in supplier.secrets if secret in told]
    assert not list(tmp_path.glob("archive/**/*.bin"))


def test_a_server_that_hangs_is_given_up(supplier: Rig, tmp_path: Path) -> None:
    supplier.put(FIRST)
    source = supplier.hanging()
    if source is None:
        return  # a folder of this machine does not hang
    with pytest.raises(Temporary):
        source.fetch(tmp_path / "archive", None)
    assert not list(tmp_path.glob("archive/*"))


def test_what_is_larger_than_the_limit_is_not_kept(supplier: Rig, tmp_path: Path) -> None:
    supplier.put(FIRST)
    try:
        supplier.source(limit=20).fetch(tmp_path / "archive", None)
    except Misconfigured as error:
        assert "larger than" in str(error)
        assert not list(tmp_path.glob("archive/**/*.bin")) and not list(tmp_path.glob("archive/.incoming*"))
    else:
        assert isinstance(supplier.source(), SOURCES["folder"])  # type: ignore[arg-type]


def test_a_test_says_what_is_there_and_lands_nothing(supplier: Rig, tmp_path: Path) -> None:
    supplier.put(FIRST)
    facts = supplier.source().test()
    assert facts.looks in ("text, such as CSV", "JSON")
    assert facts.start is not None and "A0" in facts.start and "Lampe" in facts.start
    assert not (tmp_path / "archive").exists()
    assert look(supplier.source(), tmp_path / "archive", None) is not None, "testing takes nothing away"
