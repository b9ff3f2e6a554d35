"""A connection whose owner agreed and that failed is said on the Shops page, until it is begun again or works."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import builders as make
from tests.console import Console, console

BEGUN = """
INSERT INTO connection_request (token_hash, seller_id, channel, name, url, created_at, used_at, problem)
SELECT %s, max(id), 'woocommerce', %s, 'https://x.example', now() - make_interval(hours => %s), now(), %s FROM company WHERE kind = 'seller'"""


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Console]:
    with console(database_url, tmp_path) as made:
        with made.db.unit_of_work() as uow:
            make.company(uow.session, "seller", "Casa & Co", "CASA")
        yield made


def test_it_is_said_with_its_reason_and_no_longer_than_it_is_true(opened: Console) -> None:
    db = opened.db
    assert "is not connected" not in opened.get("/shops").text
    db.run(BEGUN, ["a", "Waits", 0, None])
    db.run(BEGUN, ["b", "Long ago", 30, "It hung up."])
    assert "is not connected" not in opened.get("/shops").text
    db.run(BEGUN, ["c", "Casa", 2, "Its certificate is its own."])
    shown = opened.get("/shops").text
    assert (
        "Casa is not connected" in shown
        and "Its certificate is its own." in shown
        and "Casa &amp; Co" in shown
    )
    assert "Long ago" not in shown and "Waits" not in shown
    db.run(BEGUN, ["d", "Casa", 1, None])  # begun again
    assert "Casa is not connected" not in opened.get("/shops").text
    db.run("DELETE FROM connection_request WHERE token_hash = 'd'")
    with db.unit_of_work() as uow:  # or connected by a key since
        make.shop(uow.session, uow.session.get_one(make.Company, 2), "Casa")
    assert "Casa is not connected" not in opened.get("/shops").text
