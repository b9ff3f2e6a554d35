"""The proof that the contract may be run against somebody's own shop: given the sandbox as a live one, it leaves it as found."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.woocommerce.shop import Shop
from tests.contract.shops import LIVE, WooRig

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


@pytest.mark.deep
def test_a_live_shop_is_left_as_it_was_found(tmp_path: Path) -> None:
    """Whole: every thing with every field, its date of change included."""
    with Shop(tmp_path / "shop", images="accept", tax_included=True) as shop:
        owner = WooRig(shop.url, shop.keys.key, shop.keys.secret, str(shop.ca_file), None)
        _stock(owner)
        found = _state(owner)
        assert len(found["products"]) == 3 and len(found["orders"]) == 2
        _run_contract(shop)
        assert _state(owner) == found


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


def _run_contract(shop: Shop) -> None:
    """As a person runs it: by the environment alone, in a process of its own."""
    given = {
        "URL": shop.url,
        "KEY": shop.keys.key,
        "SECRET": shop.keys.secret,
        "CA": str(shop.ca_file),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENTREPOT_")}
    environment = kept | {f"{LIVE}{name}": value for name, value in given.items()}
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "tests/contract", "-k", "live-woocommerce", "-q", "-p", "no:cacheprovider"],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    told = ran.stdout.strip().splitlines()
    assert ran.returncode == 0, "\n".join(told[-40:])
    passed = int(told[-1].split(" passed")[0].split()[-1])
    assert passed > 40, told[-1]


def _state(owner: WooRig) -> dict[str, list[Any]]:
    state: dict[str, list[Any]] = {}
    for path, statuses in LISTS.items():
        state[path] = [
            thing
            for status in statuses
            for thing in owner.pages(path, **({"status": status} if status else {}))
        ]
    return state
