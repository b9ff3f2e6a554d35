"""The REST API of feeds: files streamed into the archive, runs read, approved and read again."""

import hashlib
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connectors.sources.archive import archive
from core.clock import now
from tests import builders as make
from tests.console import Console, console, served, until
from tests.stepping import one, pending


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Console]:
    with console(database_url, tmp_path, sign_in=False) as made:
        yield made


def test_a_feed_is_made_and_shown_with_its_whole_policy(opened: Console) -> None:
    opened.api("POST", "/suppliers", json={"name": "Nordlicht", "code": "NORD"})
    asked = {
        "name": "Liste",
        "supplier": "NORD",
        "currency": "eur",
        "policy": {"absence": "keep", "cost": {"from": "price", "minus_percent": 30}},
    }
    made = opened.api("POST", "/feeds", json=asked)
    assert made.status_code == 201
    assert made.json()["policy"] == {
        "mode": "full", "absence": "keep", "assumed_stock": 0, "min_offers_percent": 50, "max_price_changes_percent": 30, "max_zero_stock_percent": 50,
        "cost": {"from": "price", "minus_percent": 30.0},
    }  # fmt: skip
    assert one(opened.db, "SELECT policy FROM feed") == {
        "absence": "keep",
        "cost": {"from": "price", "minus_percent": 30.0},
    }
    assert opened.api("GET", f"/feeds/{made.json()['id']}").json() == made.json()
    assert opened.api("GET", "/feeds").json()["feeds"] == [
        {
            "id": made.json()["id"],
            "name": "Liste",
            "supplier": "Nordlicht",
            "offers": 0,
            "run_id": None,
            "state": "none",
            "landed_at": None,
        }
    ]


@pytest.mark.parametrize("form", [False, True])
def test_a_file_is_streamed_into_the_archive(opened: Console, form: bool) -> None:
    with opened.db.unit_of_work() as uow:
        feed = make.feed(uow.session)
        feed_id, lane = feed.id, feed.lane
    content = bytes(range(256)) * 20_000  # 5 MB in pieces
    address = f"/feeds/{feed_id}/files?name=..%2Fx%2Fliste.csv"
    pieces = (content[start : start + 65_536] for start in range(0, len(content), 65_536))
    sent = (
        opened.api("POST", address, files={"file": ("other.csv", content)})
        if form
        else opened.api("POST", address, content=pieces)
    )
    assert sent.status_code == 202
    told = sent.json()
    sha256 = hashlib.sha256(content).hexdigest()
    assert (told["state"], told["file_name"], told["file_bytes"], told["file_sha256"]) == (
        "landed",
        "liste.csv",
        len(content),
        sha256,
    )
    files = [file for file in opened.settings.archive.rglob("*") if file.is_file()]
    assert [file.name for file in files] == [f"{sha256}.bin"]
    assert files[0].read_bytes() == content
    assert [(message["event"], message["lane"], message["payload"]) for message in pending(opened.db)] == [
        ("FileLanded", lane, {"run_id": told["id"]})
    ]


def test_an_upload_that_breaks_off_leaves_nothing(opened: Console, caplog: pytest.LogCaptureFixture) -> None:
    with opened.db.unit_of_work() as uow:
        feed_id = make.feed(uow.session).id
    head = f"POST /api/v1/feeds/{feed_id}/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {opened.made.api_key}\r\nContent-Length: 9000000\r\n\r\n"

    def files() -> list[Path]:
        return [file for file in opened.settings.archive.rglob("*") if file.is_file()]

    with served(opened) as url:
        with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=20) as cable:
            cable.sendall(head.encode() + b"a;b\n" * 500_000)
            until(files, "the file is coming in")
        until(lambda: not files(), "what came of it is gone")
    assert opened.api("POST", f"/feeds/{feed_id}/files", content=b"").json()["error"]["rule"] == "empty"
    assert one(opened.db, "SELECT count(*) FROM feed_run") == 0
    assert pending(opened.db) == []
    assert "request failed" not in caplog.text  # somebody who leaves is no fault of the hub


def test_runs_are_listed_shown_and_approved(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        feed = make.feed(uow.session)
        make.run(uow.session, feed, "applied", landed_at=now() - timedelta(days=1))
        run = make.run(
            uow.session, feed, "waiting", rejected=2, plan={"changed": 90, "limits": ["Too many."]}
        )
        for place in (3, 9):
            make.reject(uow.session, run, place)
        make.reject(uow.session, run, 11, reasons=["duplicate"], verdict="rejected")
        feed_id, run_id = feed.id, run.id
    assert [row["state"] for row in opened.api("GET", f"/feeds/{feed_id}/runs").json()["runs"]] == [
        "waiting",
        "applied",
    ]
    assert len(opened.api("GET", f"/feeds/{feed_id}/runs?state=applied").json()["runs"]) == 1
    shown = opened.api("GET", f"/runs/{run_id}").json()
    assert (shown["summary"]["rejected"], shown["plan"]["limits"]) == (2, ["Too many."])
    refused = opened.api("GET", f"/runs/{run_id}/rejects?rule=missing_price").json()["rejects"]
    assert [(row["place"], row["locator"], row["raw"]["EK netto"]) for row in refused] == [
        (3, "row 4", ""),
        (9, "row 10", ""),
    ]
    approved = opened.api("POST", f"/runs/{run_id}/approve")
    assert (approved.status_code, approved.json()["state"]) == (202, "approved")
    again = opened.api("POST", f"/runs/{run_id}/approve")
    assert (again.status_code, again.json()["error"]["rule"]) == (409, "wrong_state")
    assert [message["event"] for message in pending(opened.db)] == ["RunApproved"]


def test_a_feed_is_changed_and_goes_back_to_the_default(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        number = make.feed(uow.session, policy={"assumed_stock": 5, "mode": "full"}).id
    changed = opened.api(
        "PATCH", f"/feeds/{number}", json={"policy": {"absence": "withdraw", "assumed_stock": None}}
    )
    assert (changed.status_code, changed.json()["currency"]) == (200, "EUR")
    assert one(opened.db, "SELECT policy FROM feed") == {"absence": "withdraw", "mode": "full"}
    assert opened.api("PATCH", f"/feeds/{number}", json={"currency": None}).json()["currency"] is None
    for wrong in (
        {"policy": {"absence": "delete"}},
        {"currency": "Euro"},
        {"name": "x"},
        {"policy": {"cost": {"from": "stock"}}},
    ):
        assert opened.api("PATCH", f"/feeds/{number}", json=wrong).status_code == 422
    assert one(opened.db, "SELECT policy FROM feed") == {"absence": "withdraw", "mode": "full"}


def test_a_file_is_read_again_from_the_archive(opened: Console, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("a;b\n1;2\n")
    kept = archive(tmp_path / "list.csv", opened.settings.archive)
    with opened.db.unit_of_work() as uow:
        feed = make.feed(uow.session)
        there = make.run(
            uow.session, feed, "applied", file_name="list.csv", file_sha256=kept.sha256, file_bytes=kept.bytes
        ).id
        gone, lane = make.run(uow.session, feed, "applied").id, feed.lane
    again = opened.api("POST", f"/runs/{there}/again")
    assert (again.status_code, again.json()["state"], again.json()["file_sha256"]) == (
        202,
        "landed",
        kept.sha256,
    )
    assert again.json()["id"] > gone
    assert [(message["event"], message["lane"]) for message in pending(opened.db)] == [("FileLanded", lane)]
    lost = opened.api("POST", f"/runs/{gone}/again")
    assert (lost.status_code, lost.json()["error"]["rule"]) == (422, "no_file")
    assert one(opened.db, "SELECT count(*) FROM feed_run") == 3
