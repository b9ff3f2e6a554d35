"""What all tests share: a PostgreSQL, a fresh database each, RabbitMQ where there is one, seeds that can be repeated."""

import contextlib
import os
import random
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
from psycopg import sql

import core.postgres_place
from core.postgres import EmbeddedPostgres
from sandbox.rabbitmq import OwnRabbit
from sandbox.services import folder as services_folder

# The environment that was given, then taken away: a test reads its settings from what it sets itself.
GIVEN = {name: value for name, value in os.environ.items() if name.startswith("ENTREPOT_")}
SERVICES = services_folder()
LONG = ("journeys", "chaos")
for _name in GIVEN:
    del os.environ[_name]

hypothesis.settings.register_profile("default", deadline=None, print_blob=True, derandomize=False)
hypothesis.settings.load_profile("default")


@pytest.hookimpl(tryfirst=True)  # before hypothesis's own plugin reads the option
def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that fixtures stop what they started
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = random.getrandbits(32)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones come first, so that of several processes none is left alone with one at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


def pytest_report_header(config: pytest.Config) -> str:
    return f"hypothesis seed: {config.option.hypothesis_seed} (again: --hypothesis-seed={config.option.hypothesis_seed})"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A libpq URL whose role may make databases: the one given, or an embedded server for this session."""
    if given := GIVEN.get("ENTREPOT_DATABASE_URL"):
        yield given.replace("+psycopg", "", 1)
        return
    # In memory where there is room: copying a database makes 300 files, which costs some disks half a second.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    base = memory if roomy else Path("/tmp")
    _sweep(base)
    with (
        tempfile.TemporaryDirectory(prefix="ep-", dir=base) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        Path(folder).chmod(0o711)
        patch.setattr(core.postgres_place, "ROOT_BASE", Path(folder))  # as root it would lie in /var/lib
        with EmbeddedPostgres(Path(folder) / "data") as url:
            patch.undo()
            yield url


def _sweep(base: Path) -> None:
    """Stop and remove the servers of sessions that were killed: nobody uses them and they are over an hour old."""
    for folder in base.glob("ep-????????"):
        with contextlib.suppress(FileNotFoundError):
            seen = folder.stat()
            if seen.st_uid == os.geteuid() and time.time() - seen.st_mtime > 3600:
                if (folder / "data" / "postgres").exists():
                    with EmbeddedPostgres(folder / "data"):
                        pass
                if not any(folder.rglob("postmaster.pid")):
                    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> Iterator[str]:
    """A migrated database to copy from: copying takes 50 ms, migrating a second."""
    from core.database import migrate

    name = f"entrepot_template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        migrate(urlsplit(postgres_url)._replace(path=f"/{name}").geturl())
        yield name
        drop(admin, name)


def drop(admin: psycopg.Connection, name: str) -> None:
    """Drops a database under whoever is still in it. FORCE may not end an autovacuum worker; a plain DROP sends it away."""
    try:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege:
        admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@pytest.fixture
def database_url(postgres_url: str, _template: str) -> Iterator[str]:
    """A libpq URL of a fresh, migrated database of this test alone."""
    name = f"entrepot_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(_template))
        )
    yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        drop(admin, name)


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """The AMQP URL given, or that of `./run services up`. At home tests skip without one, in CI they fail."""
    if given := GIVEN.get("ENTREPOT_AMQP_URL"):
        return given
    rabbit = OwnRabbit(SERVICES)
    if rabbit.running():
        return rabbit.url
    reason = "no RabbitMQ: start one with ./run services up, or name one in ENTREPOT_AMQP_URL"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real files beside the checkout; its tests skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the folder of real files beside the checkout is absent")
    return folder
