"""Way C on real PostgreSQL, to the cent and every step twice: captured, matured, stated, paid, and the bank's word."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from core.clock import now
from core.errors import Misconfigured, Refused
from ledger import chart
from models.events import MaturityDue, SettlementApproved, ShipmentReported
from pipelines.settlement import close
from pipelines.settlement.capture import capture
from pipelines.settlement.mature import mature, mature_piece
from pipelines.settlement.pay import pay, payment_file, reject
from pipelines.settlement.statement import as_csv, paper
from tests.books import euros
from tests.settling import CREDITED, IBANS, Settling, settling
from tests.stepping import one, pending, rows


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settling]:
    with settling(database_url, tmp_path, monkeypatch) as made:
        yield made


def test_a_shipment_is_captured_once_with_its_line_in_the_story(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    line = hub.shipped(seller, supplier, 3)
    shipment = one(hub.db, "SELECT id FROM shipment")
    capture(ShipmentReported(tenant=supplier, lane="shop:1", shipment_id=shipment), hub.db)
    first = hub.hash()
    hub.run()
    assert hub.hash() == first
    assert hub.balances() == {
        "bank": -10_000, chart.deposit(seller): 10_000 - 3847, chart.pending(supplier): 3490, "commission": 300, "vat": 57,
    }  # fmt: skip
    entry = one(hub.db, "SELECT id FROM journal_entry WHERE rule = 'capture'")
    ((order_line, text, link),) = rows(
        hub.db, "SELECT line_id, text, link FROM order_event WHERE what = 'captured'"
    )
    assert (order_line, link) == (line, f"entry:{entry}")
    assert text.startswith("38.47 EUR captured for 3 × L of shipment")
    ((due, shipped),) = rows(
        hub.db, "SELECT matures_at, shipped_at FROM capture JOIN shipment ON shipment.id = shipment_id"
    )
    assert due == shipped + timedelta(days=14)


def test_money_matures_when_the_return_window_is_over_and_not_before(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier(shipping=0)
    hub.sold(seller, supplier, days=15)
    hub.sold(seller, supplier, cost="20.00", days=13)
    assert hub.balances()[chart.available(supplier)] == 1000
    assert hub.balances()[chart.pending(supplier)] == 2000
    before = hub.hash()
    mature(MaturityDue(tenant=1, lane="settlement"), hub.db)
    assert hub.hash() == before


def test_maturing_goes_on_piece_by_piece_until_nothing_is_due(
    hub: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier(shipping=0)
    for _ in range(3):
        hub.shipped(seller, supplier)
    hub.run()
    with hub.db.unit_of_work() as uow:
        assert mature_piece(uow, now(), 2) == 2
    assert hub.balances()[chart.available(supplier)] == 2000
    monkeypatch.setattr("pipelines.settlement.mature.PIECE", 1)
    mature(MaturityDue(tenant=1, lane="settlement"), hub.db)
    assert [message["step"] for message in pending(hub.db)] == ["settlement.mature.mature"]
    hub.run()
    assert hub.balances()[chart.available(supplier)] == 3000
    assert pending(hub.db) == []


def test_a_run_from_draft_to_closed(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.sold(seller, supplier, 3)
    run = hub.draft()
    assert hub.statements(run) == [(supplier, 0, 3490, 3490, 3490)]
    assert hub.payouts() == []
    hub.approve(run)
    assert hub.run() == ["settlement.pay.pay"]
    assert hub.state(run) == "exported"
    assert hub.payouts() == [("statement", supplier, 3490, "exported")]
    assert hub.balances()[chart.in_payout(supplier)] == 3490
    with pytest.raises(Refused, match="waits for the bank's word on 1 payouts"), hub.db.unit_of_work() as uow:
        close.close(uow, run)
    hub.bank_takes(run)
    hub.bank_speaks()
    assert hub.state(run) == "confirmed"
    assert hub.payouts() == [("statement", supplier, 3490, "paid")]
    assert hub.balances() == {
        "bank": -(10_000 - 3490), chart.deposit(seller): 6153, "commission": 300, "vat": 57,
    }  # fmt: skip
    for _ in range(2):
        with hub.db.unit_of_work() as uow:
            assert close.close(uow, run).state == "closed"
    following = hub.draft()  # the payout itself is the next statement's first line
    assert hub.statements(following) == [(supplier, 3490, -3490, 0, 0)]


def test_the_file_is_valid_says_what_was_built_and_stays_the_same(hub: Settling) -> None:
    seller, first, second = hub.seller(50_000), hub.supplier(), hub.supplier()
    hub.account(second, IBANS[1])
    hub.account(seller, IBANS[2])
    hub.sold(seller, first, 3)
    hub.sold(seller, second, 2, "25.50")
    hub.withdraw(seller, 1_234, "wish-1")
    run = hub.paid_run()
    file = hub.file(run)
    document = etree.fromstring(file)
    names = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}

    def found(path: str) -> list[str]:
        return [str(element.text) for element in document.iterfind(path, names)]

    assert found(".//p:GrpHdr/p:CtrlSum") == ["103.14"]  # 34.90 + (51.00 + 4.90) + 12.34
    assert found(".//p:GrpHdr/p:NbOfTxs") == ["3"]
    assert found(".//p:InstdAmt") == ["34.90", "55.90", "12.34"]
    assert found(".//p:CdtrAcct/p:Id/p:IBAN") == [IBANS[0], IBANS[1], IBANS[2]]
    stored = rows(hub.db, "SELECT end_to_end_id FROM payout ORDER BY kind, id")
    assert found(".//p:EndToEndId") == [name for (name,) in stored]
    assert all(len(name) <= 35 for (name,) in stored)
    sha256, message_id = rows(hub.db, "SELECT file_sha256, message_id FROM settlement_run")[0]
    assert hashlib.sha256(file).hexdigest() == sha256
    assert found(".//p:GrpHdr/p:MsgId") == [message_id]
    pay(SettlementApproved(tenant=1, lane="settlement", settlement_run_id=run), hub.db)
    assert hub.file(run) == file
    assert len(hub.payouts()) == 3


def test_only_one_run_is_open_and_a_cancelled_one_frees_its_postings(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.sold(seller, supplier)
    first = hub.draft()
    with pytest.raises(Refused) as refused:
        hub.draft()
    assert refused.value.rule == "open_run"
    with hub.db.unit_of_work() as uow:
        assert close.draft_if_none(uow) is None
        close.cancel(uow, first)
    for _ in range(2):
        with hub.db.unit_of_work() as uow:
            assert close.cancel(uow, first).state == "cancelled"
    assert one(hub.db, "SELECT count(*) FROM statement_line") == 0
    second = hub.draft()
    assert hub.statements(second) == [(supplier, 0, 1490, 1490, 1490)]
    with pytest.raises(Refused, match="is cancelled"), hub.db.unit_of_work() as uow:
        close.lock(uow, first)


def test_a_run_cancelled_after_approval_is_not_paid_and_an_exported_one_cannot_be_cancelled(
    hub: Settling,
) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.sold(seller, supplier)
    run = hub.draft()
    hub.approve(run)
    with hub.db.unit_of_work() as uow:
        close.cancel(uow, run)
    hub.run()
    assert (hub.state(run), hub.payouts()) == ("cancelled", [])
    again = hub.paid_run()
    with pytest.raises(Refused, match="is exported"), hub.db.unit_of_work() as uow:
        close.cancel(uow, again)
    with pytest.raises(Refused, match="has no payment file"), hub.db.unit_of_work() as uow:
        payment_file(uow, run)


def test_approving_wants_a_lock_and_our_own_account(hub: Settling, monkeypatch: pytest.MonkeyPatch) -> None:
    run = hub.draft()
    with (
        pytest.raises(Refused, match="only one that is locked can be approved"),
        hub.db.unit_of_work() as uow,
    ):
        close.approve(uow, run, "ada")
    monkeypatch.setenv("ENTREPOT_BANK_TOWN", "")
    with hub.db.unit_of_work() as uow:
        close.lock(uow, run)
    with pytest.raises(Misconfigured, match="ENTREPOT_BANK_TOWN"), hub.db.unit_of_work() as uow:
        close.approve(uow, run, "ada")
    assert (hub.state(run), pending(hub.db)) == ("locked", [])


def test_a_run_that_pays_nobody_is_confirmed_without_a_file(hub: Settling) -> None:
    run = hub.draft()
    hub.approve(run)
    hub.run()
    assert hub.state(run) == "confirmed"
    with pytest.raises(Refused, match="it had nothing to pay"):
        hub.file(run)
    with hub.db.unit_of_work() as uow:
        assert close.close(uow, run).state == "closed"


def test_a_payee_without_bank_details_carries_over_until_he_gives_them(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier(account=False)
    hub.sold(seller, supplier)
    run = hub.draft()
    assert hub.statements(run) == [(supplier, 0, 1490, 1490, 0)]
    assert "bank details are missing" in one(hub.db, "SELECT reason FROM statement")
    hub.approve(run)
    hub.run()
    assert (hub.state(run), hub.payouts()) == ("confirmed", [])
    hub.account(supplier)
    following = hub.paid_run()
    assert hub.statements(following) == [(supplier, 1490, 0, 1490, 1490)]
    assert hub.payouts() == [("statement", supplier, 1490, "exported")]


def test_an_iban_that_is_none_stops_the_whole_file_and_leaves_nothing_half_done(hub: Settling) -> None:
    seller, good, bad = hub.seller(10_000), hub.supplier(), hub.supplier()
    hub.account(bad, "DE89370400440532013001")
    hub.sold(seller, good)
    hub.sold(seller, bad)
    run = hub.draft()
    hub.approve(run)
    before = hub.hash()
    with pytest.raises(Refused, match="is not an IBAN"):
        pay(SettlementApproved(tenant=1, lane="settlement", settlement_run_id=run), hub.db)
    assert (hub.state(run), hub.payouts(), hub.hash()) == ("approved", [], before)
    hub.account(bad, IBANS[1])
    hub.run()
    assert hub.state(run) == "exported"
    assert len(hub.payouts()) == 2


def test_a_refund_before_the_payout_makes_it_smaller_even_after_the_cut_off(hub: Settling) -> None:
    seller, supplier = hub.seller(20_000), hub.supplier(shipping=0)
    line = hub.sold(seller, supplier, 3)
    run = hub.draft()
    assert hub.statements(run) == [(supplier, 0, 3000, 3000, 3000)]
    hub.refund(line)
    hub.approve(run)
    hub.run()
    assert hub.statements(run) == [(supplier, 0, 3000, 3000, 2000)]
    assert one(hub.db, "SELECT reason FROM statement").startswith("10.00 EUR is not paid")
    hub.bank_takes(run)
    hub.bank_speaks()
    following = hub.draft()
    assert hub.statements(following) == [(supplier, 3000, -3000, 0, 0)]  # the refund and the payout


def test_whoever_owes_after_a_refund_is_not_paid_and_pays_it_off_with_new_sales(hub: Settling) -> None:
    seller, supplier = hub.seller(50_000), hub.supplier(shipping=0)
    line = hub.sold(seller, supplier, 3)
    hub.paid_run()
    hub.bank_speaks()
    hub.refund(line, 2)
    assert hub.balances()[chart.supplier_receivable(supplier)] == -2000
    hub.sold(seller, supplier, 1)
    second = hub.draft()  # 10.00 of the new sale are set off, 10.00 are still owed
    assert hub.statements(second) == [(supplier, 3000, -4000, -1000, 0)]
    assert one(hub.db, "SELECT reason FROM statement WHERE run_id = %s", second).startswith(
        "Nothing is paid: the supplier owes the hub 10.00 EUR"
    )
    hub.approve(second)
    hub.run()
    hub.sold(seller, supplier, 4)
    third = hub.paid_run()
    assert hub.statements(third) == [(supplier, -1000, 4000, 3000, 3000)]
    assert chart.supplier_receivable(supplier) not in hub.balances()
    hub.bank_speaks()
    assert [state for *_, state in hub.payouts()] == ["paid", "paid"]


def test_a_returned_payout_is_in_the_next_run_and_paid_then(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.sold(seller, supplier)
    hub.bank.close_account(IBANS[0])
    first = hub.paid_run()
    hub.bank_speaks()
    assert hub.payouts() == [("statement", supplier, 1490, "paid")]
    hub.bank_speaks()  # the bank's next day
    assert hub.payouts() == [("statement", supplier, 1490, "returned")]
    assert one(hub.db, "SELECT reason FROM payout") == "The bank returned it: AC04."
    assert hub.state(first) == "partly"
    assert hub.balances()[chart.available(supplier)] == 1490
    assert pending(hub.db) == []  # nothing repeats it by itself
    with hub.db.unit_of_work() as uow:
        assert close.close(uow, first).state == "closed"
    hub.account(supplier, IBANS[1])
    second = hub.paid_run()
    assert hub.statements(second) == [(supplier, 1490, 0, 1490, 1490)]
    hub.bank_speaks()
    assert [state for *_, state in hub.payouts()] == ["returned", "paid"]
    assert (hub.state(first), hub.state(second)) == ("closed", "confirmed")
    assert hub.balances() == {"bank": -8510, chart.deposit(seller): 8391, "commission": 100, "vat": 19}


def test_a_payout_that_the_bank_refused_before_paying_is_available_again(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.sold(seller, supplier)
    run = hub.draft()
    hub.approve(run)
    hub.run()
    payout, heard = one(hub.db, "SELECT id FROM payout"), list(CREDITED)
    for _ in range(2):
        with hub.db.unit_of_work() as uow:
            reject(uow, payout, "The account is blocked.")
    assert hub.balances()[chart.available(supplier)] == 1490
    assert chart.in_payout(supplier) not in hub.balances()
    assert (hub.state(run), hub.payouts()) == ("partly", [("statement", supplier, 1490, "rejected")])
    hub.run()
    assert heard == CREDITED


def test_a_statement_reads_line_by_line_and_its_csv_has_no_formulas(hub: Settling) -> None:
    seller, supplier = hub.seller(20_000), hub.supplier()
    line = hub.sold(seller, supplier, 2)
    hub.refund(line)
    with hub.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE order_line SET sku = '=1+1'")
        uow.cursor().execute("UPDATE shop_order SET number = '#7'")
    hub.draft()
    with hub.db.unit_of_work() as uow:
        read = paper(uow, one(hub.db, "SELECT id FROM statement"))
    first = read.rows[0]
    assert (first.what, first.order, first.into, first.out) == ("Matured", "#7", euros(2490), None)
    assert [row.balance.minor for row in read.rows] == [2490, 1490, 1245]
    assert (read.opening.minor, read.closing.minor, read.payout.minor) == (0, 1245, 1245)
    text = as_csv(read)
    assert "'=1+1" in text
    assert ",=1+1" not in text
    assert text.splitlines()[-1] == ",Closing balance,,,,,,12.45,"
