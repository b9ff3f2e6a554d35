"""Landing from sources that fail, change and remember: problems stand at the feed, validators with the run, one message each."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import schedules.jobs
from core import clock, log
from core.database import Database
from core.errors import Refused
from core.settings import Settings
from core.vault import load_vault
from models.events import FeedDue
from models.suppliers import Feed, FeedRun
from pipelines.feeds import land as land_step
from pipelines.feeds.land import ask_to_look, land
from pipelines.feeds.sources import SourceChange, pin, set_source, try_source
from pipelines.routes import ROUTES
from tests import builders as make
from tests.file_server import FileHost, file_host, status
from tests.sftp_server import PASSWORD, USER, sftp_host
from tests.stepping import one, pending, rows, run_all

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LIST = b"sku;title;cost;stock;currency\nA;Lamp;1,50;3;EUR\n"
CANARY = "canary-feed-secret"


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    log.configure()
    database = Database(database_url, ROUTES)
    yield database
    database.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FileHost]:
    with file_host(tmp_path) as made:
        made.content = LIST
        yield made


def settings() -> Settings:
    from core.settings import load

    return load()


def feed_of(db: Database, source: dict[str, Any], secret: str | None = None) -> int:
    with db.unit_of_work() as uow:
        feed_id = make.feed(uow.session).id
    with db.unit_of_work() as uow:
        asked = {"source": source, "cron": "* * * * *", **({"secret": {"secret": secret}} if secret else {})}
        set_source(uow, settings(), feed_id, SourceChange.model_validate(asked))
    return feed_id


def url_source(host: FileHost, **more: Any) -> dict[str, Any]:
    return {"kind": "url", "url": host.url(), "ca_file": str(host.ca_file), **more}


def look(db: Database, feed_id: int) -> None:
    land(FeedDue(tenant=2, lane=f"feed:{feed_id}", feed_id=feed_id), db)


def state(db: Database, feed_id: int) -> dict[str, Any]:
    found: dict[str, Any] = one(db, "SELECT source_state FROM feed WHERE id = %s", feed_id)
    return found


def runs(db: Database, feed_id: int) -> list[tuple[Any, ...]]:
    return rows(db, "SELECT state, file_name, as_of FROM feed_run WHERE feed_id = %s ORDER BY id", feed_id)


def test_what_a_source_remembers_is_stored_with_its_run(db: Database, host: FileHost) -> None:
    feed_id = feed_of(db, url_source(host))
    look(db, feed_id)
    assert runs(db, feed_id) == [("landed", "list.csv", datetime.fromtimestamp(host.changed, UTC))]
    assert state(db, feed_id)["remembered"]["etag"] == host.etag
    assert [message["event"] for message in pending(db)] == ["FileLanded"], (
        "one file is all there is at an address"
    )
    sent = host.sent
    look(db, feed_id)
    assert len(runs(db, feed_id)) == 1 and host.sent == sent


def test_a_future_last_modified_is_not_believed(db: Database, host: FileHost) -> None:
    host.changed = (clock.now() + timedelta(days=3)).timestamp()
    feed_id = feed_of(db, url_source(host))
    look(db, feed_id)
    assert abs((runs(db, feed_id)[0][2] - clock.now()).total_seconds()) < 60


def test_killed_before_the_run_is_recorded_nothing_is_remembered(
    db: Database, host: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed_id = feed_of(db, url_source(host))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(land_step, "receive", killed)
        with pytest.raises(KeyboardInterrupt):
            look(db, feed_id)
    assert (runs(db, feed_id), state(db, feed_id), pending(db)) == ([], {}, [])
    look(db, feed_id)
    assert len(runs(db, feed_id)) == 1


def test_a_failing_source_is_no_failed_step_and_rests_longer_each_time(
    db: Database, host: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [NOON]
    monkeypatch.setattr(land_step, "now", lambda: moment[0])
    feed_id = feed_of(db, url_source(host))
    host.script = [status(404)] * 3 + [status(503, retry_after="7200")]
    for failures, rest in ((1, 50), (2, 100), (3, 200), (4, 7200)):
        look(db, feed_id)
        told = state(db, feed_id)
        assert told["failures"] == failures and told["since"] == NOON.isoformat()
        assert datetime.fromisoformat(told["again_at"]) == moment[0] + timedelta(seconds=rest)
        assert told["looked_at"] == moment[0].isoformat()
        moment[0] += timedelta(hours=3)
    assert "answered 503" in told["problem"]
    assert (pending(db), one(db, "SELECT count(*) FROM dead_letter"), runs(db, feed_id)) == ([], 0, [])
    look(db, feed_id)
    assert sorted(state(db, feed_id)) == ["looked_at", "remembered"], "the problem is over"
    assert len(runs(db, feed_id)) == 1


def test_a_folder_that_is_gone_is_told_at_the_feed(db: Database, tmp_path: Path) -> None:
    feed_id = feed_of(db, {"kind": "folder", "path": str(tmp_path / "gone")})
    look(db, feed_id)
    assert "cannot be used" in state(db, feed_id)["problem"]
    assert one(db, "SELECT count(*) FROM dead_letter") == 0


def test_a_feed_that_files_are_sent_to_has_nothing_to_look_at(db: Database) -> None:
    feed_id = feed_of(db, {"kind": "upload"})
    look(db, feed_id)
    assert (state(db, feed_id), runs(db, feed_id), pending(db)) == ({}, [], [])


def test_the_clock_asks_once_and_leaves_alone_what_rests(db: Database, host: FileHost) -> None:
    feed_id = feed_of(db, url_source(host))

    def minute(moment: datetime) -> int:
        with db.unit_of_work() as uow:
            schedules.jobs.feeds_due(uow, moment)
        return sum(message["event"] == "FeedDue" for message in pending(db))

    assert [minute(NOON + timedelta(minutes=n)) for n in range(5)] == [1] * 5, "no worker runs, none pile up"
    with db.unit_of_work() as uow:
        uow.cursor().execute("DELETE FROM message")
        feed = uow.session.get_one(Feed, feed_id)
        feed.source_state = {"again_at": (NOON + timedelta(minutes=2)).isoformat()}
    assert [minute(NOON + timedelta(minutes=n)) for n in range(4)] == [0, 0, 1, 1]


def test_each_feed_has_its_own_schedule(db: Database, host: FileHost) -> None:
    first, second = feed_of(db, url_source(host)), feed_of(db, url_source(host))
    with db.unit_of_work() as uow:
        set_source(uow, settings(), second, SourceChange(cron="30 4 * * *"))
    with db.unit_of_work() as uow:
        schedules.jobs.feeds_due(uow, NOON)
    assert [message["payload"] for message in pending(db)] == [{"feed_id": first}]
    with db.unit_of_work() as uow:
        schedules.jobs.feeds_due(uow, NOON.replace(hour=4, minute=30))
    assert [message["payload"] for message in pending(db)] == [{"feed_id": first}, {"feed_id": second}]


def test_a_person_who_presses_twice_asks_once(db: Database, host: FileHost) -> None:
    feed_id = feed_of(db, url_source(host))
    for _ in range(3):
        with db.unit_of_work() as uow:
            ask_to_look(uow, uow.session.get_one(Feed, feed_id))
    assert len(pending(db)) == 1
    with (
        db.unit_of_work() as uow
    ):  # a worker has it, or it waits for another try: the file may have come after
        uow.cursor().execute("UPDATE message SET state = 2")
    with db.unit_of_work() as uow:
        ask_to_look(uow, uow.session.get_one(Feed, feed_id))
    assert len(pending(db)) == 2


def test_shops_are_read_back_once_however_long_nobody_works(db: Database) -> None:
    with db.unit_of_work() as uow:
        shop = make.shop(uow.session)
        shop.live_since = NOON
    for job in (schedules.jobs.shops_verify, schedules.jobs.hooks_watch, schedules.jobs.orders_sweep):
        for hour in range(3):
            with db.unit_of_work() as uow:
                job(uow, NOON + timedelta(hours=hour))
    assert sorted(message["event"] for message in pending(db)) == ["HooksDue", "OrdersDue", "VerifyDue"]


def test_a_source_changed_during_the_look_lands_nothing_of_the_old_one(
    db: Database, host: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed_id = feed_of(db, url_source(host))
    real = land_step.last_landed
    calls: list[int] = []

    def changed(session: Any, feed: Feed) -> str | None:
        calls.append(1)
        if len(calls) == 2:
            feed.source = {**feed.source, "url": host.url("/other.csv")}
        return real(session, feed)

    monkeypatch.setattr(land_step, "last_landed", changed)
    look(db, feed_id)
    assert runs(db, feed_id) == [] and [message["event"] for message in pending(db)] == ["FeedDue"]


def test_credentials_are_sealed_and_stay_with_their_server(db: Database, host: FileHost) -> None:
    source = url_source(host, auth={"kind": "bearer"})
    feed_id = feed_of(db, source, CANARY)
    sealed = bytes(one(db, "SELECT secret FROM feed WHERE id = %s", feed_id))
    assert CANARY.encode() not in sealed and load_vault(settings()).open(sealed) == {"secret": CANARY}
    host.needs = {"Authorization": f"Bearer {CANARY}"}
    look(db, feed_id)
    assert len(runs(db, feed_id)) == 1
    for change, kept in (
        ({"url": host.url("/other.csv")}, True), ({"url": "https://evil.example/list.csv"}, False),
    ):  # fmt: skip
        with db.unit_of_work() as uow:
            set_source(
                uow, settings(), feed_id, SourceChange.model_validate({"source": {**source, **change}})
            )
        assert (one(db, "SELECT secret FROM feed WHERE id = %s", feed_id) is not None) is kept
        assert state(db, feed_id) == {}, "what was remembered of the other address is forgotten"


def test_no_secret_turns_up_where_a_source_fails(
    db: Database, host: FileHost, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure()  # onto this test's own stderr
    for kind in ("basic", "header", "query", "bearer", "oauth2"):
        auth = {"kind": kind, "name": "canary-user", "token_url": host.url("/token")}
        feed_id = feed_of(db, url_source(host, auth=auth), CANARY)
        host.needs = {"Authorization": "another"}
        look(db, feed_id)
        assert "problem" in state(db, feed_id)
    said = capsys.readouterr()
    assert "source failed" in said.err
    stored = json.dumps(
        [[str(value) for value in row] for row in rows(db, "SELECT source, source_state FROM feed")]
    )
    assert CANARY not in said.err + said.out + stored


def test_an_sftp_server_is_pinned_and_then_taken_from(db: Database, tmp_path: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    (root / "list.csv").write_bytes(LIST)
    with sftp_host(root) as server:
        source = {"kind": "sftp", "host": "127.0.0.1", "port": server.port, "user": USER, "pattern": "*.csv"}
        feed_id = feed_of(db, source, PASSWORD)
        look(db, feed_id)
        assert "not confirmed yet" in state(db, feed_id)["problem"]
        shown = try_source(db, settings(), feed_id).fingerprint
        assert shown == server.fingerprint and server.logins == []
        with db.unit_of_work() as uow:
            pin(uow, feed_id, shown)
        assert try_source(db, settings(), feed_id).name == "list.csv"
        look(db, feed_id)
        with (
            db.unit_of_work() as uow
        ):  # the same server again: its key stays pinned; another one: it must be shown
            set_source(
                uow, settings(), feed_id, SourceChange.model_validate({"source": {**source, "pattern": "*"}})
            )
            assert uow.session.get_one(Feed, feed_id).source["fingerprint"] == shown
        with db.unit_of_work() as uow:
            moved = {**source, "host": "other.example"}
            set_source(uow, settings(), feed_id, SourceChange.model_validate({"source": moved}))
            assert "fingerprint" not in uow.session.get_one(Feed, feed_id).source
            assert uow.session.get_one(Feed, feed_id).secret is None
    with db.unit_of_work() as uow:
        assert [run.file_name for run in uow.session.query(FeedRun)] == ["list.csv"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"source": {"kind": "url", "url": "https://u:pw@files.example/x"}}, "in their own fields"),
    ({"source": {"kind": "url", "url": "ftp://files.example/x"}}, "must begin with https"),
    ({"source": {"kind": "api", "url": "https://a.example", "records": "["}}, "is no JMESPath"),
    ({"source": {"kind": "url", "url": "https://a.example", "auth": {"kind": "header"}}}, "like X-Api-Key"),
    (
        {
            "source": {
                "kind": "url",
                "url": "https://a.example",
                "auth": {"kind": "header", "name": "a: b\r\nc"},
            }
        },
        "no header",
    ),
    (
        {"source": {"kind": "url", "url": "https://a.example", "auth": {"kind": "oauth2", "name": "c"}}},
        "https",
    ),
    ({"cron": "every day"}, "is no schedule"),
    ({"cron": "61 * * * *"}, "is no schedule"),
    ({"secret": {"private_key": "nonsense"}}, "cannot be used"),
]


def test_what_is_no_feed_is_landed_once_and_refused_by_its_reader(db: Database, host: FileHost) -> None:
    host.content = b"<!DOCTYPE html><html><body><h1>Please log in</h1></body></html>"
    feed_id = feed_of(db, url_source(host))
    for _ in range(2):
        look(db, feed_id)
        run_all(db)
    ((state_of_run, problem),) = rows(db, "SELECT state, problem FROM feed_run")
    assert state_of_run == "refused" and problem.startswith("list.csv is a web page")


def test_the_pages_of_an_api_become_offers(db: Database, host: FileHost) -> None:
    host.content = b"".join(
        json.dumps({"sku": f"A{n}", "title": "Lamp", "cost": "1.50", "stock": n, "currency": "EUR"}).encode()
        + b"\n"
        for n in range(5)
    )
    source = {
        **url_source(host),
        "kind": "api",
        "url": host.url("/pages"),
        "records": "items",
        "paging": {"kind": "link"},
    }
    feed_id = feed_of(db, source)
    look(db, feed_id)
    run_all(db)
    assert rows(db, "SELECT state, summary->>'accepted' FROM feed_run") == [("applied", "5")]
    assert rows(db, "SELECT supplier_sku, free FROM offer ORDER BY id") == [(f"A{n}", n) for n in range(5)]


def test_a_source_afar_is_looked_at_seldom_where_nobody_says(db: Database, host: FileHost) -> None:
    feed_id = feed_of(db, {"kind": "upload"})
    for source, cron, expected in (
        (url_source(host), None, "*/15 * * * *"), (url_source(host), "1 1 * * *", "1 1 * * *"),
        ({"kind": "api", "url": host.url()}, None, "1 1 * * *"),
    ):  # fmt: skip
        with db.unit_of_work() as uow:
            set_source(
                uow, settings(), feed_id, SourceChange.model_validate({"source": source, "cron": cron})
            )
        assert one(db, "SELECT cron FROM feed") == expected


def test_a_source_that_cannot_be_is_refused_before_it_is_stored(db: Database) -> None:
    feed_id = feed_of(db, {"kind": "upload"})
    for asked, words in REFUSED:
        with pytest.raises(Refused, match=words), db.unit_of_work() as uow:
            set_source(uow, settings(), feed_id, SourceChange.model_validate(asked))
    assert rows(db, "SELECT source, secret, cron FROM feed WHERE id = %s", feed_id) == [
        ({"kind": "upload"}, None, "* * * * *")
    ]
