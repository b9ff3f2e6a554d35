"""An order that cannot be read is said where a person looks at the shop, until the shop tells it readably."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import now
from core.database import Database
from models.shops import Shop
from pipelines.orders.take_over import take_over
from tests import builders as make
from tests.commands import Shell
from tests.console import Console, console
from tests.orders import Market, market, told
from tests.stepping import one, pending

PROBLEM = "Order #{} cannot be read (KeyError: 'date'); a plugin may have changed it."
NAMELESS = "It has no date."


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    with console(database_url, tmp_path) as made:
        yield made


def lost(
    db: Database, of: Market, *external: str, event: str = "OrderNoticed", error: str = PROBLEM
) -> list[int]:
    """Dead letters of orders of the shop; their numbers."""
    with db.unit_of_work() as uow:
        letters = [
            make.dead_letter(
                uow.session, f"shop:{of.shop}", event=event, error=f"Refused: {error.format(number)}".rstrip("."), tenant=of.seller,
                payload={"shop_id": of.shop, "external_id": number},
            )
            for number in external
        ]  # fmt: skip
        uow.session.flush()
        return [letter.id for letter in letters]


def test_the_page_says_it_with_the_order_and_what_to_do(opened: Console) -> None:
    db, of = opened.db, market(opened.db, 9)
    page = f"/shops/{of.shop}"
    lost(db, of, "5", event="ProductNoticed")
    assert "cannot be read" not in opened.get(page).text
    (letter,) = lost(db, of, "gid://shopify/Order/77", error=NAMELESS)
    shown = opened.get(page).text
    assert "Order 77 cannot be read" in shown and ">It has no date.</a>" in shown
    assert f'href="/dead-letters/{letter}"' in shown
    with db.unit_of_work() as uow:
        other = make.shop(uow.session)
        uow.session.flush()
        other_id = other.id
    assert "cannot be read" not in opened.get(f"/shops/{other_id}").text
    answer = opened.post("/dead-letters/replay", chosen=str(letter), back=page)
    assert answer.headers["location"] == f"{page}?said=replayed"
    assert [message["payload"]["external_id"] for message in pending(db)] == ["gid://shopify/Order/77"]
    assert "cannot be read" not in opened.get(page).text


def test_what_the_shop_told_readably_since_is_not_said_any_more(
    opened: Console, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, of = opened.db, market(opened.db, 9)
    first, second = lost(db, of, "1001", "1002")
    shell = Shell(capsys, monkeypatch)
    assert shell.ask("status")["unread_orders"] == 2
    told_now = shell.ask("shop", "show", of.shop)["unread_orders"]
    assert [(row["letter"], row["number"], row["problem"]) for row in told_now] == [
        (first, "#1001", PROBLEM.format("1001")), (second, "#1002", PROBLEM.format("1002")),
    ]  # fmt: skip
    assert "2 orders cannot be read" in opened.get(f"/shops/{of.shop}").text
    later = (now() - told(of, 1).updated_at) / timedelta(minutes=1) + 5
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, of.shop)
        assert (
            take_over(uow, shop, told(of, 1, external_id="1001", number="#1001", minutes=later)) is not None
        )
        assert (
            take_over(uow, shop, told(of, 1, external_id="1002", number="#1002")) is not None
        )  # an older telling
    assert one(db, "SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL") == 2
    left = opened.api("GET", f"/shops/{of.shop}").json()["unread_orders"]
    assert [(row["letter"], row["number"]) for row in left] == [(second, "#1002")]
    assert shell.ask("status")["unread_orders"] == 1
    words = " ".join(shell.read("shop", "show", of.shop).split())
    assert "Order #1002:" in words and f"`entrepot dead-letter replay {second}`" in words
