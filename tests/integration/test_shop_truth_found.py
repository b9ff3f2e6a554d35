"""What random play with the world of shops found, each fault by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from pipelines.routes import ROUTES
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, rows, run_all


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def of_group(sku: str, title: str, **more: object) -> dict[str, object]:
    return {"supplier_sku": sku, "group_key": "S", "group_title": title, "options": {"Farbe": sku}, **more}


def test_a_page_is_not_spoken_for_by_a_variant_that_is_gone(db: Database) -> None:
    supplier(db, "NORDEN", absence="withdraw", min_offers_percent=0)
    stage(db, 1, of_group("ROT", "Schirm 1"), of_group("BLAU", "Schirm 1"))
    run_all(db)
    shop_of(db, supplier={"supplier": 2})
    run_all(db)
    stage(db, 1, of_group("BLAU", "Schirm 2", category="Wetter", brand="Regen"))
    run_all(db)
    assert rows(db, "SELECT title, category, brand FROM product") == [("Schirm 2", "Wetter", "Regen")]
    assert one(db, "SELECT wanted->>'title' FROM shop_product") == "Schirm 2"
    stage(db, 1, of_group("ROT", "Schirm 3"), of_group("BLAU", "Schirm 3"))
    run_all(db)
    assert one(db, "SELECT title FROM product") == "Schirm 3"
