"""A market for the journeys of orders: one supplier's list in two shops of two channels, buyers, and whoever kills."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from sandbox.partners import SupplierOffice
from sandbox.people import Hub, Shopfront, ShopifyServer, ShopServer, Trouble
from tests.journeys.conftest import write

SUPPLIER = "NORDEN"
CHANNELS = {"woocommerce": ShopServer, "shopify": ShopifyServer}


@dataclass
class Market:
    """Two sellers with a shop each, `lamps` kinds of lamps of `stock` pieces each, and more deposit than they need."""

    hub: Hub
    folder: Path
    lamps: int = 1
    stock: int = 20
    shops: list[Shopfront] = field(default_factory=list)
    office: SupplierOffice | None = None

    def open(self, *, office: bool = False) -> None:
        """Starts everything, lists the lamps in both shops, and pays the deposits in."""
        ask = self.hub.ask
        self.shops = [
            ShopServer(self.folder / "woo", "licht", "--images", "accept", "--cron", "always"),
            ShopifyServer(self.folder / "spf", "berg"),
        ]
        hosts = [shop.host for shop in self.shops]
        if office:
            self.office = SupplierOffice(self.folder / "office", "Norden")
            hosts.append(self.office.host)
        self.hub.allow(hosts)
        self.hub.start()
        ask("supplier", "add", "Norden Lampen", "--code", SUPPLIER)
        way = self.office
        to = (
            ("--transport", "api", "--url", way.url, "--key", way.key, "--ca-file", way.ca_file)
            if way
            else ()
        )
        ask("supplier", "terms", SUPPLIER, "--commission", "10", "--shipping", "4.90", *to)
        ask("feed", "add", SUPPLIER, "lampen", "--currency", "EUR")
        ask("feed", "run", "lampen", str(write(self.folder / "lampen.csv", self.lamps, stock=self.stock)))
        for shop, channel in zip(self.shops, CHANNELS, strict=True):
            code = f"S{shop.name.upper()}"
            ask("seller", "add", f"Seller of {shop.name}", "--code", code)
            ask("shop", "add", code, shop.name, "--channel", channel, "--url", shop.url, "--ca-file", shop.ca_file,
                secrets=shop.keys)  # fmt: skip
            ask("select", "add", shop.name, "--supplier", SUPPLIER, "--margin", "40")
            ask("deposit", "top-up", code, "100000.00", "--key", f"first-{code}")
        ask("message", "wait")
        for shop in self.shops:
            assert ask("push", shop.name, "--apply")["states"] == {"live": self.lamps}

    def buy_at_once(self, wishes: Sequence[tuple[Shopfront, str]]) -> dict[str, list[str]]:
        """Buyers of one piece each, all at the same moment: the orders that each shop made, by its name."""
        made: dict[str, list[str]] = {shop.name: [] for shop in self.shops}
        with ThreadPoolExecutor(len(wishes)) as buyers:
            for shop, order in buyers.map(lambda wish: (wish[0], self.buy(*wish)), wishes):
                if order is not None:
                    made[shop.name].append(order)
        return made

    def buy(self, shop: Shopfront, sku: str) -> str | None:
        """One buyer; None where the shop does not sell."""
        try:
            return shop.buy([(sku, 1)])
        except Trouble:
            return None

    def swept(self) -> None:
        """Both shops are asked for what no webhook told, and everything that follows is done."""
        for shop in self.shops:
            self.hub.ask("order", "pull", shop.name)
        self.hub.ask("message", "wait", "--timeout", "400")

    def orders(self) -> dict[str, list[dict[str, Any]]]:
        """All the hub knows of each shop, by the shop's name."""
        return {
            shop.name: self.hub.ask("order", "list", "--shop", shop.name, "--limit", "100000")["orders"]
            for shop in self.shops
        }

    def proved(self) -> None:
        """The ledger's proof holds, nothing is stuck, and both shops show what the hub wants there."""
        proof = self.hub.ask("proof", allowed=(0, 1))
        assert [check for check in proof["checks"] if not check["ok"]] == []
        assert proof["remainder"] == "0.00"
        for shop in self.shops:
            self.hub.ask("shop", "verify", shop.name)
        status = self.hub.ask("status")
        assert (status["messages"], status["dead_letters"], status["drift"]) == (0, 0, 0)


def ids(known: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    """The orders' ids in each shop, each as often as the hub has it."""
    return {name: sorted(order["external_id"] for order in orders) for name, orders in known.items()}


def line_states(known: Mapping[str, list[dict[str, Any]]]) -> Counter[str]:
    """How many order lines are in each state."""
    return Counter(line["state"] for orders in known.values() for order in orders for line in order["lines"])


def kill_process(hub: Hub, module: str) -> None:
    """kill -9 of the supervisor's child that runs this module, as soon as there is one, which takes a minute at most."""
    assert hub.supervisor is not None
    supervisor, deadline = psutil.Process(hub.supervisor.pid), time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in supervisor.children():
            try:
                if module in child.cmdline():
                    os.kill(child.pid, signal.SIGKILL)
                    child.wait(10)
                    return
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        threading.Event().wait(0.05)  # the supervisor is about to start it again
    raise AssertionError(f"The supervisor, {supervisor.status()}, did not start {module} again.")


def kill_database(hub: Hub) -> None:
    """kill -9 of the embedded PostgreSQL's first process; whoever needs it next starts it again."""
    note = (hub.data / "postgres").resolve() / "cluster" / "postmaster.pid"
    try:
        postmaster = psutil.Process(int(note.read_text().splitlines()[0]))
        postmaster.kill()
        postmaster.wait(timeout=10)
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return  # it is being started again already
