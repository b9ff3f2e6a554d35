"""What the bank says, line by line: whose top-up it is, which payout left or came back, and what asks a person."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Misconfigured, Refused
from ledger import chart
from models.events import BankStatementReceived
from models.settlement import BankEntry
from pipelines.settlement.deposits import named_in
from pipelines.settlement.reconcile import allocate, entry_key, reconcile
from sandbox.bank.books import OUR_IBAN
from tests.settling import CREDITED, IBANS, Settling, proven, settling
from tests.stepping import one, pending, rows

EMPTY = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>
<CreDtTm>2026-11-02T20:00:00Z</CreDtTm></GrpHdr><Stmt><Id>{number}</Id><CreDtTm>2026-11-02T20:00:00Z</CreDtTm>
<Acct><Id><IBAN>{iban}</IBAN></Id></Acct>{opening}{closing}{lines}</Stmt></BkToCstmrStmt></Document>"""
BALANCE = """<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-02</Dt></Dt></Bal>"""
LINE = """<Ntry><NtryRef>{ref}</NtryRef><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-02</Dt></BookgDt><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>X</Cd><SubFmlyCd>{code}</SubFmlyCd></Fmly></Domn>
</BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>{id}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"""


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settling]:
    with settling(database_url, tmp_path, monkeypatch) as made:
        yield made


def statement(
    hub: Settling, number: str, opening: str, closing: str, *lines: str, iban: str = OUR_IBAN
) -> Path:
    """A bank's file written by hand."""
    file = hub.folder / f"{number}.xml"
    file.write_text(
        EMPTY.format(
            number=number,
            iban=iban,
            opening=BALANCE.format(code="OPBD", amount=opening),
            closing=BALANCE.format(code="CLBD", amount=closing),
            lines="".join(lines),
        )
    )
    return file


def debit(ref: str, amount: str, end_to_end_id: str) -> str:
    return LINE.format(ref=ref, amount=amount, side="DBIT", code="ESCT", id=end_to_end_id)


def back(ref: str, amount: str, end_to_end_id: str) -> str:
    return LINE.format(ref=ref, amount=amount, side="CRDT", code="RRTN", id=end_to_end_id)


def exported(hub: Settling, seller: int, supplier: int) -> tuple[int, str]:
    """A run whose file is made: its id, and the end-to-end id of its one payout of 14.90."""
    hub.sold(seller, supplier)
    run = hub.draft()
    hub.approve(run)
    hub.run()
    return run, str(one(hub.db, "SELECT end_to_end_id FROM payout WHERE run_id = %s", run))


@pytest.mark.parametrize(
    "text",
    [
        "EP-SE1-{c}",
        "ep-se1-{c}",
        "Einzahlung EP SE1 {c}, danke",
        "SVWZ+EPSE1{c}",
        "ep - se1 - {c}.",
        "E P S E 1 {c}",
    ],
)
def test_a_reference_is_found_in_what_payers_write(text: str) -> None:
    sellers = {"EPSE142": 7, "EPSE1423": 8}
    assert named_in(text.format(c="42"), sellers) == 7


@pytest.mark.parametrize(
    ("text", "seller"),
    [
        ("EP-SE1-423", 8),  # the longer one of two that begin alike
        ("EP-SE1-43", None),  # a slip
        ("KEEPSE142", None),  # inside another word
        ("EP-SE1-42 EP-SE1-423", None),  # two people
        ("EP-SE1-42 and again EP-SE1-42", 7),
        ("EP-SE1-425", None),
        ("", None),
    ],
)  # fmt: skip
def test_what_is_nobodys_reference_stays_nobodys(text: str, seller: int | None) -> None:
    assert named_in(text, {"EPSE142": 7, "EPSE1423": 8}) == seller


def test_a_transfer_with_a_reference_is_a_deposit_and_repays_what_is_owed_first(hub: Settling) -> None:
    first, second = hub.seller(), hub.seller()
    hub.books.owe(chart.seller_receivable(second), 300)
    for cents, seller in ((5_000, first), (200, second), (1_000, second)):
        hub.bank.topup(cents, f"deposit {hub.reference(seller).lower()} thanks", "Anybody")
    hub.bank_speaks()
    balances = hub.balances()
    assert (balances[chart.deposit(first)], balances[chart.deposit(second)]) == (5_000, 900)
    assert chart.seller_receivable(second) not in balances
    assert hub.lines() == [
        ("credit", 5_000, "matched"),
        ("credit", 200, "matched"),
        ("credit", 1_000, "matched"),
    ]
    assert {first, second} == set(CREDITED)
    keys = rows(hub.db, "SELECT key FROM journal_entry WHERE rule = 'top_up' ORDER BY id")
    assert keys[0][0].startswith(f"bank:{OUR_IBAN}:")


def test_the_same_file_again_changes_nothing(hub: Settling) -> None:
    seller = hub.seller()
    hub.bank.topup(5_000, hub.reference(seller), "Seller")
    file = hub.statement_file()
    first = hub.receive(file)
    hub.run()
    before = hub.hash()
    assert hub.receive(file) == first
    assert pending(hub.db) == []
    reconcile(BankStatementReceived(tenant=1, lane="settlement", bank_statement_id=first[0]), hub.db)
    assert hub.hash() == before
    assert one(hub.db, "SELECT count(*) FROM bank_line") == 1
    proven(hub)


def test_a_missing_statement_is_noticed_and_nothing_of_the_later_one_is_stored(hub: Settling) -> None:
    seller = hub.seller(1_000)
    hub.bank.topup(5_000, hub.reference(seller), "Seller")
    missing = hub.statement_file()
    hub.bank.topup(700, hub.reference(seller), "Seller")
    later = hub.statement_file()
    with pytest.raises(Refused, match=r"opens with 60\.00 EUR.*closed with 10\.00 EUR") as refused:
        hub.receive(later)
    assert refused.value.rule == "gap"
    assert one(hub.db, "SELECT count(*) FROM bank_statement") == 1
    for file in (missing, later):
        hub.receive(file)
    hub.run()
    assert hub.balances() == {"bank": -6_700, chart.deposit(seller): 6_700}


def test_a_statement_of_another_account_currency_or_content_is_refused(
    hub: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="is of the account"):
        hub.receive(statement(hub, "A", "0.00", "0.00", iban=IBANS[0]))
    hub.receive(statement(hub, "B", "0.00", "0.00"))
    with pytest.raises(Refused, match="received before with other lines"):
        hub.receive(statement(hub, "B", "0.00", "5.00", back("R1", "5.00", "X")))
    hub.receive(statement(hub, "C", "0.00", "5.00", back("R1", "5.00", "X")))
    with pytest.raises(Refused, match="Line R1 of statement D stands on an earlier statement"):
        hub.receive(statement(hub, "D", "5.00", "10.00", back("R1", "5.00", "X")))
    monkeypatch.setenv("ENTREPOT_CURRENCY", "USD")
    with pytest.raises(Refused, match="the hub keeps USD"):
        hub.receive(statement(hub, "E", "5.00", "5.00"))
    monkeypatch.setenv("ENTREPOT_BANK_IBAN", "")
    with pytest.raises(Misconfigured, match="ENTREPOT_BANK_IBAN"):
        hub.receive(statement(hub, "F", "5.00", "5.00"))
    assert rows(hub.db, "SELECT external_id FROM bank_statement ORDER BY id") == [("B",), ("C",)]


def test_what_an_account_held_before_its_first_statement_is_unallocated(hub: Settling) -> None:
    hub.receive(statement(hub, "A", "12.00", "12.00"))
    assert hub.balances() == {"bank": -1_200, "unallocated": 1_200}
    proven(hub)


def test_an_unknown_payer_waits_until_a_person_says_whose_money_it_is(hub: Settling) -> None:
    seller = hub.seller()
    hub.bank.topup(5_000, "for the lamps", "Somebody")
    hub.bank_speaks()
    assert hub.lines() == [("credit", 5_000, "unallocated")]
    assert (
        one(hub.db, "SELECT problem FROM bank_line")
        == "The payer's text names no seller's deposit reference."
    )
    assert hub.balances() == {"bank": -5_000, "unallocated": 5_000}
    assert CREDITED == []
    proven(hub)
    line = one(hub.db, "SELECT id FROM bank_line")
    entries = []
    for _ in range(2):
        with hub.db.unit_of_work() as uow:
            entries.append(allocate(uow, line, seller, "person-1").id)
    assert entries[0] == entries[1]
    assert hub.balances() == {"bank": -5_000, chart.deposit(seller): 5_000}
    assert hub.lines() == [("credit", 5_000, "matched")]
    with pytest.raises(Refused, match="is a credit and matched"), hub.db.unit_of_work() as uow:
        allocate(uow, line, seller, "person-2")
    hub.run()
    assert set(CREDITED) == {seller}
    proven(hub)


def test_the_banks_fee_is_a_cost(hub: Settling) -> None:
    seller, supplier = hub.seller(2_000), hub.supplier(shipping=0)
    hub.sold(seller, supplier)
    hub.bank.fee(90, "account keeping")
    hub.bank_speaks()
    assert hub.balances() == {
        "bank": -1_910, "bank_fees": -90, chart.deposit(seller): 881, chart.available(supplier): 1_000, "commission": 100, "vat": 19,
    }  # fmt: skip
    assert hub.lines()[1:] == [("fee", 90, "matched")]
    proven(hub)


def test_money_that_left_without_a_payout_of_ours_asks_a_person(hub: Settling) -> None:
    hub.seller(5_000)
    hub.receive(statement(hub, "A", "50.00", "38.00", debit("D1", "12.00", "STRANGER")))
    hub.run()
    assert hub.lines()[1:] == [("debit", 1_200, "unallocated")]
    assert "no payout has the id STRANGER" in one(
        hub.db, "SELECT problem FROM bank_line WHERE kind = 'debit'"
    )
    assert hub.balances()["unallocated"] == -1_200
    line = one(hub.db, "SELECT id FROM bank_line WHERE kind = 'debit'")
    with pytest.raises(Refused, match="only money that came in"), hub.db.unit_of_work() as uow:
        allocate(uow, line, one(hub.db, "SELECT id FROM company WHERE kind = 'seller'"), "k")
    proven(hub)


def test_a_payout_booked_twice_is_paid_once_and_the_second_asks_a_person(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    run, name = exported(hub, seller, supplier)
    hub.receive(
        statement(hub, "A", "100.00", "70.20", debit("D1", "14.90", name), debit("D2", "14.90", name))
    )
    hub.run()
    assert hub.lines()[1:] == [("debit", 1_490, "matched"), ("debit", 1_490, "unallocated")]
    assert "is paid: 14.90 EUR went out for it once more" in one(hub.db, "SELECT max(problem) FROM bank_line")
    assert (hub.state(run), hub.payouts()) == ("confirmed", [("statement", supplier, 1_490, "paid")])
    assert hub.balances()["unallocated"] == -1_490
    assert chart.in_payout(supplier) not in hub.balances()
    proven(hub)


def test_another_amount_is_not_the_payout(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    run, name = exported(hub, seller, supplier)
    hub.receive(statement(hub, "A", "100.00", "85.20", debit("D1", "14.80", name)))
    hub.run()
    assert (hub.state(run), hub.payouts()) == ("exported", [("statement", supplier, 1_490, "exported")])
    assert "is of 14.90 EUR, but 14.80 EUR went out" in one(hub.db, "SELECT max(problem) FROM bank_line")
    assert hub.balances()[chart.in_payout(supplier)] == 1_490
    hub.receive(statement(hub, "B", "85.20", "70.30", debit("D2", "14.90", name)))
    hub.run()
    hub.receive(statement(hub, "C", "70.30", "84.30", back("R1", "14.00", name)))
    hub.run()
    assert hub.payouts() == [("statement", supplier, 1_490, "paid")]
    assert hub.balances()["unallocated"] == -1_480 + 1_400
    proven(hub)


def test_a_return_that_stands_before_its_transfer_in_the_file_is_still_its_return(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    run, name = exported(hub, seller, supplier)
    hub.receive(
        statement(hub, "A", "100.00", "100.00", back("R1", "14.90", name), debit("D1", "14.90", name))
    )
    hub.run()
    assert hub.lines()[1:] == [("return", 1_490, "matched"), ("debit", 1_490, "matched")]
    assert (hub.state(run), hub.payouts()) == ("partly", [("statement", supplier, 1_490, "returned")])
    assert hub.balances()[chart.available(supplier)] == 1_490
    proven(hub)


def test_a_return_of_a_payout_that_never_left_asks_a_person(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    run, name = exported(hub, seller, supplier)
    hub.receive(statement(hub, "A", "100.00", "114.90", back("R1", "14.90", name)))
    hub.run()
    assert hub.lines()[1:] == [("return", 1_490, "unallocated")]
    assert (hub.state(run), hub.payouts()) == ("exported", [("statement", supplier, 1_490, "exported")])
    assert chart.available(supplier) not in hub.balances()
    proven(hub)


def test_a_payout_is_returned_once(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    _, name = exported(hub, seller, supplier)
    hub.receive(
        statement(
            hub,
            "A",
            "100.00",
            "114.90",
            debit("D1", "14.90", name),
            back("R1", "14.90", name),
            back("R2", "14.90", name),
        )
    )
    hub.run()
    assert [state for *_, state in hub.lines()[1:]] == ["matched", "matched", "unallocated"]
    assert hub.balances()[chart.available(supplier)] == 1_490
    proven(hub)


def test_the_key_of_a_line_fits_the_journal() -> None:
    assert entry_key(BankEntry(iban=OUR_IBAN, line_id="E1")) == f"bank:{OUR_IBAN}:E1"
    long = {
        entry_key(BankEntry(iban="MT84MALT011000012345MTLCAST001S999", line_id=f"{n}" * 99)) for n in (1, 2)
    }
    assert len(long) == 2
    assert all(len(key) <= 120 for key in long)
