"""Sandbox shops as processes of their own, and a hub whose supplier has as many offers as a benchmark wants."""

import contextlib
import csv
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.feeds import Hub
from bench.places import Worker, database
from core.clock import now
from core.database import Database
from core.settings import CHECKOUT, load
from models.events import ListingsDue
from models.shops import Shop
from models.suppliers import Feed
from pipelines.listings.plan import start_push
from pipelines.making import NewSelection, NewShop, connect_shop, make_company, make_selection
from pipelines.routes import ROUTES

LOOK = 0.1
"""Seconds between two looks whether something is done."""
VARIANTS = 10
"""Variants of one of the grouped products."""


@dataclass
class Sandbox:
    """One shop's process; `told` is the line it prints when it is ready."""

    channel: str
    folder: Path
    process: subprocess.Popen[str]
    told: dict[str, str] = field(repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """Key and secret, as the hub is given them."""
        names = ("access_token", "client_secret") if self.channel == "shopify" else ("key", "secret")
        return self.told[names[0]], self.told[names[1]]

    def ask(self, what: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Its switches and figures under /sandbox/."""
        request = urllib.request.Request(
            f"{self.told['url']}/sandbox/{what}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.told['admin_token']}",
                "Content-Type": "application/json",
            },
            method=method,
        )
        trusted = ssl.create_default_context(cafile=self.told["ca_file"])
        with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """Ends it; its folder stays."""
        self.process.terminate()
        self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()


def sandbox(channel: str, folder: Path, *options: str) -> Sandbox:
    """Starts a shop in `folder`; one that is there already is the same shop again."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"sandbox.{channel}", "--folder", str(folder), *options],
        cwd=CHECKOUT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"The sandbox {channel} did not start.")
    return Sandbox(channel, folder, process, json.loads(line))


def again(one: Sandbox, folder: Path, *options: str) -> Sandbox:
    """A copy of a stopped shop with all that is in it, as another shop."""
    shutil.copytree(one.folder, folder, dirs_exist_ok=True)
    return sandbox(one.channel, folder, *options)


class ShopHub(Hub):
    """A hub of its own with one supplier, whose offers are half grouped products, half simple ones."""

    def __init__(self, url: str, folder: Path, worker: Worker) -> None:
        super().__init__(url, folder / "drop", worker)
        self.db, self.folder = Database(url, ROUTES), folder
        self._days = 0
        self._stock: dict[str, int] = {}
        self.stocked: Feed = self.feed()

    def catalogue(self, grouped: int, simple: int) -> None:
        """Takes in a first list: so many offers in the category Grouped, ten to a product, and so many in Simple."""
        self._stock = {f"G{number:06}": 900 for number in range(grouped)} | {
            f"S{number:06}": 900 for number in range(simple)
        }
        self.take(self.stocked, self.file())

    def file(self) -> Path:
        """The supplier's list as it is now."""
        self._days += 1
        path = self.folder / f"list-{self._days}.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            lines = csv.writer(out, delimiter=";", lineterminator="\n")
            lines.writerow(
                ("sku", "name", "category", "wholesale_price", "currency", "stock", "item_group_id", "size")
            )
            for sku, stock in self._stock.items():
                number = int(sku[1:])
                group = f"P{number // VARIANTS}" if sku[0] == "G" else ""
                named = f"Lamp {number // VARIANTS}" if group else f"Chair {number}"
                category = "Grouped" if group else "Simple"
                size = str(number % VARIANTS) if group else ""
                lines.writerow((sku, named, category, "10.00", "EUR", stock, group, size))
        return path

    def restocked(self, every: int, turn: int) -> Path:
        """The list after one offer of `every` sold or got a piece."""
        for place, sku in enumerate(self._stock):
            if place % every == turn % every:
                self._stock[sku] += 1 if turn % 2 else -1
        return self.file()

    def connect(self, one: Sandbox, name: str, category: str) -> int:
        """The hub's number for a shop that sells a category; nothing is in it yet and nothing goes into it by itself."""
        key, secret = one.key
        with self.db.unit_of_work() as uow:
            make_company(uow, "seller", f"Seller of {name}", name.upper())
        asked = NewShop(
            name=name, seller=name.upper(), url=one.told["url"], key=key, secret=secret, channel=one.channel,
            ca_file=one.told["ca_file"],
        )  # fmt: skip
        shop_id = connect_shop(self.db, load(), asked)
        with self.db.unit_of_work() as uow:
            make_selection(uow, shop_id, NewSelection(margin_percent=35, category=category))
        self.quiet(shop_id)
        return shop_id

    def live(self, shop_id: int) -> None:
        """Lets the first push go; from then on the shop is kept true."""
        with self.db.unit_of_work() as uow:
            shop = uow.session.get_one(Shop, shop_id, with_for_update={"key_share": True})
            shop.live_since = now()
            start_push(uow, shop, asked_by="operator", limit=False)

    def twin(self, shop_id: int, one: Sandbox, name: str) -> int:
        """Another shop that holds what this one holds, by copying rows: `one` is a copy of its sandbox."""
        twin_id = self.connect(one, name, "none of it")
        columns = "product_id, wanted, sent, external_id, image_ids, trade_only"
        listed = (
            "product_id, variant_id, state, wanted, sent, seen, why, external_id, stock_id, sent_at, seen_at"
        )
        with self.db.unit_of_work() as uow:
            uow.allow(120)
            cursor = uow.cursor()
            for table, names in (("shop_product", columns), ("listing", listed)):
                cursor.execute(
                    f"INSERT INTO {table} (shop_id, {names}) SELECT %s, {names} FROM {table} WHERE shop_id = %s".encode(),
                    [twin_id, shop_id],
                )
            cursor.execute(
                "UPDATE selection s SET what = o.what FROM selection o WHERE s.shop_id = %s AND o.shop_id = %s",
                [twin_id, shop_id],
            )
            shop = uow.session.get_one(Shop, twin_id)
            shop.live_since = now()
        return twin_id

    def plan(self, *shop_ids: int) -> None:
        """Asks for whole plans."""
        with self.db.unit_of_work() as uow:
            for shop_id in shop_ids:
                shop = uow.session.get_one(Shop, shop_id)
                uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))

    def count(self, where: str, *values: Any) -> int:
        """Listings for which this holds."""
        ((number,),) = self.db.run(f"SELECT count(*) FROM listing WHERE {where}", values)
        return int(number)

    def none(self, where: str, *values: Any) -> None:
        """Waits until this holds for no listing; looks seldom, since looking takes the hub's own time."""
        query = f"SELECT 1 FROM listing WHERE {where} LIMIT 1"
        pause = threading.Event()
        self.until(lambda: pause.wait(LOOK) or self.db.run(query, values) == [])

    def quiet(self, shop_id: int) -> None:
        """Waits until nothing of the shop waits any more. Raises RuntimeError where a message of it was given up."""
        lane = f"shop:{shop_id}"
        waiting = "SELECT count(*) FROM message WHERE lane = %s"
        pause = threading.Event()
        self.until(lambda: pause.wait(LOOK) or self.db.run(waiting, [lane]) == [(0,)])
        if dead := self.db.run("SELECT error FROM dead_letter WHERE lane = %s", [lane]):
            raise RuntimeError(f"A step of shop {shop_id} was given up: {dead[0][0]}")

    def close(self) -> None:
        """Lets the database go."""
        self.db.close()
        super().close()


@contextlib.contextmanager
def shop_hub(folder: Path) -> Iterator[ShopHub]:
    """A hub with nothing in it but a supplier; its worker is as `./run up` starts it."""
    before = dict(os.environ)
    os.environ |= {"ENTREPOT_PRIVATE_HOSTS": "127.0.0.1", "ENTREPOT_DATA": str(folder / "data")}
    (folder / "drop").mkdir(parents=True)
    try:
        with database() as url, Worker(url, folder / "data") as worker:
            made = ShopHub(url, folder, worker)
            try:
                yield made
            finally:
                made.close()
    finally:
        os.environ.clear()
        os.environ.update(before)
