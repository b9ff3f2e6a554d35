"""Way A of the demo: suppliers drop their files, sellers connect their shops and choose, the hub lists and reads back."""

from functools import partial
from pathlib import Path

from sandbox.demo.cast import SELLERS, SUPPLIERS, Seller, Supplier, say, together
from sandbox.people import Hub, Shopfront


def list_everything(hub: Hub, shops: dict[str, Shopfront], files: dict[str, Path]) -> None:
    """From three files and two empty shops to true listings."""
    together(
        *(partial(supply, hub, supplier, files[supplier.file]) for supplier in SUPPLIERS),
        *(partial(connect, hub, seller, shops[seller.code]) for seller in SELLERS),
    )
    hub.ask("message", "wait")
    together(*(partial(choose_and_push, hub, seller) for seller in SELLERS))


def supply(hub: Hub, supplier: Supplier, file: Path) -> None:
    """A supplier joins and drops his list."""
    say(f"{supplier.name} drops {file.name}")
    hub.ask("supplier", "add", supplier.name, "--code", supplier.code)
    hub.ask("feed", "add", supplier.code, supplier.feed, *supplier.settings)
    run = hub.ask("feed", "run", supplier.feed, str(file))
    say(
        f"{supplier.name}: {run['records']} records, {run['accepted']} accepted, each of the others answered with its reason"
    )


def connect(hub: Hub, seller: Seller, shop: Shopfront) -> None:
    """A seller joins and connects his shop."""
    say(f"{seller.name} connects {shop.url}")
    hub.ask("seller", "add", seller.name, "--code", seller.code)
    hub.ask(
        "shop", "add", seller.code, seller.shop, "--channel", seller.channel, "--url", shop.url, "--ca-file", shop.ca_file,
        secrets=shop.keys,
    )  # fmt: skip
    hub.ask("shop", "settings", seller.shop, f"weight={seller.weight}")


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
