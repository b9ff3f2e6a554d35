"""The play with the world of shops finds faults in what variants, purchases, parcels and adoptions rest on."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from connectors.orders import ShipmentReport
from models.events import OrdersDue
from pipelines.listings import push
from pipelines.listings.draft import draft
from tests.shop_world_rules import Truth, world_machine
from tests.stepping import pending

REPORT = "orders.report.report_shipment"
NEIGHBOUR = """(SELECT (n.wanted->>'stock')::int FROM listing n WHERE n.shop_id = l.shop_id AND n.product_id = l.product_id
  ORDER BY n.id DESC LIMIT 1) AS stock"""


@pytest.fixture
def machine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Truth]]:
    with world_machine(database_url, tmp_path, monkeypatch) as made:
        yield made


def other_keys() -> Callable[..., ShipmentReport]:
    number = count()
    return lambda **facts: ShipmentReport(**facts | {"key": f"{facts['key']}-{next(number)}"})


def forgetful(wanted: Any, external_id: Any, image_ids: Any, key: str, listings: Any, **more: Any) -> Any:
    return draft(wanted, None, image_ids, key, [{**one, "external_id": None} for one in listings], **more)


PLANTED: dict[str, tuple[str, Any, str]] = {
    "a variant's stock is its neighbour's": (
        "pipelines.listings.push.LEVELS",
        push.LEVELS.replace("(l.wanted->>'stock')::int AS stock", NEIGHBOUR),
        "sold of|shows|shown of|rest|circles",
    ),
    "a supplier is not looked up before he is asked again": (
        "pipelines.orders.submit._looked_up",
        lambda *asked: (None, False),
        "Counter",
    ),
    "a parcel has another key each time it is told": (
        "pipelines.orders.report.ShipmentReport",
        other_keys(),
        "told twice",
    ),
    "a page that stands there already is not known": (
        "pipelines.listings.push.draft",
        forgetful,
        "doubled|for {|shop 1 shows",
    ),
}


@pytest.mark.parametrize("bug", [pytest.param(False, marks=pytest.mark.deep), True])
def test_a_page_that_is_made_beside_its_owners_is_found(
    machine: type[Truth], bug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He let the hub go to work at once, and another owner opened his page before the hub had made its own."""
    if bug:
        monkeypatch.setattr("pipelines.listings.push.before_making", lambda *asked: None)
    walk = machine()
    with pytest.raises(AssertionError, match=r"was doubled|refuses A") if bug else nullcontext():
        walk.begins(told={"A": (10, 8)}, has=("", "A"), at_once=True)
        walk.owner_sells_or_takes_back_his_own(1, 0, False)
        walk.supplier_tells({"V1": (10, 8)})
        walk.owner_opens_a_page_of_his_own(1, "V")
        walk.world.works_off()
        walk.teardown()
    assert bug or walk.world.owners[1].adopted() != {}


@pytest.mark.parametrize("bug", [None, *PLANTED])
def test_a_planted_bug_is_found(
    machine: type[Truth], bug: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One way leads past all of them: a page is adopted, a variant gets another stock, a supplier's answer gets lost, and a
    worker is killed right after he told of a parcel. Without a bug it ends well."""
    walk = machine()
    walk.begins(told={"A": (10, 8), "V1": (10, 8), "V2": (20, 8)}, has=("", "A"), page="ours")
    if bug is not None:
        monkeypatch.setattr(*PLANTED[bug][:2])
    with pytest.raises(AssertionError, match=PLANTED[bug][2]) if bug else nullcontext():
        walk.owner_adopts(1)
        walk.world.works_off()
        walk.supplier_tells({"A": (10, 8), "V1": (6, 8), "V2": (20, 8)})
        walk.world.works_off()
        walk.buyer_buys(0, {"A": 2}, True)
        assert len(walk.world.orders) == 1
        walk.clock_strikes(0, OrdersDue)
        walk.supplier_fails("drop_after")
        walk.world.works_off()
        walk.supplier_acts(0, "part", True)
        walk.world.life = 0
        for message in [each for each in pending(walk.db) if each["step"] == REPORT]:
            walk.world.runs(message)
        assert walk.world.life is None  # he was killed
        walk.teardown()
