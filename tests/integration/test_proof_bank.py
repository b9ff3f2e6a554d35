"""What the proof says of statements, payouts and the bank: true of a whole period, and each claim finds its lie."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger import proof_bank
from ledger.proof import prove
from tests.settling import Settling, settling
from tests.stepping import one


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settling]:
    with settling(database_url, tmp_path, monkeypatch) as made:
        made.twice = False
        yield made


def a_period(hub: Settling) -> None:
    """Two runs, a payout that came back and was paid anew, a withdrawal, and a line that nobody claims."""
    seller, supplier = hub.seller(20_000), hub.supplier()
    hub.account(seller)
    hub.sold(seller, supplier, 3)
    hub.withdraw(seller, 1_000, "wish")
    first = hub.paid_run()
    hub.bank.send_back(
        str(one(hub.db, "SELECT end_to_end_id FROM payout WHERE run_id = %s AND kind = 'statement'", first)),
        "AC04",
    )
    hub.bank_speaks()
    hub.bank.topup(123, "whose is it", "Somebody")
    hub.bank_speaks()
    hub.paid_run()
    hub.bank_speaks()


def failing(hub: Settling) -> list[str]:
    with hub.db.unit_of_work() as uow:
        proof = prove(uow)
    assert proof.ok is (not [check for check in proof.checks if not check.ok])
    return [check.name for check in proof.checks if not check.ok]


LIES = [
    ("bank_is_as_the_bank_says", "UPDATE bank_statement SET closing_minor = closing_minor + 1"),
    ("bank_lines_are_booked", "UPDATE bank_line SET entry_id = NULL WHERE kind = 'return'"),
    ("bank_lines_moved_the_bank", "UPDATE bank_line SET amount_minor = amount_minor + 1 WHERE kind = 'return'"),
    ("bank_statements_join", "UPDATE bank_statement SET opening_minor = opening_minor + 1 WHERE id = 2"),
    ("bank_statements_join", "UPDATE bank_line SET amount_minor = amount_minor - 1 WHERE kind = 'return'"),
    ("unallocated_is_bank_lines", "UPDATE bank_line SET state = 'matched' WHERE state = 'unallocated'"),
    ("payouts_are_on_bank_lines", "UPDATE bank_line SET end_to_end_id = 'X' WHERE kind = 'return'"),
    ("payouts_are_on_bank_lines", "UPDATE bank_line SET end_to_end_id = 'X' WHERE kind = 'debit' AND amount_minor = 1000"),
    ("files_are_payouts", "UPDATE settlement_run SET file = file || ' '::bytea WHERE id = 1"),
    ("files_are_payouts", "UPDATE payout SET amount_minor = amount_minor + 1 WHERE kind = 'withdrawal'"),
    ("in_payout_is_payouts", "UPDATE payout SET state = 'exported' WHERE kind = 'statement' AND state = 'paid'"),
    ("withdrawing_is_withdrawals", "UPDATE payout SET state = 'exported' WHERE kind = 'withdrawal'"),
    ("statements_add_up", "UPDATE statement SET total_minor = total_minor + 1 WHERE id = 1"),
    ("statements_follow", "UPDATE statement SET opening_minor = 1 WHERE id = 1"),
    ("statements_leave_nothing_out", "DELETE FROM statement_line WHERE posting_id = (SELECT min(posting_id) FROM statement_line)"),
]  # fmt: skip


def test_a_period_is_proven_to_the_cent(hub: Settling) -> None:
    a_period(hub)
    assert [state for *_, state in hub.payouts()] == ["paid", "returned", "paid"]
    assert failing(hub) == []
    with hub.db.unit_of_work() as uow:
        said = prove(uow).as_json()
    assert (said["remainder"], said["ok"]) == ("0.00", True)
    figures = {check["name"]: check["figure"] for check in said["checks"]}
    # 200.00 in, 10.00 withdrawn, 34.90 paid at last, 1.23 of somebody
    assert (figures["bank_is_as_the_bank_says"], figures["files_are_payouts"]) == ("156.33", "79.80")
    assert (figures["unallocated_is_bank_lines"], figures["payouts_are_on_bank_lines"]) == ("1.23", "3")


@pytest.mark.parametrize(("name", "statement"), LIES)
def test_each_lie_is_found(hub: Settling, name: str, statement: str) -> None:
    a_period(hub)
    with psycopg.connect(hub.db.url) as connection:
        assert connection.execute(statement).rowcount > 0
    assert name in failing(hub)


def test_every_claim_has_a_lie_that_it_finds() -> None:
    assert {name for name, _ in LIES} == {claim.name for claim in proof_bank.CLAIMS}
