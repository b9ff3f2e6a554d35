"""The journeys' hub: real processes on an embedded PostgreSQL of their own, with and without RabbitMQ."""

import csv
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.people import Hub, ShopServer, free_port, stop_all
from sandbox.rabbitmq import OwnRabbit

HEAD = ["Artikelnummer", "Bezeichnung", "EAN", "EK", "UVP", "Bestand", "Warengruppe"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder with a short name: a socket's path is limited."""
    with tempfile.TemporaryDirectory(prefix="ej-", dir="/tmp") as name:
        yield Path(name)
        shutil.rmtree(
            (Path(name) / "postgres").resolve(), ignore_errors=True
        )  # as root the cluster lies elsewhere


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def broker(request: pytest.FixtureRequest, folder: Path) -> Iterator[OwnRabbit | None]:
    """A RabbitMQ of this test alone, whose queues nobody else reads; None where the message table is the broker."""
    if request.param == "embedded":
        yield None
        return
    request.getfixturevalue("amqp_url")  # skips, or fails in CI, where there is no RabbitMQ to be had
    rabbit = OwnRabbit(folder / "rabbit")
    rabbit.up()
    yield rabbit
    rabbit.down()


@pytest.fixture
def hub(broker: OwnRabbit | None, folder: Path) -> Iterator[Hub]:
    """A hub that is not started yet, on each broker in turn."""
    environment = {"ENTREPOT_AMQP_URL": broker.url} if broker else {}
    made = Hub(folder, port=free_port(0), **environment)
    yield made
    stop_all()


def shop_server(folder: Path, name: str, *options: str) -> ShopServer:
    """A sandbox shop that takes every picture's address, since the files' pictures are not on this machine."""
    return ShopServer(folder / name, name, "--images", "accept", *options)


def sell(hub: Hub, shop: ShopServer, supplier: str, margin: str = "40") -> None:
    """A seller connects the shop and chooses all of one supplier."""
    hub.ask("seller", "add", "Seller of " + shop.name, "--code", "S" + shop.name.upper())
    hub.ask(
        "shop",
        "add",
        "S" + shop.name.upper(),
        shop.name,
        "--url",
        shop.url,
        "--ca-file",
        shop.ca_file,
        secrets=shop.keys,
    )
    hub.ask("select", "add", shop.name, "--supplier", supplier, "--margin", margin)
    hub.ask("message", "wait")


def wanted(hub: Hub, shop: str) -> dict[str, tuple[str, int]]:
    """What the hub wants in the shop: SKU → (price, stock)."""
    listings = hub.ask("listing", "list", shop, "--limit", "1000000")["listings"]
    return {
        row["wanted"]["sku"]: (row["wanted"]["price"], row["wanted"]["stock"])
        for row in listings
        if row["wanted"]
    }


def write(file: Path, number: int, *, price: float = 10, stock: int = 5, skip: int = 0) -> Path:
    """A supplier's German CSV of so many lamps."""
    with file.open("w", encoding="cp1252", newline="") as out:
        rows = csv.writer(out, delimiter=";")
        rows.writerow(HEAD)
        for place in range(skip, number):
            cost = f"{price + place / 100:.2f}".replace(".", ",")
            rows.writerow([f"L-{place:04}", f"Lämpchen {place}", "", cost, "99,90", stock, "Licht"])
    return file


def connected(hub: Hub, folder: Path, file: Path) -> ShopServer:
    """A started hub with one supplier's file taken in and one shop that chose it all."""
    shop = shop_server(folder, "licht")
    hub.allow([shop.host])
    hub.start()
    hub.ask("supplier", "add", "Norden Lampen", "--code", "NORDEN")
    hub.ask("feed", "add", "NORDEN", "lampen", "--currency", "EUR", "--absence", "withdraw")
    assert hub.ask("feed", "run", "lampen", str(file))["state"] == "applied"
    sell(hub, shop, "NORDEN")
    return shop
