"""Real suppliers' files on their whole way: every record answered, listed in a shop, read back equal."""

from pathlib import Path

import pytest

from sandbox.people import Hub
from tests.journeys.conftest import sell, shop_server, wanted

FILES = {
    "shopify-partners/bicycles.csv": (
        "USD",
        {"records": 1399, "products": 284},
        {"gtin_repaired": 58},
        {"duplicate+": 41},
    ),
    "woocommerce/sample_products.csv": ("USD", {"records": 25}, {}, {}),
    "heureka-mhujer/heureka.xml": ("CZK", {"records": 18}, {"gtin_invalid": 10}, {}),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
@pytest.mark.parametrize(
    "name",
    [
        name if "woocommerce" in name else pytest.param(name, marks=pytest.mark.deep)  # one of them each day
        for name in FILES
    ],
)
def test_a_real_file_goes_into_a_shop_and_is_read_back_equal(
    hub: Hub, folder: Path, shared: Path, name: str
) -> None:
    currency, counts, notes, reasons = FILES[name]
    shop = shop_server(folder, "laden", "--currency", currency)
    hub.allow([shop.host])
    hub.start()
    hub.ask("supplier", "add", "Lieferant", "--code", "LIEF")
    hub.ask(
        "feed",
        "add",
        "LIEF",
        "liste",
        "--currency",
        currency,
        "--cost-from",
        "price",
        "--cost-minus",
        "30",
        "--assumed-stock",
        "4",
    )
    run = hub.ask("feed", "run", "liste", str(shared / "feeds/corpus" / name))
    assert run["state"] == "applied"
    assert {key: run[key] for key in counts} == counts
    assert run["accepted"] + run["rejected"] + run["quarantined"] == run["records"]
    assert {key: run["notes"].get(key) for key in notes} == notes
    doubles = run["reasons"].get("duplicate", 0) + run["reasons"].get("duplicate_conflict", 0)
    assert doubles == reasons.get("duplicate+", 0)

    sell(hub, shop, "LIEF")
    hub.ask("push", "laden", "--apply")
    states = hub.ask("shop", "verify", "laden")["states"]
    held, expected = shop.held(), wanted(hub, "laden")
    assert held == expected
    assert states == {"live": len(expected)}
    assert len(expected) == hub.ask("status")["offers"]
