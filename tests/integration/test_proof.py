"""The proof: it holds over everything the ledger does, and each of its claims fails when the tables are made to lie."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from core.database import Database
from ledger import deposits, holds, rules
from ledger.claims import CLAIMS
from ledger.posting import post
from ledger.proof import ALL, Proof, prove
from models.companies import Company
from tests import builders
from tests.books import NOON, Books, euros
from tests.stepping import one, rows

BUSY = """
INSERT INTO payout (kind, company_id, end_to_end_id, amount_minor, currency, state) VALUES
    ('statement', {supplier}, 'A', 1000, 'EUR', 'paid'), ('statement', {supplier}, 'B', 500, 'EUR', 'exported'),
    ('withdrawal', {seller}, 'C', 700, 'EUR', 'asked')"""


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    database = Database(database_url, ())
    yield Books(database)
    database.close()


def busy(books: Books) -> None:
    """A bit of everything: holds, captures, a release, refunds, payouts, a withdrawal, and the bank's word on it."""
    seller, supplier = books.seller(20_000), books.supplier()
    first = books.held(seller, supplier, 3)
    second = books.held(seller, supplier, 2, "7.77")
    for hold, quantity in ((first, 2), (second, 1)):
        shipment = books.shipment(hold.order_id, supplier)
        with books.db.unit_of_work() as uow:
            holds.capture(
                uow,
                line_id=hold.line_id,
                shipment_id=shipment,
                quantity=quantity,
                happened_at=NOON,
                matures_at=NOON,
            )
    with books.db.unit_of_work() as uow:
        holds.mature(uow, one(books.db, "SELECT min(id) FROM capture"), NOON)
        holds.release(uow, first.line_id, 1, "release:1", "gone")
        holds.refund(uow, line_id=second.line_id, quantity=1, key="refund:1", happened_at=NOON)
        post(uow, "p1", "payout_built", rules.payout_built(supplier, euros(1_500)), NOON)
        post(uow, "p2", "payout_paid", rules.payout_paid(supplier, euros(1_000)), NOON)
        deposits.withdrawal_asked(uow, seller_id=seller, amount=euros(700), key="w1", happened_at=NOON)
        uow.cursor().execute(BUSY.format(supplier=supplier, seller=seller))
        feed = builders.feed(uow.session, uow.session.get_one(Company, supplier))
        run = builders.run(uow.session, feed)
        uow.cursor().execute(
            "INSERT INTO reservation (line_id, offer_id, quantity, sold)"
            " SELECT line_id, %s, quantity - released - captured, captured FROM hold",
            [builders.offer(uow.session, run).id],
        )
        uow.cursor().execute(
            "INSERT INTO bank_statement (iban, external_id, file_sha256, opening_minor, closing_minor, currency)"
            " VALUES ('DE', '1', '', 0, 19000, 'EUR')"
        )
        uow.cursor().execute(
            "INSERT INTO bank_line (bank_statement_id, iban, line_id, booked_on, kind, amount_minor, reference,"
            " end_to_end_id, counterparty, reason, state, entry_id)"
            " SELECT 1, 'DE', '1', now(), 'credit', 20000, '', '', '', '', 'matched', min(id) FROM journal_entry"
            " UNION ALL SELECT 1, 'DE', '2', now(), 'debit', 1000, '', 'A', '', '', 'matched', id FROM journal_entry WHERE key = 'p2'"
        )


def proof(books: Books) -> Proof:
    with books.db.unit_of_work() as uow:
        return prove(uow)


def lie(books: Books, *statements: str) -> list[str]:
    """The names of the checks that fail after these statements, which no trigger and no constraint watches."""
    with psycopg.connect(books.db.url) as connection:
        for table in ("account", "posting", "journal_entry"):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table, constraint in (
            ("account", "ck_account_guarded"), ("hold_part", "ck_hold_part_amounts"), ("hold", "ck_hold_quantity"),
            ("journal_entry", "uq_journal_entry_reverses"), ("capture", "ck_capture_amounts"),
        ):  # fmt: skip
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
    return [check.name for check in proof(books).checks if not check.ok]


def test_an_empty_ledger_is_proven(books: Books) -> None:
    found = proof(books)
    assert found.ok and (found.entries, found.postings, found.accounts) == (0, 0, 0)


def test_everything_is_proven_and_said_in_json(books: Books) -> None:
    busy(books)
    found = proof(books)
    assert [check.name for check in found.checks if not check.ok] == []
    said = found.as_json()
    assert said["ok"] is True and said["remainder"] == "0.00" and said["currency"] == "EUR"
    assert said["entries"] == one(books.db, "SELECT count(*) FROM journal_entry")
    assert said["postings"] == one(books.db, "SELECT count(*) FROM posting")
    assert len(said["checks"]) == len(ALL) >= len(CLAIMS)
    by_name = {check["name"]: check for check in said["checks"]}
    assert by_name["held_is_open_holds"] == {
        "name": "held_is_open_holds", "ok": True, "figure": "11.13", "expected": "11.13", "wrong": 0,
        "sentence": "What is held of each seller is what his open holds still need.",
    }  # fmt: skip
    assert by_name["suppliers_got_what_they_earned"]["figure"] == "23.27"


@pytest.mark.parametrize(
    ("name", "statements"),
    [
        ("entries_move", ["INSERT INTO journal_entry (key, content_hash, rule, refs, happened_at) VALUES ('x', '', '', '{}', now())"]),
        ("accounts_sum_to_zero", ["UPDATE account SET balance = balance + 1 WHERE name = 'vat'"]),
        ("balances_are_postings", ["UPDATE account SET balance = balance + 1 WHERE name = 'vat'"]),
        ("balances_are_postings", ["UPDATE account SET version = version + 1 WHERE name = 'vat'"]),
        ("balances_are_postings", ["UPDATE posting SET amount = amount + 1 WHERE id = (SELECT max(id) FROM posting)"]),
        ("never_negative", ["UPDATE account SET balance = -1 WHERE name LIKE '%:held'"]),
        ("never_negative", ["UPDATE posting SET source_balance = -1 WHERE id = 3"]),
        ("held_is_open_holds", ["UPDATE hold_part SET captured = captured + 1 WHERE hold_id = 2 AND part = 'goods'"]),
        ("ended_holds_are_empty", ["UPDATE hold_part SET released = released - 1 WHERE hold_id = 1 AND part = 'goods'"]),
        ("holds_are_posted", ["UPDATE hold_part SET total = total + 1 WHERE hold_id = 2 AND part = 'vat'"]),
        ("captures_are_posted", ["UPDATE hold_part SET captured = captured + 1 WHERE hold_id = 2 AND part = 'vat'"]),
        ("releases_are_posted", ["UPDATE hold_part SET released = released - 1 WHERE hold_id = 1 AND part = 'vat'"]),
        ("refunds_are_posted", ["UPDATE hold_part SET refunded = refunded - 1 WHERE hold_id = 2 AND part = 'vat'"]),
        ("refunds_stay_within_captures", ["UPDATE hold_part SET refunded = captured + 1 WHERE hold_id = 1 AND part = 'vat'"]),
        ("refunds_stay_within_captures", ["UPDATE hold_part SET refunded = captured - 1 WHERE hold_id = 2 AND part = 'goods'"]),
        ("pending_is_unmatured", ["UPDATE capture SET pending_minor = pending_minor + 1"]),
        ("commission_is_of_lines", ["UPDATE account SET balance = balance + 1 WHERE name = 'commission'"]),
        ("suppliers_got_what_they_earned", ["UPDATE payout SET state = 'returned' WHERE state = 'paid'"]),
        ("suppliers_got_what_they_earned", ["UPDATE hold_part SET refunded = refunded + 1 WHERE hold_id = 1 AND part = 'goods'"]),
        ("reversed_once", ["UPDATE journal_entry SET reverses = 1 WHERE id IN (2, 3)"]),
        ("nothing_bought_without_hold", ["INSERT INTO purchase_order_line (purchase_order_id, line_id, supplier_sku, quantity, unit_cost)"
                                         " SELECT min(p.id), min(h.line_id), 'x', 9, 1 FROM purchase_order p, hold h"]),
        ("covered_is_set_aside", ["UPDATE reservation SET quantity = quantity + 1 WHERE quantity > 0"]),
        ("covered_is_set_aside", ["DELETE FROM reservation WHERE sold > 0"]),
        ("client_money_is_there", ["UPDATE account SET balance = balance + 9000 WHERE name = 'bank'"]),
        ("bank_is_as_the_bank_says", ["UPDATE bank_statement SET closing_minor = closing_minor + 1"]),
        ("bank_lines_are_booked", ["UPDATE bank_line SET entry_id = NULL"]),
        ("in_payout_is_payouts", ["UPDATE payout SET state = 'returned' WHERE end_to_end_id = 'B'"]),
        ("withdrawing_is_withdrawals", ["UPDATE payout SET state = 'cancelled' WHERE kind = 'withdrawal'"]),
        ("statements_add_up", ["INSERT INTO settlement_run (state, currency, cut_off) VALUES ('draft', 'EUR', now())",
                               "INSERT INTO statement (run_id, company_id, currency, opening_minor, total_minor, closing_minor, payout_minor)"
                               " SELECT 1, min(id), 'EUR', 0, 5, 5, 0 FROM company"]),
    ],
)  # fmt: skip
def test_each_lie_is_found(books: Books, name: str, statements: list[str]) -> None:
    busy(books)
    assert name in lie(books, *statements)
    found = proof(books)
    assert not found.ok and found.as_json()["ok"] is False


def test_every_claim_has_a_lie_that_it_finds() -> None:
    (mark,) = test_each_lie_is_found.pytestmark
    assert {name for name, _ in mark.args[1]} >= {claim.name for claim in CLAIMS}


def test_two_errors_do_not_make_up_for_each_other(books: Books) -> None:
    busy(books)
    assert "captures_are_posted" in lie(
        books,
        "UPDATE hold_part SET captured = captured + 1 WHERE hold_id = 2 AND part = 'vat'",
        "UPDATE hold_part SET captured = captured - 1 WHERE hold_id = 1 AND part = 'vat'",
    )


def test_a_payout_returned_twice_is_found(books: Books) -> None:
    """The bank's money came back once, the ledger took it back twice: only the payouts' own states tell."""
    busy(books)
    (supplier,) = rows(books.db, "SELECT company_id FROM payout WHERE state = 'paid'")[0]
    with books.db.unit_of_work() as uow:
        for key in ("r1", "r2"):
            post(
                uow,
                key,
                "payout_returned",
                rules.payout_returned(supplier, euros(1_000)),
                NOON + timedelta(1),
            )
        uow.cursor().execute("UPDATE payout SET state = 'returned' WHERE state = 'paid'")
    found = proof(books)
    assert [check.name for check in found.checks if not check.ok] == [
        "suppliers_got_what_they_earned",
        "bank_is_as_the_bank_says",
        "payouts_are_on_bank_lines",
    ]
    assert found.remainder.amount == Decimal("30.00")  # 10.00 at the supplier, 20.00 at the bank
