"""The embedded PostgreSQL is started once, shared, survives kill -9 of anybody, and leaves nothing behind."""

import os
import pwd
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pytest

import core.postgres
import core.postgres_place
from core.errors import Misconfigured
from core.postgres import EmbeddedPostgres

CHECKOUT = Path(__file__).resolve().parents[2]

# Attaches, says what it got, and waits for a line on stdin before it releases.
HOLDER = """
import os, sys
from pathlib import Path
import psycopg
from core.postgres import EmbeddedPostgres
if len(sys.argv) > 2:
    import encodings.idna, core.postgres
    reachable = core.postgres.programs()  # asked as root: the environment may be closed to the other user
    core.postgres.programs = lambda: reachable
    os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
embedded = EmbeddedPostgres(Path(sys.argv[1]))
url = embedded.attach()
with psycopg.connect(url) as connection:
    owner = connection.execute("SELECT current_user").fetchone()[0]
print(url, owner, flush=True)
sys.stdin.readline()
embedded.release()
"""


class Holder:
    """A second process of the hub."""

    def __init__(self, data: Path, *words: str) -> None:
        self.program = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(data), *words],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        assert self.program.stdout and self.program.stderr
        told = self.program.stdout.readline().split()
        assert told, self.program.stderr.read()
        assert told[1] == "hub"
        return told[0]

    def leave(self) -> None:
        self.program.communicate("\n", timeout=60)
        assert self.program.returncode == 0

    def kill(self) -> None:
        self.program.kill()
        self.program.communicate(timeout=60)


def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        yield Path(name) / "d"
        home = Path(name) / "d" / "postgres"
        if home.exists():
            if pid := postmaster(home):  # only where a test failed half-way
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(home.resolve())


fresh = pytest.fixture(folder, name="fresh")
common = pytest.fixture(folder, name="common", scope="module")


@pytest.fixture
def data(common: Path) -> Path:
    """A data folder whose server is stopped; made once for all tests that leave it so."""
    assert postmaster(common / "postgres") is None
    return common


def postmaster(home: Path) -> int | None:
    """The pid of the server that runs in this home, None when none does."""
    try:
        pid = int((home / "cluster" / "postmaster.pid").read_text().split("\n")[0])
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None
    return pid if state not in "ZX" else None


def until_gone(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    watch = os.pidfd_open(pid)
    assert select.select([watch], [], [], 30)[0]
    os.close(watch)


def one(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def remember(url: str) -> int:
    """Commit a number that no other test committed."""
    number = secrets.randbelow(2**31)
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS remembered")
        connection.execute(f"CREATE TABLE remembered AS SELECT {number} AS n")
    return number


def remembered(url: str) -> object:
    return one(url, "SELECT n FROM remembered")


def test_starts_with_role_database_and_locale_and_the_last_release_stops_it(fresh: Path) -> None:
    embedded = EmbeddedPostgres(fresh)
    url = embedded.attach()
    with psycopg.connect(url) as connection:
        assert connection.execute(
            "SELECT current_user, current_database(), pg_encoding_to_char(encoding), datlocprovider, datlocale"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone() == ("hub", "hub", "UTF8", "b", "C.UTF-8")
        settings = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
    assert {name: settings[name] for name in ("fsync", "synchronous_commit", "listen_addresses")} == {
        "fsync": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
    }
    assert settings["max_connections"] == "100"
    pid = postmaster(fresh / "postgres")
    assert pid is not None
    embedded.release()
    assert postmaster(fresh / "postgres") is None
    embedded.release()  # once more is harmless


def test_second_process_attaches_to_the_same_server_and_does_not_stop_it(data: Path) -> None:
    with EmbeddedPostgres(data) as url:
        pid = postmaster(data / "postgres")
        second = Holder(data)
        assert second.url() == url
        second.leave()
        assert postmaster(data / "postgres") == pid
        assert one(url, "SELECT 1") == 1
    assert postmaster(data / "postgres") is None


def test_several_processes_start_at_once_and_share_one_server(fresh: Path) -> None:
    holders = [Holder(fresh) for _ in range(4)]
    assert len({holder.url() for holder in holders}) == 1
    for holder in holders:
        assert postmaster(fresh / "postgres")
        holder.leave()
    assert postmaster(fresh / "postgres") is None


def test_threads_and_objects_of_one_process_count_as_one_user_each(data: Path) -> None:
    ours = [EmbeddedPostgres(data) for _ in range(4)]
    threads = [threading.Thread(target=each.attach) for each in ours]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ours[0].attach()  # again: still one release
    for each in ours[:3]:
        each.release()
    assert postmaster(data / "postgres")
    ours[3].release()
    assert postmaster(data / "postgres") is None


def test_a_killed_holder_is_forgotten_by_the_next_release(data: Path) -> None:
    killed = Holder(data)
    killed.url()
    killed.kill()
    assert postmaster(data / "postgres")
    with EmbeddedPostgres(data) as url:
        assert one(url, "SELECT 1") == 1
    assert postmaster(data / "postgres") is None


def test_a_pid_that_has_a_new_owner_is_not_a_user(data: Path) -> None:
    embedded = EmbeddedPostgres(data)
    embedded.attach()
    users = data / "postgres" / "users"
    users.write_text(users.read_text() + f"{os.getppid()} 1\n")  # lives, but was born at another time
    embedded.release()
    assert postmaster(data / "postgres") is None


def test_killed_postmaster_is_started_again_under_the_same_url_with_what_was_committed(data: Path) -> None:
    embedded = EmbeddedPostgres(data)
    url = embedded.attach()
    connection = psycopg.connect(url, autocommit=True)
    number = remember(url)
    pid = postmaster(data / "postgres")
    assert pid
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert embedded.attach() == url
    assert remembered(url) == number
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    embedded.release()
    assert postmaster(data / "postgres") is None


def test_killed_holder_and_postmaster_together(data: Path) -> None:
    killed = Holder(data)
    url = killed.url()
    number = remember(url)
    pid = postmaster(data / "postgres")
    assert pid
    killed.kill()
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)
    with EmbeddedPostgres(data) as again:
        assert remembered(again) == number
    assert postmaster(data / "postgres") is None


@pytest.mark.parametrize("leftover", [f"{os.getpid()}\n/elsewhere\n1\n5432\n", ""], ids=["another", "empty"])
def test_restart_past_a_lock_file_of_another_program_or_of_a_crashed_machine(
    data: Path, leftover: str
) -> None:
    with EmbeddedPostgres(data) as url:
        number = remember(url)
    (data / "postgres" / "cluster" / "postmaster.pid").write_text(leftover)
    with EmbeddedPostgres(data) as url:
        assert remembered(url) == number


def test_a_cluster_half_made_is_made_anew(fresh: Path) -> None:
    embedded = EmbeddedPostgres(fresh)
    half = core.postgres_place.home_of(fresh) / "cluster.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    embedded.attach()
    embedded.release()
    assert not half.exists()


def test_folder_of_another_major_version_is_refused_untouched(fresh: Path) -> None:
    cluster = core.postgres_place.home_of(fresh) / "cluster"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(Misconfigured) as refused:
        EmbeddedPostgres(fresh).attach()
    assert str(refused.value) == (
        f"The database in {cluster} was made by PostgreSQL 16 and this release brings 18: dump it with the release "
        "that made it and load it into an empty ENTREPOT_DATA, or give a server of your own by ENTREPOT_DATABASE_URL."
    )
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]


def test_a_server_that_cannot_start_says_why(fresh: Path) -> None:
    with EmbeddedPostgres(fresh):
        pass
    (fresh / "postgres" / "cluster" / "global" / "pg_control").unlink()
    with pytest.raises(Misconfigured, match=r"did not start\. The end of .*/server\.log:(.|\n)*pg_control"):
        EmbeddedPostgres(fresh).attach()


def test_data_folder_that_is_a_file_is_refused_with_advice(fresh: Path) -> None:
    fresh.write_text("")
    with pytest.raises(Misconfigured, match=rf"cannot use {re.escape(str(fresh))} .*ENTREPOT_DATA"):
        EmbeddedPostgres(fresh).attach()


def test_attaching_to_a_running_server_is_quick(data: Path) -> None:
    with EmbeddedPostgres(data):
        moments = []
        for _ in range(20):
            began = time.perf_counter()
            with EmbeddedPostgres(data):
                moments.append(time.perf_counter() - began)
        assert sorted(moments)[10] < 0.1
        assert len((data / "postgres" / "users").read_text().splitlines()) == 1


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@root_only
def test_as_root_the_server_is_nobodys_and_no_mode_of_others_folders_changes(fresh: Path) -> None:
    fresh.mkdir()
    fresh.chmod(0o700)
    watched = [fresh, fresh.parent, CHECKOUT, *CHECKOUT.parents]
    before = [path.stat().st_mode for path in watched]
    with EmbeddedPostgres(fresh):
        pid = postmaster(fresh / "postgres")
        assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        home = (fresh / "postgres").resolve()
        assert home.parent == Path("/var/lib/entrepot")
        assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (0, 0o711)
        assert (home / "cluster").stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode for path in watched] == before


@root_only
def test_as_root_a_home_whose_data_folder_went_away_is_not_taken_over(fresh: Path) -> None:
    with EmbeddedPostgres(fresh) as url:
        remember(url)
    old = (fresh / "postgres").resolve()
    (fresh / "postgres").unlink()
    try:
        with EmbeddedPostgres(fresh) as url:
            assert (fresh / "postgres").resolve() == old.with_name(old.name + "-2")
            assert one(url, "SELECT to_regclass('remembered')") is None
        assert (old / "cluster" / "PG_VERSION").exists()
    finally:
        shutil.rmtree(old)


@root_only
def test_programs_that_nobody_cannot_reach_are_copied_once_and_run(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Path(tempfile.mkdtemp(prefix="base-", dir="/var/lib"))
    base.chmod(0o711)
    monkeypatch.setattr(core.postgres_place, "ROOT_BASE", base)
    real = core.postgres_place._runs
    monkeypatch.setattr(
        core.postgres_place, "_runs", lambda program: base in program.parents and real(program)
    )
    try:
        with EmbeddedPostgres(fresh) as url:
            pid = postmaster(fresh / "postgres")
            program = Path(f"/proc/{pid}/exe").readlink()
            assert one(url, "SELECT 1") == 1
            (copy,) = (path for path in base.iterdir() if path.name.startswith("programs-"))
            assert program == copy / core.postgres_place.PROGRAMS / "bin" / "postgres"
            made = program.stat().st_ino
        with EmbeddedPostgres(fresh):
            assert program.stat().st_ino == made
    finally:
        shutil.rmtree(base)


@root_only
@pytest.mark.parametrize("uid", [pwd.getpwnam("nobody").pw_uid, 61234])
def test_as_another_user_everything_lies_in_the_data_folder(fresh: Path, uid: int) -> None:
    fresh.mkdir()
    os.chown(fresh, uid, uid)
    fresh.parent.chmod(0o755)
    holder = Holder(fresh, str(uid))
    if uid == 61234:
        assert holder.program.stderr is not None
        holder.program.wait(60)
        assert "could not look up effective user ID 61234" in holder.program.stderr.read()
        return
    assert unquote(holder.url()) == f"postgresql://hub@/hub?host={fresh}/postgres/cluster&port=5432"
    assert (fresh / "postgres").stat().st_uid == uid
    assert (fresh / "postgres").stat().st_mode & 0o777 == 0o700
    with pytest.raises(Misconfigured, match=rf"belongs to another user \(uid {uid}\)"):
        EmbeddedPostgres(fresh).attach()
    holder.leave()
    assert postmaster(fresh / "postgres") is None


@pytest.mark.deep  # copies the programs and starts twice
@root_only
def test_a_long_path_gets_a_short_socket_folder_that_goes_with_the_server(fresh: Path) -> None:
    uid = pwd.getpwnam("nobody").pw_uid
    long = fresh / ("a" * 100)
    long.mkdir(parents=True)
    os.chown(long, uid, uid)
    fresh.parent.chmod(0o755)
    holder = Holder(long, str(uid))
    url = unquote(holder.url())
    found = re.fullmatch(rf"postgresql://hub@/hub\?host=(/tmp/entrepot-{uid}-[0-9a-f]{{12}})&port=5432", url)
    assert found
    folder = Path(found[1])
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (uid, 0o700)
    holder.leave()
    assert not folder.exists()
