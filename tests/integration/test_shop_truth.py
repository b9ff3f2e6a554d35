"""Any interleaving of catalogue changes, sales, edits in shops, faults and kills ends in true shops, and no piece sold twice.

More of it: `./run test --deep`. A failing run is repeated with its seed (first line of the run) or its blob.
"""

import os
import random
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from pkgutil import resolve_name

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from models.events import OrdersDue
from models.shelves import EXPOSED
from pipelines.listings import push, stock
from tests.shop_world_rules import Truth, world_machine

PHASES = [Phase.generate, *([Phase.shrink] if os.environ.get("TRUTH_SHRINK") else [])]
"""An example takes seconds: a failing one is made smaller only where somebody asks for it."""


@pytest.fixture
def machine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Truth]]:
    with world_machine(database_url, tmp_path, monkeypatch) as made:
        yield made


def play(machine: type[Truth], examples: int, steps: int) -> None:
    number = int(os.environ.get("TRUTH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"seed: TRUTH_SEED={number}")
    run_state_machine_as_test(
        seed(number)(machine),
        settings=settings(
            max_examples=int(os.environ.get("TRUTH_EXAMPLES") or examples), stateful_step_count=steps, deadline=None,
            database=None, print_blob=True, suppress_health_check=list(HealthCheck), report_multiple_bugs=False, phases=PHASES,
        ),
    )  # fmt: skip


@pytest.mark.timeout(120)
def test_whatever_happens_the_shops_end_true_and_nothing_is_sold_twice(machine: type[Truth]) -> None:
    play(machine, examples=3, steps=12)


@pytest.mark.deep
@pytest.mark.timeout(900)
def test_whatever_happens_for_minutes(machine: type[Truth]) -> None:
    play(machine, examples=70, steps=30)


PLANTED = {
    "what other shops show does not hold a raise back": (
        "pipelines.listings.stock.SHELVES",
        stock.SHELVES.replace(EXPOSED, "0"),
    ),
    "what buyers were promised is sold again": (
        "pipelines.listings.stock.SHELVES",
        stock.SHELVES.replace("coalesce(p.pieces, 0)", "0"),
    ),
    "stock is set whatever was sold meanwhile": (
        "pipelines.listings.push.LEVELS",
        push.LEVELS.replace("(l.sent->>'stock')::int AS before", "NULL::int AS before"),
    ),
}


@pytest.mark.parametrize("bug", [None, *PLANTED])
def test_a_planted_bug_is_found(
    machine: type[Truth], bug: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way that the bug needs is walked on purpose: by chance it is rare. Without a bug it ends well."""
    if bug is not None:
        place, text = PLANTED[bug]
        assert text != resolve_name(place)
        monkeypatch.setattr(place, text)
    walk = machine()
    walk.begins(told={"A": (10, 8)})
    walk.world.calms_down()
    assert [walk.world.stock["A"], walk.world.on_shelves("A")] == [10, 10]
    walk.buyer_buys(0, {"A": 5}, False)  # the whole shelf of one shop, unpaid
    walk.clock_strikes(0, OrdersDue)
    walk.workers_serve_one_shop(0, 12)
    with pytest.raises(AssertionError, match="sold of") if bug else nullcontext():
        walk.buyers_rush("A")
        walk.nothing_is_sold_twice(quiet=False)
        walk.supplier_tells({"A": (30, 8)})  # nobody told the hub of the rush yet
        walk.workers_keep_on()
        walk.buyers_rush("A")
        walk.nothing_is_sold_twice(quiet=False)
    if bug is None:
        walk.teardown()


def test_what_is_gone_does_not_come_back_with_its_neighbour(machine: type[Truth]) -> None:
    """A page that left the sale whole, and is wanted again for one of its variants alone, sells that one."""
    walk = machine()
    walk.begins(told={"V1": (5, 8), "V2": (7, 8)})
    walk.supplier_tells({"A": (2, 8)})
    walk.world.works_off()
    walk.supplier_tells({"V1": (5, 8)})
    walk.world.works_off()
    walk.shops_are_true()
    walk.supplier_tells({"A": (2, 8)})
    walk.world.works_off()
    walk.supplier_tells({"V3": (9, 8)})  # a neighbour that the page never had
    walk.teardown()
