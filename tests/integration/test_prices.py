"""Prices in a shop: whose rule counts, what follows when a rule, a rate or a setting changes, and what stays as it is."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import connectors.rates
from connectors.rates import ReferenceRate
from core.clock import now
from core.database import Database
from core.errors import Misconfigured, Refused
from models.events import ListingsDue, RatesDue
from pipelines.listings.pricing import rates
from pipelines.listings.pricing.formula import Formula
from pipelines.listings.pricing.rates import fetch
from pipelines.listings.pricing.rules import (
    RuleAsked,
    RuleChange,
    Scope,
    add_rule,
    change_rule,
    end_rule,
    try_out,
)
from pipelines.listings.settings import change
from pipelines.routes import ROUTES
from schedules.jobs import rates_daily
from tests.file_server import file_host
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all

TODAY = now().date()


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


@pytest.fixture
def shop(db: Database) -> int:
    """A shop at 50 % with a lamp, a cup and a setting up by a supplier."""
    feed = supplier(db, "NORDEN")
    details = {"map_price": "18.00", "hs_code": "94052190", "origin": "SE"}
    stage(
        db, feed, {"supplier_sku": "L", "title": "Lampe Oslo", "rrp": "17.49", "details": details},
        {"supplier_sku": "C", "title": "Tasse", "category": "Küche > Tassen", "brand": "Sueden", "cost": "4.00", "rrp": "9.99"},
        {"supplier_sku": "S", "title": "Aufbau", "category": None, "brand": None, "kind": "service", "cost": "40.00"},
    )  # fmt: skip
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    run_all(db)
    return shop_id


def prices(db: Database) -> dict[str, str | None]:
    """SKU → price."""
    return dict(
        rows(
            db,
            "SELECT v.sku, l.wanted->>'price' FROM listing l JOIN variant v ON v.id = variant_id ORDER BY v.id",
        )
    )


def rule(db: Database, name: str, scope: dict[str, Any], priority: int = 100, **formula: Any) -> int:
    with db.unit_of_work() as uow:
        made = add_rule(
            uow, 3, RuleAsked(name=name, priority=priority, scope=Scope(**scope), formula=formula)
        )
        number = made.id
    run_all(db)
    return number


def test_the_first_rule_that_fits_prices_and_without_one_the_selection(db: Database, shop: int) -> None:
    assert prices(db) == {"NORDEN-L": "18.00", "NORDEN-C": "6.00", "NORDEN-S": "60.00"}
    rule(db, "Everything", {}, 500, margin_percent="100")
    assert prices(db) == {"NORDEN-L": "20.00", "NORDEN-C": "8.00", "NORDEN-S": "80.00"}
    rule(db, "Kitchen", {"category": "Küche"}, rounding={"to": "0.99"}, margin_percent="100")
    rule(db, "Sueden", {"brand": "SUEDEN", "supplier": "NORDEN"}, margin_percent="0")
    services = rule(db, "Services", {"kind": "service", "shop": shop}, 1, margin_percent="0", add_on="2.50")
    assert prices(db) == {"NORDEN-L": "20.00", "NORDEN-C": "7.99", "NORDEN-S": "42.50"}
    assert (
        one(
            db,
            "SELECT why->>'rule_name' FROM listing l JOIN variant v ON v.id = variant_id WHERE v.sku = 'NORDEN-C'",
        )
        == "Kitchen"
    )
    with db.unit_of_work() as uow:
        change_rule(uow, services, RuleChange(formula={"margin_percent": "25"}))
    run_all(db)
    assert prices(db)["NORDEN-S"] == "50.00"
    with db.unit_of_work() as uow:
        end_rule(uow, services)
    run_all(db)
    assert prices(db)["NORDEN-S"] == "80.00"


def test_a_head_of_a_category_is_a_whole_part_of_its_path(db: Database, shop: int) -> None:
    rule(db, "Not the kitchen", {"category": "Küche > Tass"}, margin_percent="0")
    rule(db, "Lights", {"category": "Licht>Tisch"}, margin_percent="900")
    assert prices(db) == {"NORDEN-L": "100.00", "NORDEN-C": "6.00", "NORDEN-S": "60.00"}


def test_planning_again_changes_nothing_where_nothing_changed(db: Database, shop: int) -> None:
    rule(db, "Everything", {}, margin_percent="33", rounding={"to": "0.99"}, compare_at="rrp")
    before = rows(db, "SELECT id, xmin::text FROM listing ORDER BY id")
    with db.unit_of_work() as uow:
        uow.emit(ListingsDue(tenant=3, lane=f"shop:{shop}", shop_id=shop))
    run_all(db, twice=True)
    assert rows(db, "SELECT id, xmin::text FROM listing ORDER BY id") == before


def test_what_few_products_have_is_wanted_of_those_only(db: Database, shop: int) -> None:
    wanted = dict(rows(db, "SELECT v.sku, l.wanted FROM listing l JOIN variant v ON v.id = variant_id"))
    assert (wanted["NORDEN-L"]["hs_code"], wanted["NORDEN-L"]["origin"]) == ("94052190", "SE")
    assert not {"hs_code", "origin", "compare_at"} & set(wanted["NORDEN-C"])
    rule(db, "Struck", {}, margin_percent="50", compare_at="rrp")
    wanted = dict(rows(db, "SELECT v.sku, l.wanted FROM listing l JOIN variant v ON v.id = variant_id"))
    assert wanted["NORDEN-C"]["compare_at"] == "9.99"
    assert "compare_at" not in wanted["NORDEN-L"], "the lowest price allowed is above the recommended one"


def test_a_rule_of_one_shop_rings_that_shop_only_and_another_sellers_none(db: Database, shop: int) -> None:
    other = shop_of(db, supplier={"supplier": 2})
    run_all(db)

    def rung(**scope: Any) -> list[int]:
        with db.unit_of_work() as uow:
            made = add_rule(uow, 3, RuleAsked(name="R", scope=Scope(**scope)))
            number = made.id
        shops = [
            message["payload"]["shop_id"] for message in pending(db) if message["event"] == "ListingsDue"
        ]
        run_all(db)
        with db.unit_of_work() as uow:
            change_rule(uow, number, RuleChange(name="Renamed"))
        assert pending(db) == [], "a name changes no price"
        return shops

    assert rung(shop=shop) == [shop]
    assert rung() == [shop]
    with pytest.raises(Refused, match="another seller"):
        rung(shop=other)


def test_a_setting_changes_the_page_and_the_tax_and_only_what_differs_is_stored(
    db: Database, shop: int
) -> None:
    with db.unit_of_work() as uow:
        change(uow, shop, {
            "title_template": "{title|upper}[ by {brand}]", "description_template": "<p>{brand}</p><script>x</script>",
            "handle_template": "{title}-{sku}", "tags": ["{brand}", "{category|last}", "Neu"],
            "categories": {"Küche": "Home > Kitchen", "Küche > Tassen": "Cups"}, "category_default": "Rest",
            "prices_include_tax": True, "tax_percent": "19", "buffer": 0,
        })  # fmt: skip
    run_all(db)
    assert one(db, "SELECT settings ? 'buffer' FROM shop") is False
    assert prices(db) == {"NORDEN-L": "18.00", "NORDEN-C": "7.14", "NORDEN-S": "71.40"}
    pages = rows(
        db,
        "SELECT wanted->>'title', wanted->>'description', wanted->>'handle', wanted->'tags', wanted->'category' FROM shop_product ORDER BY product_id",
    )
    assert pages == [
        (
            "LAMPE OSLO by Norden",
            "<p>Norden</p>",
            "lampe-oslo-norden-l",
            ["Norden", "Tisch", "Neu"],
            ["Rest"],
        ),
        ("TASSE by Sueden", "<p>Sueden</p>", "tasse-norden-c", ["Sueden", "Tassen", "Neu"], ["Cups"]),
        ("AUFBAU", "<p></p>", "aufbau-norden-s", ["Neu"], ["Rest"]),
    ]
    with db.unit_of_work() as uow:
        change(uow, shop, {"title_template": None})
    assert "title_template" not in one(db, "SELECT settings FROM shop")
    run_all(db)
    assert one(db, "SELECT wanted->>'title' FROM shop_product ORDER BY product_id LIMIT 1") == "Lampe Oslo"
    with db.unit_of_work() as uow, pytest.raises(Refused, match=r"tags\.0"):
        change(uow, shop, {"tags": ["{nope}"]})
    assert pending(db) == []


def test_a_price_is_tried_out_before_it_counts(db: Database, shop: int) -> None:
    with db.unit_of_work() as uow:
        asked = RuleAsked(
            name="Maybe", scope=Scope(category="Küche"), formula={"margin_percent": "150", "rrp_cap": True}
        )
        tried = try_out(uow, shop, "norden-c", asked)
        assert (tried["price"], tried["currency"], tried["rule_name"]) == ("9.99", "EUR", "Maybe")
        assert [step[0] for step in tried["steps"]] == ["base", "margin", "cap", "rounding"]
        assert try_out(uow, shop, "NORDEN-L", asked)["rule"] is None, "it does not fit"
        assert try_out(uow, shop, "NORDEN-L")["price"] == "18.00"
        with pytest.raises(Refused, match="No supplier offers"):
            try_out(uow, shop, "NONE")
    assert pending(db) == []
    assert one(db, "SELECT count(*) FROM price_rule") == 0


# ---------------------------------------------------------------- currencies
def stored(db: Database, *told: tuple[date, str, str]) -> rates.Loaded:
    with db.unit_of_work() as uow:
        return rates.store(
            uow, [ReferenceRate(day, currency, Decimal(figure)) for day, currency, figure in told]
        )


def test_a_cost_in_another_currency_waits_for_a_rate_and_follows_each_new_one(db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "U", "cost": "10.80", "currency": "USD"})
    run_all(db)
    shop_of(db, supplier={"supplier": 2})
    run_all(db)
    assert rows(db, "SELECT state, problem LIKE '%%no rate of USD is known%%' FROM listing") == [
        ("blocked", True)
    ]
    assert stored(db, (TODAY - timedelta(8), "USD", "1.10")).changed == 1
    run_all(db)
    assert one(db, "SELECT problem FROM listing").count(str(TODAY - timedelta(8))) == 1
    assert stored(
        db, (TODAY - timedelta(1), "USD", "1.08"), (TODAY - timedelta(2), "USD", "2")
    ) == rates.Loaded(2, 2, TODAY - timedelta(1))
    run_all(db)
    assert rows(db, "SELECT state, wanted->>'price' FROM listing") == [("waiting", "15.00")]
    assert stored(db, (TODAY - timedelta(1), "USD", "1.08")).changed == 0
    assert stored(db, (TODAY - timedelta(3), "USD", "1.5")).changed == 1
    assert pending(db) == [], "neither the same rate nor an older one changes a price"


def test_rates_are_fetched_once_a_day_where_the_operator_says_from_where(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = now()
    with db.unit_of_work() as uow:
        rates_daily(uow, slot)
    assert pending(db) == []
    with pytest.raises(Misconfigured, match="ENTREPOT_RATES_URL"):
        fetch(RatesDue(tenant=1, lane="rates"), db)
    with file_host(tmp_path) as host:
        host.content = f"Date,USD\n{TODAY},1.08\n".encode()
        monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path / "data"))
        monkeypatch.setenv("ENTREPOT_RATES_URL", host.url("/list.csv"))
        monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
        monkeypatch.setattr(
            rates, "fetch_rates", partial(connectors.rates.fetch_rates, ca_file=str(host.ca_file))
        )
        with db.unit_of_work() as uow:
            rates_daily(uow, slot)
        assert run_all(db, twice=True) == ["listings.pricing.rates.fetch"]
    assert rows(db, "SELECT day, currency, per_euro FROM currency_rate") == [(TODAY, "USD", Decimal("1.08"))]


def test_a_formula_is_read_back_as_it_was_stored() -> None:
    document = {
        "tiers": [{"from": "0", "percent": "50"}, {"from": "10", "percent": "20"}],
        "rounding": {"to": "0.99", "way": "up"},
    }
    assert Formula.read(Formula.read(document).stored()) == Formula.read(document)
    for wrong, word in (
        ({"tiers": [{"from": "1", "percent": "5"}]}, "begin with one from 0"), ({"margin": 5}, "margin"), ({"margin_percent": "x"}, "margin_percent"),
        ({"tiers": [{"from": "0", "percent": "5"}], "margin_percent": 5}, "not both"), ({"rounding": {"to": "0"}}, "rounding.to"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=word):
            Formula.read(wrong)
