"""Files sent in pieces: kept where they break off, checked, finished once, whoever restarts; the API's and the console's way."""

import hashlib
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import schedules.jobs
from core.clock import now
from pipelines.feeds import uploads
from tests import builders as make
from tests.console import Console, console, served, token_in, until
from tests.stepping import one, pending, rows

CONTENT = bytes(range(256)) * 20_000
SHA = hashlib.sha256(CONTENT).hexdigest()
THIRD = len(CONTENT) // 3


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Console]:
    with console(database_url, tmp_path, upload_limit_mb=6) as made:
        yield made


@pytest.fixture
def feed_id(opened: Console) -> int:
    with opened.db.unit_of_work() as uow:
        return make.feed(uow.session).id


def begin(opened: Console, feed_id: int, **more: Any) -> str:
    asked = {"name": "../x/liste.csv", "size": len(CONTENT), **more}
    answer = opened.api("POST", f"/feeds/{feed_id}/uploads", json=asked)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/uploads/{answer.json()['id']}/file"
    return str(answer.json()["id"])


def send(opened: Console, upload: str, start: int, end: int) -> Any:
    return opened.api(
        "PATCH", f"/uploads/{upload}/file", content=CONTENT[start:end], headers={"Upload-Offset": str(start)}
    )


def files(opened: Console) -> list[str]:
    return sorted(file.name for file in opened.settings.archive.rglob("*") if file.is_file())


def test_pieces_become_one_file_and_one_run(opened: Console, feed_id: int) -> None:
    upload = begin(opened, feed_id, sha256=SHA.upper())
    assert send(opened, upload, 0, THIRD).headers["upload-offset"] == str(THIRD)
    there = opened.api("HEAD", f"/uploads/{upload}/file")
    assert (there.status_code, there.headers["upload-offset"], there.headers["upload-length"]) == (
        200, str(THIRD), str(len(CONTENT)),
    )  # fmt: skip
    ranged = opened.api(
        "PUT", f"/uploads/{upload}/file", content=CONTENT[THIRD:],
        headers={"Content-Range": f"bytes {THIRD}-{len(CONTENT) - 1}/{len(CONTENT)}"},
    )  # fmt: skip
    assert (ranged.status_code, ranged.headers["upload-offset"]) == (204, str(len(CONTENT)))
    done = opened.api("POST", f"/uploads/{upload}/finish")
    assert done.status_code == 202
    told = done.json()
    assert (told["state"], told["file_name"], told["file_bytes"], told["file_sha256"]) == (
        "landed", "liste.csv", len(CONTENT), SHA,
    )  # fmt: skip
    assert files(opened) == [f"{SHA}.bin"], "the pieces are gone"
    assert opened.api("POST", f"/uploads/{upload}/finish").json() == told, "finished once, told twice"
    assert (one(opened.db, "SELECT count(*) FROM feed_run"), len(pending(opened.db))) == (1, 1)
    assert send(opened, upload, 0, 10).status_code == 409


def test_a_piece_that_breaks_off_is_kept_as_far_as_it_came(opened: Console, feed_id: int) -> None:
    upload = begin(opened, feed_id)
    with served(opened) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as line:
        line.sendall(
            f"PATCH /api/v1/uploads/{upload}/file HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {opened.made.api_key}\r\n"
            f"Upload-Offset: 0\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
            + CONTENT[:3_000_000]
        )
        line.shutdown(socket.SHUT_WR)
        until(lambda: one(opened.db, "SELECT received FROM upload") > 0, "what came is noted")
    there = one(opened.db, "SELECT received FROM upload")
    assert 0 < there <= 3_000_000
    assert (opened.settings.archive / "uploads" / f"{upload}.part").read_bytes()[:there] == CONTENT[:there]
    assert send(opened, upload, there, len(CONTENT)).status_code == 204
    assert opened.api("POST", f"/uploads/{upload}/finish").json()["file_sha256"] == SHA


def test_it_goes_on_after_a_restart_of_the_hub(database_url: str, tmp_path: Path) -> None:
    with console(database_url, tmp_path, sign_in=False) as first:
        with first.db.unit_of_work() as uow:
            feed_id = make.feed(uow.session).id
        upload, key = begin(first, feed_id), first.made.api_key
        send(first, upload, 0, THIRD)
        with (first.settings.archive / "uploads" / f"{upload}.part").open("ab") as cut_off:
            cut_off.write(b"bytes of a piece that the kill kept from being noted")
        from core.database import Database
        from pipelines.routes import ROUTES

        again = Database(database_url, ROUTES)  # another process, with nothing but the table and the folder
        try:
            from io import BytesIO

            assert uploads.add(again, first.settings, upload, THIRD, BytesIO(CONTENT[THIRD:])) == len(CONTENT)  # type: ignore[arg-type]
            run_id, state = uploads.finish(again, first.settings, upload)
        finally:
            again.close()
        assert first.api("GET", f"/runs/{run_id}", key=key).json()["file_sha256"] == SHA and state == "landed"


def test_the_wrong_place_is_told_the_right_one(opened: Console, feed_id: int) -> None:
    upload = begin(opened, feed_id)
    send(opened, upload, 0, THIRD)
    for start in (0, THIRD - 1, THIRD + 1):
        refused = send(opened, upload, start, start + 100)
        assert refused.status_code == 409
        assert refused.json()["error"]["message"].endswith(f"go on from {THIRD}.")
    assert opened.api("GET", f"/uploads/{upload}").json()["received"] == THIRD
    early = opened.api("POST", f"/uploads/{upload}/finish")
    assert early.status_code == 409 and "send the rest first" in early.json()["error"]["message"]
    assert rows(opened.db, "SELECT id FROM feed_run") == []


def test_two_who_write_at_once_cannot_mix_their_bytes(opened: Console, feed_id: int) -> None:
    upload = begin(opened, feed_id)

    class Slow:
        def read(self, size: int) -> bytes:
            if not said:
                said.append(send(opened, upload, 0, THIRD))
                return CONTENT[:THIRD]
            return b""

    said: list[Any] = []
    assert uploads.add(opened.db, opened.settings, upload, 0, Slow()) == THIRD  # type: ignore[arg-type]
    assert said[0].status_code == 409 and "just being written" in said[0].json()["error"]["message"]


def test_bytes_that_a_disk_lost_are_asked_for_again(opened: Console, feed_id: int) -> None:
    upload = begin(opened, feed_id)
    send(opened, upload, 0, THIRD)
    (opened.settings.archive / "uploads" / f"{upload}.part").unlink()
    assert send(opened, upload, THIRD, len(CONTENT)).status_code == 409
    assert opened.api("GET", f"/uploads/{upload}").json()["received"] == 0
    assert send(opened, upload, 0, len(CONTENT)).status_code == 204
    assert opened.api("POST", f"/uploads/{upload}/finish").json()["file_sha256"] == SHA


def test_another_sha256_makes_no_run_and_begins_anew(opened: Console, feed_id: int) -> None:
    upload = begin(opened, feed_id, sha256="0" * 64)
    send(opened, upload, 0, len(CONTENT))
    refused = opened.api("POST", f"/uploads/{upload}/finish")
    assert (refused.status_code, refused.json()["error"]["rule"]) == (422, "sha256")
    assert opened.api("GET", f"/uploads/{upload}").json()["received"] == 0
    assert rows(opened.db, "SELECT id FROM feed_run") == [] and f"{SHA}.bin" not in files(opened)


def test_limits(opened: Console, feed_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_OPEN", 2)
    for asked, status in (
        ({"size": 6_000_001}, 422),
        ({"size": 0}, 422),
        ({"size": 5, "sha256": "x"}, 422),
        ({}, 422),
    ):
        assert opened.api("POST", f"/feeds/{feed_id}/uploads", json=asked).status_code == status
    assert opened.api("POST", "/feeds/999/uploads", json={"size": 5}).status_code == 404
    upload = begin(opened, feed_id, size=100)
    refused = send(opened, upload, 0, 101)
    assert (refused.status_code, refused.json()["error"]["rule"]) == (422, "too_large")
    assert opened.api("GET", f"/uploads/{upload}").json()["received"] == 0
    begin(opened, feed_id)
    assert (
        opened.api("POST", f"/feeds/{feed_id}/uploads", json={"size": 5}).json()["error"]["rule"]
        == "too_many"
    )
    assert opened.api("DELETE", f"/uploads/{upload}").status_code == 204
    assert opened.api("GET", f"/uploads/{upload}").status_code == 404
    assert f"{upload}.part" not in files(opened)
    begin(opened, feed_id)
    for address in (f"/uploads/{'0' * 32}", "/uploads/..%2F..%2Fvault.key", "/uploads/x"):
        assert opened.api("GET", address).status_code == 404


def test_nobody_sends_without_key_session_or_token(opened: Console, feed_id: int) -> None:
    upload = begin(opened, feed_id)
    headers = {"Upload-Offset": "0"}
    assert (
        opened.client.patch(f"/api/v1/uploads/{upload}/file", content=b"x", headers=headers).status_code
        == 401
    )
    for csrf in ({}, {"X-Csrf": "wrong"}):
        address = f"/feeds/{feed_id}/uploads/{upload}/file"
        assert opened.client.patch(address, content=b"x", headers=headers | csrf).status_code == 403
        assert (
            opened.client.post(f"/feeds/{feed_id}/uploads", json={"size": 5}, headers=csrf).status_code == 403
        )
    opened.client.cookies.clear()
    assert opened.client.post(f"/feeds/{feed_id}/uploads", json={"size": 5}).status_code == 303
    assert rows(opened.db, "SELECT id, received FROM upload") == [(upload, 0)]


def test_the_consoles_way(opened: Console, feed_id: int) -> None:
    headers = {"X-Csrf": token_in(opened.get(f"/feeds/{feed_id}").text), "Accept": "application/json"}
    base = f"/feeds/{feed_id}/uploads"
    made = opened.client.post(base, json={"name": "liste.csv", "size": len(CONTENT)}, headers=headers).json()
    piece = f"{base}/{made['id']}/file"
    taken = opened.client.patch(piece, content=CONTENT[:THIRD], headers=headers | {"Upload-Offset": "0"})
    assert taken.json() == {"received": THIRD}
    assert opened.client.get(f"{base}/{made['id']}").json()["received"] == THIRD
    refused = opened.client.patch(piece, content=b"x", headers=headers | {"Upload-Offset": "0"})
    assert refused.status_code == 409 and "go on from" in refused.json()["error"]["message"]
    opened.client.patch(piece, content=CONTENT[THIRD:], headers=headers | {"Upload-Offset": str(THIRD)})
    done = opened.client.post(f"{base}/{made['id']}/finish", headers=headers).json()
    run_id = one(opened.db, "SELECT id FROM feed_run")
    assert done == {"address": f"/runs/{run_id}?said=landed"}


def test_stale_ones_are_removed_by_the_clock(
    opened: Console, feed_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = begin(opened, feed_id), begin(opened, feed_id)
    for upload in (old, young):
        send(opened, upload, 0, 100)
    with opened.db.unit_of_work() as uow:
        uow.cursor().execute(
            "UPDATE upload SET touched_at = %s WHERE id = %s", [now() - timedelta(hours=49), old]
        )
    for name, age in ((".incoming-old", 49), (".incoming-young", 1)):
        draft = opened.settings.archive / name
        draft.write_bytes(b"half a file that a kill left")
        moment = (now() - timedelta(hours=age)).timestamp()
        os.utime(draft, (moment, moment))
    monkeypatch.setattr(schedules.jobs, "load", lambda: opened.settings)
    with opened.db.unit_of_work() as uow:
        schedules.jobs.uploads_trim(uow, datetime.now(UTC))
    assert rows(opened.db, "SELECT id FROM upload") == [(young,)]
    assert files(opened) == [".incoming-young", f"{young}.part"]
