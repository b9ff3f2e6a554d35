"""The proof that the contract may be run against somebody's own shop: given the sandbox as a live one, it leaves it as found."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.shopify.shop import Shop as Shopify
from sandbox.shopify.site import SCOPES
from sandbox.woocommerce.shop import Shop
from tests.contract.shopify_live_rig import NEEDED
from tests.contract.shopify_rig import ShopifyRig
from tests.contract.shops import LIVE, LIVE_SHOPIFY, WooRig

CHECKOUT = Path(__file__).resolve().parents[2]
LISTS = {
    "products": ("any", "trash"),
    "orders": ("any", "trash"),
    "products/categories": ("",),
    "products/tags": ("",),
    "products/attributes": ("",),
    "webhooks": ("all",),
}
"""What a shop can list, and the statuses under which it lists all of it."""
KINDS = (
    "Product",
    "ProductVariant",
    "Collection",
    "Order",
    "WebhookSubscription",
    "CalculatedOrder",
    "MetafieldDefinition",
)
"""What a Shopify holds that a test could leave behind."""


SHOPS: dict[str, dict[str, Any]] = {
    "at home in New York": {"utc_offset_hours": -5, "currency": "USD"},
    "slow, in a folder, prices with tax": {"below": "/shop", "tax_included": True, "latency": 1},
    "over http": {"below": "/deep/shop", "weight_unit": "oz"},
}
FAILING = '''"""Every second call that changes products is answered, and the test that made it fails there and then."""

from connectors.shops.woocommerce.client import Rest

whole, calls = Rest.batch, []


def batch(self, *args):
    answers = whole(self, *args)
    calls.append(args)
    if len(calls) % 2 == 0:
        raise RuntimeError("planted")
    return answers


Rest.batch = batch
'''


@pytest.mark.deep
@pytest.mark.parametrize("kind", SHOPS)
def test_a_live_woocommerce_is_left_as_it_was_found(tmp_path: Path, kind: str) -> None:
    """Whole: every thing with every field, its date of change included."""
    with Shop(tmp_path / "shop", **SHOPS[kind]) as shop:
        owner, found, given = _opened(shop)
        if kind == "over http":
            given[f"{LIVE}URL"] = shop.http_url
        assert _passed("live-woocommerce", given) > 55
        assert _state(owner) == found


@pytest.mark.deep
def test_also_a_run_that_fails_leaves_a_live_woocommerce_as_it_was_found(tmp_path: Path) -> None:
    (tmp_path / "planted_failures.py").write_text(FAILING, "utf-8")
    with Shop(tmp_path / "shop") as shop:
        owner, found, given = _opened(shop)
        path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
        ran = _ran("live-woocommerce", given | {"PYTHONPATH": path}, "-p", "planted_failures")
        told = dict(reversed(one) for one in re.findall(r"(\d+) (failed|passed)\b", ran.stdout))
        failed, passed = int(told["failed"]), int(told["passed"])
        assert failed > 10 < passed, ran.stdout[-3000:]
        assert _state(owner) == found


@pytest.mark.deep
def test_a_live_shopify_is_left_as_it_was_found(tmp_path: Path) -> None:
    with Shopify(tmp_path / "shop") as shop:
        told = shop.description()
        owner = ShopifyRig(shop, told)
        owner.stranger("OWN-1")
        owner.switch("collection", title="Own")
        owner.switch("edit", sku="OWN-1", set={"status": "ACTIVE", "published": True})
        owner.switch("order", lines=[{"sku": "OWN-1", "quantity": 1}])
        owner.switch("settings", scopes=[*SCOPES, *NEEDED])
        found = _kept(shop)
        assert [len(rows) for rows in found] == [1, 1, 1, 1, 0, 0, 0]
        names = {"URL": "url", "TOKEN": "access_token", "SECRET": "client_secret", "CA": "ca_file"}
        keys = {f"{LIVE_SHOPIFY}{name}": str(told[field]) for name, field in names.items()}
        assert _passed("live-shopify", keys) > 40
        assert _kept(shop) == found
        assert shop.site.number("Order") > found[3][0]["id"] + 14, "orders were written and deleted again"


def _opened(shop: Shop) -> tuple[WooRig, dict[str, list[Any]], dict[str, str]]:
    """Its owner's hands, what he has in it, and what a person says to have it tested."""
    owner = WooRig(shop.url, shop.keys.key, shop.keys.secret, str(shop.ca_file), None)
    _stock(owner)
    found = _state(owner)
    assert len(found["products"]) == 3 and len(found["orders"]) == 2
    given = {"URL": shop.url, "KEY": shop.keys.key, "SECRET": shop.keys.secret, "CA": str(shop.ca_file)}
    return owner, found, {f"{LIVE}{name}": value for name, value in given.items()}


def _stock(owner: WooRig) -> None:
    """A shop that its owner has been selling in: with products in every state, a category, a tag and orders."""
    category = owner.rest("POST", "products/categories", json={"name": "Own"})
    tag = owner.rest("POST", "products/tags", json={"name": "own"})
    mug = {"name": "Own mug", "sku": "OWN-1", "regular_price": "4.00", "manage_stock": True}
    places = {"categories": [{"id": category["id"]}], "tags": [{"id": tag["id"]}]}
    owner.rest("POST", "products", json={**mug, "stock_quantity": 9, **places})
    owner.rest("POST", "products", json={"name": "Own draft", "sku": "OWN-2", "status": "draft"})
    owner.trash(owner.stranger("OWN-3"))
    for status in ("processing", "cancelled"):
        owner.rest("POST", "orders", json={"status": status, "line_items": [owner.line("OWN-1", 1)]})
    hook = {"name": "Mailer", "topic": "order.created", "delivery_url": "https://mail.example/x"}
    owner.rest("POST", "webhooks", json={**hook, "status": "paused"})


def _passed(name: str, given: dict[str, str]) -> int:
    """How many tests passed, where none failed."""
    ran = _ran(name, given)
    told = ran.stdout.strip().splitlines()
    assert ran.returncode == 0, "\n".join(told[-40:])
    return int(told[-1].split(" passed")[0].split()[-1])


def _ran(name: str, given: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    """As a person runs it: by the environment alone, in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENTREPOT_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "tests/contract", "-k", name, "-q", "-p", "no:cacheprovider", *more],
        cwd=CHECKOUT, env=kept | given, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


def _kept(shop: Shopify) -> list[list[Any]]:
    with shop.site.lock:
        return [shop.site.all(kind) for kind in KINDS]


def _state(owner: WooRig) -> dict[str, list[Any]]:
    state: dict[str, list[Any]] = {}
    for path, statuses in LISTS.items():
        state[path] = [
            thing
            for status in statuses
            for thing in owner.pages(path, **({"status": status} if status else {}))
        ]
    return state
