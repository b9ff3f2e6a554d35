"""pain.001.001.09 as a bank reads it: every sum and every field checked before anything is booked."""

import re
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

_N = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"


class Rejected(Exception):
    """The bank will not do this; the message is one sentence."""


@dataclass(frozen=True)
class Transfer:
    """One credit transfer; `cents` are of euro."""

    end_to_end_id: str
    cents: int
    name: str
    iban: str
    text: str


@dataclass(frozen=True)
class Batch:
    """One PmtInf: transfers from one account. `together` asks for one booking of the whole sum."""

    debtor_iban: str
    together: bool
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True)
class PaymentFile:
    """A file that adds up."""

    message_id: str
    batches: tuple[Batch, ...]


def read(content: bytes) -> PaymentFile:
    """The payment file. Raises Rejected with the first thing a bank would object to."""
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise Rejected(f"The file is no well-formed XML: {error.msg}.") from None
    start = root.find(f"{_N}CstmrCdtTrfInitn")
    if root.tag != f"{_N}Document" or start is None:
        raise Rejected(f"The file is no pain.001.001.09; its root is {root.tag!r}.")
    header = _child(start, "GrpHdr")
    message_id = _identity(header, "MsgId")
    batches = tuple(_batch(element) for element in start.iterfind(f"{_N}PmtInf"))
    _check_sums(header, [transfer for batch in batches for transfer in batch.transfers], message_id)
    if not batches:
        raise Rejected(f"The file {message_id} pays nothing.")
    return PaymentFile(message_id, batches)


def iban(text: str) -> str:
    """The IBAN, when its check digits are right (ISO 13616: modulo 97 is 1). Raises Rejected."""
    digits = "".join(
        str(int(letter, 36)) for letter in text[4:] + text[:4] if letter.isascii() and letter.isalnum()
    )
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", text) or int(digits) % 97 != 1:
        raise Rejected(f"AC01: {text} is no IBAN.")
    return text


def cents(text: str) -> int:
    """Cents of a decimal such as "12.50", exactly. Raises Rejected."""
    value = Decimal(text) * 100 if re.fullmatch(r"[0-9]{1,13}(\.[0-9]{1,5})?", text) else Decimal(0)
    if value != int(value) or value == 0:
        raise Rejected(f"AM12: {text!r} is no amount of cents above nothing.")
    return int(value)


def _batch(element: etree._Element) -> Batch:
    name = _identity(element, "PmtInfId")
    if _text(element, "PmtMtd") != "TRF":
        raise Rejected(f"{name}: only transfers (TRF) are taken.")
    if _text(element, "PmtTpInf/SvcLvl/Cd") != "SEPA":
        raise Rejected(f"{name}: the service level must be SEPA.")
    _check_party(_child(element, "Dbtr"), f"{name}, debtor")
    transfers = tuple(_transfer(inner) for inner in element.iterfind(f"{_N}CdtTrfTxInf"))
    _check_sums(element, transfers, name)
    together = _text(element, "BtchBookg") != "false"  # without a word banks book the sum
    return Batch(iban(_text(element, "DbtrAcct/Id/IBAN")), together, transfers)


def _transfer(element: etree._Element) -> Transfer:
    name = _identity(element, "PmtId/EndToEndId")
    amount = _child(element, "Amt/InstdAmt")
    if amount.get("Ccy") != "EUR":
        raise Rejected(f"{name}: AM03: SEPA moves EUR, not {amount.get('Ccy')}.")
    creditor = _child(element, "Cdtr")
    _check_party(creditor, f"{name}, creditor")
    text = _text(element, "RmtInf/Ustrd")
    if len(text) > 140:
        raise Rejected(f"{name}: the text has {len(text)} characters; 140 go through.")
    account = iban(_text(element, "CdtrAcct/Id/IBAN"))
    return Transfer(name, cents(amount.text or ""), _text(creditor, "Nm"), account, text)


def _check_party(party: etree._Element, what: str) -> None:
    """Since 15 November 2026 an unstructured address is rejected: town and country stand in their own fields."""
    if not 0 < len(_text(party, "Nm")) <= 70:
        raise Rejected(f"{what}: a name of 1 to 70 characters is missing.")
    if not _text(party, "PstlAdr/TwnNm") or not re.fullmatch("[A-Z]{2}", _text(party, "PstlAdr/Ctry")):
        raise Rejected(f"{what}: the address has no town or no country in its own field.")


def _check_sums(element: etree._Element, transfers: list[Transfer] | tuple[Transfer, ...], what: str) -> None:
    if _text(element, "NbOfTxs") != str(len(transfers)):
        raise Rejected(f"{what}: NbOfTxs says {_text(element, 'NbOfTxs')}, but there are {len(transfers)}.")
    total = sum(transfer.cents for transfer in transfers)
    if cents(_text(element, "CtrlSum")) != total:
        raise Rejected(f"AM10: {what}: CtrlSum says {_text(element, 'CtrlSum')}, but it is {total} cents.")


def _identity(element: etree._Element, path: str) -> str:
    text = _text(element, path)
    if not 0 < len(text) <= 35:
        raise Rejected(f"{path} must have 1 to 35 characters; it is {text!r}.")
    return text


def _child(element: etree._Element, path: str) -> etree._Element:
    found = element.find("/".join(f"{_N}{name}" for name in path.split("/")))
    if found is None:
        raise Rejected(f"{path} is missing.")
    return found


def _text(element: etree._Element, path: str) -> str:
    found = element.find("/".join(f"{_N}{name}" for name in path.split("/")))
    return "" if found is None else (found.text or "").strip()
