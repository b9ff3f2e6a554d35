"""What a person does in the console: each form stores its facts and emits its event, and nothing else."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import now
from models.shops import Listing
from tests import builders as make
from tests.console import Console, console, token_in
from tests.stepping import one, pending, rows


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Console]:
    with console(database_url, tmp_path) as made:
        yield made


def emitted(opened: Console) -> list[tuple[str, str, str]]:
    return [(message["event"], message["step"], message["lane"]) for message in pending(opened.db)]


def test_approving_a_run_lets_it_pass_once(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        feed = make.feed(uow.session)
        run = make.run(
            uow.session,
            feed,
            "waiting",
            plan={"changed": 90, "limits": ["90 of 100 offers change their price: more than 30 %."]},
        )
        address, lane = f"/runs/{run.id}", feed.lane
    page = opened.get(address).text
    assert "90 of 100 offers change their price" in page
    assert opened.post(f"{address}/approve").headers["location"] == f"{address}?said=approved"
    assert emitted(opened) == [("RunApproved", "catalogue.begin.begin", lane)]
    again = opened.post(f"{address}/approve")
    assert again.status_code == 409
    assert "only a waiting run can be approved" in again.text
    assert len(emitted(opened)) == 1
    assert "/approve" not in opened.get(address).text


@pytest.mark.parametrize("state", ["landed", "applied", "refused", "unchanged", "superseded"])
def test_a_run_that_does_not_wait_cannot_be_approved(opened: Console, state: str) -> None:
    with opened.db.unit_of_work() as uow:
        address = f"/runs/{make.run(uow.session, make.feed(uow.session), state).id}"
    assert opened.post(f"{address}/approve").status_code == 409
    assert emitted(opened) == []
    assert one(opened.db, "SELECT state FROM feed_run") == state


def send(opened: Console, feed_id: int, content: bytes, name: str, token: str | None = None):
    csrf = token if token is not None else token_in(opened.get(f"/feeds/{feed_id}").text)
    return opened.client.post(f"/feeds/{feed_id}/file", data={"csrf": csrf}, files={"file": (name, content)})


def test_a_sent_file_lands_once_under_its_hash(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        feed = make.feed(uow.session)
        feed_id, lane = feed.id, feed.lane
    content = "Artikel;Preis\nA-1;12,50\n".encode("cp1252")
    sent = send(opened, feed_id, content, "../../etc/C:\\lists\\Preisliste März.csv")
    ((run_id, state, name, size, sha256),) = rows(
        opened.db, "SELECT id, state, file_name, file_bytes, file_sha256 FROM feed_run"
    )
    assert sent.headers["location"] == f"/runs/{run_id}?said=landed"
    assert (state, name, size, sha256) == (
        "landed",
        "Preisliste März.csv",
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    kept = [file for file in opened.settings.archive.rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in kept] == [content]
    assert emitted(opened) == [("FileLanded", "feeds.read.read", lane)]


def test_a_file_is_not_taken_without_choice_content_or_token(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        feed_id = make.feed(uow.session).id
    assert "The file is empty" in send(opened, feed_id, b"", "list.csv").text
    assert send(opened, feed_id, b"a;b\n1;2\n", "list.csv", token="wrong").status_code == 403
    assert (
        send(
            opened, 999, b"a;b\n1;2\n", "list.csv", token=token_in(opened.get("/feeds/new").text)
        ).status_code
        == 404
    )
    nothing = opened.client.post(
        f"/feeds/{feed_id}/file", data={"csrf": token_in(opened.get("/feeds/new").text)}
    )
    assert (nothing.status_code, "No file was chosen" in nothing.text) == (422, True)
    assert one(opened.db, "SELECT count(*) FROM feed_run") == 0
    assert emitted(opened) == []


def test_a_file_beyond_the_limit_is_refused_while_it_comes(database_url: str, tmp_path: Path) -> None:
    with console(database_url, tmp_path, upload_limit_mb=1) as opened:
        with opened.db.unit_of_work() as uow:
            feed_id = make.feed(uow.session).id
        refused = send(opened, feed_id, b"x" * 1_100_000, "list.csv")
        assert refused.status_code == 413
        assert "ENTREPOT_UPLOAD_LIMIT_MB" in refused.text
        raw = opened.api("POST", f"/feeds/{feed_id}/files?name=list.csv", content=b"x" * 1_100_000)
        assert (raw.status_code, raw.json()["error"]["rule"]) == (413, "too_large")
        assert opened.client.post("/login", data={"csrf": "x" * 1_100_000}).status_code == 413
        assert not [file for file in tmp_path.rglob("*") if file.is_file() and "archive" in file.parts]
        assert one(opened.db, "SELECT count(*) FROM feed_run") == 0


def test_looking_at_a_source_now(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        feed = make.feed(uow.session, source={"kind": "folder", "path": "/srv/drop"})
        feed_id, lane = feed.id, feed.lane
    assert opened.post(f"/feeds/{feed_id}/look").status_code == 303
    assert emitted(opened) == [("FeedDue", "feeds.land.land", lane)]


def test_a_feed_with_a_new_supplier(opened: Console, tmp_path: Path) -> None:
    made = opened.post(
        "/feeds",
        name="Price list",
        new_supplier="Nordlicht Leuchten GmbH",
        folder=str(tmp_path),
        currency="eur",
    )
    assert made.status_code == 303
    assert rows(
        opened.db,
        "SELECT f.name, f.source, f.currency, c.kind, c.code, c.name FROM feed f JOIN company c ON c.id = f.supplier_id",
    ) == [
        (
            "Price list",
            {"kind": "folder", "path": str(tmp_path)},
            "EUR",
            "supplier",
            "NORDLICHTLEU",
            "Nordlicht Leuchten GmbH",
        )
    ]
    again = opened.post("/feeds", name="Price list", new_supplier="Nordlicht Leuchten GmbH")
    assert (again.status_code, "has a feed &#39;Price list&#39; already" in again.text) == (422, True)
    for wrong in ({"name": ""}, {"name": "x", "currency": "Euro"}, {"name": "x", "folder": "/not/there"}):
        assert (
            opened.post("/feeds", **{"new_supplier": "Nordlicht Leuchten GmbH", **wrong}).status_code == 422
        )
    assert one(opened.db, "SELECT count(*) FROM feed") == 1


def test_a_feeds_settings_are_changed(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        number = make.feed(uow.session, policy={"mode": "full", "assumed_stock": 5}).id
    address = f"/feeds/{number}/settings"
    form = {
        "currency": "chf",
        "mode": "full",
        "absence": "keep",
        "assumed_stock": "",
        "cost_from": "price",
        "cost_minus": "32,5",
        "min_offers": "80",
        "price_changes": "10",
        "zero_stock": "50",
    }
    assert opened.post(address, **form).headers["location"] == f"/feeds/{number}?said=changed"
    assert rows(opened.db, "SELECT currency, policy FROM feed") == [
        (
            "CHF",
            {
                "mode": "full", "absence": "keep", "cost": {"from": "price", "minus_percent": 32.5}, "min_offers_percent": 80,
                "max_price_changes_percent": 10, "max_zero_stock_percent": 50,
            },
        )
    ]  # fmt: skip
    page = opened.get(f"/feeds/{number}").text
    assert "the price less 32.5 %" in page
    for wrong in (
        {"assumed_stock": "many"},
        {"absence": "delete"},
        {"currency": "Euro"},
        {"cost_from": "stock"},
        {"min_offers": "101"},
    ):
        assert opened.post(address, **{**form, **wrong}).status_code == 422, wrong
    assert one(opened.db, "SELECT currency FROM feed") == "CHF"
    assert emitted(opened) == []


def test_a_form_beyond_every_measure_is_told_and_not_a_fault(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        supplier, shop_id = make.company(uow.session).id, make.shop(uow.session).id
    assert opened.post("/feeds", supplier=supplier, name="n" * 101).status_code == 422
    assert opened.post("/feeds", supplier=2**40, name="n").status_code == 404, "as any that is not there"
    assert (
        opened.post("/shops", name="n" * 101, url="u", key="k", secret="s", new_seller="x").status_code == 422
    )
    assert opened.post(f"/shops/{shop_id}/selections", margin="1", category="c" * 1001).status_code == 422
    assert opened.post("/feeds", supplier=supplier, name="a\x00b").status_code == 422
    assert opened.get("/feeds?q=%00").status_code == 404
    for address in ("/feeds/99999999999999", "/runs/99999999999999", "/dead-letters/99999999999999999999"):
        assert opened.get(address).status_code == 404


def shop_with_differences(opened: Console, live: bool = True) -> tuple[int, str]:
    with opened.db.unit_of_work() as uow:
        session = uow.session
        run = make.run(session, make.feed(session))
        shop = make.shop(session, live_since=now() if live else None)
        for _ in range(3):
            make.listing(session, shop, make.offer(session, run), "waiting")
        dearer = make.listing(session, shop, make.offer(session, run, title="Stehlampe"), "live")
        dearer.wanted = {**dearer.wanted, "price": "27.00"}
        return shop.id, shop.lane


def test_the_plan_is_shown_and_pushed(opened: Console) -> None:
    shop_id, lane = shop_with_differences(opened, live=False)
    page = opened.get(f"/shops/{shop_id}/plan").text
    assert "Push 4 listings" in page
    assert "<del>13.50</del>" in page
    assert "<ins>27.00</ins>" in page
    assert "+100 %" in page
    assert "The first push" in page
    assert emitted(opened) == []  # looking sends nothing
    assert opened.post(f"/shops/{shop_id}/push").headers["location"] == f"/shops/{shop_id}?said=pushing"
    assert emitted(opened) == [
        ("HooksDue", "orders.watch.watch_hooks", lane),
        ("PushDue", "listings.push.push", lane),
    ]
    assert rows(opened.db, "SELECT state, asked_by, plan->'create', plan->'update' FROM push") == [
        ("running", "operator", 3, 1)
    ]
    assert one(opened.db, "SELECT live_since IS NOT NULL FROM shop")
    opened.post(f"/shops/{shop_id}/push")  # one push of a shop at a time
    assert len(emitted(opened)) == 2


def test_pushing_what_is_true_sends_nothing(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        shop = make.shop(uow.session)
        make.listing(
            uow.session, shop, make.offer(uow.session, make.run(uow.session, make.feed(uow.session))), "live"
        )
        shop_id = shop.id
    assert "Nothing differs" in opened.get(f"/shops/{shop_id}/plan").text
    assert opened.post(f"/shops/{shop_id}/push").headers["location"].endswith("said=true")
    assert emitted(opened) == []
    assert one(opened.db, "SELECT count(*) FROM push") == 0


def test_drift_is_shown_field_by_field_and_in_the_plan(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        shop = make.shop(uow.session)
        shown = make.offer(uow.session, make.run(uow.session, make.feed(uow.session)))
        drifted = make.listing(uow.session, shop, shown, "drifted", seen={"price": "9.99"})
        address, number = f"/shops/{shop.id}", drifted.id
    for page in (f"{address}?state=drifted", f"{address}/listings/{number}"):
        text = opened.get(page).text
        assert "<del>13.50</del>" in text
        assert "<ins>9.99</ins>" in text
    plan = opened.get(f"{address}/plan").text
    assert "<del>9.99</del>" in plan
    assert "<ins>13.50</ins>" in plan


def test_why_this_price(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        shop = make.shop(uow.session)
        run = make.run(
            uow.session, make.feed(uow.session, make.company(uow.session, "supplier", "Nordlicht"))
        )
        listing: Listing = make.listing(
            uow.session, shop, make.offer(uow.session, run, cost="10.00", locator="row 12")
        )
        address, run_id = f"/shops/{shop.id}/listings/{listing.id}", run.id
    text = " ".join(opened.get(address).text.split())
    assert "It costs 10.00 EUR, and 35.00 % on top." in text
    assert f'row 12 of <a href="/runs/{run_id}">' in text
    assert "Nordlicht" in text


def test_reading_back_now(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        shop = make.shop(uow.session)
        shop_id, lane = shop.id, shop.lane
    assert opened.post(f"/shops/{shop_id}/verify").status_code == 303
    assert emitted(opened) == [("VerifyDue", "listings.verify.verify", lane)]


def test_selections_are_made_changed_and_ended(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        shop, supplier = make.shop(uow.session), make.company(uow.session)
        shop_id, lane, supplier_id = shop.id, shop.lane, supplier.id
    address = f"/shops/{shop_id}/selections"
    assert opened.post(address, supplier=supplier_id, margin="35").status_code == 303
    assert opened.post(address, supplier=supplier_id, margin="40,5 %").status_code == 303
    assert [
        (by, what, str(margin))
        for by, what, margin in rows(opened.db, "SELECT by, what, margin_percent FROM selection")
    ] == [("supplier", {"supplier": supplier_id}, "40.50")]
    for wrong in (
        {"margin": "35"},
        {"margin": "x", "supplier": supplier_id},
        {"margin": "1", "category": "A", "skus": "B"},
        {"margin": "-91", "category": "A"},
    ):
        assert opened.post(address, **wrong).status_code == 422
    number = one(opened.db, "SELECT id FROM selection")
    assert opened.post(f"/shops/999/selections/{number}/end").status_code == 404
    assert opened.post(f"{address}/{number}/end").status_code == 303
    assert one(opened.db, "SELECT count(*) FROM selection") == 0
    assert emitted(opened) == [("ListingsDue", "listings.plan.plan_listings", lane)] * 3


def test_dead_letters_are_replayed_and_dropped(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        first, second, third = (
            make.dead_letter(uow.session, payload={"shop_id": 1, "push_id": number}).id for number in range(3)
        )
    assert (
        opened.post("/dead-letters/replay", chosen=[first, second], back="/dead-letters?step=x").headers[
            "location"
        ]
        == "/dead-letters?step=x&said=replayed"
    )
    assert [message["payload"] for message in pending(opened.db)] == [
        {"shop_id": 1, "push_id": 0},
        {"shop_id": 1, "push_id": 1},
    ]
    twice = opened.post("/dead-letters/replay", chosen=[third, first])
    assert (twice.status_code, "was replayed already" in twice.text) == (422, True)
    assert len(pending(opened.db)) == 2  # all of them or none
    asked = opened.post("/dead-letters/drop", chosen=[third])
    assert "Drop 1 dead letter for good?" in asked.text
    assert one(opened.db, "SELECT count(*) FROM dead_letter") == 3
    assert opened.post("/dead-letters/drop", chosen=[third], sure="true").status_code == 303
    assert rows(opened.db, "SELECT id FROM dead_letter ORDER BY id") == [(first,), (second,)]
    assert opened.post("/dead-letters/drop", chosen=[third], sure="true").status_code == 404
    assert opened.post("/dead-letters/replay").status_code == 422


def test_a_run_tells_how_far_it_is(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        feed = make.feed(uow.session)
        make.run(uow.session, feed, "applied", records=1000, landed_at=now() - timedelta(hours=1))
        address = f"/runs/{make.run(uow.session, feed, 'landed', records_done=250, landed_at=now() - timedelta(seconds=10)).id}"
    for _ in range(2):  # a reload shows the same place
        text = opened.get(address).text
        assert 'max="1000" value="250"' in text
        assert 'hx-trigger="every 1s"' in text
        assert "of about 1,000" in text
    with opened.db.unit_of_work() as uow:
        uow.cursor().execute(
            "UPDATE feed_run SET state = 'refused', problem = 'It is a picture.' WHERE records_done = 250"
        )
    text = opened.get(address).text
    assert "hx-trigger" not in text
    assert "It is a picture." in text


def test_a_reject_shows_its_cells_in_the_files_order(opened: Console) -> None:
    header = ["Zusatz", "Artikelnummer", "EK netto"]
    with opened.db.unit_of_work() as uow:
        run = make.run(
            uow.session, make.feed(uow.session), rejected=1, document={"dialect": {"header": header}}
        )
        make.reject(uow.session, run, 1, raw={"EK netto": "", "Artikelnummer": "A-1", "Zusatz": "x"})
        address = f"/runs/{run.id}"
    text = opened.get(address).text
    found = [text.index(f'title="{name}"') for name in header]
    assert found == sorted(found)
