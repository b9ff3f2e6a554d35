"""A seller's deposit beside his orders: withdrawals to the bank and back, and money by card."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Refused
from ledger import chart
from pipelines.settlement import close
from pipelines.settlement.pay import reject
from pipelines.settlement.withdraw import ask, cancel
from tests.books import euros
from tests.settling import CREDITED, IBANS, Settling, proven, settling
from tests.stepping import one


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settling]:
    with settling(database_url, tmp_path, monkeypatch) as made:
        yield made


def test_a_withdrawal_leaves_the_deposit_joins_the_file_and_is_paid(hub: Settling) -> None:
    seller = hub.seller(10_000)
    hub.account(seller, IBANS[2])
    first = hub.withdraw(seller, 4_000, "wish")
    assert hub.withdraw(seller, 4_000, "wish") == first
    assert hub.balances() == {"bank": -10_000, chart.deposit(seller): 6_000, chart.withdrawing(seller): 4_000}
    with pytest.raises(Refused, match="used for another withdrawal"):
        hub.withdraw(seller, 4_001, "wish")
    run = hub.paid_run()
    with pytest.raises(Refused, match="is exported"), hub.db.unit_of_work() as uow:
        cancel(uow, first)
    hub.bank_speaks()
    assert (hub.state(run), hub.payouts()) == ("confirmed", [("withdrawal", seller, 4_000, "paid")])
    assert hub.balances() == {"bank": -6_000, chart.deposit(seller): 6_000}
    proven(hub)


def test_a_withdrawal_that_came_back_is_deposit_again(hub: Settling) -> None:
    seller = hub.seller(10_000)
    hub.account(seller, IBANS[2])
    hub.withdraw(seller, 4_000, "wish")
    hub.bank.close_account(IBANS[2])
    run = hub.paid_run()
    hub.bank_speaks()
    CREDITED.clear()
    hub.bank_speaks()
    assert (hub.state(run), hub.payouts()) == ("partly", [("withdrawal", seller, 4_000, "returned")])
    assert hub.balances() == {"bank": -10_000, chart.deposit(seller): 10_000}
    assert set(CREDITED) == {seller}
    with hub.db.unit_of_work() as uow:
        assert close.close(uow, run).state == "closed"
    proven(hub)


def test_a_withdrawal_that_the_bank_refused_before_paying_is_deposit_again(hub: Settling) -> None:
    seller = hub.seller(10_000)
    hub.account(seller, IBANS[2])
    payout = hub.withdraw(seller, 4_000, "wish")
    run = hub.draft()
    with pytest.raises(Refused, match="is asked; only an exported one"), hub.db.unit_of_work() as uow:
        reject(uow, payout, "no")
    hub.approve(run)
    hub.run()
    CREDITED.clear()
    for _ in range(2):
        with hub.db.unit_of_work() as uow:
            reject(uow, payout, "The account is blocked.")
    hub.run()
    assert hub.balances() == {"bank": -10_000, chart.deposit(seller): 10_000}
    assert (hub.state(run), hub.payouts()) == ("partly", [("withdrawal", seller, 4_000, "rejected")])
    assert set(CREDITED) == {seller}
    proven(hub)


def test_more_than_the_free_deposit_cannot_be_withdrawn(hub: Settling) -> None:
    seller, supplier = hub.seller(5_000), hub.supplier()
    hub.books.held(seller, supplier, 1, "10.00")
    with pytest.raises(Refused, match=r"is 33\.91 EUR, which does not cover 40\.00 EUR") as refused:
        hub.withdraw(seller, 4_000, "wish")
    assert refused.value.rule == "too_little"
    with pytest.raises(Refused, match="nothing to withdraw"):
        hub.withdraw(seller, 0, "nothing")
    hub.books.owe(chart.seller_receivable(seller), 100)
    with pytest.raises(Refused, match=r"owes the hub 1\.00 EUR"):
        hub.withdraw(seller, 100, "small")
    assert hub.payouts() == []


def test_a_withdrawal_can_be_cancelled_while_it_is_in_no_file_and_waits_for_bank_details(
    hub: Settling,
) -> None:
    seller = hub.seller(5_000)
    with hub.db.unit_of_work() as uow:
        payout = ask(uow, seller, euros(2_000), "wish").id
    run = hub.draft()
    hub.approve(run)
    hub.run()
    assert hub.payouts() == [("withdrawal", seller, 2_000, "asked")]
    assert "bank details are missing" in one(hub.db, "SELECT reason FROM payout")
    CREDITED.clear()
    for _ in range(2):
        with hub.db.unit_of_work() as uow:
            assert cancel(uow, payout).state == "cancelled"
    assert hub.balances() == {"bank": -5_000, chart.deposit(seller): 5_000}
    hub.run()
    assert set(CREDITED) == {seller}
    proven(hub)


def test_card_money_is_credited_once_by_its_key(hub: Settling) -> None:
    seller = hub.seller()
    first = hub.top_up(seller, 2_500, "charge-1")
    assert hub.top_up(seller, 2_500, "charge-1") == first
    assert hub.balances() == {"psp": -2_500, chart.deposit(seller): 2_500}
    with pytest.raises(Refused) as refused:
        hub.top_up(seller, 2_600, "charge-1")
    assert refused.value.rule == "key_reused"
    with pytest.raises(Refused, match="nothing to top up"):
        hub.top_up(seller, 0, "charge-2")
    with pytest.raises(Refused, match="Seller 999 is not there"):
        hub.top_up(999, 100, "charge-3")
    hub.run()
    assert set(CREDITED) == {seller}
