"""Way A on real processes: a supplier's file becomes true listings, stays true, and survives kill -9 in the middle."""

import csv
import os
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest

from sandbox.people import Hub
from tests.journeys.conftest import sell, shop_server, wanted

HEAD = ["Artikelnummer", "Bezeichnung", "EAN", "EK", "UVP", "Bestand", "Warengruppe"]


def write(file: Path, number: int, *, price: float = 10, stock: int = 5, skip: int = 0) -> Path:
    """A supplier's German CSV of so many lamps."""
    with file.open("w", encoding="cp1252", newline="") as out:
        rows = csv.writer(out, delimiter=";")
        rows.writerow(HEAD)
        for place in range(skip, number):
            cost = f"{price + place / 100:.2f}".replace(".", ",")
            rows.writerow([f"L-{place:04}", f"Lämpchen {place}", "", cost, "99,90", stock, "Licht"])
    return file


def connected(hub: Hub, folder: Path, file: Path):  # type: ignore[no-untyped-def]
    """A started hub with one supplier's file taken in and one shop that chose it all."""
    shop = shop_server(folder, "licht")
    hub.allow([shop.host])
    hub.start()
    hub.ask("supplier", "add", "Norden Lampen", "--code", "NORDEN")
    hub.ask("feed", "add", "NORDEN", "lampen", "--currency", "EUR", "--absence", "withdraw")
    assert hub.ask("feed", "run", "lampen", str(file))["state"] == "applied"
    sell(hub, shop, "NORDEN")
    return shop


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
    assert [seen["method"] for seen in shop.switch("GET", "requests")] == [], (
        "an unchanged file sends nothing"
    )

    hub.ask("feed", "run", "lampen", str(write(folder / "b.csv", 40, stock=3, skip=2)))
    hub.ask("message", "wait")
    held = shop.held()
    assert held == wanted(hub, "licht")
    assert len(held) == 38
    assert {stock for _, stock in held.values()} == {3}
    status = hub.ask("status")
    assert (status["listings_live"], status["drift"], status["dead_letters"]) == (38, 0, 0)


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


@pytest.mark.timeout(400)
def test_workers_killed_in_the_middle_lose_nothing_and_double_nothing(hub: Hub, folder: Path) -> None:
    shop = connected(hub, folder, write(folder / "a.csv", 300))
    hub.ask("push", "licht", "--apply", "--no-wait")
    killed = 0
    while killed < 5:
        if workers := processes(hub, "pipelines.worker"):
            os.kill(workers[0].pid, signal.SIGKILL)
            workers[0].wait(10)
            killed += 1
    hub.ask("message", "wait", "--timeout", "300")
    assert Counter(product["sku"] for product in shop.switch("GET", "products")) == dict.fromkeys(
        wanted(hub, "licht"), 1
    )
    assert shop.held() == wanted(hub, "licht")
    status = hub.ask("status")
    assert (status["listings_live"], status["drift"], status["messages"], status["dead_letters"]) == (
        300,
        0,
        0,
        0,
    )


def processes(hub: Hub, module: str) -> list[psutil.Process]:
    """The supervisor's children that run this module."""
    assert hub.supervisor is not None
    children = psutil.Process(hub.supervisor.pid).children(recursive=True)
    found = []
    for child in children:
        try:
            if any(module in word for word in child.cmdline()):
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found
