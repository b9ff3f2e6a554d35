"""Undo of a run: offers, variants and products are what they were before it, whatever buyers reserved meanwhile."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import LandedFile
from core.database import Database
from core.errors import Refused
from models.catalogue import give_back, take
from models.events import OrderChanged, UndoDue
from models.orders import Reservation
from models.suppliers import Feed
from pipelines.catalogue import by_hand
from pipelines.catalogue.by_hand import remerge
from pipelines.feeds.land import receive
from pipelines.feeds.undo import ask_undo, undo
from pipelines.routes import ROUTES
from tests.orders import Market, line, market, order
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all, run_message

SHOWN = """supplier_sku, state, feed_run_id, content_hash, record_hash, locator, gtin, title, brand, category, cost::text, price::text, currency,
  stock, availability, weight_g, options, images, details, variant_id, match_reason"""
OPEN = {"min_offers_percent": 0, "max_price_changes_percent": 100, "max_zero_stock_percent": 100}


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def catalogue(db: Database, last: int) -> dict[str, Any]:
    """All that the catalogue says of offers that runs up to `last` brought; what later ones brought may only be gone."""
    ours = f"id IN (SELECT variant_id FROM offer WHERE first_run_id <= {last})"
    return {
        "offers": rows(db, f"SELECT {SHOWN} FROM offer WHERE first_run_id <= %s ORDER BY id", last),
        "later": rows(db, "SELECT supplier_sku, state, free FROM offer WHERE first_run_id > %s AND (state <> 'gone' OR free > 0)", last),
        "variants": rows(db, f"SELECT id, sku, gtin, title, options, images, weight_g, best_offer_id FROM variant WHERE {ours} ORDER BY id"),
        "products": rows(db, f"SELECT id, title, description, brand, category, kind, images FROM product WHERE id IN (SELECT product_id FROM variant WHERE {ours}) ORDER BY id"),
    }  # fmt: skip


def let_go(db: Database, run: int) -> None:
    with db.unit_of_work() as uow:
        ask_undo(uow, run, "operator")


def a_file(dice: random.Random) -> list[dict[str, Any]]:
    """Offers of a small world: some in groups, some with identifiers that the other supplier has too."""
    return [
        {
            "supplier_sku": f"S{number}", "title": dice.choice(["Lampe", "Leuchte", "Ø \"Lampe\""]), "cost": dice.choice(["9.99", "10.00", "0.000001", None]),
            "stock": dice.choice([0, 1, 5, 9, None]), "availability": dice.choice(["in_stock", "out_of_stock", None]), "brand": dice.choice(["Norden", None]),
            "images": dice.choice([[], ["https://x.example/1.jpg"], ["https://x.example/2.jpg", "https://x.example/1.jpg"]]),
            "options": dice.choice([{}, {"Farbe": "rot"}]), "details": dice.choice([None, {"minimum": 2}]), "locator": f"row {dice.randint(2, 99)}",
            "category": dice.choice(["Licht", "Licht > Tisch", None]), "weight_g": dice.choice([None, 1, 500]),
            "record_hash": dice.choice([None, -(2**63), 7, 2**63 - 1]),
            **({"gtin": f"400638133393{number}", "gtin_verdict": "valid"} if number < 3 else {}),
            **({"group_key": "G", "group_title": dice.choice(["Gruppe", "Serie"])} if number in (4, 5) else {}),
        }
        for number in range(8) if dice.random() < 0.75
    ]  # fmt: skip


class Buyers:
    """Who comes and goes by the only doors that stock has; `open` is what each offer has set aside."""

    def __init__(self, db: Database, seller_shop: int) -> None:
        self.db, self.shop, self.open = db, seller_shop, Counter[int]()

    def trade(self, dice: random.Random) -> None:
        with self.db.unit_of_work() as uow:
            cursor = uow.cursor()
            there = cursor.execute(
                "SELECT id, free, variant_id FROM offer WHERE free > 0 ORDER BY id"
            ).fetchall()
            for offer, most, variant in there:
                wanted = dice.randint(1, most)
                if dice.random() < 0.4 and take(cursor, offer, wanted):
                    market = Market(2, 1, self.shop, (offer,), (variant,), ("x",), ("1",))
                    made = line(uow.session, order(uow.session, market), market, quantity=wanted)
                    uow.session.add(Reservation(line_id=made.id, offer_id=offer, quantity=wanted))
                    uow.session.flush()
                    self.open[offer] += wanted
            for offer in [offer for offer in self.open if dice.random() < 0.3]:
                cursor.execute("UPDATE reservation SET quantity = 0 WHERE offer_id = %s", [offer])
                give_back(cursor, offer, self.open.pop(offer))

    def expected(self) -> dict[int, int]:
        """offer -> what is free of it by its supplier's word and what is set aside; the policy assumes 2."""
        query = "SELECT id, stock, availability, state FROM offer ORDER BY id"
        return {
            offer: 0 if state == "gone" or said == "out_of_stock" else max(0, (stock if stock is not None else 2 if said else 0) - self.open[offer])
            for offer, stock, said, state in rows(self.db, query)
        }  # fmt: skip

    def there(self) -> dict[int, int]:
        return dict(rows(self.db, "SELECT id, free FROM offer ORDER BY id"))


@pytest.mark.parametrize(
    ("absence", "buying"),
    [("out_of_stock", False), ("out_of_stock", True), ("withdraw", False), ("keep", True)],
)
def test_runs_undone_one_by_one_leave_the_catalogue_as_it_was_before_each(
    db: Database, absence: str, buying: bool
) -> None:
    """With buyers the stock that is free, and the best offer by it, are others: then only offers are compared, and
    what is free of each with what was set aside."""
    seed = random.randrange(10**6)
    print("seed", seed)
    dice = random.Random(seed)
    buyers = Buyers(db, shop_of(db, supplier={"supplier": 3}))
    feeds = [supplier(db, code, absence=absence, assumed_stock=2, **OPEN) for code in ("NORDEN", "VELO")]
    stage(db, feeds[1], *a_file(dice))
    run_all(db)
    before: list[tuple[int, int, dict[str, Any]]] = []
    for _ in range(5):
        shown = catalogue(db, last := one(db, "SELECT max(id) FROM feed_run"))
        run = stage(db, feeds[0], *a_file(dice))
        run_all(db)
        assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "applied"
        before.append((run, last, shown))
        if buying:
            buyers.trade(dice)
        assert buyers.there() == buyers.expected()
    for run, last, shown in reversed(before):
        let_go(db, run)
        ran = run_all(db, twice=True)
        assert ran[:2] == ["feeds.undo.undo", "catalogue.by_hand.remerge"]
        assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "undone"
        found = catalogue(db, last)
        assert found.pop("later") == [], "what the run brought is gone"
        for name in ("offers",) if buying else found:
            assert found[name] == shown[name], name
        assert buyers.there() == buyers.expected()
        if buying:
            buyers.trade(dice)


def test_a_later_run_must_be_undone_first_and_an_undone_file_comes_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = supplier(db, "NORDEN", **OPEN)
    first = stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    run_all(db)
    second = stage(db, feed, {"supplier_sku": "A", "stock": 7})
    run_all(db)
    for run, words in (
        (first, f"Run {second} of this feed was applied after run {first}: undo run {second} first"),
        (99, "Run 99 is not there"),
    ):
        with pytest.raises(Refused, match=words):
            let_go(db, run)
    assert run_all(db) == []
    assert rows(db, "SELECT supplier_sku, stock FROM offer ORDER BY 1") == [("A", 7), ("B", 0)]
    let_go(db, second)
    let_go(db, second)  # a person who asks twice
    monkeypatch.setattr(by_hand, "PIECE", 1)
    assert run_all(db).count("catalogue.by_hand.remerge") == 3, "a piece each, and the end of them"
    assert rows(db, "SELECT supplier_sku, stock, feed_run_id FROM offer ORDER BY 1") == [
        ("A", 5, first),
        ("B", 5, first),
    ]
    with pytest.raises(Refused, match=f"Run {second} is undone"):
        let_go(db, second)
    with db.unit_of_work() as uow:
        owner = uow.session.get_one(Feed, feed)
        assert owner.applied_fingerprint is None
        again = receive(uow, owner, LandedFile(path=Path("unused"), name="f.csv", bytes=1, sha256="0" * 64))
        assert again.state == "landed"
    assert rows(db, "SELECT act, subject FROM audit_record") == [("undo asked", f"run:{second}")] * 2


def test_an_undo_that_a_later_run_overtook_changes_nothing(db: Database) -> None:
    feed = supplier(db, "NORDEN", **OPEN)
    first = stage(db, feed, {"supplier_sku": "A"})
    run_all(db)
    let_go(db, first)
    (asked,) = pending(db)
    second = stage(db, feed, {"supplier_sku": "A", "stock": 7})
    for step in ("feeds.plan.plan", "catalogue.begin.begin"):
        run_message(db, next(message for message in pending(db) if message["step"] == step))
    with pytest.raises(Refused, match="Another run of this feed is on its way"):
        let_go(db, first)
    run_message(db, asked)
    assert "catalogue.by_hand.remerge" not in run_all(db)
    undo(UndoDue(tenant=2, lane=f"feed:{feed}", run_id=first), db)
    assert rows(db, "SELECT id, state FROM feed_run ORDER BY id") == [(first, "applied"), (second, "applied")]
    assert rows(db, "SELECT supplier_sku, state, stock FROM offer") == [("A", "offered", 7)]
    assert remerge  # the step that merges what an undo changed


def test_stock_that_an_undo_brings_back_wakes_the_lines_that_wait_for_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    of = market(db, 5, deposit=9_000)
    feed, sku = rows(db, "SELECT feed_id, supplier_sku FROM offer")[0]
    db.run("UPDATE feed SET policy = %s", [json.dumps(OPEN)])
    run = stage(db, feed, {"supplier_sku": sku, "stock": 0})
    run_all(db)
    with db.unit_of_work() as uow:
        made = order(uow.session, of)
        line(uow.session, made, of)
        uow.emit(OrderChanged(tenant=of.seller, lane=f"shop:{of.shop}", order_id=made.id))
    run_message(db, pending(db)[0])
    assert one(db, "SELECT state FROM order_line") == "awaiting_stock"
    let_go(db, run)
    while (message := pending(db)[-1])["step"] != "orders.resume.resume_stock":
        run_message(db, message)
    run_message(db, message)
    assert one(db, "SELECT state FROM order_line") == "funded"
    assert rows(db, "SELECT stock, free FROM offer") == [(5, 4)]


def test_a_stock_list_undone_leaves_what_the_content_list_told_since(db: Database) -> None:
    content = supplier(db, "NORDEN", **OPEN)
    with db.unit_of_work() as uow:
        second = Feed(supplier_id=2, name="stock", source={"kind": "upload"}, policy={"mode": "stock-only", "of_feed": content, **OPEN})  # fmt: skip
        uow.session.add(second)
        uow.session.flush()
        stock = second.id
    bare = {"supplier_sku": "A", "availability": None}
    for feed, told in ((content, {"stock": None}), (stock, {"stock": 8}), (stock, {"stock": 3}), (content, {"title": "Neu", "stock": None})):  # fmt: skip
        run = stage(db, feed, {**bare, **told})
        run_all(db)
        assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "applied"
    shown = "SELECT title, stock, free, feed_run_id, content_hash FROM offer"
    ((title, pieces, free, last, content_hash),) = rows(db, shown)
    assert (title, pieces, free, last) == ("Neu", 3, 3, 4)
    let_go(db, 3)
    run_all(db)
    assert rows(db, shown) == [("Neu", 8, 8, 4, content_hash)]
