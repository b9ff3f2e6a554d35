"""One shop's meter under two worker processes: together they never take more than the shop has."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.shops.shopify.client import GraphQL
from core.database import Database
from core.guard import Guard
from pipelines.pacing import SqlPace
from sandbox.shopify.shop import Shop
from tests import builders
from tests.stepping import one
from tests.workers import CHECKOUT


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ())
    yield database
    database.close()


@pytest.fixture
def shop_id(db: Database) -> int:
    with db.unit_of_work() as uow:
        return builders.shop(uow.session).id


def two(what: str, wish: dict[str, Any]) -> list[int]:
    """What each of two processes did; both are there before either begins."""
    command = [sys.executable, "-P", "-m", "tests.meter_process", what]
    running = [
        subprocess.Popen(command, cwd=CHECKOUT, env={"PYTHONPATH": str(CHECKOUT)}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]  # fmt: skip
    try:
        for process in running:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write(json.dumps(wish) + "\n")
            process.stdin.flush()
        return [json.loads(process.communicate(timeout=60)[0])["done"] for process in running]
    finally:
        for process in running:
            process.kill()


@pytest.mark.parametrize("last", [False, True])
def test_two_processes_take_what_the_bucket_holds_and_no_call_more(
    db: Database, shop_id: int, database_url: str, last: bool
) -> None:
    """It gives back next to nothing meanwhile, so that the count is exact: 2,000 points are 400 calls of 5."""
    pace = SqlPace(db, shop_id)
    pace.take(0)
    pace.told(left=2000, most=2000, a_second=0.001)
    done = two("take", {"database_url": database_url, "shop_id": shop_id, "cost": 5, "last": last})
    assert sum(done) == 400 and min(done) > 0, done
    assert one(db, "SELECT round(points) FROM shop_meter") == 0
    assert one(db, "SELECT out FROM shop_meter") == 0


@pytest.mark.deep
@pytest.mark.parametrize("last", [False, True])
def test_a_shop_that_two_processes_ask_throttles_neither(
    db: Database, shop_id: int, database_url: str, tmp_path: Path, last: bool
) -> None:
    """An almost empty bucket: what they take is what it gives back, as the shop itself counts it."""
    with Shop(tmp_path / "shop") as shop:
        told = shop.description()
        guard = Guard(frozenset({"127.0.0.1"}))
        parent = GraphQL(
            told["url"], told["access_token"], guard=guard, ca_file=shop.ca_file, patience=30, pace=SqlPace(db, shop_id)
        )  # fmt: skip
        shop.site.bucket.refill("basic", 200)
        shop.site.bucket.drain(30)
        parent.read("Shop")
        before = shop.site.bucket.figures()
        wish = {"url": told["url"], "token": told["access_token"], "ca_file": told["ca_file"], "calls": 60}
        done = two("ask", {"database_url": database_url, "shop_id": shop_id, "last": last, **wish})
        after = shop.site.bucket.figures()
    assert done == [60, 60]
    assert after["taken"] - before["taken"] == 120
    assert after["throttled"] == 0
    spent, seconds = after["spent"] - before["spent"], after["at"] - before["at"]
    assert spent <= before["left"] + after["rate"] * seconds
