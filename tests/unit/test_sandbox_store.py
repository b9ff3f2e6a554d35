"""The memory of the sandbox's shops undoes what failed, keeps what ended, and finds things of many by index."""

import sqlite3
from pathlib import Path

import pytest

from sandbox.shops.store import Store


def test_work_is_all_or_nothing_also_where_it_is_nested(tmp_path: Path) -> None:
    store = Store(tmp_path / "shop.sqlite")
    with pytest.raises(KeyError), store.work():
        store.put("product", {"id": 1, "sku": "A"})
        with store.work():
            store.put("product", {"id": 2, "sku": "B"})
        raise KeyError
    with store.work():
        assert store.count("kind = ?", ("product",)) == 0
        store.put("product", {"id": 3, "sku": "C"})
    store.close()
    again = Store(tmp_path / "shop.sqlite")
    with again.work():
        assert again.get("product", 3) == {"id": 3, "sku": "C"}
        assert again.find("kind = 'product' AND sku = ?", ("c",)) == [{"id": 3, "sku": "C"}]
    again.close()


@pytest.mark.parametrize(
    "asked",
    [
        "DELETE FROM shelves WHERE product = 1",
        "SELECT count(*) FROM shelves WHERE category = 1",
        "SELECT doc FROM records WHERE kind IN ('product', 'variation') AND sku = 'a' AND id <> 1",
        "SELECT count(*) FROM records WHERE kind = 'product' AND slug = 'a' AND id <> 1",
        "SELECT doc FROM records WHERE kind = 'product' AND status <> 'trash' ORDER BY created DESC, id DESC",
        "SELECT doc FROM records WHERE kind = 'order' AND modified > 1 ORDER BY modified, id",
        "SELECT doc FROM records WHERE kind = 'delivery' ORDER BY id LIMIT 1",
    ],
)
def test_nothing_is_looked_for_through_everything(tmp_path: Path, asked: str) -> None:
    Store(tmp_path / "shop.sqlite").close()
    line = sqlite3.connect(tmp_path / "shop.sqlite")
    plan = [row[3] for row in line.execute(f"EXPLAIN QUERY PLAN {asked}")]
    line.close()
    assert plan
    assert [step for step in plan if not step.startswith("SEARCH")] == []
