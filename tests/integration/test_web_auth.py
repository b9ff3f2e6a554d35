"""Signing in: one operator, one session, limits on guessing, tokens on every form, headers on every answer."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import web.auth
from core.database import Database
from core.settings import CHECKOUT
from tests import builders as make
from tests.console import Console, console, token_in
from tests.stepping import one, rows
from web.auth import OVERALL, PER_ADDRESS, Attempts, first_start, is_password, reset
from web.deps import local_address


@pytest.fixture
def opened(database_url: str, tmp_path: Path):
    with console(database_url, tmp_path, sign_in=False) as made:
        yield made


def test_two_starts_at_once_make_one_operator(database_url: str) -> None:
    db = Database(database_url, ())
    gate, made = threading.Barrier(2), []

    def start() -> None:
        with db.unit_of_work() as uow:
            gate.wait(timeout=10)
            made.append(first_start(uow))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    (credentials,) = [each for each in made if each is not None]
    assert len(made) == 2
    assert one(db, "SELECT count(*) FROM operator") == 1
    assert one(db, "SELECT count(*) FROM api_key") == 1
    assert is_password(one(db, "SELECT password_hash FROM operator"), credentials.password)
    with db.unit_of_work() as uow:
        assert first_start(uow) is None
    db.close()


def test_two_web_processes_print_the_password_once(database_url: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "ENTREPOT_DATABASE_URL": database_url,
        "ENTREPOT_DATA": str(tmp_path),
        "ENTREPOT_PORT": "0",
    }
    children = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "web"], cwd=CHECKOUT, env={**environment, "PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    db = Database(database_url, ())
    told = [[], []]
    readers = [
        threading.Thread(target=lambda child=child, lines=lines: lines.extend(child.stdout), daemon=True)
        for child, lines in zip(children, told, strict=True)
    ]
    try:
        for reader in readers:
            reader.start()
        deadline = datetime.now(UTC) + timedelta(seconds=60)
        look = threading.Event()
        # Both have connected to the database only after one of them made the operator or found it.
        while not any("API key" in "".join(lines) for lines in told):
            assert datetime.now(UTC) < deadline, [child.poll() for child in children]
            look.wait(0.1)
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(timeout=30)
    for reader in readers:
        reader.join(timeout=10)
    printed = "".join(line for lines in told for line in lines)
    assert printed.count("API key   ent_") == 1
    password = next(line.split()[-1] for line in printed.splitlines() if "password  " in line)
    assert is_password(one(db, "SELECT password_hash FROM operator"), password)
    db.close()


def test_the_tables_hold_no_secret(opened: Console) -> None:
    opened.sign_in()
    cookie = next(cookie.value for cookie in opened.client.cookies.jar if cookie.name.startswith("entrepot-"))
    stored = (
        repr(rows(opened.db, "SELECT * FROM operator"))
        + repr(rows(opened.db, "SELECT * FROM api_key"))
        + repr(rows(opened.db, "SELECT * FROM web_session"))
    )
    for secret in (opened.made.password, opened.made.api_key, opened.made.api_key.split("_", 2)[2], cookie):
        assert secret not in stored
    assert one(opened.db, "SELECT password_hash FROM operator").startswith("$argon2id$")


def test_wrong_and_right_password(opened: Console) -> None:
    wrong = opened.sign_in("not-the-password")
    assert wrong.status_code == 401
    assert "That is not the password" in wrong.text
    assert one(opened.db, "SELECT count(*) FROM web_session") == 0
    right = opened.sign_in(next="/feeds?state=waiting")
    assert right.status_code == 303
    assert right.headers["location"] == "/feeds?state=waiting"
    (cookie,) = [
        header for header in right.headers.get_list("set-cookie") if header.startswith("entrepot-80=")
    ]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert opened.get("/").status_code == 200


def test_over_https_the_cookie_is_bound_to_the_host(opened: Console) -> None:
    opened.client.base_url = "https://hub.example"
    (cookie,) = [
        header
        for header in opened.sign_in().headers.get_list("set-cookie")
        if header.startswith("__Host-entrepot=")
    ]
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert opened.get("/").headers["strict-transport-security"] == "max-age=31536000"


def test_without_a_session_every_page_leads_to_the_door(opened: Console) -> None:
    for address in ("/feeds?state=waiting", "/queues", "/runs/1/report.csv", "/api/v1/docs"):
        away = opened.get(address)
        assert away.status_code == 303
        assert away.headers["location"].startswith("/login?next=%2F") or away.headers["location"].startswith(
            "/login?next=/"
        )
    polled = opened.client.get("/queues", headers={"HX-Request": "true"})
    assert (polled.status_code, polled.headers["hx-redirect"]) == (204, "/login")
    opened.client.cookies.set("entrepot-80", "made-up")
    assert opened.get("/").status_code == 303


def test_a_session_ends_when_it_is_idle(opened: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    opened.sign_in()
    start = datetime.now(UTC)
    monkeypatch.setattr(web.auth, "now", lambda: start + timedelta(hours=11))
    assert opened.get("/").status_code == 200
    monkeypatch.setattr(web.auth, "now", lambda: start + timedelta(hours=22))
    assert opened.get("/").status_code == 200  # it was used meanwhile
    monkeypatch.setattr(web.auth, "now", lambda: start + timedelta(hours=34, minutes=1))
    assert opened.get("/").status_code == 303


def test_signing_out_ends_the_session_on_the_hub(opened: Console) -> None:
    opened.sign_in()
    kept = {cookie.name: cookie.value for cookie in opened.client.cookies.jar}
    assert opened.post("/logout").status_code == 303
    opened.client.cookies.update(kept)
    assert opened.get("/").status_code == 303
    assert one(opened.db, "SELECT count(*) FROM web_session") == 0


def test_guessing_has_to_wait(opened: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(PER_ADDRESS):
        assert opened.sign_in("wrong").status_code == 401
    refused = opened.sign_in()  # the right one must wait, too
    assert refused.status_code == 429
    assert "Try again in 15 min" in refused.text
    start = datetime.now(UTC)
    monkeypatch.setattr(web.auth, "now", lambda: start + timedelta(minutes=16))
    assert opened.sign_in().status_code == 303


def test_guessing_from_many_addresses_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Attempts()
    for number in range(OVERALL - 1):
        attempts.failed(f"192.0.2.{number}")
    assert attempts.wait("198.51.100.1") is None
    attempts.failed("192.0.2.200")
    assert attempts.wait("198.51.100.1") is not None
    attempts.succeeded("192.0.2.200")
    assert attempts.wait("198.51.100.1") is None


def test_a_form_without_its_token_changes_nothing(opened: Console) -> None:
    assert opened.client.post("/login", data={"password": opened.made.password}).status_code == 403
    assert (
        opened.client.post("/login", data={"password": opened.made.password, "csrf": "x"}).status_code == 403
    )
    opened.sign_in()
    with opened.db.unit_of_work() as uow:
        letter = make.dead_letter(uow.session)
        number = letter.id
    for token in ("", "wrong", token_in(opened.get("/feeds/new").text)[:-1]):
        refused = opened.client.post("/dead-letters/replay", data={"chosen": number, "csrf": token})
        assert refused.status_code == 403
        assert "Nothing was changed" in refused.text
    assert one(opened.db, "SELECT count(*) FROM message") == 0
    assert one(opened.db, "SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL") == 1


def test_reset_ends_what_was(opened: Console) -> None:
    opened.sign_in()
    assert opened.api("GET", "/feeds").status_code == 200
    with opened.db.unit_of_work() as uow:
        made = reset(uow)
    assert opened.get("/").status_code == 303
    assert opened.api("GET", "/feeds").status_code == 401
    assert opened.api("GET", "/feeds", key=made.api_key).status_code == 200
    assert opened.sign_in().status_code == 401
    assert opened.sign_in(made.password).status_code == 303


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "",
        "/a\nb",
        "/\t/evil",
    ],
)
def test_nobody_is_sent_elsewhere(address: str) -> None:
    assert local_address(address) == "/"
    assert local_address("/feeds?state=waiting&q=ü") == "/feeds?state=waiting&q=ü"


def test_headers_on_every_answer(opened: Console) -> None:
    opened.sign_in()
    for address in ("/login", "/", "/nowhere", "/api/v1/feeds", "/api/v1/openapi.json", "/runs/999"):
        headers = opened.get(address).headers
        policy = headers["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'self'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers


def test_what_nobody_foresaw_is_told_without_its_words(
    opened: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.sign_in()

    def break_down(*_: object) -> None:
        raise RuntimeError("canary-secret-4711")

    monkeypatch.setattr("web.pages.feeds.feed_rows", break_down)
    monkeypatch.setattr("web.api.feeds.feed_rows", break_down)
    page = opened.get("/feeds")
    assert page.status_code == 500
    assert "canary" not in page.text
    assert "Reference for the operator: <code>E-" in page.text
    answer = opened.api("GET", "/feeds")
    assert answer.status_code == 500
    assert answer.json()["error"]["rule"] == "internal"
    assert answer.json()["error"]["reference"].startswith("E-")
    assert "canary" not in answer.text
