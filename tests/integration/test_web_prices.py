"""Price rules on their page and by API: made, tried out, refused with what was typed kept, changed and ended."""

import html
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console import Console, console, token_in
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all

DAILY = b"Date, USD, \n26 November 2026, 1.0810, \n"


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Console]:
    """A seller 3 whose shop 1 sells a lamp for 15.00."""
    with console(database_url, tmp_path) as made:
        stage(
            made.db, supplier(made.db, "NORDEN"), {"supplier_sku": "L", "title": "Lampe Oslo", "rrp": "24.90"}
        )
        run_all(made.db)
        shop_of(made.db, supplier={"supplier": 2})
        run_all(made.db)
        yield made


def price(opened: Console) -> str:
    found: str = one(opened.db, "SELECT wanted->>'price' FROM listing")
    return found


def test_a_rule_on_its_page_from_its_making_to_its_end(opened: Console) -> None:
    assert "No rule yet" in opened.get("/shops/prices").text
    form = {
        "seller": "3", "name": "Lampen", "priority": "10", "base": "cost", "tiers": "0: 80\n20: 60 %", "round_to": "0,99", "way": "up",
        "map_floor": "1", "compare_at": "1", "category": "Licht",
    }  # fmt: skip
    tried = opened.post("/shops/prices/try", **form, try_shop="1", try_sku="norden-l").text
    assert "18.99" in tried
    assert "The rule that is tried out makes the price." in html.unescape(tried)
    assert 'value="0,99"' in tried, "the form stands as it was filled in"
    assert (rows(opened.db, "SELECT id FROM price_rule"), pending(opened.db)) == ([], [])
    wrong = opened.post("/shops/prices", **{**form, "margin_percent": "5"})
    assert wrong.status_code == 422
    assert "give margin_percent or tiers, not both" in wrong.text
    assert 'value="Lampen"' in wrong.text
    assert rows(opened.db, "SELECT id FROM price_rule") == []
    assert opened.post("/shops/prices", **form).headers["location"] == "/shops/prices?seller=3&said=ruled"
    run_all(opened.db)
    assert price(opened) == "18.99"
    shown = html.unescape(opened.get("/shops/prices?seller=3&shop=1&sku=NORDEN-L").text)
    for words in (
        "category <b",
        "Licht",
        "cost + 80 % from 0, 60 % from 20",
        "ends in 0.99, upwards",
        "Price rule 1, “Lampen”, makes the price.",
    ):
        assert words in shown, words
    kept = opened.get("/shops/prices/1").text
    assert ">0: 80\n20: 60</textarea>" in kept
    assert (
        opened.post(
            "/shops/prices/1", **{**form, "tiers": "", "margin_percent": "20", "round_to": ""}
        ).status_code
        == 303
    )
    run_all(opened.db)
    assert price(opened) == "12.00"
    assert (
        opened.post("/shops/prices/1/end", seller="3").headers["location"]
        == "/shops/prices?seller=3&said=unruled"
    )
    run_all(opened.db)
    assert price(opened) == "15.00"


def test_what_cannot_be_tried_says_so_on_the_page(opened: Console) -> None:
    form = {"seller": "3", "name": "R", "base": "cost"}
    assert "Name a shop and a SKU" in opened.post("/shops/prices/try", **form).text
    assert "No supplier offers" in opened.post("/shops/prices/try", **form, try_shop="1", try_sku="NONE").text
    assert (
        "no tier"
        in opened.post("/shops/prices/try", **form, tiers="12", try_shop="1", try_sku="NORDEN-L").text
    )
    assert "No supplier offers" in opened.get("/shops/prices?shop=1&sku=NONE").text
    other = shop_of(opened.db, supplier={"supplier": 2})
    assert (
        "Name a shop"
        in opened.post("/shops/prices/try", **form, try_shop=str(other), try_sku="NORDEN-L").text
    )
    assert opened.get("/shops/prices/new?seller=2").status_code == 404, "a supplier has no prices in shops"
    assert opened.get("/shops/prices/9").status_code == 404
    assert opened.post("/shops/prices", seller="99", name="R").status_code == 404


def test_the_banks_file_is_loaded_on_the_page(opened: Console) -> None:
    token = token_in(opened.get("/shops/prices").text)

    def send(content: bytes, csrf: str) -> int:
        answer = opened.client.post(
            "/shops/prices/rates", data={"csrf": csrf}, files={"file": ("eurofxref.csv", content)}
        )
        status: int = answer.status_code
        return status

    assert send(DAILY, "") == 403
    assert send(b"no rates", token) == 422
    assert rows(opened.db, "SELECT currency FROM currency_rate") == []
    assert send(DAILY, token) == 303
    assert "1.081" in opened.get("/shops/prices").text


def test_prices_by_api(opened: Console) -> None:
    rule = {
        "name": "Lampen",
        "scope": {"supplier": "NORDEN"},
        "formula": {"margin_percent": "200", "rrp_cap": True},
    }
    tried = opened.api("POST", "/shops/1/prices/try", json={"sku": "NORDEN-L", "rule": rule}).json()
    assert (tried["price"], tried["currency"], tried["rule_name"]) == ("24.90", "EUR", "Lampen")
    assert tried["steps"][2] == ["cap", "30", "24.9", None]
    made = opened.api("POST", "/sellers/3/price-rules", json=rule)
    assert made.status_code == 201
    assert made.json() == {
        "id": 1, "seller_id": 3, "name": "Lampen", "priority": 100, "scope": {"supplier": 2}, "formula": {"margin_percent": "200", "rrp_cap": True},
    }  # fmt: skip
    changed = opened.api("PATCH", "/price-rules/1", json={"formula": {"add_on": "1.5"}}).json()
    assert changed["formula"] == {"add_on": "1.5"}
    assert opened.api("GET", "/sellers/3/price-rules").json()["rules"] == [changed]
    run_all(opened.db)
    assert price(opened) == "11.50"
    assert opened.api("DELETE", "/price-rules/1").status_code == 204
    assert opened.api("PUT", "/rates", content=DAILY).json() == {
        "rates": 1,
        "changed": 1,
        "newest": "2026-11-26",
    }
    assert opened.api("GET", "/rates").json()["rates"] == [
        {"currency": "USD", "per_euro": "1.081", "day": "2026-11-26", "used": False}
    ]
    for method, path, body, status in (
        ("POST", "/sellers/2/price-rules", rule, 404),
        ("POST", "/sellers/3/price-rules", {**rule, "formula": {"margin": 1}}, 422),
        ("POST", "/sellers/3/price-rules", {**rule, "scope": {"shop": "9"}}, 404),
        ("PATCH", "/price-rules/1", {"name": "X"}, 404),
        ("POST", "/shops/9/prices/try", {"sku": "NORDEN-L"}, 404),
    ):
        assert opened.api(method, path, json=body).status_code == status, (method, path)
