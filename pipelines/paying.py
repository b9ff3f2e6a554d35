"""What people and programs ask of the hub's money, by page, API or command line: each command moves it once by its key."""

import re
from decimal import Decimal

from core.database import UnitOfWork
from core.errors import Refused
from core.money import Money, exponent
from core.settings import Settings
from ledger.holds import Done
from models.ledger import JournalEntry
from models.settlement import Payout
from pipelines.orders.take_back import take_back
from pipelines.settlement import deposits, reconcile, withdraw

LONGEST_KEY = 80
"""Characters; the journal's own keys have 120 with what the hub writes before it."""


def top_up(uow: UnitOfWork, settings: Settings, seller_id: int, amount: str, key: str) -> JournalEntry:
    """Money that a seller paid by card, in the hub's currency. Raises Refused as pipelines.settlement.deposits.top_up."""
    return deposits.top_up(uow, seller_id, amount_of(amount, settings.currency), named("top_up", key))


def withdraw_deposit(uow: UnitOfWork, settings: Settings, seller_id: int, amount: str, key: str) -> Payout:
    """Deposit that a seller takes back: it joins the next payment file. Raises Refused as pipelines.settlement.withdraw.ask."""
    return withdraw.ask(uow, seller_id, amount_of(amount, settings.currency), named("withdraw", key))


def allocate(uow: UnitOfWork, bank_line_id: int, seller_id: int, key: str) -> JournalEntry:
    """An unallocated bank line is this seller's money. Raises Refused as pipelines.settlement.reconcile.allocate."""
    return reconcile.allocate(uow, bank_line_id, seller_id, named("allocate", key))


def refund(uow: UnitOfWork, line_id: int, quantity: int, key: str) -> Done:
    """Shipped pieces of an order line came back to the supplier. Raises as pipelines.orders.take_back.take_back."""
    return take_back(uow, line_id, quantity, named("take_back", key))


def amount_of(text: str, currency: str) -> Money:
    """ "12.50" as money of `currency`. Raises Refused ("not_a_number") for anything else; nothing is rounded."""
    plain = text.strip()
    # Not what Decimal takes: 1e2 and 1_0 are slips of the hand, and each would move another amount than was meant.
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]+)?", plain):
        raise Refused(f"{text!r} is not an amount of money; write it like 12.50.", rule="not_a_number")
    money = Money.of(plain, currency)
    if money.amount != Decimal(plain):
        places = exponent(currency)
        raise Refused(
            f"{text!r} has more than the {places} decimal places of {currency}.", rule="not_a_number"
        )
    return money


def named(command: str, key: str) -> str:
    """The journal's key of a command by its giver's key: "top_up:KEY". Raises Refused ("key") where it cannot be one."""
    plain = key.strip()
    if not plain or len(plain) > LONGEST_KEY or not (plain.isascii() and plain.isprintable()):
        raise Refused(
            f"Give the command a key of 1 to {LONGEST_KEY} plain characters, one of its own for each thing that is to happen once.",
            rule="key",
        )
    return f"{command}:{plain}"
