"""The demo: three suppliers' files become true listings in two sellers' shops, by the commands any user would type.

It imports nothing of the hub: it starts servers, calls `entrepot … --json`, and asks the shops by HTTP. Every
figure it prints was asked of the hub or of a shop; none is counted by this script's own doing.
"""

import argparse
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.feeds.make import write
from sandbox.people import Hub, ShopServer, Trouble, free_port, start_images, stop_all

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Seller:
    """Who sells, in which shop, and with which margin in per cent on each supplier's cost."""

    name: str
    code: str
    shop: str
    margins: dict[str, str]


@dataclass(frozen=True)
class Supplier:
    """Who supplies, by which sample file, and what the hub must be told about it."""

    name: str
    code: str
    feed: str
    file: str
    settings: tuple[str, ...] = ()


SUPPLIERS = (
    Supplier("Norden Lampen GmbH", "NORDEN", "Preisliste", "norden-lampen.csv"),
    Supplier("Casa Verde", "CASAVERDE", "Shopping feed", "casa-verde.xml", ("--assumed-stock", "5")),
    Supplier(
        "Trailhead Apparel", "TRAILHEAD", "Product export", "trailhead-apparel.csv",
        ("--currency", "EUR", "--cost-from", "price", "--cost-minus", "40"),
    ),
)  # fmt: skip
SELLERS = (
    Seller("Wohnlicht Online", "WOHNLICHT", "Wohnlicht", {"NORDEN": "60", "CASAVERDE": "45"}),
    Seller("Bergzeit Kaufhaus", "BERGZEIT", "Bergkaufhaus", {"TRAILHEAD": "80", "CASAVERDE": "50"}),
)


def main() -> int:
    """Runs the demo. Exit 0: every listing is true; 1: something is wrong with the work; 2: wrong usage."""
    parser = argparse.ArgumentParser(
        prog="./run demo", description="Three suppliers' files become true listings in two shops."
    )
    parser.add_argument(
        "--once", action="store_true", help="stop everything at the end instead of staying up to look at"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    wish = parser.parse_args()
    data = Path(os.environ.get("ENTREPOT_DATA") or CHECKOUT / "var").expanduser().absolute()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    hub = Hub(data, port=free_port(int(os.environ.get("ENTREPOT_PORT") or 8010)))
    try:
        figures = run(hub, data)
        told(figures, wish.json)
        if not wish.once:
            stay(hub, wish.json)
        return 0 if figures["drift"] == 0 and figures["listings_live"] > 0 else 1
    except Trouble as trouble:
        sys.stderr.write(f"demo: {trouble}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        stop_all()


def run(hub: Hub, data: Path) -> dict[str, Any]:
    """The whole way once; the figures asked at its end. `seconds` from the first server's start to the last answer."""
    began = time.monotonic()
    say(
        "starting a picture server and two WooCommerce shops on this machine, with a certificate authority of their own"
    )
    folder = data / "sandbox"
    pictures = start_images(folder / "images")
    shops = [ShopServer(folder / seller.code.lower(), seller.shop) for seller in SELLERS]
    say("starting the hub: database, web, worker, scheduler")
    hub.allow([pictures.host, *(shop.host for shop in shops)])
    hub.start()
    files = {file.name: file for file in write(folder / "feeds", pictures.url)}
    with ThreadPoolExecutor() as hands:
        done = [hands.submit(supply, hub, supplier, files[supplier.file]) for supplier in SUPPLIERS]
        done += [
            hands.submit(connect, hub, seller, shop) for seller, shop in zip(SELLERS, shops, strict=True)
        ]
        for each in done:
            each.result()
        hub.ask("message", "wait")
        for each in [hands.submit(choose_and_push, hub, seller) for seller in SELLERS]:
            each.result()
    return figures(hub, shops, began)


def supply(hub: Hub, supplier: Supplier, file: Path) -> None:
    """A supplier joins and drops his list."""
    say(f"{supplier.name} drops {file.name}")
    hub.ask("supplier", "add", supplier.name, "--code", supplier.code)
    hub.ask("feed", "add", supplier.code, supplier.feed, *supplier.settings)
    run = hub.ask("feed", "run", supplier.feed, str(file))
    say(
        f"{supplier.name}: {run['records']} records, {run['accepted']} accepted, each of the others answered with its reason"
    )


def connect(hub: Hub, seller: Seller, shop: ShopServer) -> None:
    """A seller joins and connects his shop."""
    say(f"{seller.name} connects {shop.url}")
    hub.ask("seller", "add", seller.name, "--code", seller.code)
    hub.ask(
        "shop",
        "add",
        seller.code,
        seller.shop,
        "--url",
        shop.url,
        "--ca-file",
        shop.ca_file,
        secrets=shop.keys,
    )


def choose_and_push(hub: Hub, seller: Seller) -> None:
    """A seller chooses by supplier, looks at the plan, pushes, and has the shop read back."""
    for code, margin in seller.margins.items():
        hub.ask("select", "add", seller.shop, "--supplier", code, "--margin", margin)
    hub.ask("message", "wait")
    planned = hub.ask("push", seller.shop, "--plan")
    say(
        f"{seller.shop}: {planned['create']} listings to make from {' and '.join(seller.margins)}; pushing, then reading back"
    )
    hub.ask("push", seller.shop, "--apply")
    hub.ask("shop", "verify", seller.shop)


def figures(hub: Hub, shops: list[ShopServer], began: float) -> dict[str, Any]:
    """The last line: offers, rejects and products from the hub; live listings and drift where hub and shop agree."""
    status = hub.ask("status")
    live = drift = 0
    for shop in shops:
        held = shop.held()
        for listing in hub.ask("listing", "list", shop.name, "--limit", "100000")["listings"]:
            wanted = listing["wanted"]
            if listing["sent"] is None:
                continue
            true = wanted is not None and held.get(wanted["sku"]) == (wanted["price"], wanted["stock"])
            live, drift = (
                live + (true and listing["state"] == "live"),
                drift + (not true or listing["state"] == "drifted"),
            )
    return {
        "offers": status["offers"], "rejects": status["rejects"], "products": status["products"], "listings_live": live,
        "drift": drift, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def told(figures: dict[str, Any], as_json: bool) -> None:
    """The figures, for a person and where asked for a program."""
    words = {
        "offers": "offers taken in", "rejects": "records refused, each with its reason", "products": "products in the catalogue",
        "listings_live": "listings live and read back equal", "drift": "listings that differ", "seconds": "seconds",
    }  # fmt: skip
    for name, word in words.items():
        say(f"{figures[name]:>8}  {word}")
    if as_json:
        print(json.dumps(figures), flush=True)


def stay(hub: Hub, quiet: bool) -> None:
    """Stays up until Ctrl-C, so that a person can look at the console and the shops."""
    say(f"the console: {hub.console}  (its password was printed above, at the first start)")
    for shop in ShopServer.running:
        say(f"the shop {shop.name}: {shop.front}")
    say("everything stays up until Ctrl-C")
    signal.pause()


def say(line: str) -> None:
    """A line of progress, for a person."""
    sys.stderr.write(f"demo  {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
