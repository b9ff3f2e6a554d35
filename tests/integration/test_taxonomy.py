"""Suppliers' categories in the words of the taxonomy: by number, path, what persons said; else a proposal that waits."""

from collections.abc import Iterator

import pytest

from core.database import Database
from core.errors import Refused
from pipelines.catalogue.category_words import Proposals
from pipelines.catalogue.taxonomy import choose, load, read_taxonomy, settle_chosen
from pipelines.routes import ROUTES
from tests.staged import stage, supplier
from tests.stepping import one, rows, run_all

SAMPLE = """# Google_Product_Taxonomy_Version: 2021-09-21
536 - Home & Garden
594 - Home & Garden > Lighting
4636 - Home & Garden > Lighting > Lamps
2809 - Home & Garden > Lighting > Night Lights & Ambient Lighting
3185 - Home & Garden > Lighting Accessories > Lamp Shades
1604 - Apparel & Accessories > Clothing
2271 - Apparel & Accessories > Clothing > Dresses
"""


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def loaded(db: Database, text: str = SAMPLE) -> tuple[int, int, int]:
    with db.unit_of_work() as uow:
        told = load(uow, read_taxonomy(text.splitlines()))
    return told.categories, told.removed, told.waiting


def products(db: Database) -> dict[str, int | None]:
    return dict(rows(db, "SELECT category, taxonomy_id FROM product"))


def choices(db: Database) -> list[tuple[str, int | None, str]]:
    return rows(db, "SELECT path, taxonomy_id, how FROM taxonomy_choice ORDER BY supplier_id, path")


def listed(*categories: str | None) -> list[dict[str, str | None]]:
    return [{"supplier_sku": f"A{n}", "category": path} for n, path in enumerate(categories)]


def test_a_path_is_known_by_number_or_words_or_waits_with_a_proposal(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    stage(
        db,
        feed,
        *listed(
            "2271", "home & garden>Lighting >  Lamps", "Wohnen > Lampshades", "Leuchten > Table Lamps", None
        ),
    )
    run_all(db)
    assert choices(db) == [], "nothing is asked before there is a taxonomy"
    assert loaded(db) == (7, 0, 2)
    assert choices(db) == [
        ("2271", 2271, "exact"), ("Leuchten > Table Lamps", 4636, "proposal"), ("Wohnen > Lampshades", None, "proposal"),
        ("home & garden>Lighting >  Lamps", 4636, "exact"),
    ]  # fmt: skip
    assert products(db) == {
        "2271": 2271, "home & garden>Lighting >  Lamps": 4636, "Wohnen > Lampshades": None, "Leuchten > Table Lamps": None, None: None,
    }  # fmt: skip


def test_what_a_person_said_counts_for_every_supplier_from_then_on(db: Database) -> None:
    loaded(db)
    for code in ("NORDEN", "VELO"):
        stage(db, supplier(db, code), *listed("Licht > Schirme"))
        run_all(db)
    assert [how for _, _, how in choices(db)] == ["proposal", "proposal"]
    with db.unit_of_work() as uow:
        assert choose(uow, "licht > schirme", 3185, "operator", supplier_id=2) == 2
    assert run_all(db, twice=True).count("catalogue.taxonomy.settle_chosen") == 1
    assert choices(db) == [("Licht > Schirme", 3185, "person"), ("Licht > Schirme", 3185, "learned")]
    assert rows(db, "SELECT taxonomy_id FROM product") == [(3185,), (3185,)]
    stage(db, supplier(db, "ATELIER"), *listed("LICHT > Schirme"))
    run_all(db)
    assert choices(db)[2] == ("LICHT > Schirme", 3185, "learned")
    assert one(db, "SELECT taxonomy_id FROM product WHERE category = 'LICHT > Schirme'") == 3185
    with db.unit_of_work() as uow:
        choose(uow, "Licht > Schirme", None, "operator", supplier_id=2)
    run_all(db)
    assert rows(db, "SELECT taxonomy_id FROM product ORDER BY id") == [(None,), (3185,), (3185,)]
    assert rows(db, "SELECT words FROM audit_record ORDER BY id") == [
        ("licht > schirme means 3185 - Home & Garden > Lighting Accessories > Lamp Shades.",),
        ("Licht > Schirme means no category of the taxonomy.",),
    ]
    assert settle_chosen  # the step that did it


def test_an_offer_that_changes_its_category_takes_its_product_along(db: Database) -> None:
    loaded(db)
    feed = supplier(db, "NORDEN")
    stage(db, feed, *listed("2271"))
    run_all(db)
    stage(db, feed, *listed("4636"))
    run_all(db)
    assert products(db) == {"4636": 4636}
    stage(db, feed, *listed("Unheard of"))
    run_all(db)
    assert products(db) == {"Unheard of": None}


def test_a_new_taxonomy_keeps_what_was_said_and_asks_again_where_its_category_is_gone(db: Database) -> None:
    loaded(db)
    stage(db, supplier(db, "NORDEN"), *listed("Kleider", "Lampen"))
    run_all(db)
    with db.unit_of_work() as uow:
        choose(uow, "Kleider", 2271, "operator")
        choose(uow, "Lampen", 4636, "operator")
    run_all(db)
    assert loaded(db, SAMPLE.replace("2271 - Apparel & Accessories > Clothing > Dresses\n", "")) == (6, 1, 1)
    assert choices(db) == [("Kleider", None, "proposal"), ("Lampen", 4636, "person")]
    assert products(db) == {"Kleider": None, "Lampen": 4636}


def test_a_file_that_is_no_taxonomy_and_a_category_that_is_not_there_are_refused(db: Database) -> None:
    with pytest.raises(Refused, match=r"Line 2 of the taxonomy is 'Lamps;4636'"):
        read_taxonomy(["1 - Animals", "Lamps;4636"])
    with pytest.raises(Refused, match="has no category"):
        read_taxonomy(["# nothing"])
    loaded(db)
    for path, number, words in (("x", 4636, "No offer has the category 'x'"), ("x", 1, "no category 1")):
        with pytest.raises(Refused, match=words), db.unit_of_work() as uow:
            choose(uow, path, number, "operator")
    assert one(db, "SELECT count(*) FROM audit_record") == 0


def test_words_propose_and_never_more_than_that() -> None:
    proposals = Proposals(read_taxonomy(SAMPLE.splitlines()))
    assert proposals.nearest("Mode > Kleider") is None
    assert proposals.nearest("Women's Clothing / Dresses") == (2271, 0.898)
    assert proposals.nearest("Lamps") == (4636, 0.875)
    assert proposals.nearest("") is None
    assert proposals.nearest("> / |") is None
    near = proposals.nearest("Lamps > Modell 4711")
    assert near is not None
    assert near[0] == 4636
    assert near[1] < 0.6
