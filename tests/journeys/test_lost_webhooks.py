"""Webhooks lost, doubled and out of turn, 30 % each: after the sweep every order is there, once, on both channels."""

import random
from pathlib import Path

import pytest

from sandbox.people import Hub
from tests.journeys.trading import Market, ids, line_states

EACH = 12


@pytest.mark.timeout(600)
@pytest.mark.parametrize("broker", ["embedded"], indirect=True)  # nothing in it depends on the broker
def test_every_order_is_there_once_whatever_became_of_its_webhooks(hub: Hub, folder: Path) -> None:
    seed = random.randrange(2**31)
    print("seed", seed)
    market = Market(hub, folder, lamps=5, stock=500)
    market.open()
    woo, shopify = market.shops
    woo.switch("POST", "deliveries", lost=30, doubled=30, late=30, seed=seed)
    shopify.switch("POST", "webhooks", lose=30, double=30, shuffle=True, seed=seed)
    made = market.buy_at_once(
        [(shop, f"NORDEN-L-{place % 5:04}") for place in range(EACH) for shop in market.shops]
    )
    assert {name: len(orders) for name, orders in made.items()} == {"licht": EACH, "berg": EACH}
    hub.ask("message", "wait")
    lost = int(woo.switch("GET", "deliveries")["lost"]), int(shopify.switch("GET", "webhooks")["lost"])
    assert min(lost) > 0, "some were lost, or this shows nothing"
    market.swept()
    known = market.orders()
    assert ids(known) == {name: sorted(made[name]) for name in known}
    assert line_states(known) == {"submitting": 2 * EACH}
    assert len(hub.ask("po", "list", "--limit", "1000")["purchase_orders"]) == 2 * EACH
    market.proved()
