"""The chart of accounts: every name an account may have, and what the name means."""

from dataclasses import dataclass

from core.errors import Permanent

BANK = "bank"
PSP = "psp"
COMMISSION = "commission"
VAT = "vat"
UNALLOCATED = "unallocated"
BANK_FEES = "bank_fees"
ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Character:
    """What an account is: `kind` asset, liability or profit; a `guarded` one is never below zero.

    Balances are credits minus debits, so an asset that is worth something is negative.
    """

    kind: str
    guarded: bool = False


# What the pages of double entry call them; the guarded ones are invariant 3.
CHART = {
    BANK: Character("asset"),
    PSP: Character("asset"),
    "seller:receivable": Character("asset"),
    "supplier:receivable": Character("asset"),
    "seller:deposit": Character("liability", guarded=True),
    "seller:held": Character("liability", guarded=True),
    "seller:withdrawing": Character("liability", guarded=True),
    "supplier:pending": Character("liability", guarded=True),
    "supplier:available": Character("liability", guarded=True),
    "supplier:reserve": Character("liability", guarded=True),
    "supplier:in_payout": Character("liability", guarded=True),
    VAT: Character("liability"),
    UNALLOCATED: Character("liability"),
    COMMISSION: Character("profit"),
    BANK_FEES: Character("profit"),
    ROUNDING: Character("profit"),
}


def deposit(seller_id: int) -> str:
    """The seller's prepaid money that is free."""
    return f"seller:{seller_id}:deposit"


def held(seller_id: int) -> str:
    """Set aside for his orders."""
    return f"seller:{seller_id}:held"


def withdrawing(seller_id: int) -> str:
    """On its way back to him."""
    return f"seller:{seller_id}:withdrawing"


def seller_receivable(seller_id: int) -> str:
    """What he owes the hub."""
    return f"seller:{seller_id}:receivable"


def pending(supplier_id: int) -> str:
    """Earned by the supplier, not yet matured: buyers may still send it back."""
    return f"supplier:{supplier_id}:pending"


def available(supplier_id: int) -> str:
    """Matured: the next settlement run may pay it."""
    return f"supplier:{supplier_id}:available"


def reserve(supplier_id: int) -> str:
    """Kept back for refunds to come."""
    return f"supplier:{supplier_id}:reserve"


def in_payout(supplier_id: int) -> str:
    """In a payment file, not yet on a bank statement."""
    return f"supplier:{supplier_id}:in_payout"


def supplier_receivable(supplier_id: int) -> str:
    """What he owes the hub."""
    return f"supplier:{supplier_id}:receivable"


def character(name: str) -> Character:
    """What the account `name` is. Raises Permanent where the chart has no such name."""
    found = CHART.get(_pattern(name))
    if found is None:
        raise Permanent(f"There is no account {name!r} in the chart; ledger/chart.py lists them all.")
    return found


def company_of(name: str) -> int | None:
    """Whose account it is: 5 of "seller:5:deposit", None of "bank"."""
    words = name.split(":")
    return int(words[1]) if len(words) == 3 else None


def in_words(name: str) -> str:
    """The account as a sentence says it: "the deposit of seller 5"."""
    words = name.split(":")
    if len(words) == 3:
        return f"the {words[2].replace('_', ' ')} account of {words[0]} {words[1]}"
    return f"the account {name}"


def _pattern(name: str) -> str:
    words = name.split(":")
    if len(words) == 3 and words[1].isdecimal():
        return f"{words[0]}:{words[2]}"
    return "" if ":" in name else name
