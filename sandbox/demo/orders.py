"""Way B of the demo: buyers buy in both shops; the hub reserves, holds, orders at the suppliers, ships and tells the shops."""

import csv
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.demo.cast import CASA_VERDE, NORDEN, SELLERS, TRAILHEAD, Supplier, say, together
from sandbox.people import Hub, Shopfront, SoldOut, Trouble

POT, LAMP, DARK_LAMP, MOUNTING = (
    "CASAVERDE-CV-POT-TER-18CM", "NORDEN-NL-1001", "NORDEN-NL-1002", "NORDEN-NL-9001",
)  # fmt: skip
JACKET, JACKET_M, SLATE_M, BIG_POT = (
    "TRAILHEAD-TH-RIDGELINE-SH-MOSS-S", "TRAILHEAD-TH-RIDGELINE-SH-MOSS-M", "TRAILHEAD-TH-RIDGELINE-SH-SLATE-M",
    "CASAVERDE-CV-POT-TER-24CM",
)  # fmt: skip


class Trade:
    """The buyers' orders by the name they have in this story; each is the shop it was placed in and its number there."""

    def __init__(self, hub: Hub, shops: dict[str, Shopfront], folder: Path) -> None:
        self.hub, self.wohnlicht, self.bergzeit, self.folder = (
            hub,
            shops["WOHNLICHT"],
            shops["BERGZEIT"],
            folder,
        )
        self.placed: dict[str, tuple[Shopfront, str]] = {}

    def buy(self, name: str, shop: Shopfront, *lines: tuple[str, int]) -> None:
        """A buyer buys in a shop."""
        self.placed[name] = (shop, shop.buy(list(lines)))

    def want(self, name: str, shop: Shopfront, *lines: tuple[str, int]) -> None:
        """A buyer would buy, and goes away where the shop has it no longer."""
        try:
            self.buy(name, shop, *lines)
        except SoldOut:
            say(f"{shop.name} has sold out: the buyer goes away")

    def settle(self) -> None:
        """Webhooks are only hints: every shop is swept too, then all that follows is waited for."""
        together(*(partial(self.hub.ask, "order", "pull", seller.shop) for seller in SELLERS))
        self.hub.ask("message", "wait")

    def order(self, name: str) -> dict[str, Any]:
        """One order of the story as the hub tells it. Raises Trouble where it does not know it."""
        shop, external = self.placed[name]
        orders: list[dict[str, Any]] = self.hub.ask("order", "list", "--shop", shop.name, "--limit", "1000")[
            "orders"
        ]
        for found in orders:
            if found["external_id"] == external:
                return found
        raise Trouble(f"The hub does not know the order {external} of the shop {shop.name}.")

    def states(self, name: str) -> list[str]:
        """The states of the order's lines."""
        return [line["state"] for line in self.order(name)["lines"]]


def buyers_come(trade: Trade) -> None:
    """Nine orders: two over the deposit, one for the last unit that two wanted, one of two suppliers, one service."""
    say("buyers buy in both shops")
    first: list[Any] = [
        ("two lamps", trade.wohnlicht, (LAMP, 2)),
        ("four pots", trade.wohnlicht, (POT, 4)),
        ("mounting", trade.wohnlicht, (MOUNTING, 1)),
        ("of two suppliers", trade.wohnlicht, (DARK_LAMP, 1), (BIG_POT, 1)),
        ("two jackets", trade.bergzeit, (JACKET, 2)),
        ("changed mind", trade.bergzeit, (BIG_POT, 1)),
    ]
    together(*(partial(trade.buy, name, shop, *lines) for name, shop, *lines in first))
    trade.settle()
    say(
        "two buyers in two shops want the last pot at the same moment; two others buy for more than the deposit"
    )
    together(
        partial(trade.want, "last pot, one", trade.wohnlicht, (POT, 1)),
        partial(trade.want, "last pot, two", trade.bergzeit, (POT, 1)),
        partial(trade.buy, "three jackets", trade.bergzeit, (JACKET_M, 3)),
    )
    trade.settle()
    trade.buy("a whole team", trade.bergzeit, (SLATE_M, 12))
    trade.settle()
    sold = [name for name in ("last pot, one", "last pot, two") if name in trade.placed]
    got = [name for name in sold if trade.states(name) != ["awaiting_stock"]]
    if (len(sold), len(got)) != (1, 1):
        raise Trouble(
            f"The last pot was sold {len(sold)} times and covered {len(got)} times; it should be once."
        )
    for name in ("three jackets", "a whole team"):
        if trade.states(name) != ["awaiting_deposit"]:
            raise Trouble(f"The order over the deposit, {name}, is {trade.states(name)}, not waiting for it.")
    say(
        f"one shop showed it and sold it, once; three jackets wait: {trade.order('three jackets')['lines'][0]['reason']}"
    )


def buyer_changes_his_mind(trade: Trade) -> None:
    """Cancelled in the shop after the hub had ordered: the supplier is asked, and agrees."""
    shop, external = trade.placed["changed mind"]
    shop.cancel(external)
    trade.settle()
    for order in trade.hub.ask("po", "list", "--supplier", CASA_VERDE.code)["purchase_orders"]:
        if order["state"] == "cancel_requested":
            trade.hub.ask("po", "cancelled", str(order["id"]))
    trade.hub.ask("message", "wait")
    say(
        f"an order cancelled in the shop after the purchase: {CASA_VERDE.name} agrees, the hold is given back"
    )


def suppliers_answer(trade: Trade) -> None:
    """Each in his own way: Norden by his order server, Casa Verde by a CSV file, Trailhead line by line."""
    hub = trade.hub
    say(
        f"{NORDEN.name} was asked by his order server, {CASA_VERDE.name} gets a CSV file, {TRAILHEAD.name} confirms by hand"
    )
    together(
        partial(by_hand, hub, NORDEN, "DHL", "0034043{:08}"), partial(by_hand, hub, TRAILHEAD, "PostNL", "3S{:09}"),
        partial(by_file, trade),
    )  # fmt: skip
    hub.ask("message", "wait")


def by_hand(hub: Hub, supplier: Supplier, carrier: str, number: str) -> None:
    """A supplier confirms what he was asked for and ships each order in one parcel."""
    asked = ("po", "list", "--supplier", supplier.code, "--state", "placed")
    for order in hub.ask(*asked)["purchase_orders"]:
        hub.ask("po", "confirm", str(order["id"]))
        tracking = ("--carrier", carrier, "--number", number.format(order["id"]))
        hub.ask("ship", "add", str(order["id"]), "--key", f"parcel-{order['id']}", *tracking)


def by_file(trade: Trade) -> None:
    """Casa Verde reads the CSV of his orders, fills in what he ships, and sends it back: the four pots in two parcels."""
    sent, answered = trade.folder / "casa-verde-orders.csv", trade.folder / "casa-verde-shipped.csv"
    trade.hub.ask("po", "export", "--supplier", CASA_VERDE.code, "--out", str(sent))
    with sent.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] in ("placed", "accepted")]
    filled = []
    for place, row in enumerate(rows):
        parcels = [3, 1] if row["quantity"] == "4" else [int(row["quantity"])]
        for parcel, quantity in enumerate(parcels, 1):
            filled.append(
                {"reference": row["reference"], "line": row["line"], "confirmed": "yes", "shipped": str(quantity),
                 "carrier": "Correos", "tracking": f"PQ{place:03}{parcel}ES"}
            )  # fmt: skip
    with answered.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, ["reference", "line", "confirmed", "shipped", "carrier", "tracking"])
        out.writeheader()
        out.writerows(filled)
    trade.hub.ask("po", "import", str(answered))
