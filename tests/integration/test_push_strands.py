"""A push in several strands into a shop that counts points: faster, and as safe as one call after the other."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from core.errors import Unknown
from core.settings import load
from core.vault import load_vault
from models.shops import Shop as StoredShop
from pipelines.listings.push import Sending
from pipelines.listings.recorder import Recorder
from pipelines.listings.strands import MOST
from pipelines.routes import ROUTES
from sandbox.shopify.answers import Answer, Call
from sandbox.shopify.api import root_fields
from sandbox.shopify.shop import Shop
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all, run_message

LAMPS: list[dict[str, Any]] = [
    {"supplier_sku": f"L{number}", "title": f"Lampe {number}"} for number in range(40)
]


class Watched(Shop):
    """Counts how many changes of products are out at once."""

    most = 0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._lock, self._out = threading.Lock(), 0

    def answer(self, call: Call) -> Answer:
        changes = call.path.startswith("/admin/api/") and "productSet" in root_fields(call)
        with self._lock:
            self._out += changes
            self.most = max(self.most, self._out)
        try:
            return super().answer(call)
        finally:
            with self._lock:
                self._out -= changes


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Watched]:
    with Watched(tmp_path / "shop") as shop:
        yield shop


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    database = Database(database_url, ROUTES, pool_size=12)
    yield database
    database.close()


@pytest.fixture
def shop_id(db: Database, sandbox: Watched) -> int:
    """A live shop that knows how many points it gives, with nothing in it; forty lamps are wanted."""
    supplier(db, "NORDEN", absence="withdraw")
    shop_id = shop_of(db, supplier={"supplier": 2})
    told = sandbox.description()
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(StoredShop, shop_id)
        shop.url, shop.channel, shop.live_since = told["url"], "shopify", now()
        key = {"key": told["access_token"], "secret": told["client_secret"], "ca_file": told["ca_file"]}
        shop.credentials = load_vault(load()).seal(key)
        uow.cursor().execute(
            "INSERT INTO shop_meter (shop_id, points, most, a_second) VALUES (%s, 40000, 40000, 2000)",
            [shop_id],
        )
    return shop_id


def wanted(db: Database, *offers: dict[str, Any]) -> dict[str, Any]:
    """The offers in the catalogue and the shop planned; the message of the push that waits."""
    stage(db, 1, *offers)
    while todo := [one for one in pending(db) if one["step"] != "listings.push.push"]:
        run_message(db, todo[0])
    (push,) = pending(db)
    return push


def held(sandbox: Watched) -> dict[str, int | None]:
    """SKU → stock of all there is; no SKU twice."""
    with sandbox.site.lock:
        found = [one["sku"] for one in sandbox.site.all("ProductVariant")]
        stocks: dict[str, int | None] = {
            one["sku"]: _available(sandbox, one) for one in sandbox.site.all("ProductVariant")
        }
    assert len(found) == len(stocks), f"doubled: {sorted(found)}"
    return stocks


def _available(sandbox: Watched, variant: dict[str, Any]) -> int:
    (item,) = sandbox.site.all("InventoryItem", "parent = ?", variant["id"])
    return sum(level["available"] for level in item["levels"].values())


def everything(stock: int = 5) -> dict[str, int | None]:
    return {f"NORDEN-L{number}": stock for number in range(40)}


def calls(sandbox: Watched, field: str) -> int:
    return sum(field in call.get("fields", ()) for call in sandbox.requests.seen())


def test_several_products_go_in_at_once_each_of_them_once(
    db: Database, sandbox: Watched, shop_id: int
) -> None:
    sandbox.site.latency = 0.03
    sandbox.faults.add("late", field="collectionByIdentifier", seconds=0.3)  # all strands look meanwhile
    wanted(db, *LAMPS)
    run_all(db)
    assert held(sandbox) == everything()
    assert 3 <= sandbox.most <= MOST
    assert calls(sandbox, "productSet") == 40, "no product was sent twice"
    assert calls(sandbox, "collectionCreate") == 1 == len(sandbox.site.all("Collection"))
    assert rows(db, "SELECT state, count(*) FROM listing GROUP BY 1") == [("live", 40)]
    assert one(db, "SELECT out FROM shop_meter") == 0


def test_products_that_are_there_are_changed_in_strands_too(
    db: Database, sandbox: Watched, shop_id: int
) -> None:
    wanted(db, *LAMPS)
    run_all(db)
    sandbox.site.latency, sandbox.most = 0.03, 0
    sandbox.requests.clear()
    wanted(db, *({**lamp, "title": f"{lamp['title']} neu"} for lamp in LAMPS))
    run_all(db)
    titles = {product["title"] for product in sandbox.site.all("Product")}
    assert titles == {f"Lampe {number} neu" for number in range(40)}
    assert held(sandbox) == everything() and calls(sandbox, "productSet") == 40
    assert 3 <= sandbox.most <= MOST


def test_what_one_call_meets_with_spoils_no_other(db: Database, sandbox: Watched, shop_id: int) -> None:
    wanted(db, *LAMPS)
    for kind in ("drop_after", "throttled", "internal", "stray", "drop_before"):
        sandbox.faults.add(kind, field="productSet", times=1)
    while messages := pending(db):
        try:
            run_message(db, messages[0])
        except Unknown:
            continue  # its message comes again, as a worker's would
    assert held(sandbox) == everything()
    assert rows(db, "SELECT state, count(*) FROM listing GROUP BY 1") == [("live", 40)]


class Killed(BaseException):
    """The process is gone: nothing of the hub's runs any more."""


def test_a_kill_in_the_middle_loses_nothing_that_was_answered_before_a_next_call(
    db: Database, sandbox: Watched, shop_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = wanted(db, *LAMPS)
    answered, dead, product, flush = 0, threading.Event(), Recorder.product, Recorder.flush

    def recorded(self: Recorder, *given: Any) -> None:
        nonlocal answered
        answered += 1
        if answered > 25:
            dead.set()
        if dead.is_set():
            raise Killed
        product(self, *given)

    def stored(self: Recorder) -> None:
        if dead.is_set():
            raise Killed
        flush(self)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "product", recorded)
        patch.setattr(Recorder, "flush", stored)
        with pytest.raises(Killed):
            run_message(db, message)
    there, known = len(sandbox.site.all("Product")), one(db, "SELECT count(external_id) FROM shop_product")
    assert 0 < there - MOST <= known < 40
    run_all(db)
    assert held(sandbox) == everything()
    assert rows(db, "SELECT state, count(*) FROM listing GROUP BY 1") == [("live", 40)]


def test_new_stock_goes_first_between_the_calls_of_all_strands(
    db: Database, sandbox: Watched, shop_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted(db, *LAMPS[:2])
    run_all(db)
    monkeypatch.setattr("pipelines.listings.push.LOOK_SECONDS", 0.0)
    message = wanted(db, *LAMPS)
    sandbox.requests.clear()
    send_piece, begun = Sending._send_piece, threading.Event()

    def sold(self: Sending, *given: Any) -> None:
        if not begun.is_set():
            begun.set()
            db.run(
                "UPDATE listing SET wanted = jsonb_set(wanted, '{stock}', '3') WHERE state = 'live'",
            )
        send_piece(self, *given)

    monkeypatch.setattr(Sending, "_send_piece", sold)
    run_message(db, message)
    fields = [name for call in sandbox.requests.seen() for name in call.get("fields", ())]
    assert fields.count("inventorySetQuantities") == 1
    assert "productSet" in fields[fields.index("inventorySetQuantities") :], "the load was not over yet"
    assert held(sandbox) == everything() | {"NORDEN-L0": 3, "NORDEN-L1": 3}
