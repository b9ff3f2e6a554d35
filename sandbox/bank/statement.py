"""A closed day as camt.053.001.08, the same bytes each time it is asked for."""

from lxml import etree

from sandbox.bank.books import Entry, Part, Statement

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
# ISO 20022 external bank transaction codes: family and sub-family by what happened.
_CODES = {
    "topup": ("RCDT", "ESCT"),
    "payment": ("ICDT", "ESCT"),
    "return": ("ICDT", "RRTN"),
    "fee": ("MDOP", "CHRG"),
}
_REASONS = {"AC04": "Closed account", "AC01": "Incorrect account number", "MD07": "End customer deceased"}


def statement_id(statement: Statement) -> str:
    """Unique at this bank: the account, the day and its number."""
    return f"{statement.iban[-10:]}-{statement.day:%Y%m%d}-{statement.number:04d}"


def render(statement: Statement) -> bytes:
    """The file. Its moment of creation is the evening of its day, so that it can be made again."""
    document = etree.Element(f"{{{_NAMESPACE}}}Document", nsmap={None: _NAMESPACE})
    message = _add(document, "BkToCstmrStmt")
    identity, made = statement_id(statement), f"{statement.day.isoformat()}T20:00:00Z"
    header = _add(message, "GrpHdr")
    _add(header, "MsgId", f"M-{identity}")
    _add(header, "CreDtTm", made)
    element = _add(message, "Stmt")
    _add(element, "Id", identity)
    _add(element, "ElctrncSeqNb", str(statement.number))
    _add(element, "CreDtTm", made)
    account = _add(element, "Acct")
    _add(account, "Id/IBAN", statement.iban)
    _add(account, "Ccy", "EUR")
    _add(account, "Ownr/Nm", statement.holder)
    for code, cents in (("OPBD", statement.opening), ("CLBD", statement.closing)):
        balance = _add(element, "Bal")
        _add(balance, "Tp/CdOrPrtry/Cd", code)
        _add_amount(balance, cents)
        _add(balance, "Dt/Dt", statement.day.isoformat())
    for entry in statement.entries:
        _add_entry(element, entry, statement)
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def entry_reference(entry: Entry) -> str:
    """Unique at this bank for ever."""
    return f"E{entry.number:09d}"


def decimal(cents: int) -> str:
    """ "12.50" of 1250, without its sign."""
    return f"{abs(cents) // 100}.{abs(cents) % 100:02d}"


def _add_entry(statement: etree._Element, entry: Entry, whole: Statement) -> None:
    element = _add(statement, "Ntry")
    _add(element, "NtryRef", entry_reference(entry))
    _add_amount(element, entry.cents)
    _add(element, "Sts/Cd", "BOOK")
    _add(element, "BookgDt/Dt", entry.day.isoformat())
    _add(element, "ValDt/Dt", entry.day.isoformat())
    _add(element, "AcctSvcrRef", entry_reference(entry))
    domain = _add(element, "BkTxCd/Domn")
    family, kind = _CODES[entry.kind]
    _add(domain, "Cd", "ACMT" if entry.kind == "fee" else "PMNT")
    inner = _add(domain, "Fmly")
    _add(inner, "Cd", family)
    _add(inner, "SubFmlyCd", kind)
    if entry.kind == "fee":
        _add(element, "AddtlNtryInf", entry.parts[0].text)
        return
    details = _add(element, "NtryDtls")
    if entry.batch is not None:
        batch = _add(details, "Btch")
        _add(batch, "MsgId", entry.batch)
        _add(batch, "NbOfTxs", str(len(entry.parts)))
    for part in entry.parts:
        _add_part(details, entry, part, whole)


def _add_part(details: etree._Element, entry: Entry, part: Part, whole: Statement) -> None:
    element = _add(details, "TxDtls")
    _add(element, "Refs/EndToEndId", part.end_to_end_id or "NOTPROVIDED")
    _add_amount(element, part.cents)
    # The parties of a transfer that came back are those of the transfer: its debtor is our customer.
    sides = (("Dbtr", part.name, part.iban), ("Cdtr", whole.holder, whole.iban))
    if entry.kind != "topup":
        sides = (("Dbtr", whole.holder, whole.iban), ("Cdtr", part.name, part.iban))
    parties = _add(element, "RltdPties")
    for role, name, iban in sides:
        _add(parties, f"{role}/Pty/Nm", name)
        if iban:
            _add(parties, f"{role}Acct/Id/IBAN", iban)
    if part.text:
        _add(element, "RmtInf/Ustrd", part.text)
    if part.reason:
        why = _add(element, "RtrInf")
        _add(why, "Rsn/Cd", part.reason)
        _add(why, "AddtlInf", _REASONS.get(part.reason, "Returned by the payee's bank"))


def _add_amount(element: etree._Element, cents: int) -> None:
    _add(element, "Amt", decimal(cents)).set("Ccy", "EUR")
    _add(element, "CdtDbtInd", "CRDT" if cents >= 0 else "DBIT")


def _add(parent: etree._Element, path: str, text: str | None = None) -> etree._Element:
    element = parent
    for name in path.split("/"):
        element = etree.SubElement(element, f"{{{_NAMESPACE}}}{name}")
    element.text = text
    return element
