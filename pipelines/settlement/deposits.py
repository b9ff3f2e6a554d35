"""Money that sellers pay in beforehand: by which reference it is recognised, and how it reaches their deposit."""

import re
from collections.abc import Mapping

from stdnum.iso7064 import mod_97_10

from core.clock import now
from core.database import UnitOfWork
from core.errors import Refused, there_is
from core.money import Money
from ledger import chart
from ledger import deposits as money
from models.companies import Company
from models.events import DepositCredited
from models.ledger import JournalEntry

HEAD = "EP"
_LONGEST = 40


def reference(company: Company) -> str:
    """What a seller writes on a transfer to his deposit: "EP-NORDLICHT-68".

    The two digits are those of ISO 7064 (MOD 97-10) over head and code, so that a slip of the pen is nobody's name.
    """
    compact = HEAD + company.code.upper()
    return f"{HEAD}-{company.code.upper()}-{mod_97_10.calc_check_digits(compact)}"


def compact(text: str) -> str:
    """Capitals and digits alone: "ep se1 - 97" and "EP-SE1-97" are the same."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def named_in(text: str, sellers: Mapping[str, int]) -> int | None:
    """The seller whose reference stands in a payer's free text, in whatever case and with whatever between its letters.

    `sellers` are ids by compact reference. None where it names nobody, or more than one seller.
    """
    upper = text.upper()
    found: set[int] = set()
    for start in re.finditer(r"(?<![A-Z0-9])E[^A-Z0-9]*P", upper):
        if (seller := _longest_from(upper, start.start(), sellers)) is not None:
            found.add(seller)
    return found.pop() if len(found) == 1 else None


def references(uow: UnitOfWork) -> dict[str, int]:
    """Every seller's id by his compact reference."""
    sellers = uow.session.query(Company).filter_by(kind="seller")
    return {compact(reference(seller)): seller.id for seller in sellers}


def top_up(uow: UnitOfWork, seller_id: int, amount: Money, key: str, via: str = chart.PSP) -> JournalEntry:
    """Credits a deposit with money that arrived by card (`via` "psp"); what the seller owes the hub is repaid first.

    The same key again is the first entry again. Raises Refused: "nothing" for an amount that is not above zero,
    "not_found" where there is no such seller, "key_reused" where the key stands for something else.
    """
    refuse_nothing(amount, "top up")
    there_is(uow.session.query(Company).filter_by(id=seller_id, kind="seller").first(), f"Seller {seller_id}")
    known = uow.session.query(JournalEntry.id).filter_by(key=key).first()
    entry = money.top_up(
        uow, seller_id=seller_id, amount=amount, key=key, happened_at=now(), via=via, refs={"via": via}
    )
    if known is None:
        credited(uow, seller_id)
    return entry


def credited(uow: UnitOfWork, seller_id: int) -> None:
    """Tells those who wait for this deposit that it grew."""
    uow.emit(DepositCredited(tenant=seller_id, lane=f"seller:{seller_id}", seller_id=seller_id))


def refuse_nothing(amount: Money, act: str) -> None:
    """Raises Refused where there is nothing to `act` on."""
    if amount.minor <= 0:
        raise Refused(f"{amount} is nothing to {act}; give an amount above zero.", rule="nothing")


def _longest_from(text: str, start: int, sellers: Mapping[str, int]) -> int | None:
    """The seller of the longest reference that begins at `start` and ends at the end of a word."""
    letters, seller = "", None
    for position in range(start, len(text)):
        if not re.match("[A-Z0-9]", text[position]):
            continue
        letters += text[position]
        if len(letters) > _LONGEST:
            break
        ends = not re.match("[A-Z0-9]", text[position + 1 : position + 2])
        if ends and letters in sellers:
            seller = sellers[letters]
    return seller
