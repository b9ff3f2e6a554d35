"""Way A on real processes: a supplier's file becomes true listings, and stays true."""

from pathlib import Path

import pytest

from sandbox.people import Hub
from tests.journeys.conftest import connected, wanted, write


@pytest.mark.parametrize(
    "broker",
    [
        pytest.param("embedded", marks=pytest.mark.deep),  # every day the corpus goes this way on it
        pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
    ],
    indirect=True,
)
def test_a_file_becomes_listings_and_a_new_file_changes_only_what_differs(hub: Hub, folder: Path) -> None:
    shop = connected(hub, folder, write(folder / "a.csv", 40))
    assert shop.held() == {}, "nothing is sent before a person asks for it"
    plan = hub.ask("push", "licht", "--plan")
    assert (plan["create"], plan["update"], plan["stock"], plan["withdraw"]) == (40, 0, 0, 0)
    assert hub.ask("push", "licht", "--apply")["states"] == {"live": 40}
    assert shop.held() == wanted(hub, "licht")
    assert shop.held()["NORDEN-L-0007"] == ("14.10", 5)  # 10.07 and 40 per cent

    shop.switch("DELETE", "requests")
    assert hub.ask("feed", "run", "lampen", str(folder / "a.csv"))["state"] == "unchanged"
    hub.ask("message", "wait")
    asked = [(seen["method"], seen["path"]) for seen in shop.switch("GET", "requests")]
    assert [each for each in asked if each[0] != "GET" or "/orders" not in each[1]] == [], (
        "an unchanged file sends nothing; the sweep of the orders is none of it"
    )

    hub.ask("feed", "run", "lampen", str(write(folder / "b.csv", 40, stock=3, skip=2)))
    hub.ask("message", "wait")
    held = shop.held()
    assert held == wanted(hub, "licht")
    assert len(held) == 38
    assert {stock for _, stock in held.values()} == {3}
    status = hub.ask("status")
    assert (status["listings_live"], status["drift"], status["dead_letters"]) == (38, 0, 0)


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)  # nothing in it depends on the broker
def test_what_somebody_changes_in_the_shop_is_shown_as_drift_and_mended_by_a_push(
    hub: Hub, folder: Path
) -> None:
    shop = connected(hub, folder, write(folder / "a.csv", 6))
    hub.ask("push", "licht", "--apply")
    shop.switch("POST", "edit", sku="NORDEN-L-0002", set={"regular_price": "1.00"})
    shop.switch("POST", "edit", sku="NORDEN-L-0003", trash=True)
    assert hub.ask("shop", "verify", "licht")["drift"] == 2
    drifted = {
        row["sku"]: row["drift"]
        for row in hub.ask("listing", "list", "licht", "--state", "drifted")["listings"]
    }
    assert drifted["NORDEN-L-0002"] == [["price", "14.03", "1.00"]]
    assert drifted["NORDEN-L-0003"][0] == ["status", "live", "trash"]
    assert hub.ask("push", "licht", "--apply")["states"] == {"live": 6}
    assert shop.held() == wanted(hub, "licht")
