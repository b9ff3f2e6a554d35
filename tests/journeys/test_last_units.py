"""80 buyers (200 of them in --deep) in two shops want the last 20 pieces at once: exactly 20 are sold, and all are covered."""

from pathlib import Path

import pytest

from sandbox.people import Hub
from tests.journeys.trading import Market, ids, line_states

SKU = "NORDEN-L-0000"


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("broker", "buyers"),
    [
        ("embedded", 80),
        pytest.param("embedded", 200, marks=pytest.mark.deep),
        pytest.param("rabbitmq", 200, marks=[pytest.mark.rabbitmq, pytest.mark.deep]),
    ],
    indirect=["broker"],
)
def test_of_many_buyers_in_two_shops_exactly_20_get_the_20_pieces(
    hub: Hub, buyers: int, folder: Path
) -> None:
    market = Market(hub, folder, stock=20)
    market.open()
    market.swept()  # the first shop gives half of them up before the second shows them
    made = market.buy_at_once([(market.shops[place % 2], SKU) for place in range(buyers)])
    sold = sum(map(len, made.values()))
    # What is scarce is split: whatever the buyers of one shop do, the other shows pieces of its own.
    assert sold == 20
    market.swept()
    known = market.orders()
    assert line_states(known) == {"submitting": 20}
    assert ids(known) == {name: sorted(made[name]) for name in known}
    assert (
        sum(line["covered"] for orders in known.values() for order in orders for line in order["lines"]) == 20
    )
    assert sum(po["quantity"] for po in hub.ask("po", "list")["purchase_orders"]) == 20
    assert {shop.held()[SKU][1] for shop in market.shops} == {0}
    market.proved()
