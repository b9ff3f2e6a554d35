"""The Protocol of payment files out and bank statements in, and the values that pass through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, Protocol

from core.money import Money


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account and its holder. SEPA wants the holder's town and country (ISO 3166 alpha-2) structured."""

    holder: str
    iban: str
    town: str
    country: str
    bic: str = ""


@dataclass(frozen=True, slots=True)
class PayoutDraft:
    """One transfer. `end_to_end_id` (at most 35 characters) comes back on the bank statement."""

    end_to_end_id: str
    to: BankAccount
    amount: Money
    text: str


@dataclass(frozen=True, slots=True)
class BankFile:
    """A payment file's bytes as they were made; they are stored, since made again they would differ."""

    message_id: str
    content: bytes
    sha256: str
    control_sum: Money
    count: int


@dataclass(frozen=True, slots=True)
class BankLine:
    """One booked entry of the statement. `amount` is positive; `kind` says which way it went and why.

    "credit" came in (a top-up), "debit" went out, "return" is an own transfer that came back, "fee" is the bank's own.
    `reference` is what the payer wrote; `end_to_end_id` is the transfer's, "" where there is none. `line_id` is unique
    for the account: the same line in two files is one line.
    """

    line_id: str
    booked_on: date
    kind: Literal["credit", "debit", "return", "fee"]
    amount: Money
    reference: str = ""
    end_to_end_id: str = ""
    counterparty: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BankStatement:
    """One statement: opening + credits − debits = closing, which was checked."""

    statement_id: str
    iban: str
    opening: Money
    closing: Money
    lines: tuple[BankLine, ...]


class PayoutConnector(Protocol):
    """One bank's formats. Raises Refused where a value or a file will not do; asks nobody."""

    def export(
        self, message_id: str, debtor: BankAccount, drafts: Sequence[PayoutDraft], execute_on: date
    ) -> BankFile:
        """The payment file, checked against its schema. Raises Refused naming the transfer and the field at fault."""
        ...

    def statements(self, file: Path) -> Sequence[BankStatement]:
        """What the bank booked. Raises Refused with what is wrong where the file cannot be used or does not add up."""
        ...
