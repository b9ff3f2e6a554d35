"""Orders all the way to their shipment while everything is killed with -9: 0 lost, 0 double, the books to the cent.

The supplier's order server loses replies after it stored them, and would make a second order if it were asked twice.
"""

import csv
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from sandbox.people import Hub, free_port, stop_all
from sandbox.rabbitmq import OwnRabbit
from tests.journeys.trading import SUPPLIER, Market, ids, kill_database, kill_process, line_states

LAMPS = 5


@pytest.mark.timeout(900)
@pytest.mark.parametrize("broker", [pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)], indirect=True)
def test_a_few_orders_and_each_of_them_killed(broker: OwnRabbit | None, folder: Path) -> None:
    storm(broker, folder, orders=10, kills=4)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_500_orders_and_50_kills(broker: OwnRabbit | None, folder: Path) -> None:
    storm(broker, folder, orders=500, kills=50)


def storm(broker: OwnRabbit | None, folder: Path, *, orders: int, kills: int) -> None:
    """So many orders in two shops, so many kills at random points among them; then everything is there once."""
    seed = random.randrange(2**31)
    print("seed", seed)
    chance = random.Random(seed)
    environment = {"ENTREPOT_AMQP_URL": broker.url} if broker else {}
    hub = Hub(folder, port=free_port(0), ENTREPOT_LEASE_SECONDS="3", ENTREPOT_RETURN_DAYS="0", **environment)
    market = Market(hub, folder, lamps=LAMPS, stock=orders)
    try:
        market.open(office=True)
        assert market.office
        market.office.switch("POST", "settings", twice=True)
        market.office.switch("POST", "faults", kind="drop_after", every=5, times=None)
        victims = ["pipelines.worker", "web", "database", *(["pipelines.relay"] if broker else ["schedules"])]
        points = [*chance.sample(range(1, orders), kills - len(victims)), *(orders,) * len(victims)]
        struck = [victims[place % len(victims)] for place in range(kills)]
        made: dict[str, list[str]] = {shop.name: [] for shop in market.shops}
        for place in range(1, orders + 1):
            shop = market.shops[place % 2]
            order = market.buy(shop, f"NORDEN-L-{chance.randrange(LAMPS):04}")
            assert order is not None
            made[shop.name].append(order)
            for _ in range(points.count(place)):
                strike(hub, struck.pop())
                threading.Event().wait(chance.random())  # the next one falls among what this one left
        assert struck == []
        market.office.switch("DELETE", "faults")
        market.swept()
        settled(market, made, orders)
    finally:
        stop_all()


def strike(hub: Hub, victim: str) -> None:
    if victim == "database":
        kill_database(hub)
    else:
        kill_process(hub, victim)


def settled(market: Market, made: dict[str, list[str]], orders: int) -> None:
    """Every order once, every supplier asked once, all shipped by one file, and the proof."""
    hub, office = market.hub, market.office
    assert office
    known = market.orders()
    assert ids(known) == {name: sorted(made[name]) for name in known}, "0 lost, 0 double"
    assert line_states(known) == {"submitting": orders}
    stored = office.orders()
    assert Counter(order["reference"] for order in stored) == dict.fromkeys(
        [po["reference"] for po in hub.ask("po", "list", "--limit", "100000")["purchase_orders"]], 1
    ), "each purchase order is at the supplier, once"
    assert len(stored) == orders
    sheet, answer = market.folder / "out.csv", market.folder / "in.csv"
    hub.ask("po", "export", "--supplier", SUPPLIER, "--out", str(sheet))
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == orders
    with answer.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["reference", "line", "confirmed", "shipped", "carrier", "tracking"])
        out.writerows(
            [row["reference"], row["line"], "yes", row["quantity"], "DHL", f"T{row['line']}"] for row in rows
        )
    for _ in range(2):  # the file twice is the file once
        hub.ask("po", "import", str(answer))
    hub.ask("message", "wait", "--timeout", "400")
    assert line_states(market.orders()) == {"shipped": orders}
    for shop in market.shops:
        assert {len(shop.shipments(order)) for order in made[shop.name]} == {1}
    hub.ask("settle", "mature")
    market.proved()
