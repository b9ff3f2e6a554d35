"""A shop in which something changes listings back at once: its seller is told, and it is not sent to for ever."""

# ruff: noqa: F811 - fixtures are asked for by their names

from typing import Any

import pytest

from core.database import Database
from models.events import VerifyDue
from pipelines.making import let_push
from sandbox.woocommerce.shop import Shop
from tests.pushing import ask, db, edit, held, open_shop, sandbox  # noqa: F401 - fixtures
from tests.staged import stage
from tests.stepping import one, pending, rows, run_all, run_message

LAMPS: list[dict[str, Any]] = [
    {"supplier_sku": f"L{number}", "title": f"Lampe {number}"} for number in range(3)
]
FOUGHT = "NORDEN-L0"


@pytest.fixture
def shop_id(db: Database, sandbox: Shop) -> int:
    opened = open_shop(db, sandbox, *LAMPS)
    run_all(db)
    edit(sandbox, FOUGHT, name="The app's title")
    return opened


def work(db: Database, sandbox: Shop) -> int:
    """Runs all there is; after each push the app changes the title back. How often our title had arrived."""
    arrived = 0
    while todo := pending(db):
        run_message(db, todo[0])
        if todo[0]["step"] == "listings.push.push":
            arrived += [one["name"] for one in ask(sandbox, "products") if one["sku"] == FOUGHT] == [
                "Lampe 0"
            ]
            edit(sandbox, FOUGHT, name="The app's title")
    return arrived


def looked_at(db: Database, shop_id: int) -> None:
    with db.unit_of_work() as uow:
        uow.emit(VerifyDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, repairs=1))


def told(db: Database) -> list[tuple[Any, ...]]:
    return rows(
        db,
        "SELECT l.state, l.problem IS NULL FROM listing l JOIN variant v ON v.id = l.variant_id ORDER BY v.sku",
    )


def test_what_is_changed_back_at_once_is_told_and_sent_once_a_check(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    looked_at(db, shop_id)
    assert work(db, sandbox) == 1
    assert told(db) == [("drifted", False), ("live", True), ("live", True)]
    (problem,) = rows(db, "SELECT problem FROM listing WHERE state = 'drifted'")[0]
    assert problem.startswith("The shop shows another title than it was just sent:")
    for stock in (4, 3, 2):
        stage(db, 1, {**LAMPS[0], "stock": stock}, {**LAMPS[1], "stock": stock}, LAMPS[2])
        assert work(db, sandbox) == 0
        assert {sku: shown[1] for sku, shown in held(sandbox).items()} == {
            FOUGHT: stock, "NORDEN-L1": stock, "NORDEN-L2": 5,
        }  # fmt: skip
    looked_at(db, shop_id)
    assert work(db, sandbox) == 1


def test_a_person_s_push_and_an_app_that_stopped_make_it_live(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    looked_at(db, shop_id)
    work(db, sandbox)
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    assert told(db) == [("live", True)] * 3
    assert one(db, "SELECT count(*) FROM listing WHERE seen ? 'again'") == 0
