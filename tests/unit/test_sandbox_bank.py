"""The sandbox bank: its books, its refusals, its statements, and the whole way from payouts to bank lines."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from connectors.banking import BankAccount, BankLine, BankStatement, PayoutDraft
from connectors.payouts.sepa import SepaBank
from core.money import Money
from sandbox.bank import payment_file
from sandbox.bank.books import OUR_IBAN, Books
from sandbox.bank.payment_file import Rejected
from sandbox.bank.statement import render

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 11, 27)
NEXT = DAY + timedelta(days=1)
US = BankAccount("Entrepot", OUR_IBAN, "Berlin", "DE")
CASA = BankAccount("Casa Verde", "ES9121000418450200051332", "Madrid", "ES")
NORDEN = BankAccount("Norden Lampen", "DE89370400440532013000", "Kiel", "DE")
SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "schemas" / "camt.053.001.08.xsd"))


def eur(cents: int) -> Money:
    return Money(cents, "EUR")


def pain(*drafts: PayoutDraft, message: str = "MSG-1") -> bytes:
    return SepaBank().export(message, US, drafts, DAY).content


def draft(name: str, to: BankAccount, cents: int) -> PayoutDraft:
    return PayoutDraft(name, to, eur(cents), f"Statement {name}")


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path / "bank", DAY)


def told(books: Books, folder: Path) -> BankStatement:
    """Closes the day, proves the file against the schema of ISO 20022, and reads it as the hub does."""
    file = folder / "statement.xml"
    file.write_bytes(render(books.close_day()))
    SCHEMA.assertValid(etree.parse(file))
    (statement,) = SepaBank().statements(file)
    return statement


def test_a_day_with_a_topup_two_payouts_and_a_fee(books: Books, tmp_path: Path) -> None:
    books.topup(50_000, "TOPUP S-77", "Lena Shop")
    books.pay(payment_file.read(pain(draft("P-1", CASA, 12_345), draft("P-2", NORDEN, 1))))
    books.fee(150, "Account fee")
    statement = told(books, tmp_path)
    assert statement == BankStatement(
        "0000202051-20261127-0001",
        OUR_IBAN,
        eur(0),
        eur(37_504),
        (
            BankLine("E000000001", DAY, "credit", eur(50_000), "TOPUP S-77", "", "Lena Shop"),
            BankLine("E000000002", DAY, "debit", eur(12_345), "Statement P-1", "P-1", "Casa Verde"),
            BankLine("E000000003", DAY, "debit", eur(1), "Statement P-2", "P-2", "Norden Lampen"),
            BankLine("E000000004", DAY, "fee", eur(150), "Account fee"),
        ),
    )


def test_a_closed_account_gives_the_money_back_the_next_day_once(books: Books, tmp_path: Path) -> None:
    books.topup(10_000, "TOPUP", "Lena Shop")
    books.close_account(CASA.iban)
    books.pay(payment_file.read(pain(draft("P-1", CASA, 4_000), draft("P-2", NORDEN, 500))))
    assert [line.kind for line in told(books, tmp_path).lines] == ["credit", "debit", "debit"]
    second = told(books, tmp_path)
    assert second.opening == eur(5_500)
    assert second.lines == (
        BankLine("E000000004", NEXT, "return", eur(4_000), "Statement P-1", "P-1", "Casa Verde", "AC04"),
    )
    assert told(books, tmp_path).lines == ()


def test_an_account_closed_later_keeps_what_it_has(books: Books, tmp_path: Path) -> None:
    books.topup(10_000, "TOPUP", "Lena Shop")
    books.pay(payment_file.read(pain(draft("P-1", CASA, 4_000))))
    told(books, tmp_path)
    books.close_account(CASA.iban)
    assert (told(books, tmp_path).lines, told(books, tmp_path).lines) == ((), ())
    assert books.balance() == 6_000


def test_a_named_transfer_comes_back_later_once_with_its_own_reason(books: Books, tmp_path: Path) -> None:
    books.topup(10_000, "TOPUP", "Lena Shop")
    books.pay(payment_file.read(pain(draft("P-1", CASA, 4_000))))
    told(books, tmp_path)
    assert told(books, tmp_path).lines == ()
    books.send_back("P-1", "MD07")
    told(books, tmp_path)
    assert [(line.kind, line.end_to_end_id, line.reason) for line in told(books, tmp_path).lines] == [
        ("return", "P-1", "MD07")
    ]
    assert told(books, tmp_path).lines == ()
    assert books.balance() == 10_000


def test_a_batch_booked_as_one_sum_is_unfolded_by_the_hub(books: Books, tmp_path: Path) -> None:
    books.topup(1_000, "TOPUP", "Lena Shop")
    together = pain(draft("P-1", CASA, 300), draft("P-2", NORDEN, 200)).replace(b">false<", b">true<")
    assert len(books.pay(payment_file.read(together))) == 1
    lines = told(books, tmp_path).lines
    assert [(line.line_id, line.amount, line.end_to_end_id) for line in lines] == [
        ("E000000001", eur(1_000), ""),
        ("E000000002/1", eur(300), "P-1"),
        ("E000000002/2", eur(200), "P-2"),
    ]


def test_a_file_is_paid_once_and_only_if_there_is_money_for_all_of_it(books: Books) -> None:
    books.topup(1_000, "TOPUP", "Lena Shop")
    content = payment_file.read(pain(draft("P-1", CASA, 600), draft("P-2", NORDEN, 401)))
    with pytest.raises(Rejected, match="AM04"):
        books.pay(content)
    assert books.balance() == 1_000
    books.topup(1, "TOPUP", "Lena Shop")
    books.pay(content)
    with pytest.raises(Rejected, match="DU01"):
        books.pay(content)
    assert books.balance() == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"<CtrlSum>1.00</CtrlSum>", b"<CtrlSum>1.01</CtrlSum>", "AM10"),
        (b"<NbOfTxs>1</NbOfTxs>", b"<NbOfTxs>2</NbOfTxs>", "NbOfTxs says 2"),
        (b"ES9121000418450200051332", b"ES9121000418450200051333", "AC01"),
        (b'Ccy="EUR"', b'Ccy="USD"', "AM03"),
        (b"<TwnNm>Madrid</TwnNm>", b"", "no town"),
        (b"pain.001.001.09", b"pain.001.001.03", "no pain.001.001.09"),
        (b"</Document>", b"", "no well-formed XML"),
        (b"<Cd>SEPA</Cd>", b"<Cd>URGP</Cd>", "must be SEPA"),
    ],
)
def test_a_faulty_file_is_rejected_by_the_banks_own_eyes(old: bytes, new: bytes, said: str) -> None:
    content = pain(draft("P-1", CASA, 100))
    assert old in content
    with pytest.raises(Rejected, match=said):
        payment_file.read(content.replace(old, new))


def test_a_stranger_may_not_pay(books: Books) -> None:
    content = (
        SepaBank().export("MSG-1", replace(US, iban=NORDEN.iban), [draft("P-1", CASA, 100)], DAY).content
    )
    with pytest.raises(Rejected, match=f"AC01: this bank keeps no account {NORDEN.iban}"):
        books.pay(payment_file.read(content))


payouts = st.lists(
    st.tuples(
        st.sampled_from([CASA, NORDEN]),
        st.integers(1, 10**9),
        st.text(st.characters(max_codepoint=0x24F), max_size=25),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=payouts, together=st.booleans(), closed=st.booleans())
def test_payouts_come_back_from_the_bank_to_the_cent(
    wishes: list[tuple[BankAccount, int, str]], together: bool, closed: bool
) -> None:
    drafts = [
        PayoutDraft(f"P-{n}", to, eur(cents), f"Statement {n} {text}")
        for n, (to, cents, text) in enumerate(wishes)
    ]
    total = sum(each.amount.minor for each in drafts)
    with tempfile.TemporaryDirectory() as name:
        books = Books(Path(name) / "bank", DAY)
        books.topup(total, "TOPUP", "Lena Shop")
        if closed:
            books.close_account(CASA.iban)
        made = SepaBank().export("MSG-1", US, drafts, DAY)
        content = made.content.replace(b">false<", b">true<") if together else made.content
        books.pay(payment_file.read(content))
        first, second = told(books, Path(name)), told(books, Path(name))
        books.close()
    assert made.control_sum == eur(total)
    paid = [line for line in first.lines if line.kind == "debit"]
    assert [(line.end_to_end_id, line.amount, line.counterparty) for line in paid] == [
        (each.end_to_end_id, each.amount, each.to.holder) for each in drafts
    ]
    assert first.closing == eur(0)
    back = [each for each in drafts if closed and each.to == CASA]
    assert [(line.kind, line.end_to_end_id, line.amount, line.reason) for line in second.lines] == [
        ("return", each.end_to_end_id, each.amount, "AC04") for each in back
    ]
    assert second.closing == eur(sum(each.amount.minor for each in back))
    ids = [line.line_id for line in (*first.lines, *second.lines)]
    assert len(ids) == len(set(ids))


def counter(folder: Path, *words: str, code: int = 0) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.bank", str(folder), "--first-day", "2026-11-27", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=dict(os.environ),
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_counter_answers_with_one_json_line(tmp_path: Path) -> None:
    bank, file, out = tmp_path / "bank", tmp_path / "pay.xml", tmp_path / "out" / "1.xml"
    file.write_bytes(pain(draft("P-1", CASA, 12_345)))
    paid_in = counter(bank, "topup", "--amount", "500.00", "--reference", "TOPUP S-1", "--payer", "Lena Shop")
    assert paid_in == {"entry": "E000000001", "balance": "500.00"}
    assert counter(bank, "close", CASA.iban) == {"closed": CASA.iban}
    assert counter(bank, "pay", str(file)) == {
        "message": "MSG-1",
        "paid": 1,
        "sum": "123.45",
        "balance": "376.55",
    }
    again = counter(bank, "pay", str(file), code=2)
    assert again == {"refused": "DU01: the file MSG-1 was taken before; nothing is paid again."}
    closed = counter(bank, "statement", "--out", str(out))
    assert closed == {
        "statement": "0000202051-20261127-0001",
        "number": 1,
        "day": "2026-11-27",
        "entries": 2,
        "opening": "0.00",
        "closing": "376.55",
        "file": str(out),
    }
    first = out.read_bytes()
    counter(bank, "statement", "--out", str(out), "--number", "1")
    assert out.read_bytes() == first
    assert counter(bank, "balance") == {"account": OUR_IBAN, "balance": "500.00"}
