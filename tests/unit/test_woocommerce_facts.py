"""What a shop tells of itself where it tells everything: answers that no recording has, in WordPress' documented shape."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import ProductDraft, ShopFacts, VariantDraft
from connectors.shops.woocommerce.connector import WooCommerceShop
from core.errors import Misconfigured
from core.money import Money
from tests.unit.scripted_server import KEY, SECRET, Handler, Script, secure_server


class Told:
    """The answers by path; a number is a status without a body."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/wp-json/": {"name": "Mugs &amp; More", "timezone_string": "Europe/Berlin", "gmt_offset": 1},
            "/wp-json/wc/v3/data/currencies/current": {"code": "EUR"},
            "/wp-json/wc/v3/system_status": {
                "environment": {"version": "11.0.1"}, "settings": {"number_of_decimals": 2}, "security": {"hide_errors": True},
            },
            "/wp-json/wc/v3/settings/tax/woocommerce_prices_include_tax": {"value": "yes"},
            "/wp-json/wc/v3/settings/products/woocommerce_weight_unit": {"value": "lbs"},
            "/wp-json/wc/v3/settings/products/woocommerce_manage_stock": {"value": "yes"},
            "/wp-json/wc/v3/products/batch": {"create": [{"id": 5, "images": []}]},
        }  # fmt: skip

    def __call__(self, handler: Handler) -> None:
        answer = self.answers[handler.path.partition("?")[0]]
        content = b"" if isinstance(answer, int) else json.dumps(answer).encode()
        handler.send_response(answer if isinstance(answer, int) else 200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def script(told: Told) -> Script:
    made = Script()
    made.answers = [told]
    return made


@pytest.fixture
def shop(script: Script, tmp_path: Path) -> Iterator[WooCommerceShop]:
    with secure_server(script, tmp_path) as (port, ca_file):
        made = WooCommerceShop(
            f"https://127.0.0.1:{port}",
            KEY,
            SECRET,
            ca_file,
            frozenset({"127.0.0.1"}),
            sleep=lambda seconds: None,
        )
        yield made
        made.close()


def test_everything_told(shop: WooCommerceShop, script: Script) -> None:
    facts = ShopFacts(
        "Mugs & More",
        "11.0.1",
        "EUR",
        True,
        "lbs",
        "Europe/Berlin",
        scopes=("read", "write"),
        limits={
            "products or variations in one call": "100",
            "characters of a SKU or GTIN": "100",
            "bytes of a title": "65,535",
            "bytes of a description": "500,000",
        },
    )
    assert shop.check() == facts
    keyless = [path for _, path, headers, _ in script.received if "authorization" not in headers]
    assert keyless == ["/wp-json/?_fields=name%2Ctimezone_string%2Cgmt_offset"]
    writes = [(path, body) for method, path, _, body in script.received if method == "POST"]
    assert writes == [("/wp-json/wc/v3/products/batch", b"{}")], "an empty batch changes nothing"


@pytest.mark.parametrize(("offset", "zone"), [(2, "UTC+2"), (-3.5, "UTC-3.5"), (0, "UTC+0")])
def test_a_time_zone_by_offset(shop: WooCommerceShop, told: Told, offset: float, zone: str) -> None:
    told.answers["/wp-json/"] = {"name": "S", "timezone_string": "", "gmt_offset": offset}
    assert shop.check().timezone == zone


@pytest.mark.parametrize("status", [401, 404, 500, 501])
def test_a_hidden_front_hinders_nothing(shop: WooCommerceShop, told: Told, status: int) -> None:
    told.answers["/wp-json/"] = status
    facts = shop.check()
    assert (facts.name.partition(":")[0], facts.timezone) == ("127.0.0.1", "")
    assert facts.warnings == ("The shop does not tell its time zone.",)


def test_warnings_for_the_owner(shop: WooCommerceShop, told: Told) -> None:
    told.answers["/wp-json/wc/v3/settings/products/woocommerce_weight_unit"] = {"value": "stone"}
    told.answers["/wp-json/wc/v3/system_status"].update(
        settings={"number_of_decimals": 0}, security={"hide_errors": False}
    )
    told.answers["/wp-json/wc/v3/settings/products/woocommerce_manage_stock"] = {"value": "no"}
    stock, first, second, third = shop.check().warnings
    assert "“Enable stock management”" in stock
    assert "weight unit" in first
    assert "prices with 0 decimals; EUR has 2" in second
    assert "WP_DEBUG_DISPLAY" in third


def test_settings_that_are_hidden_from_the_key_are_no_warning(shop: WooCommerceShop, told: Told) -> None:
    told.answers["/wp-json/wc/v3/settings/products/woocommerce_manage_stock"] = 404
    told.answers["/wp-json/"] = {"name": "S", "timezone_string": "Europe/Berlin", "gmt_offset": ""}
    assert shop.check().warnings == ()


def test_weights_go_in_the_shops_unit(shop: WooCommerceShop, script: Script) -> None:
    draft = ProductDraft("k", "Mug", (VariantDraft("v", "S", Money(100, "EUR"), 1, weight_g=454),))
    assert [result.external_id for result in shop.push([draft])] == ["5"]
    sent = json.loads(script.received[-1][3])
    assert sent["create"][0]["weight"] == "1.0009"


def test_no_woocommerce_at_the_address(shop: WooCommerceShop, told: Told) -> None:
    told.answers["/wp-json/wc/v3/data/currencies/current"] = 404
    with pytest.raises(Misconfigured, match="has no WooCommerce REST API at this address"):
        shop.check()
