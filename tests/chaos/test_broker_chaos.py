"""Everything is killed, frozen and cut off while messages flow: 0 lost, 0 double, 0 stuck, on both brokers."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.database import connect, migrate
from core.errors import Temporary, Unknown
from core.postgres import EmbeddedPostgres
from core.settings import Settings
from sandbox.rabbitmq import NoRabbit, OwnRabbit, server_program
from tests.broker_map import Thrown
from tests.stepping import one
from tests.workers import Works, pause, until

LEASE = 3.0


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def storm(request: pytest.FixtureRequest) -> Iterator["Storm"]:
    """Servers of the test's own, since they will be killed."""
    with tempfile.TemporaryDirectory(prefix="ep-", dir="/tmp") as name:
        folder = Path(name)
        rabbit = _rabbit(folder) if request.param == "rabbitmq" else None
        postgres = EmbeddedPostgres(folder)
        try:
            url = postgres.attach()
            migrate(url)
            (folder / "logs").mkdir()
            works = Works(url, rabbit.up() if rabbit else "", folder / "logs", lease=LEASE, pause=0.01)
            blowing = Storm(works, folder, postgres, rabbit)
            yield blowing
            blowing.works.stop()
        finally:
            postgres.release()
            shutil.rmtree((folder / "postgres").resolve())  # as root it lies elsewhere
            if rabbit:
                rabbit.down()


def _rabbit(folder: Path) -> OwnRabbit:
    try:
        server_program()
    except NoRabbit as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    return OwnRabbit(folder / "rabbit")


class Storm:
    """Keeps the processes running as a supervisor would, throws messages, and strikes."""

    def __init__(
        self, works: Works, folder: Path, postgres: EmbeddedPostgres, rabbit: OwnRabbit | None
    ) -> None:
        self.works = works
        self.cluster = (folder / "postgres").resolve() / "cluster"
        self.postgres = postgres
        self.rabbit = rabbit
        self.random = random.Random(4)
        self.kept: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.thrown = 0

    def start(self) -> None:
        roles = ["worker", "worker"] + (["relay", "relay"] if self.rabbit else [])
        self.kept = [(role, self.works.start(role)) for role in roles]

    def tend(self) -> None:
        self.kept = [
            (role, process if process.poll() is None else self.works.start(role))
            for role, process in self.kept
        ]

    def throw(self, count: int) -> None:
        """Emits exactly `count` more, however often the database goes away meanwhile."""
        aim = self.thrown + count
        while self.thrown < aim:
            self.tend()
            part = range(self.thrown, min(aim, self.thrown + 50))
            try:
                if self.there() < part[-1]:
                    with self.works.db.unit_of_work() as uow:
                        for n in part:
                            uow.emit(Thrown(tenant=1, lane=f"feed:{n % 5}", n=n))
                        uow.cursor().execute(
                            "INSERT INTO job_run (job, slot) VALUES (%s, now())", (str(part[-1]),)
                        )
                self.thrown = part[-1] + 1
            except (Temporary, Unknown):
                pause()

    def there(self) -> int:
        """The last number whose emission was committed: what tells after an unknown outcome."""
        return int(one(self.works.db, "SELECT coalesce(max(job::int), -1) FROM job_run"))

    def settled(self) -> bool:
        self.tend()
        with contextlib.suppress(Temporary, Unknown):
            return self.works.left() == 0
        return False

    # ------------------------------------------------------------ what strikes
    def strikes(self) -> list[Callable[[], None]]:
        found = [self.kill_worker, self.freeze_worker, self.cut_connections, self.kill_postgres]
        if self.rabbit:
            found += [self.kill_relay, self.kill_rabbit, self.restart_rabbit]
        return found

    def kill_worker(self) -> None:
        self._one("worker").kill()

    def kill_relay(self) -> None:
        self._one("relay").kill()

    def freeze_worker(self) -> None:
        victim = self._one("worker")
        victim.send_signal(signal.SIGSTOP)
        before = self.thrown
        self.throw(50)
        assert self.thrown == before + 50
        victim.send_signal(signal.SIGCONT)

    def cut_connections(self) -> None:
        with contextlib.suppress(Temporary, Unknown):
            self.works.db.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def kill_postgres(self) -> None:
        _kill_postmaster(self.cluster)
        self.postgres.attach()

    def kill_rabbit(self) -> None:
        assert self.rabbit
        self.rabbit.kill()
        self.rabbit.up()

    def restart_rabbit(self) -> None:
        assert self.rabbit
        self.rabbit.down()
        self.rabbit.up()

    def _one(self, role: str) -> subprocess.Popen[bytes]:
        self.tend()
        return self.random.choice([process for kind, process in self.kept if kind == role])


def _kill_postmaster(cluster: Path) -> None:
    postmaster = psutil.Process(int((cluster / "postmaster.pid").read_text().splitlines()[0]))
    postmaster.kill()
    postmaster.wait(timeout=10)


def test_each_fault_once(storm: Storm) -> None:
    storm.start()
    for strike in storm.strikes():
        if strike == storm.restart_rabbit:
            continue  # gentler than the kill; the hundred faults have it
        storm.throw(100)
        until(lambda: storm.works.done() > 0)
        strike()
    storm.throw(100)
    until(storm.settled, seconds=120)
    assert storm.there() == storm.thrown - 1
    storm.works.assert_exactly_once(storm.thrown)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_a_hundred_faults_in_twenty_thousand_messages(storm: Storm) -> None:
    storm.start()
    for _ in range(100):
        storm.throw(140)
        storm.random.choice(storm.strikes())()
    storm.throw(20_000 - storm.thrown)
    until(storm.settled, seconds=600)
    assert storm.thrown == 20_000
    storm.works.assert_exactly_once(20_000)


def test_an_embedded_postgresql_that_was_killed_is_started_by_whoever_needs_it() -> None:
    with tempfile.TemporaryDirectory(prefix="ep-", dir="/tmp") as name:
        database = connect(Settings(data=Path(name)), ())
        cluster = (Path(name) / "postgres").resolve() / "cluster"
        try:
            database.run("INSERT INTO job_run (job, slot) VALUES ('kept', now())")
            _kill_postmaster(cluster)
            assert one(database, "SELECT job FROM job_run") == "kept"
        finally:
            database.close()
            shutil.rmtree(cluster.parent)
