"""A live shop that is connected to a sandbox, and what that sandbox holds: for tests of pushes."""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from core.settings import load
from core.vault import load_vault
from models.shops import Shop as StoredShop
from pipelines.routes import ROUTES
from sandbox.woocommerce.shop import Shop
from tests.staged import shop_of, stage, supplier
from tests.stepping import rows, run_all


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path / "shop", images="accept") as shop:
        yield shop


@pytest.fixture
def db(
    database_url: str, tmp_path: Path, sandbox: Shop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def open_shop(db: Database, sandbox: Shop, *offers: dict[str, Any], secret: str | None = None) -> int:
    """A live shop connected to the sandbox, with these offers of one supplier wanted in it."""
    supplier(db, "NORDEN", absence="withdraw")
    stage(db, 1, *offers)
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(StoredShop, shop_id)
        shop.url, shop.live_since = sandbox.url, now()
        told = sandbox.description()
        shop.credentials = load_vault(load()).seal(
            {"key": told["key"], "secret": secret or told["secret"], "ca_file": told["ca_file"]}
        )
    return shop_id


def held(sandbox: Shop) -> dict[str, tuple[str, int | None, str]]:
    """SKU → (price, stock, status) of everything but variable parents."""
    found: dict[str, tuple[str, int | None, str]] = {}
    for product in ask(sandbox, "products"):
        if product.get("type") != "variable":
            assert product["sku"] not in found, f"{product['sku']} is there twice"
            found[product["sku"]] = (product["regular_price"], product["stock_quantity"], product["status"])
    return found


def edit(sandbox: Shop, sku: str, **fields: Any) -> None:
    """As its owner does in the shop's own pages."""
    ask(sandbox, "edit", {"sku": sku, "set": fields})


def ask(sandbox: Shop, what: str, body: dict[str, Any] | None = None) -> Any:
    """The sandbox's own switches."""
    request = urllib.request.Request(
        f"{sandbox.url}/sandbox/{what}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {sandbox.keys.admin_token}", "Content-Type": "application/json"},
    )
    trusted = ssl.create_default_context(cafile=str(sandbox.ca_file))
    with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
        return json.load(answer)


def states(db: Database) -> dict[str, int]:
    return dict(rows(db, "SELECT state, count(*) FROM listing GROUP BY 1"))
