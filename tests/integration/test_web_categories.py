"""Categories and products in the console, the API and the command line: who waits, what is found, what a choice does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.taxonomy import list_paths, load_file
from pipelines.catalogue.taxonomy import load, read_taxonomy
from tests.console import Console, console
from tests.integration.test_taxonomy import SAMPLE, listed
from tests.staged import stage, supplier
from tests.stepping import one, rows, run_all


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    with console(database_url, tmp_path) as made:
        yield made


def test_paths_wait_with_most_products_first_and_a_choice_settles_them(opened: Console) -> None:
    db = opened.db
    assert "The catalogue is empty" in opened.get("/products").text
    assert "No taxonomy is loaded" in opened.get("/products/categories").text
    with db.unit_of_work() as uow:
        load(uow, read_taxonomy(SAMPLE.splitlines()))
    assert "No supplier has sent a category yet" in opened.get("/products/categories").text
    stage(db, supplier(db, "NORDEN"), *listed("Kleider", "Table Lamps", "Table Lamps", "4636"))
    run_all(db)
    page = opened.get("/products/categories").text
    assert page.index("Table Lamps") < page.index("Kleider")
    assert "nothing near by its words" in page
    assert "% sure by its words" in page
    waiting = opened.api("GET", "/taxonomy/paths?how=proposal").json()["paths"]
    assert [(row["path"], row["products"], row["taxonomy_id"]) for row in waiting] == [("Table Lamps", 2, 4636), ("Kleider", 1, None)]  # fmt: skip
    found = opened.get("/products/categories?for=Kleider&words=cloth+dress").text
    assert "Apparel &amp; Accessories &gt; Clothing &gt; Dresses" in found
    assert "No category has these words" in opened.get("/products/categories?for=Kleider&words=kleid").text
    assert opened.post("/products/categories", "/products/categories", path="Kleider", category="2271").headers["location"] == "/products/categories?said=category"  # fmt: skip
    assert opened.api("POST", "/taxonomy/choices", json={"path": "Table Lamps", "taxonomy_id": None}).json() == {"settled": 1}  # fmt: skip
    run_all(db)
    assert rows(db, "SELECT category, taxonomy_id FROM product ORDER BY 1") == [
        ("4636", 4636), ("Kleider", 2271), ("Table Lamps", None), ("Table Lamps", None),
    ]  # fmt: skip
    assert "No path waits" in opened.get("/products/categories").text
    assert "Clothing &gt; Dresses" in opened.get("/products").text
    assert "2" in opened.get("/products?state=uncategorised").text
    assert rows(db, "SELECT actor FROM audit_record ORDER BY id") == [("the operator",), ("the API",)]


def test_a_choice_that_cannot_be_says_why(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        load(uow, read_taxonomy(SAMPLE.splitlines()))
    wrong = opened.post("/products/categories", "/feeds/new", path="x", category="<b>")
    assert (wrong.status_code, "Choose a category by its number" in wrong.text) == (422, True)
    unknown = opened.api("POST", "/taxonomy/choices", json={"path": "x", "taxonomy_id": 4636})
    assert unknown.json()["error"]["message"].startswith("No offer has the category 'x'")
    broken = opened.api("PUT", "/taxonomy", content=b"nonsense")
    assert broken.json()["error"]["rule"] == "taxonomy_invalid"
    assert one(opened.db, "SELECT count(*) FROM taxonomy_category") == 7


def test_the_command_line_loads_and_lists(opened: Console, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    file = tmp_path / "taxonomy.txt"
    file.write_text(SAMPLE, "utf-8")
    stage(opened.db, supplier(opened.db, "NORDEN"), *listed("Kleider"))
    run_all(opened.db)
    load_file(file, as_json=True)
    assert capsys.readouterr().out == '{"categories":7,"removed":0,"paths_waiting":1}\n'
    list_paths("proposal", "", 50, as_json=True)
    assert '"path":"Kleider","how":"proposal","suppliers":["Norden"]' in capsys.readouterr().out
