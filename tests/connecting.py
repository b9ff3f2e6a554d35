"""Connecting in tests: both sandbox shops, a console that may reach them, and an owner who agrees."""

import hashlib
import hmac
import json
import ssl
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from core.database import Database
from core.settings import load
from core.vault import load_vault
from models.companies import Company
from models.shops import Shop
from pipelines.connecting import Wish, begin
from sandbox.shopify.shop import Shop as Shopify
from sandbox.woocommerce.shop import Shop as Woo
from tests.console import Console, console
from tests.stepping import one

APP = {"shopify_client_id": "", "shopify_client_secret": ""}
HUB = "http://127.0.0.1:8010"


@pytest.fixture(scope="module")
def shopify(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shopify]:
    with Shopify(tmp_path_factory.mktemp("shopify")) as shop:
        yield shop


@pytest.fixture(scope="module")
def woo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Woo]:
    with Woo(tmp_path_factory.mktemp("woo"), plain_callbacks=True) as shop:
        yield shop


@pytest.fixture
def opened(
    database_url: str, tmp_path: Path, shopify: Shopify, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Console]:
    told = shopify.description()
    chosen = {
        "private_hosts": "127.0.0.1", "public_url": HUB, "shopify_client_id": told["client_id"],
        "shopify_client_secret": told["client_secret"],
    }  # fmt: skip
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    for name, value in chosen.items():
        monkeypatch.setenv(f"ENTREPOT_{name.upper()}", value)
    with console(database_url, tmp_path, sign_in=False, **chosen) as made:
        yield made


@pytest.fixture
def db(opened: Console) -> Database:
    return opened.db


def seller(db: Database) -> int:
    with db.unit_of_work() as uow:
        company = Company(kind="seller", code="LAMPEN", name="Lampen GmbH")
        uow.session.add(company)
        uow.session.flush()
        return company.id


def way(
    db: Database, channel: str, url: str, ca_file: Path, *, session: bytes | None = None, name: str = "Shop"
) -> str:
    """The address that a seller is sent to."""
    found = one(db, "SELECT max(id) FROM company WHERE kind = 'seller'") or seller(db)
    with db.unit_of_work() as uow:
        return begin(uow, load(), Wish(found, channel, name, url, str(ca_file)), session)


def agree(shop: Shopify | Woo, address: str, **more: str) -> str:
    """The owner's click on the shop's own page; where it sends him."""
    with httpx2.Client(
        verify=ssl.create_default_context(cafile=str(shop.ca_file)), trust_env=False
    ) as browser:
        answer = browser.post(address, data={**dict(parse_qsl(urlsplit(address).query)), **more})
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def path_of(address: str) -> str:
    """The part of the hub's address behind its name."""
    assert address.startswith(HUB), address
    return address.removeprefix(HUB)


def connected(opened: Console, shopify: Shopify) -> int:
    """A Shopify shop connected with tokens that end."""
    back = agree(shopify, way(opened.db, "shopify", shopify.url, shopify.ca_file))
    answer = opened.get(path_of(back))
    assert answer.status_code == 200 and "The shop is connected" in answer.text
    return int(one(opened.db, "SELECT shop_id FROM connection_request ORDER BY used_at DESC LIMIT 1"))


def stored(db: Database, shop_id: int) -> Shop:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.session.expunge_all()
        return shop


def held(shop: Shop) -> dict[str, Any]:
    return load_vault(load()).open(shop.credentials)


# ---------------------------------------------------------------- Shopify


def sent(
    opened: Console,
    shopify: Shopify,
    path: str,
    headers: dict[str, str],
    body: Any,
    secret: str | None = None,
) -> int:
    """A call of Shopify's, signed by the app's secret."""
    raw = json.dumps(body).encode()
    key = (secret or shopify.description()["client_secret"]).encode()
    mark = b64encode(hmac.new(key, raw, hashlib.sha256).digest()).decode()
    answer = opened.client.post(path, content=raw, headers={**headers, "X-Shopify-Hmac-Sha256": mark})
    return int(answer.status_code)


def add_listing(uow: Any, shop_id: int) -> None:
    cursor = uow.cursor()
    cursor.execute("INSERT INTO product (title, kind, images) VALUES ('Lamp', 'goods', '[]') RETURNING id")
    (product,) = cursor.fetchone()
    cursor.execute("INSERT INTO variant (product_id, key, sku, title, options, images) VALUES (%s, 'A', 'A', 'Lamp', '{}', '[]') RETURNING id", [product])  # fmt: skip
    (variant,) = cursor.fetchone()
    cursor.execute(
        "INSERT INTO listing (shop_id, product_id, variant_id, state, external_id) VALUES (%s, %s, %s, 'live', 'gid://shopify/ProductVariant/1')",
        [shop_id, product, variant],
    )


def add_order(db: Database, shop_id: int, number: int) -> int:
    with db.unit_of_work() as uow:
        cursor = uow.cursor()
        cursor.execute(
            "INSERT INTO shop_order (shop_id, seller_id, external_id, number, currency, standing, placed_at, external_updated_at, total_minor)"
            " SELECT id, seller_id, %s, %s, 'EUR', 'open', now(), now(), 100 FROM shop WHERE id = %s RETURNING id",
            [f"gid://shopify/Order/{number}", f"#{number}", shop_id],
        )
        ((order_id,),) = cursor.fetchall()
        cursor.execute(
            'INSERT INTO order_buyer (order_id, address) VALUES (%s, \'{"name": "Eva"}\')', [order_id]
        )
        return int(order_id)
