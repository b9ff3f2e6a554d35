"""Two at once: one run, one file, one withdrawal, each bank line once, and nobody waits for the other for ever."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from core.clock import now
from core.errors import Refused
from ledger import chart
from models.events import BankStatementReceived, SettlementApproved, ShipmentReported
from pipelines.settlement import close
from pipelines.settlement.capture import capture
from pipelines.settlement.mature import mature_piece
from pipelines.settlement.pay import pay
from pipelines.settlement.reconcile import reconcile
from schedules import jobs
from tests.settling import IBANS, Settling, proven, settling
from tests.stepping import one, pending, rows


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settling]:
    with settling(database_url, tmp_path, monkeypatch) as made:
        yield made


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Starts all of them together; "" or the rule of the refusal of each."""
    start = Barrier(len(acts))

    def run(act: Callable[[], object]) -> str:
        start.wait()
        try:
            act()
        except Refused as refused:
            return refused.rule
        return ""

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def test_of_many_drafts_one_is_made(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.sold(seller, supplier)
    assert sorted(at_once(*[hub.draft] * 6)) == ["", *["open_run"] * 5]
    assert rows(hub.db, "SELECT count(*), sum(total_minor)::int FROM statement") == [(1, 1490)]
    proven(hub)


def test_a_run_paid_by_many_workers_has_one_file(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.account(seller, IBANS[1])
    hub.sold(seller, supplier)
    hub.withdraw(seller, 500, "wish")
    run = hub.draft()
    hub.approve(run)
    event = SettlementApproved(tenant=1, lane="settlement", settlement_run_id=run)
    assert at_once(*[lambda: pay(event, hub.db)] * 5) == [""] * 5
    assert hub.payouts() == [
        ("withdrawal", seller, 500, "exported"),
        ("statement", supplier, 1490, "exported"),
    ]
    assert hub.balances()[chart.in_payout(supplier)] == 1490
    hub.bank_takes(run)
    hub.bank_speaks()
    proven(hub)


def test_a_run_is_cancelled_or_paid_and_never_both(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.sold(seller, supplier)
    run = hub.draft()
    hub.approve(run)
    event = SettlementApproved(tenant=1, lane="settlement", settlement_run_id=run)

    def cancel() -> None:
        with hub.db.unit_of_work() as uow:
            close.cancel(uow, run)

    told = at_once(lambda: pay(event, hub.db), cancel)
    state, file = rows(hub.db, "SELECT state, file IS NOT NULL FROM settlement_run")[0]
    assert (told[1], state, file, len(hub.payouts())) in [
        ("", "cancelled", False, 0), ("state", "exported", True, 1),
    ]  # fmt: skip
    proven(hub)


def test_wishes_for_the_same_deposit_never_take_more_than_there_is(hub: Settling) -> None:
    seller = hub.seller(1_000)
    told = at_once(*[lambda n=n: hub.withdraw(seller, 300, f"wish-{n}") for n in range(6)])
    assert sorted(told) == ["", "", "", *["too_little"] * 3]
    assert at_once(*[lambda: hub.withdraw(seller, 50, "the same")] * 5) == [""] * 5
    assert hub.balances() == {"bank": -1_000, chart.deposit(seller): 50, chart.withdrawing(seller): 950}
    assert len(hub.payouts()) == 4
    proven(hub)


def test_a_statement_matched_by_many_workers_is_booked_once(hub: Settling) -> None:
    seller = hub.seller()
    for _ in range(3):
        hub.bank.topup(700, hub.reference(seller), "Seller")
    file = hub.statement_file()
    assert at_once(*[lambda: hub.receive(file)] * 4) == [""] * 4
    assert one(hub.db, "SELECT count(*) FROM bank_line") == 3
    assert len(pending(hub.db)) == 1
    event = BankStatementReceived(tenant=1, lane="settlement", bank_statement_id=1)
    assert at_once(*[lambda: reconcile(event, hub.db)] * 4) == [""] * 4
    assert hub.balances() == {"bank": -2_100, chart.deposit(seller): 2_100}
    proven(hub)


def test_maturing_refunding_and_capturing_at_once_loses_nothing(hub: Settling) -> None:
    sellers, suppliers = [hub.seller(50_000) for _ in range(2)], [hub.supplier() for _ in range(2)]
    lines = [hub.shipped(sellers[n % 2], suppliers[n // 2 % 2], 2) for n in range(8)]
    hub.run()
    waiting = [hub.shipped(sellers[n % 2], suppliers[n // 2 % 2], 2) for n in range(8)]
    events = [message["payload"]["shipment_id"] for message in pending(hub.db)]
    assert len(waiting) == len(events) == 8

    def matured() -> None:
        with hub.db.unit_of_work() as uow:
            mature_piece(uow, now())

    told = at_once(
        *[
            lambda n=n: capture(ShipmentReported(tenant=1, lane="x", shipment_id=n), hub.db)
            for n in events[:4]
        ],
        *[lambda n=n: hub.refund(n) for n in lines[:4]],
        *[matured] * 3,
    )
    assert told == [""] * 11
    hub.run()
    matured()
    balances = hub.balances()
    # 16 lines of 20.00 and 4.90, less four refunds of half of it.
    assert sum(balances[chart.available(supplier)] for supplier in suppliers) == 16 * 2490 - 4 * 1245
    assert {chart.pending(supplier) for supplier in suppliers} & balances.keys() == set()
    proven(hub)


def test_the_clock_rings_for_maturity_and_drafts_a_run_a_week(hub: Settling) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier()
    hub.shipped(seller, supplier)
    hub.run()
    by_name = {job.name: job for job in jobs.JOBS}
    slot = now() - timedelta(minutes=1)
    with hub.db.unit_of_work() as uow:
        by_name["maturity"].run(uow, slot)
    assert [message["step"] for message in pending(hub.db)] == ["settlement.mature.mature"]
    hub.run()
    for _ in range(2):
        with hub.db.unit_of_work() as uow:
            by_name["settlement_draft"].run(uow, slot)
    assert rows(hub.db, "SELECT state FROM settlement_run") == [("draft",)]
    assert hub.statements(1) == [(supplier, 0, 1490, 1490, 1490)]
