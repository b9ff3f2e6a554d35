"""/api/v1: sellers' deposits, the ledger's accounts and entries, and the proof that all of it adds up."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from core.errors import there_is
from core.money import Money
from ledger.proof import prove
from pipelines.paying import top_up, withdraw_deposit
from pipelines.settlement.withdraw import cancel
from web.api.keys import IdempotencyKey, Limit
from web.deps import Db, settings_of
from web.queries.money import account_lines, account_rows, deposit_rows, in_major, one_account, one_entry

router = APIRouter(tags=["Money"])


class DepositView(BaseModel):
    """A seller's money at the hub: free, held for orders, being withdrawn, owed. `reference` stands on his transfers."""

    seller_id: int
    code: str
    seller: str
    currency: str
    available: str
    held: str
    withdrawing: str
    owed: str
    lines_waiting: int
    reference: str


class Deposits(BaseModel):
    """Every seller's deposit."""

    deposits: list[DepositView]


class Amount(BaseModel):
    """In major units of the hub's currency: "500" or "499.90"."""

    amount: str = Field(max_length=30)


class TopUp(BaseModel):
    """The journal entry by which money came to a deposit, or first repaid what the seller owed."""

    entry: int
    seller_id: int
    amount: str
    currency: str
    happened_at: datetime


class Withdrawal(BaseModel):
    """Deposit set aside for a transfer back; /payouts says what became of it."""

    payout: int
    seller_id: int
    amount: str
    currency: str
    end_to_end_id: str
    made_at: datetime


class AccountRow(BaseModel):
    """An account of the ledger; `balance` as its owner reads it: what an asset is worth is positive."""

    name: str
    company: str | None
    kind: Literal["asset", "liability", "profit"]
    currency: str
    balance: str


class Accounts(BaseModel):
    """All accounts, now or as they were."""

    accounts: list[AccountRow]


class AccountLine(BaseModel):
    """A posting from its account's view. `version` numbers the account's lines without a gap."""

    version: int
    entry_id: int
    happened_at: datetime
    posted_at: datetime
    rule: str
    part: str
    what_for: str
    other: str
    in_: str | None = Field(alias="in")
    out: str | None
    balance: str
    refs: dict[str, Any]


class AccountView(AccountRow):
    """An account as a bank statement, the newest line first; ask again with `before` until it is null."""

    lines: list[AccountLine]
    before: int | None


class PostingView(BaseModel):
    """An amount from one account (debited) to another (credited)."""

    place: int
    source: str
    destination: str
    amount: str
    currency: str
    part: str


class EntryView(BaseModel):
    """A journal entry. `refs` are ids of what it is about; `reverses` is the entry it mirrors."""

    id: int
    key: str
    rule: str
    refs: dict[str, Any]
    reverses: int | None
    happened_at: datetime
    posted_at: datetime
    postings: list[PostingView]


class CheckView(BaseModel):
    """A claim about the money as it was found."""

    name: str
    ok: bool
    figure: str
    expected: str
    wrong: int
    sentence: str


class ProofView(BaseModel):
    """The whole ledger counted anew. `remainder` is what its sides differ by; "0.00" where all is well."""

    entries: int
    postings: int
    accounts: int
    checks: list[CheckView]
    remainder: str
    currency: str
    ok: bool


@router.get("/deposits")
def list_deposits(request: Request, db: Db) -> Deposits:
    """Every seller's deposit in the hub's currency."""
    with db.unit_of_work() as uow:
        found = deposit_rows(uow, settings_of(request).currency)
    return Deposits(deposits=[DepositView(**in_major(row)) for row in found])


@router.get("/deposits/{seller_id}")
def get_deposit(request: Request, db: Db, seller_id: int) -> DepositView:
    """One seller's deposit."""
    with db.unit_of_work() as uow:
        found = deposit_rows(uow, settings_of(request).currency, seller_id)
    return DepositView(**in_major(there_is(found[0] if found else None, f"Seller {seller_id}")))


@router.post("/deposits/{seller_id}/top-ups", status_code=201)
def add_top_up(request: Request, db: Db, seller_id: int, key: IdempotencyKey, body: Amount) -> TopUp:
    """Credits money that a seller paid by card; transfers come with the bank's statements."""
    settings = settings_of(request)
    with db.unit_of_work() as uow:
        entry = top_up(uow, settings, seller_id, body.amount, key)
        amount = Money.of(body.amount.strip(), settings.currency)
        return TopUp(
            entry=entry.id,
            seller_id=seller_id,
            amount=str(amount.amount),
            currency=amount.currency,
            happened_at=entry.happened_at,
        )


@router.post("/deposits/{seller_id}/withdrawals", status_code=201)
def add_withdrawal(request: Request, db: Db, seller_id: int, key: IdempotencyKey, body: Amount) -> Withdrawal:
    """Sets free deposit aside for a transfer back: it joins the next payment file."""
    with db.unit_of_work() as uow:
        payout = withdraw_deposit(uow, settings_of(request), seller_id, body.amount, key)
        uow.session.flush()
        uow.session.refresh(payout)
        amount = Money(payout.amount_minor, payout.currency)
        return Withdrawal(
            payout=payout.id,
            seller_id=seller_id,
            amount=str(amount.amount),
            currency=amount.currency,
            end_to_end_id=payout.end_to_end_id,
            made_at=payout.made_at,
        )


@router.delete("/withdrawals/{payout_id}", status_code=204)
def cancel_withdrawal(db: Db, payout_id: int) -> None:
    """Gives a withdrawal that is in no payment file yet back to the deposit; a second time nothing happens."""
    with db.unit_of_work() as uow:
        cancel(uow, payout_id)


@router.get("/accounts")
def list_accounts(
    db: Db,
    at: Annotated[datetime | None, Query(description="As they were at this moment; now without it.")] = None,
) -> Accounts:
    """Every account of the ledger with its balance."""
    with db.unit_of_work() as uow:
        return Accounts(accounts=[AccountRow(**in_major(row)) for row in account_rows(uow, at)])


@router.get("/accounts/{name}")
def get_account(
    request: Request,
    db: Db,
    name: str,
    limit: Limit = 50,
    before: Annotated[int | None, Query(ge=1, description="`before` of the page before.")] = None,
) -> AccountView:
    """One account ("seller:5:deposit") with its lines."""
    currency = settings_of(request).currency
    with db.unit_of_work() as uow:
        found = there_is(one_account(uow, name, currency), f"Account {name}")
        lines = account_lines(uow, name, currency, before, limit + 1)
    more = lines[limit - 1]["version"] if len(lines) > limit else None
    return AccountView(**in_major({**found, "lines": lines[:limit], "before": more}))


@router.get("/entries/{entry_id}")
def get_entry(db: Db, entry_id: int) -> EntryView:
    """One journal entry with its postings."""
    with db.unit_of_work() as uow:
        found = there_is(one_entry(uow, entry_id), f"Journal entry {entry_id}")
    return EntryView(**{**found, "postings": [in_major(row) for row in found["postings"]]})


@router.get("/proof")
def get_proof(db: Db) -> ProofView:
    """Counts the whole ledger anew against orders, statements, payouts and the bank: it reads everything there is."""
    with db.unit_of_work() as uow:
        return ProofView(**prove(uow).as_json())
