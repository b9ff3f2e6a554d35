"""Pushing into a real sandbox shop over https: what is stored, what is not sent, and what every kind of failure leaves."""

# ruff: noqa: F811 - fixtures are asked for by their names

import base64
import contextlib
import json
import ssl
import threading
import urllib.request
from typing import Any

import pytest
from psycopg.rows import dict_row

from core.database import Database
from core.errors import Misconfigured, Temporary, Unknown
from core.settings import load
from core.vault import load_vault
from models.shops import Shop as StoredShop
from pipelines import opening
from pipelines.listings.adopt import leave
from pipelines.listings.plan import start_push
from pipelines.listings.verify import READABLE, record
from sandbox.woocommerce.shop import Shop
from tests.pushing import db, held, open_shop, sandbox, states  # noqa: F401 - fixtures
from tests.staged import stage
from tests.stepping import one, pending, rows, run_all, run_message

UMBRELLAS = [
    {
        "supplier_sku": "S-R",
        "group_key": "S",
        "group_title": "Schirm",
        "options": {"Farbe": "Rot"},
        "images": ["https://i.example/r.png"],
    },
    {
        "supplier_sku": "S-B",
        "group_key": "S",
        "group_title": "Schirm",
        "options": {"Farbe": "Blau"},
        "images": ["https://i.example/b.png"],
    },
]


def until_push(db: Database) -> dict[str, Any]:
    """Runs what comes before the push; the push's message."""
    while (message := pending(db)[0])["step"] != "listings.push.push":
        run_message(db, message)
    return message


def test_simple_and_variable_products_are_sent_stored_and_read_back(db: Database, sandbox: Shop) -> None:
    open_shop(db, sandbox, {"supplier_sku": "A"}, *UMBRELLAS)
    assert run_all(db) == ["listings.plan.plan_listings", "listings.push.push", "listings.verify.verify"]
    assert states(db) == {"live": 3}
    assert held(sandbox) == {
        "NORDEN-A": ("15.00", 5, "publish"),
        "NORDEN-S-R": ("15.00", 5, "publish"),
        "NORDEN-S-B": ("15.00", 5, "publish"),
    }
    assert one(db, "SELECT count(DISTINCT external_id) FROM listing") == 3
    assert one(db, "SELECT plan - 'limits' FROM push") == {
        "create": 3,
        "update": 0,
        "stock": 0,
        "withdraw": 0,
    }
    assert one(db, "SELECT outcome FROM push") == {"sent": 3, "refused": 0, "withdrawn": 0, "problem": None}


def test_only_stock_is_sent_where_only_stock_differs_and_nothing_where_nothing_does(
    db: Database, sandbox: Shop
) -> None:
    open_shop(db, sandbox, {"supplier_sku": "A"}, {"supplier_sku": "B"}, *UMBRELLAS)
    run_all(db)
    sandbox.requests.clear()
    stage(
        db,
        1,
        {"supplier_sku": "A", "stock": 2},
        {"supplier_sku": "B"},
        {**UMBRELLAS[0], "stock": 1},
        UMBRELLAS[1],
    )
    run_all(db)
    writes = [(seen["method"], seen["path"]) for seen in sandbox.requests.seen() if seen["method"] != "GET"]
    parent = one(
        db, "SELECT external_id FROM shop_product JOIN product ON id = product_id WHERE key = 'group:2:S'"
    )
    assert writes == [
        ("POST", "/wp-json/wc/v3/products/batch"),
        ("POST", f"/wp-json/wc/v3/products/{parent}/variations/batch"),
    ]
    assert {sku: stock for sku, (_, stock, _) in held(sandbox).items()} == {
        "NORDEN-A": 2,
        "NORDEN-B": 5,
        "NORDEN-S-R": 1,
        "NORDEN-S-B": 5,
    }
    sandbox.requests.clear()
    stage(
        db,
        1,
        {"supplier_sku": "A", "stock": 2},
        {"supplier_sku": "B"},
        {**UMBRELLAS[0], "stock": 1},
        UMBRELLAS[1],
    )
    run_all(db)
    assert list(sandbox.requests.seen()) == []


def test_what_is_no_longer_offered_leaves_the_sale_and_comes_back_as_the_same_product(
    db: Database, sandbox: Shop
) -> None:
    others = [{"supplier_sku": f"O{i}"} for i in range(10)]
    open_shop(db, sandbox, {"supplier_sku": "A"}, *UMBRELLAS, *others)
    run_all(db)
    ids = dict(rows(db, "SELECT variant_id, external_id FROM listing"))
    stage(db, 1, UMBRELLAS[1], *others)
    run_all(db)
    assert held(sandbox)["NORDEN-A"][2] == "draft"
    assert held(sandbox)["NORDEN-S-R"][2] == "private"
    assert held(sandbox)["NORDEN-S-B"][2] == "publish"
    assert states(db) == {"live": 11, "withdrawn": 2}
    stage(db, 1, {"supplier_sku": "A"}, *UMBRELLAS, *others)
    run_all(db)
    assert states(db) == {"live": 13}
    assert {status for _, _, status in held(sandbox).values()} == {"publish"}
    assert dict(rows(db, "SELECT variant_id, external_id FROM listing")) == ids


def test_a_push_that_would_empty_the_shop_waits_for_a_person(db: Database, sandbox: Shop) -> None:
    shop_id = open_shop(db, sandbox, *({"supplier_sku": f"O{i}"} for i in range(10)))
    run_all(db)
    with db.unit_of_work() as uow:
        uow.cursor().execute("DELETE FROM selection")
        from models.events import ListingsDue

        uow.emit(ListingsDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id))
    assert run_all(db) == ["listings.plan.plan_listings"]
    assert rows(db, "SELECT state, plan->'limits'->>0 FROM push ORDER BY id DESC LIMIT 1") == [
        (
            "waiting",
            "10 of 10 live listings would go out of sale: more than 20 % "
            "(Lampe (NORDEN-O0); Lampe (NORDEN-O1); Lampe (NORDEN-O2); and 7 more).",
        )
    ]
    assert {status for _, _, status in held(sandbox).values()} == {"publish"}
    with db.unit_of_work() as uow:
        start_push(uow, uow.session.get_one(StoredShop, shop_id), asked_by="operator", limit=False)
    run_all(db)
    assert {status for _, _, status in held(sandbox).values()} == {"draft"}
    assert one(db, "SELECT count(*) FROM push WHERE state = 'waiting'") == 0


def test_a_wrong_key_ends_the_push_says_so_at_the_shop_and_sends_nothing(db: Database, sandbox: Shop) -> None:
    open_shop(db, sandbox, {"supplier_sku": "A"}, secret="cs_wrong")
    message = until_push(db)
    with pytest.raises(Misconfigured) as caught:
        run_message(db, message)
    assert "cs_wrong" not in str(caught.value)
    assert one(db, "SELECT problem FROM shop") == str(caught.value)
    assert one(db, "SELECT state FROM push") == "done"
    assert held(sandbox) == {}
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(StoredShop, one(db, "SELECT id FROM shop"))
        told = sandbox.description()
        shop.credentials = load_vault(load()).seal(
            {"key": told["key"], "secret": told["secret"], "ca_file": told["ca_file"]}
        )
    run_all(db)  # the replayed message
    assert states(db) == {"live": 1}
    assert one(db, "SELECT problem FROM shop") is None


@pytest.mark.parametrize("fault", ["late", "drop_after", "stray", "cut"])
def test_products_made_behind_a_lost_answer_are_found_and_not_made_twice(
    db: Database, sandbox: Shop, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    impatient(monkeypatch)
    open_shop(db, sandbox, {"supplier_sku": "A"}, {"supplier_sku": "B"}, *UMBRELLAS)
    for _ in range(3):  # for the category, the products, the variations
        sandbox.faults.add(fault, method="POST", path="/products", seconds=3)
    for _ in range(4):  # as the broker would: what waiting or looking helps is tried again
        with contextlib.suppress(Temporary, Unknown):
            run_all(db)
    assert states(db) == {"live": 4}
    assert sorted(held(sandbox)) == ["NORDEN-A", "NORDEN-B", "NORDEN-S-B", "NORDEN-S-R"]


@pytest.mark.parametrize("fault", ["hang", "drop_before", "maintenance", "database_down"])
def test_a_shop_that_does_not_answer_is_tried_again_and_loses_nothing(
    db: Database, sandbox: Shop, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    impatient(monkeypatch)
    open_shop(db, sandbox, {"supplier_sku": "A"})
    sandbox.faults.add(fault, times=None, seconds=3)
    message = until_push(db)
    with pytest.raises((Temporary, Unknown)):
        run_message(db, message)
    assert states(db) == {"waiting": 1}
    assert one(db, "SELECT state FROM push") == "running"
    sandbox.faults.clear()
    db.run("UPDATE shop_meter SET paused_until = NULL, failures = 0")  # as long as it asked for later
    run_all(db)
    assert states(db) == {"live": 1}
    assert sorted(held(sandbox)) == ["NORDEN-A"]


def test_a_sku_that_belongs_to_the_seller_waits_for_his_word_and_is_refused_with_advice_where_he_leaves_it(
    db: Database, sandbox: Shop
) -> None:
    told = sandbox.description()
    basic = base64.b64encode(f"{told['key']}:{told['secret']}".encode()).decode()
    own = {"name": "Own lamp", "type": "simple", "sku": "norden-a", "regular_price": "99.00"}
    request = urllib.request.Request(
        f"{sandbox.url}/wp-json/wc/v3/products",
        json.dumps(own).encode(),
        {"Authorization": f"Basic {basic}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(
        request, timeout=10, context=ssl.create_default_context(cafile=told["ca_file"])
    ).close()
    shop_id = open_shop(db, sandbox, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    run_all(db, twice=True)
    assert states(db) == {"live": 1, "waiting": 1}
    assert one(db, "SELECT problem FROM listing WHERE undecided") == (
        f"The shop already has a product with this SKU: adopt it or leave it, `entrepot adoption list {shop_id}`."
    )
    with db.unit_of_work() as uow:
        assert leave(uow, shop_id, None) == 1
    run_all(db)
    assert states(db) == {"live": 1, "refused": 1}
    problem = one(db, "SELECT problem FROM listing WHERE state = 'refused'")
    assert problem.startswith(
        "SKU NORDEN-A is already used by another product (id 10) in this shop; change that product's SKU"
    )
    assert held(sandbox)["norden-a"] == ("99.00", None, "publish")


def test_one_push_of_a_shop_at_a_time_and_what_changed_meanwhile_follows(db: Database, sandbox: Shop) -> None:
    shop_id = open_shop(db, sandbox, {"supplier_sku": "A"})
    first = until_push(db)
    stage(db, 1, {"supplier_sku": "A", "stock": 1})
    for message in pending(db):
        if message["id"] != first["id"]:
            run_message(db, message)
    while [m for m in pending(db) if m["step"] != "listings.push.push"]:
        run_message(db, next(m for m in pending(db) if m["step"] != "listings.push.push"))
    assert [message["id"] for message in pending(db)] == [first["id"]], (
        "a second push of the same shop is not started"
    )
    run_all(db)
    assert held(sandbox) == {"NORDEN-A": ("15.00", 1, "publish")}
    assert states(db) == {"live": 1}
    assert one(db, "SELECT count(*) FROM push WHERE shop_id = %s", shop_id) == 1


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connector waits a second where it would wait two minutes, and does not pause between its attempts."""
    from connectors.registry import SHOPS

    pause = threading.Event()
    real = SHOPS["woocommerce"]
    made = lambda *given, **more: real(*given, **more, patience=1.0, sleep=lambda seconds: pause.wait(0))  # noqa: E731
    monkeypatch.setattr(opening, "SHOPS", {"woocommerce": made})


def test_a_withdrawal_the_shop_refuses_is_said_once_and_not_tried_for_ever(
    db: Database, sandbox: Shop
) -> None:
    others = [{"supplier_sku": f"O{i}"} for i in range(10)]
    shop_id = open_shop(db, sandbox, {"supplier_sku": "A"}, *others)
    run_all(db)
    sandbox.faults.add("status", times=None, method="POST", path="/products/batch", status=400)
    stage(db, 1, *others)
    assert run_all(db).count("listings.push.push") == 1
    assert states(db) == {"live": 10, "refused": 1}
    assert "refused" in one(db, "SELECT problem FROM listing WHERE state = 'refused'")
    sandbox.faults.clear()
    with db.unit_of_work() as uow:  # a person's push
        start_push(uow, uow.session.get_one(StoredShop, shop_id), asked_by="operator", limit=False)
    run_all(db)
    assert states(db) == {"live": 10, "withdrawn": 1}


def test_a_product_deleted_in_the_shop_is_made_anew_when_its_stock_changes(
    db: Database, sandbox: Shop
) -> None:
    open_shop(db, sandbox, {"supplier_sku": "A"})
    run_all(db)
    assert one(db, "SELECT former_ids FROM listing") == []
    number = int(one(db, "SELECT external_id FROM listing"))
    with sandbox.site.store.work():
        sandbox.site.store.drop("product", number)
    stage(db, 1, {"supplier_sku": "A", "stock": 3})
    run_all(db)
    assert held(sandbox) == {"NORDEN-A": ("15.00", 3, "publish")}
    assert states(db) == {"live": 1}
    assert rows(db, "SELECT former_ids, external_id <> %s FROM listing", str(number)) == [
        ([str(number)], True)
    ]


def test_a_push_whose_message_was_given_up_does_not_run_for_ever(db: Database, sandbox: Shop) -> None:
    open_shop(db, sandbox, {"supplier_sku": "A"})
    lost = until_push(db)
    with db.unit_of_work() as uow:  # as Failures does after the last try
        uow.cursor().execute("DELETE FROM message WHERE id = %s", [lost["id"]])
    stage(db, 1, {"supplier_sku": "A", "stock": 3})
    run_all(db)
    assert rows(db, "SELECT state, outcome->>'problem' FROM push ORDER BY id") == [
        ("done", "It was given up; `entrepot dead-letter list` says why."),
        ("done", None),
    ]


def test_what_was_sent_anew_while_it_was_read_back_is_left_for_its_own_reading(
    db: Database, sandbox: Shop
) -> None:
    open_shop(db, sandbox, {"supplier_sku": "A"})
    run_all(db)
    row = {**listing_row(db), "title": "Before"}
    with db.unit_of_work() as uow:  # meanwhile a push sends another title, and the same listing
        uow.cursor().execute("UPDATE listing SET state = 'sent', sent_at = now()")
    record(db, [row], {})
    assert states(db) == {"sent": 1}


def listing_row(db: Database) -> dict[str, Any]:
    with db.unit_of_work() as uow:
        cursor = uow.cursor().connection.cursor(row_factory=dict_row)
        (row,) = cursor.execute(
            READABLE, {"shop": one(db, "SELECT id FROM shop"), "states": ["live"]}
        ).fetchall()
    return row


def test_a_product_becomes_variable_and_simple_again_in_its_own_place(db: Database, sandbox: Shop) -> None:
    one_of, two_of = ({"supplier_sku": sku, "group_key": "G", "group_title": "Lamp"} for sku in "AB")
    others = [{"supplier_sku": f"O{i}"} for i in range(10)]
    open_shop(db, sandbox, one_of, *others)
    for offers, live in (
        ([one_of], 11),
        ([one_of, two_of], 12),
        ([two_of], 11),
        ([], 10),
        ([one_of, two_of], 12),
    ):
        stage(db, 1, *offers, *others)
        run_all(db)
        assert states(db).get("live") == live
        assert one(db, "SELECT external_id FROM shop_product ORDER BY product_id LIMIT 1") == "10"
