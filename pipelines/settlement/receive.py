"""Takes a bank's file in: each statement once, joined to the one before, its lines waiting to be matched."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from connectors.banking import BankStatement
from connectors.registry import PAYOUTS
from core.clock import now
from core.database import UnitOfWork
from core.errors import Misconfigured, Refused
from core.money import Money
from core.settings import Settings
from ledger import rules
from ledger.posting import post
from models.companies import HUB
from models.events import BankStatementReceived
from models.settlement import BankEntry, BankStatementFile
from pipelines.settlement.mature import LANE

BANK_LOCK = 0x656E7462
"""Statements are joined one after the other."""


def receive_statement(uow: UnitOfWork, settings: Settings, file: Path) -> list[BankStatementFile]:
    """Stores the file's statements and rings for them; those that are there already are only given back.

    Raises Refused where the file cannot be used, is of another account or currency, or does not begin where the last
    statement ended; Misconfigured where the hub's own account is not named.
    """
    statements = PAYOUTS["sepa"]().statements(file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    uow.cursor().execute("SELECT pg_advisory_xact_lock(%s)", [BANK_LOCK])
    return [_receive(uow, settings, statement, sha256) for statement in statements]


def _receive(uow: UnitOfWork, settings: Settings, statement: BankStatement, sha256: str) -> BankStatementFile:
    _refuse_foreign(settings, statement)
    query = uow.session.query(BankStatementFile).filter_by(iban=statement.iban)
    known = query.filter_by(external_id=statement.statement_id).one_or_none()
    if known is not None:
        _refuse_other(uow, known, statement)
        return known
    last = query.order_by(BankStatementFile.id.desc()).first()
    if last is None:
        _open(uow, statement)
    elif last.closing_minor != statement.opening.minor:
        raise Refused(
            f"Statement {statement.statement_id} opens with {statement.opening}, but the last one, {last.external_id}, "
            f"closed with {Money(last.closing_minor, last.currency)}: one between them is missing. Give that one first.",
            rule="gap",
        )
    _refuse_repeated(uow, statement)
    stored = BankStatementFile(
        iban=statement.iban,
        external_id=statement.statement_id,
        file_sha256=sha256,
        opening_minor=statement.opening.minor,
        closing_minor=statement.closing.minor,
        currency=statement.closing.currency,
    )
    uow.session.add(stored)
    uow.session.flush()
    uow.session.add_all(
        BankEntry(
            bank_statement_id=stored.id,
            iban=statement.iban,
            line_id=line.line_id,
            booked_on=line.booked_on,
            kind=line.kind,
            amount_minor=line.amount.minor,
            reference=line.reference,
            end_to_end_id=line.end_to_end_id[:35],
            counterparty=line.counterparty,
            reason=line.reason,
            state="new",
        )
        for line in statement.lines
    )
    uow.session.flush()
    uow.emit(BankStatementReceived(tenant=HUB, lane=LANE, bank_statement_id=stored.id))
    return stored


def _open(uow: UnitOfWork, statement: BankStatement) -> None:
    """The first statement of an account: what was on it before is money of unknown origin."""
    opening = statement.opening
    if opening.minor:
        amount = Money(abs(opening.minor), opening.currency)
        rule = rules.unallocated if opening.minor > 0 else rules.unallocated_returned
        refs = {"bank_opening": statement.statement_id}
        post(uow, f"bank:{statement.iban}:opening", rule.__name__, rule(amount), now(), refs)


def _refuse_foreign(settings: Settings, statement: BankStatement) -> None:
    if not settings.bank_iban:
        raise Misconfigured(
            "ENTREPOT_BANK_IBAN is not set: name the hub's own account before its statements come."
        )
    own = settings.bank_iban.replace(" ", "").upper()
    if statement.iban.upper() != own:
        raise Refused(
            f"Statement {statement.statement_id} is of the account {statement.iban}; the hub's is {own}.",
            rule="other_account",
        )
    if statement.closing.currency != settings.currency:
        raise Refused(
            f"Statement {statement.statement_id} is in {statement.closing.currency}; the hub keeps {settings.currency}.",
            rule="other_currency",
        )


def _refuse_other(uow: UnitOfWork, known: BankStatementFile, statement: BankStatement) -> None:
    """Raises Refused where the number of a statement comes again with other content."""
    lines = uow.session.query(BankEntry.line_id, BankEntry.kind, BankEntry.amount_minor).filter_by(
        bank_statement_id=known.id
    )
    before = (known.opening_minor, known.closing_minor, {tuple(line) for line in lines})
    again = {(line.line_id, line.kind, line.amount.minor) for line in statement.lines}
    if before != (statement.opening.minor, statement.closing.minor, again):
        raise Refused(
            f"Statement {statement.statement_id} was received before with other lines or balances; ask the bank which "
            "one holds.",
            rule="other_content",
        )


def _refuse_repeated(uow: UnitOfWork, statement: BankStatement) -> None:
    """Raises Refused where a line stands on an earlier statement too: booked twice it would count twice."""
    ids: Sequence[str] = [line.line_id for line in statement.lines]
    twice = (
        uow.session.query(BankEntry.line_id)
        .filter(BankEntry.iban == statement.iban, BankEntry.line_id.in_(ids))
        .order_by(BankEntry.id)
        .first()
    )
    if twice is not None:
        raise Refused(
            f"Line {twice[0]} of statement {statement.statement_id} stands on an earlier statement; ask the bank which "
            "one holds.",
            rule="line_repeated",
        )
