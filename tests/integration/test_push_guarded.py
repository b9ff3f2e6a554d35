"""What a push by itself may not do, what goes all the same, how a push is taken back, and what a shop's own calls lead to."""

# ruff: noqa: F811 - fixtures are asked for by their names

from typing import Any

import pytest

from core.database import Database
from core.errors import Misconfigured, Temporary
from models.events import ListingsDue, ListingsSent, ProductNoticed, PushUndoDue, VerifyDue
from pipelines.listings import push as push_module
from pipelines.listings.guard import Breach, said
from pipelines.listings.plan import plan_listings
from pipelines.listings.recorder import Recorder
from pipelines.listings.undo import undo
from pipelines.listings.verify import verify, verify_one
from pipelines.making import let_push
from sandbox.woocommerce.shop import Shop
from tests.commands import Shell, work_at_once
from tests.pushing import db, edit, held, open_shop, sandbox, states  # noqa: F401 - fixtures
from tests.staged import stage
from tests.stepping import one, pending, rows, run_all, run_message

LAMPS: list[dict[str, Any]] = [
    {"supplier_sku": f"L{number}", "title": f"Lampe {number}"} for number in range(6)
]
PUSHES = ["listings.plan.plan_listings", "listings.push.push", "listings.verify.verify"]


@pytest.fixture
def shop_id(db: Database, sandbox: Shop) -> int:
    """A live shop that holds six lamps at 15.00, five of each."""
    opened = open_shop(db, sandbox, *LAMPS)
    run_all(db)
    assert states(db) == {"live": 6}
    sandbox.requests.clear()
    return opened


def writes(sandbox: Shop) -> list[tuple[str, str]]:
    return [(call["method"], call["path"]) for call in sandbox.requests.seen() if call["method"] != "GET"]


def calls(sandbox: Shop) -> int:
    return len(list(sandbox.requests.seen()))


def lamps(*changed: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**lamp, **(changed[place] if place < len(changed) else {})} for place, lamp in enumerate(LAMPS)]


def test_limits_are_told_with_examples() -> None:
    falls = [("Lampe (N-1)", "15.00", "7.50", "EUR")]
    breach = Breach(10, 3, 4, ["Lampe (N-2)", "Lampe (N-3)"], falls)
    assert said(breach, 20, 30) == [
        "3 of 10 live listings would go out of sale: more than 20 % (Lampe (N-2); Lampe (N-3); and 1 more).",
        "4 prices would fall by more than 30 % (Lampe (N-1): 15.00 → 7.50 EUR; and 3 more).",
    ]
    assert said(Breach(10, 2), 20, 30) == []
    assert said(Breach(4, 4), 20, 30) == []


def test_a_price_that_falls_too_far_waits_and_stock_goes_all_the_same(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    stage(db, 1, *lamps({"cost": "5.00", "stock": 3}, {"stock": 2}))
    run_all(db)
    assert rows(db, "SELECT plan->'limits'->>0 FROM push WHERE state = 'waiting'") == [
        ("1 price would fall by more than 30 % (Lampe 0 (NORDEN-L0): 15.00 → 7.50 EUR).",)
    ]
    shown = held(sandbox)
    assert shown["NORDEN-L0"] == ("15.00", 3, "publish")
    assert shown["NORDEN-L1"] == ("15.00", 2, "publish")
    assert one(db, "SELECT count(*) FROM push WHERE plan->>'only' = 'stock' AND state = 'done'") == 1
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    assert held(sandbox)["NORDEN-L0"] == ("7.50", 3, "publish")
    assert one(db, "SELECT count(*) FROM push WHERE state = 'waiting'") == 0


def test_a_held_shop_gets_stock_and_nothing_else(db: Database, sandbox: Shop, shop_id: int) -> None:
    db.run("UPDATE shop SET held_why = 'A person held it.'")
    stage(db, 1, *lamps({"cost": "11.00"}, {"stock": 1}))
    run_all(db)
    assert held(sandbox)["NORDEN-L0"] == ("15.00", 5, "publish")
    assert held(sandbox)["NORDEN-L1"] == ("15.00", 1, "publish")
    assert one(db, "SELECT plan->'limits' FROM push WHERE state = 'waiting'") == ["A person held it."]


def test_a_push_taken_back_brings_pages_prices_and_products_back_but_no_old_stock(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    stage(db, 1, *lamps({"cost": "11.00", "title": "Leuchte"}, {"stock": 4})[:5], {"supplier_sku": "NEW"})
    run_all(db)
    changed = one(db, "SELECT max(id) FROM push")
    assert held(sandbox)["NORDEN-L0"][0] == "16.50"
    assert held(sandbox)["NORDEN-L5"][2] == "draft"
    assert held(sandbox)["NORDEN-NEW"][2] == "publish"
    with db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE offer SET free = 2, stock = 2 WHERE supplier_sku = 'L0'")
        uow.emit(PushUndoDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, push_id=changed))
    assert run_all(db, twice=True)[:2] == ["listings.undo.undo", "listings.push.push"]
    shown = held(sandbox)
    assert shown["NORDEN-L0"] == ("15.00", 2, "publish")
    assert shown["NORDEN-L1"] == ("15.00", 4, "publish")
    assert shown["NORDEN-L5"] == ("15.00", 0, "publish")
    assert shown["NORDEN-NEW"][2] == "draft"
    assert rows(db, "SELECT undoes, state FROM push WHERE undoes IS NOT NULL") == [(changed, "done")]
    assert "was undone" in one(db, "SELECT held_why FROM shop")
    # What the catalogue wants stays told, and goes when a person says so.
    with db.unit_of_work() as uow:
        uow.emit(ListingsDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id))
    run_all(db)
    assert held(sandbox)["NORDEN-L0"][0] == "15.00"
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    assert held(sandbox)["NORDEN-L0"][:2] == ("16.50", 2)
    assert held(sandbox)["NORDEN-NEW"][2] == "publish"


def test_while_a_push_is_taken_back_nothing_is_planned(db: Database, sandbox: Shop, shop_id: int) -> None:
    stage(db, 1, *lamps({"cost": "11.00"}))
    run_all(db)
    taken = one(db, "SELECT max(id) FROM push")
    undo(PushUndoDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, push_id=taken), db)
    with pytest.raises(Temporary, match="is being undone") as caught:
        plan_listings(ListingsDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id), db)
    assert caught.value.counts is False
    run_all(db)
    assert held(sandbox)["NORDEN-L0"][0] == "15.00"


def test_a_push_that_runs_is_waited_for(db: Database, sandbox: Shop, shop_id: int) -> None:
    stage(db, 1, *lamps({"cost": "11.00"}))
    while (message := pending(db)[0])["step"] != "listings.push.push":
        run_message(db, message)
    first = one(db, "SELECT min(id) FROM push")
    with pytest.raises(Temporary, match="still running"):
        undo(PushUndoDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, push_id=first), db)
    assert "was undone" in one(db, "SELECT held_why FROM shop")  # nothing more goes in meanwhile


def test_new_stock_goes_before_what_a_running_push_has_still_to_send(
    db: Database, sandbox: Shop, shop_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_module, "PRODUCTS_A_TURN", 1)
    monkeypatch.setattr(push_module, "LOOK_SECONDS", 0)
    record, shown = Recorder.product, list[tuple[str, int | None, str]]()

    def answered(self: Recorder, *facts: Any) -> None:
        record(self, *facts)
        shown.append(held(sandbox)["NORDEN-L5"])
        if len(shown) == 1:  # sold elsewhere while the first page was on its way
            db.run(
                "UPDATE listing SET wanted = jsonb_set(wanted, '{stock}', '1') WHERE wanted->>'sku' = 'NORDEN-L5'"
            )

    monkeypatch.setattr(Recorder, "product", answered)
    stage(db, 1, *[{**lamp, "cost": "11.00"} for lamp in LAMPS])
    while (message := pending(db)[0])["step"] != "listings.push.push":
        run_message(db, message)
    run_message(db, message)
    assert shown[:2] == [("15.00", 5, "publish"), ("15.00", 1, "publish")]
    assert held(sandbox)["NORDEN-L5"][0] == "16.50"
    assert one(db, "SELECT count(*) FROM listing WHERE sending IS NOT NULL") == 0


def notice(db: Database, shop_id: int, external_id: str) -> None:
    verify_one(ProductNoticed(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, external_id=external_id), db)


def test_a_call_about_our_own_write_asks_the_shop_for_nothing(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    for (external_id,) in rows(db, "SELECT external_id FROM listing"):
        notice(db, shop_id, external_id)
    notice(db, shop_id, "987654")  # none of ours
    assert calls(sandbox) == 0
    assert pending(db) == []


def test_what_its_owner_changed_in_the_shop_is_seen_and_repaired(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    (external_id, _), *_ = rows(db, "SELECT external_id, id FROM listing ORDER BY id")
    db.run(
        "UPDATE listing SET sent_at = sent_at - interval '2 minutes', seen_at = seen_at - interval '2 minutes'"
    )
    edit(sandbox, "NORDEN-L0", regular_price="1.00")
    sandbox.requests.clear()
    notice(db, shop_id, external_id)
    assert states(db) == {"live": 5, "drifted": 1}
    assert one(db, "SELECT seen->>'price' FROM listing WHERE state = 'drifted'") == "1.00"
    run_all(db)
    assert held(sandbox)["NORDEN-L0"] == ("15.00", 5, "publish")
    assert states(db) == {"live": 6}


def test_the_clock_repairs_what_it_finds_and_a_person_looks_at_it_first(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    edit(sandbox, "NORDEN-L0", regular_price="1.00")
    verify(VerifyDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id), db)
    assert run_all(db) == []
    assert states(db) == {"live": 5, "drifted": 1}
    verify(VerifyDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, repairs=1), db)
    run_all(db)
    assert held(sandbox)["NORDEN-L0"] == ("15.00", 5, "publish")
    assert states(db) == {"live": 6}


def test_one_reading_does_for_several_calls_about_a_product(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    external_id = one(db, "SELECT min(external_id) FROM listing")
    db.run(
        "UPDATE listing SET sent_at = sent_at - interval '2 minutes', seen_at = seen_at - interval '2 minutes'"
    )
    with db.unit_of_work() as uow:
        uow.emit(ProductNoticed(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, external_id=external_id))
    notice(db, shop_id, external_id)
    assert calls(sandbox) == 0  # the one that waits reads
    db.run("DELETE FROM message")
    notice(db, shop_id, external_id)
    assert calls(sandbox) > 0


def test_a_key_that_stopped_working_is_told_hourly_without_a_dead_letter(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    db.run("UPDATE shop SET url = 'https://127.0.0.1:1'", ())
    db.run("UPDATE shop SET credentials = %s", (b"",))
    verify(VerifyDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id), db)
    assert "is not connected" in one(db, "SELECT problem FROM shop")
    db.run("UPDATE listing SET state = 'sent'")
    with pytest.raises(Misconfigured):
        verify(ListingsSent(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id), db)


def test_a_push_is_taken_back_by_command_line(
    db: Database,
    database_url: str,
    sandbox: Shop,
    shop_id: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    work_at_once(monkeypatch, "listings")
    shell = Shell(capsys, monkeypatch)
    stage(db, 1, *[{**lamp, "cost": "11.00"} for lamp in LAMPS])
    run_all(db)
    changed = one(db, "SELECT max(push_id) FROM push_change")
    answer = shell.ask("push", "undo", changed)
    assert (answer["undoes"], answer["state"], answer["outcome"]["sent"]) == (changed, "done", 6)
    assert "was undone" in answer["held_why"]
    assert held(sandbox)["NORDEN-L0"][0] == "15.00"
    assert shell.refuse("push", "undo", 999)[0] == 2
    assert shell.refuse("push", shop_id, 5, "--plan")[0] == 2
