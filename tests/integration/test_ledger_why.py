"""Why a hold or a fee is what it is, told from what was stored: later terms change nothing of it."""

from collections.abc import Iterator

import pytest

from core.database import Database
from core.errors import Refused
from ledger import holds
from ledger.why import why_fee, why_hold
from tests.books import NOON, Books
from tests.stepping import one


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    database = Database(database_url, ())
    yield Books(database)
    database.close()


def test_a_hold_and_a_fee_are_explained(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier("12.5")
    hold = books.held(seller, supplier, 2, "10.005")
    shipment = books.shipment(hold.order_id, supplier)
    with books.db.unit_of_work() as uow:
        holds.capture(
            uow, line_id=hold.line_id, shipment_id=shipment, quantity=1, happened_at=NOON, matures_at=NOON
        )
        holds.release(uow, hold.line_id, 1, "release:1", "the buyer took it back", NOON)
        holds.refund(uow, line_id=hold.line_id, quantity=1, key="refund:1", happened_at=NOON)
        uow.cursor().execute("UPDATE supplier_terms SET commission_percent = 50, version = 9")
    name = one(books.db, "SELECT name FROM company WHERE id = %s", supplier)
    with books.db.unit_of_work() as uow:
        hold_told, fee_told = why_hold(uow, hold.line_id), why_fee(uow, hold.line_id)
    assert hold_told.sentences == [
        f"Hold 1 covers 2 at 10.005 EUR from {name}, opened 2026-11-27 12:00 (entry 2): goods 20.01, shipping 4.90, "
        "commission 2.50 (12.5 % of the goods), VAT on it 0.48 (19 %); together 27.89 EUR.",
        "1 captured, 13.95 EUR (entry 3).",
        "1 released, 13.94 EUR (entry 4) because: the buyer took it back.",
        "1 refunded, 13.95 EUR (entry 5).",
        "Still set aside: 0.00 EUR.",
    ]
    assert hold_told.as_json() == {
        "sentences": hold_told.sentences, "currency": "EUR", "entries": [2, 3, 4, 5],
        "figures": {"held": "27.89", "captured": "13.95", "released": "13.94", "refunded": "13.95", "open": "0.00"},
    }  # fmt: skip
    assert fee_told.sentences == [
        f"The commission is 12.5 % of goods for 20.01 EUR: 2.50 EUR, by version 1 of the terms of {name}. "
        "VAT on it is 19 %: 0.48 EUR.",
        "Of both, 1.49 EUR was captured for 1 of 2 pieces, 1.49 EUR released, 1.49 EUR given back with refunds.",
    ]
    assert fee_told.as_json()["figures"] == {"commission": "0.00", "vat": "0.00"}
    assert fee_told.entries == [2, 3, 5]


def test_a_line_that_was_never_covered_has_nothing_to_explain(books: Books) -> None:
    _, (line,) = books.order(books.seller(), 1)
    for why in (why_hold, why_fee):
        with pytest.raises(Refused) as refused, books.db.unit_of_work() as uow:
            why(uow, line)
        assert refused.value.rule == "no_hold"
