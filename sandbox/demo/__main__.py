"""`./run demo`: the whole way once, on this machine, from nothing.

It imports nothing of the hub: it starts servers, calls `entrepot … --json`, and asks the shops by HTTP. Every
figure it prints was asked of the hub or of a shop; none is counted by this script's own doing.
"""

import argparse
import json
import os
import shlex
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.demo import listings, money, orders
from sandbox.demo.cast import SELLERS, say, together
from sandbox.feeds.make import write
from sandbox.partners import Bank, SupplierOffice
from sandbox.people import (
    Hub,
    Shopfront,
    ShopifyServer,
    ShopServer,
    Trouble,
    free_port,
    start_images,
    stop_all,
)

CHECKOUT = Path(__file__).resolve().parents[2]
SERVERS: dict[str, type[Shopfront]] = {"woocommerce": ShopServer, "shopify": ShopifyServer}
WORDS = {
    "offers": "offers taken in",
    "rejects": "records refused, each with its reason",
    "products": "products in the catalogue",
    "listings_live": "listings live and read back equal",
    "drift": "listings that differ",
    "orders": "orders with goods of ours",
    "parked": "order lines that wait, each with its reason",
    "shipped": "order lines shipped, all told to the shops",
    "refunded": "order lines refunded after their shipment",
    "statements": "statements",
    "payouts": "payouts the bank has made",
    "returned": "payouts that came back",
    "ledger_remainder": "EUR between statements, postings and bank",
    "seconds": "seconds",
}


def main() -> int:
    """Runs the demo. Exit 0: every figure is as it must be; 1: something is wrong with the work; 2: wrong usage."""
    parser = argparse.ArgumentParser(
        prog="./run demo",
        description="Three suppliers' files become listings, orders, purchases and payouts.",
    )
    parser.add_argument(
        "--once", action="store_true", help="stop everything at the end instead of staying up to look at"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    wish = parser.parse_args()
    data = Path(os.environ.get("ENTREPOT_DATA") or CHECKOUT / "var").expanduser().absolute()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # The bank's own example account; the sandbox bank keeps it.
    hub = Hub(
        data, port=free_port(int(os.environ.get("ENTREPOT_PORT") or 8010)), ENTREPOT_RETURN_DAYS="0",
        ENTREPOT_BANK_IBAN="DE02120300000000202051", ENTREPOT_BANK_TOWN="Hamburg", ENTREPOT_BANK_COUNTRY="DE",
    )  # fmt: skip
    try:
        figures = run(hub, data)
        for name, word in WORDS.items():
            say(f"{figures[name]:>8}  {word}")
        if wish.json:
            print(json.dumps(figures), flush=True)
        if not wish.once:
            stay(hub)
        return 0 if right(figures) else 1
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
        "starting two shops, a picture server, a supplier's order server and a bank, with a certificate authority of their own"
    )
    folder = data / "sandbox"
    pictures = start_images(folder / "images")
    shops: dict[str, Shopfront] = {
        seller.code: SERVERS[seller.channel](folder / seller.code.lower(), seller.shop) for seller in SELLERS
    }
    office = SupplierOffice(folder / "norden", "Norden Lampen")
    books = money.Money(hub, Bank(folder / "bank"), folder / "bank")
    say("starting the hub: database, web, worker, scheduler")
    hub.allow([pictures.host, office.host, *(shop.host for shop in shops.values())])
    hub.start()
    files = {file.name: file for file in write(folder / "feeds", pictures.url)}
    listings.list_everything(hub, shops, files)
    money.agree(hub, office)
    money.deposits_come_in(books)
    trade = orders.Trade(hub, shops, folder)
    orders.buyers_come(trade)
    orders.buyer_changes_his_mind(trade)
    orders.suppliers_answer(trade)
    money.deposit_is_topped_up(books, trade)
    orders.suppliers_answer(trade)
    money.settle_everything(books, trade)
    return figures(hub, shops, began)


def figures(hub: Hub, shops: dict[str, Shopfront], began: float) -> dict[str, Any]:
    """The last line: the hub's own figures by its command line; live listings and drift where hub and shop agree."""
    live = drift = 0
    together(*(partial(hub.ask, "shop", "verify", seller.shop) for seller in SELLERS))
    for seller in SELLERS:
        held = shops[seller.code].held()
        for listing in hub.ask("listing", "list", seller.shop, "--limit", "100000")["listings"]:
            wanted = listing["wanted"]
            if listing["sent"] is None:
                continue
            true = wanted is not None and held.get(wanted["sku"]) == (wanted["price"], wanted["stock"])
            live += true and listing["state"] == "live"
            drift += not true or listing["state"] == "drifted"
    status = hub.ask("status")
    proof = hub.ask("proof", allowed=(0, 1))
    asked = ("orders", "parked", "shipped", "refunded", "statements", "payouts", "returned")
    return {
        **{name: status[name] for name in ("offers", "rejects", "products")}, "listings_live": live, "drift": drift,
        **{name: status[name] for name in asked}, "ledger_remainder": proof["remainder"],
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def right(found: dict[str, Any]) -> bool:
    """Whether the demo shows what it promises."""
    return bool(
        found["drift"] == 0 and found["listings_live"] > 0 and found["ledger_remainder"] == "0.00"
        and found["orders"] >= 8 and found["parked"] == 1 and found["returned"] == 1
    )  # fmt: skip


def stay(hub: Hub) -> None:
    """Stays up until Ctrl-C, so that a person can look at the console and the shops."""
    say(f"the console: {hub.console}  (its password was printed above, at the first start)")
    for shop in ShopServer.running:
        say(f"the shop {shop.name}: {shop.front}")
    told = " ".join(f"{name}={shlex.quote(value)}" for name, value in hub.environment.items())
    say(f"commands of your own, in another terminal: export {told}; ./run entrepot status")
    say("everything stays up until Ctrl-C")
    signal.pause()


if __name__ == "__main__":
    sys.exit(main())
