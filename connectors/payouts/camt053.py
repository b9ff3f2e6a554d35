"""camt.053 bank statements (ISO 20022) read into lines, refused where they do not add up."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

from lxml import etree

from connectors.banking import BankLine, BankStatement
from core.errors import Refused
from core.money import Money, exponent

VERSIONS = ("02", "08")
LARGEST_FILE = 64 * 1024 * 1024
_MESSAGE = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:([a-z]{4}\.\d{3})\.001\.(\d\d)\}Document")
# ISO 20022 external bank transaction sub-family codes: returned transfers, and what the bank charges.
_RETURNS = {"RRTN"}
_CHARGES = {"CHRG", "COME", "COMI", "COMM", "COMT", "FEES"}
_DECIMAL = re.compile(r"[0-9]{1,18}(\.[0-9]{1,5})?")  # ISO 20022: 18 digits, 5 of them after the point
_NOTHING = {"", "NOTPROVIDED", "NONREF"}


def read(file: Path) -> Sequence[BankStatement]:
    """The file's statements in their order; only booked entries, batches unfolded into their single transfers.

    Raises Refused with one sentence: not XML, cut short, another message, unsafe, another currency, wrong sums.
    """
    root = _parsed(file)
    found = root.findall("./{*}BkToCstmrStmt/{*}Stmt")
    if not found:
        raise Refused(f"{file.name} has no statement in it; ask the bank for it again.")
    return [_statement(element, file.name) for element in found]


def _parsed(file: Path) -> etree._Element:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise Refused(
                f"{file.name} is larger than {LARGEST_FILE // 1024**2} MB; fetch shorter statements."
            )
        content = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file.name} cannot be read: {error.strerror}.") from None
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        raise Refused(f"{file.name} is no XML; a bank statement is wanted as camt.053.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )  # fmt: skip
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Refused(
            f"{file.name} is broken or cut short in line {error.lineno} ({error.msg}); fetch it again."
        ) from None
    if root.getroottree().docinfo.doctype:
        raise Refused(f"{file.name} declares a document type, which no bank does; it was not read further.")
    message = _MESSAGE.fullmatch(str(root.tag))
    if message is None:
        raise Refused(f"{file.name} is XML but no ISO 20022 message; a bank statement is wanted as camt.053.")
    kind, version = message.groups()
    if kind != "camt.053" or version not in VERSIONS:
        raise Refused(
            f"{file.name} is a {kind}.001.{version}; wanted is camt.053.001.{' or '.join(VERSIONS)}, "
            "the statement of booked entries."
        )
    return root


def _statement(element: etree._Element, name: str) -> BankStatement:
    number = _text(element, "Id")
    where = f"{name}, statement {number or 'without an id'}"
    iban = _text(element, "Acct/Id/IBAN").replace(" ", "")
    if not number or not iban:
        raise Refused(f"{where}: it lacks its {'IBAN' if number else 'id'}; it cannot be booked.")
    opening = _balance(element, ("OPBD", "PRCD"), where)
    closing = _balance(element, ("CLBD",), where)
    currency = opening.currency
    if {closing.currency, _text(element, "Acct/Ccy") or currency} != {currency}:
        raise Refused(f"{where}: its balances and its account are in several currencies; it must be one.")
    lines = tuple(_numbered(_lines(element, number, currency, where)))
    end = opening.minor + sum(
        line.amount.minor * (1 if line.kind in {"credit", "return"} else -1) for line in lines
    )
    if end != closing.minor:
        raise Refused(
            f"{where} does not add up: from {opening} its booked lines lead to {Money(end, currency)}, "
            f"but it closes with {closing}. Nothing was taken from it; fetch it again."
        )
    return BankStatement(number, iban, opening, closing, lines)


def _balance(element: etree._Element, codes: Sequence[str], where: str) -> Money:
    for code in codes:
        for balance in element.iterfind("{*}Bal"):
            if _text(balance, "Tp/CdOrPrtry/Cd") == code:
                amount = _amount(balance.find("{*}Amt"), where)
                return amount if _is_credit(balance, where) else Money(-amount.minor, amount.currency)
    raise Refused(
        f"{where}: it has no balance {codes[0]}, so it cannot be checked. Ask the bank for whole days."
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the single transfers of one booking share."""

    line_id: str
    booked_on: date
    credit: bool
    amount: Money
    element: etree._Element
    where: str


def _lines(statement: etree._Element, number: str, currency: str, where: str) -> Iterator[BankLine]:
    for position, element in enumerate(statement.iterfind("{*}Ntry"), start=1):
        if (_text(element, "Sts/Cd") or _text(element, "Sts")) != "BOOK":
            continue  # announced, not booked: it will come again
        references = (_text(element, "AcctSvcrRef"), _text(element, "NtryRef"), f"{number}#{position}")
        line_id = next(reference for reference in references if reference not in _NOTHING)
        here = f"{where}, entry {line_id}"
        amount = _amount(element.find("{*}Amt"), here)
        if amount.currency != currency:
            raise Refused(
                f"{here} is in {amount.currency} on an account in {currency}; it must be one currency."
            )
        entry = _Entry(line_id, _booked_on(element, here), _is_credit(element, here), amount, element, here)
        details = element.findall("{*}NtryDtls/{*}TxDtls")
        if len(details) > 1:
            yield from _unfolded(entry, details)
        else:
            yield _line(entry, details[0] if details else None, line_id, amount, entry.credit)


def _unfolded(entry: _Entry, details: Sequence[etree._Element]) -> Iterator[BankLine]:
    """The single transfers of a batch. Raises Refused where they are not the batch."""
    amounts: list[tuple[Money, bool]] = []
    for detail in details:
        found = detail.find("{*}Amt")
        if found is None:
            found = detail.find("{*}AmtDtls/{*}TxAmt/{*}Amt")
        amount = _amount(found, entry.where)
        credit = _is_credit(detail, entry.where) if _text(detail, "CdtDbtInd") else entry.credit
        amounts.append((amount, credit))
    total = sum(amount.minor if credit == entry.credit else -amount.minor for amount, credit in amounts)
    if {amount.currency for amount, _ in amounts} != {entry.amount.currency} or total != entry.amount.minor:
        raise Refused(
            f"{entry.where}: its {len(details)} single transfers do not make up its {entry.amount}; fetch it again."
        )
    for index, (detail, (amount, credit)) in enumerate(zip(details, amounts, strict=True), start=1):
        yield _line(entry, detail, f"{entry.line_id}/{index}", amount, credit)


def _line(
    entry: _Entry, detail: etree._Element | None, line_id: str, amount: Money, credit: bool
) -> BankLine:
    inner = entry.element if detail is None else detail
    end_to_end_id = _text(inner, "Refs/EndToEndId")
    codes = {_text(place, "BkTxCd/Domn/Fmly/SubFmlyCd") for place in (entry.element, inner)}
    returned = inner.find("{*}RtrInf") is not None or bool(codes & _RETURNS)
    returned = returned or _text(entry.element, "RvslInd") in {"true", "1"}
    kind: Literal["credit", "debit", "return", "fee"] = "credit" if credit else "debit"
    if credit and returned:
        kind = "return"
    elif not credit and codes & _CHARGES and end_to_end_id in _NOTHING:
        kind = "fee"
    reasons = ("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf")
    return BankLine(
        line_id=line_id,
        booked_on=entry.booked_on,
        kind=kind,
        amount=amount,
        reference=_reference(inner, entry.element),
        end_to_end_id="" if end_to_end_id in _NOTHING else end_to_end_id,
        counterparty=_counterparty(inner, credit, kind == "return"),
        reason=next(filter(None, (_text(inner, path) for path in reasons)), ""),
    )


def _reference(inner: etree._Element, entry: etree._Element) -> str:
    """What the payer wrote: free text and the structured creditor reference; else what the bank says of the entry."""
    free = [" ".join((found.text or "").split()) for found in inner.iterfind("{*}RmtInf/{*}Ustrd")]
    strict = [_text(found, "CdtrRefInf/Ref") for found in inner.iterfind("{*}RmtInf/{*}Strd")]
    written = " ".join(part for part in (*free, *strict) if part)
    return written or _text(inner, "AddtlTxInf") or _text(entry, "AddtlNtryInf")


def _counterparty(inner: etree._Element, credit: bool, returned: bool) -> str:
    """The other side's name. In a return the parties are those of the transfer that came back: we are the debtor."""
    role = "Dbtr" if credit and not returned else "Cdtr"
    return _text(inner, f"RltdPties/{role}/Pty/Nm") or _text(inner, f"RltdPties/{role}/Nm")


def _numbered(lines: Iterator[BankLine]) -> Iterator[BankLine]:
    """A bank that gives two bookings one reference means both, as the balance proves: the second gets "#2"."""
    seen: Counter[str] = Counter()
    for line in lines:
        seen[line.line_id] += 1
        count = seen[line.line_id]
        yield line if count == 1 else replace(line, line_id=f"{line.line_id}#{count}")


def _booked_on(element: etree._Element, where: str) -> date:
    for path in ("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"):
        if text := _text(element, path):
            try:
                return date.fromisoformat(text[:10])
            except ValueError:
                raise Refused(f"{where}: {text!r} is not a date.") from None
    raise Refused(f"{where}: it has no booking date.")


def _is_credit(element: etree._Element, where: str) -> bool:
    said = _text(element, "CdtDbtInd")
    if said not in {"CRDT", "DBIT"}:
        raise Refused(f"{where}: it says neither CRDT nor DBIT but {said!r}.")
    return said == "CRDT"


def _amount(element: etree._Element | None, where: str) -> Money:
    text, currency = ("", "") if element is None else ((element.text or "").strip(), element.get("Ccy", ""))
    if not _DECIMAL.fullmatch(text):
        raise Refused(f"{where}: it has no readable amount ({text!r}).")
    minor = Decimal(text).scaleb(exponent(currency))
    if not re.fullmatch("[A-Z]{3}", currency) or minor != int(minor):
        raise Refused(f"{where}: {text!r} {currency} is not an amount of money.")
    return Money(int(minor), currency)


def _text(element: etree._Element, path: str) -> str:
    """The text at a path of local names, "" where there is none; the namespace was checked at the root."""
    found = element.find("/".join(f"{{*}}{name}" for name in path.split("/")))
    return "" if found is None else " ".join((found.text or "").split())
