"""SEPA at any bank: payouts leave as pain.001.001.09, what was booked comes back as camt.053."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, date
from importlib.resources import files
from pathlib import Path

from lxml import etree
from sepaxml import SepaTransfer
from stdnum import bic, iban
from stdnum.exceptions import ValidationError
from text_unidecode import unidecode

from connectors.banking import BankAccount, BankFile, BankStatement, PayoutDraft
from connectors.payouts import camt053
from core.clock import now
from core.errors import Refused
from core.money import Money

SCHEMA = "pain.001.001.09"
CURRENCY = "EUR"
LARGEST = 99_999_999_999
"""Cents of one transfer: 999,999,999.99 EUR (EPC132-08, SEPA Credit Transfer guidelines, AT-T002)."""
LONGEST_ID, LONGEST_NAME, LONGEST_TOWN, LONGEST_TEXT = 35, 70, 35, 140
# The geographical scope of the SEPA schemes by the country an IBAN begins with (EPC409-09; Jersey, Guernsey and Man
# are GB, the French territories FR).
COUNTRIES = frozenset({
    "AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GI", "GR",
    "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK", "MT", "NL", "NO", "PL",
    "PT", "RO", "RS", "SE", "SI", "SK", "SM", "VA",
})  # fmt: skip
_NAMESPACE = {"p": f"urn:iso:std:iso:20022:tech:xsd:{SCHEMA}"}
# What every SEPA bank must take (EPC217-08); ids begin and end with no slash and have no two in a row.
_FOREIGN = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_ID = re.compile(r"(?!/)(?!.*//)[A-Za-z0-9/\-?:().,'+ ]+(?<!/)")


class SepaBank:
    """PayoutConnector for euro transfers. It writes and reads files; a person or a bank's program carries them."""

    def export(
        self, message_id: str, debtor: BankAccount, drafts: Sequence[PayoutDraft], execute_on: date
    ) -> BankFile:
        """The payment file; the bank is asked to book each transfer alone, so that each comes back with its own id.

        Letters that not every bank takes are written in plain ones (ü → u, & → +); names are cut at 70 characters.
        Raises Refused naming the transfer and the field at fault.
        """
        _check_id(message_id, "The payment file")
        payer = _account(debtor, f"The payer {debtor.holder}")
        if not drafts:
            raise Refused(f"The payment file {message_id} has no transfer; there is nothing to pay.")
        config = {"name": payer["name"], "IBAN": payer["IBAN"], "batch": True, "currency": CURRENCY}
        transfer = SepaTransfer(config | _optional(payer), schema=SCHEMA, clean=False)
        seen: set[str] = set()
        for draft in drafts:
            transfer.add_payment(_payment(draft, seen) | {"execution_date": execute_on})
        content = _finished(transfer.export(validate=False), message_id)
        total = Money(sum(draft.amount.minor for draft in drafts), CURRENCY)
        return BankFile(message_id, content, hashlib.sha256(content).hexdigest(), total, len(drafts))

    def statements(self, file: Path) -> Sequence[BankStatement]:
        """The statements of a camt.053 file; see connectors/payouts/camt053.py."""
        return camt053.read(file)


def _payment(draft: PayoutDraft, seen: set[str]) -> dict[str, object]:
    what = f"The transfer {draft.end_to_end_id} to {draft.to.holder}"
    _check_id(draft.end_to_end_id, what)
    if draft.end_to_end_id in seen:
        raise Refused(f"{what} stands twice in the file; an end-to-end id is used once.")
    seen.add(draft.end_to_end_id)
    if draft.amount.currency != CURRENCY:
        raise Refused(f"{what} is in {draft.amount.currency}; SEPA pays {CURRENCY} only.")
    if not 0 < draft.amount.minor <= LARGEST:
        raise Refused(f"{what} is of {draft.amount}; it must be from 0.01 to {Money(LARGEST, CURRENCY)}.")
    text = _plain(draft.text)
    if not 0 < len(text) <= LONGEST_TEXT:
        raise Refused(f"{what}: its text has {len(text)} characters; it must have 1 to {LONGEST_TEXT}.")
    return {
        **_account(draft.to, what),
        "amount": draft.amount.minor,
        "description": text,
        "endtoend_id": draft.end_to_end_id,
    }


def _account(account: BankAccount, what: str) -> dict[str, object]:
    """An account as sepaxml takes it. Since 15 November 2026 an address must name town and country in own fields."""
    try:
        number = iban.validate(account.iban)
    except ValidationError as error:
        reason = str(error).rstrip(".")
        raise Refused(f"{what}: {account.iban!r} is not an IBAN ({reason}); ask for it again.") from None
    if number[:2] not in COUNTRIES:
        raise Refused(f"{what}: the IBAN {number} is of {number[:2]}, outside SEPA; pay it in another way.")
    name, town = _plain(account.holder)[:LONGEST_NAME].strip(), _plain(account.town)
    if not name:
        raise Refused(f"{what}: the name of the account's holder is missing.")
    if not 0 < len(town) <= LONGEST_TOWN:
        raise Refused(f"{what}: the holder's town must have 1 to {LONGEST_TOWN} characters; it is {town!r}.")
    if not re.fullmatch("[A-Z]{2}", account.country):
        raise Refused(
            f"{what}: the holder's country must be two letters such as DE; it is {account.country!r}."
        )
    found: dict[str, object] = {"name": name, "IBAN": number}
    if account.bic:
        try:
            found["BIC"] = bic.validate(account.bic)
        except ValidationError:
            raise Refused(f"{what}: {account.bic!r} is not a BIC; correct it or leave it empty.") from None
    return found | {"address": {"town": town, "country": account.country}}


def _optional(account: dict[str, object]) -> dict[str, object]:
    return {name: account[name] for name in ("BIC", "address") if name in account}


def _check_id(value: str, what: str) -> None:
    if len(value) > LONGEST_ID or not _ID.fullmatch(value):
        raise Refused(
            f"{what}: its id {value!r} must have 1 to {LONGEST_ID} plain letters and digits, "
            "no slash at either end and no two slashes in a row."
        )


def _plain(text: str) -> str:
    ascii_only = unidecode(text).replace("&", "+").replace("_", "-")
    return " ".join(_FOREIGN.sub(" ", ascii_only).split())


def _finished(content: bytes, message_id: str) -> bytes:
    """The file with our ids in place of sepaxml's random ones, checked against the schema of ISO 20022.

    Raises Refused with the schema's own words.
    """
    document = etree.fromstring(content)

    def put(path: str, text: str) -> None:
        for element in document.iterfind(path, _NAMESPACE):
            element.text = text

    put(".//p:GrpHdr/p:MsgId", message_id)
    put(".//p:GrpHdr/p:CreDtTm", now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    put(".//p:PmtInf/p:PmtInfId", message_id)
    put(".//p:PmtInf/p:BtchBookg", "false")
    for bank in document.iterfind(".//p:DbtrAgt/p:FinInstnId", _NAMESPACE):
        if len(bank) == 0:  # the payer's bank knows its own BIC, but wants to be told that it was left out
            other = etree.SubElement(bank, f"{{{_NAMESPACE['p']}}}Othr")
            etree.SubElement(other, f"{{{_NAMESPACE['p']}}}Id").text = "NOTPROVIDED"
    schema = etree.XMLSchema(etree.fromstring((files("sepaxml") / "schemas" / f"{SCHEMA}.xsd").read_bytes()))
    if not schema.validate(document):
        said = schema.error_log.last_error
        raise Refused(f"The payment file {message_id} is no valid {SCHEMA}: {said.message if said else ''}")
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8")
