"""Payment files: what stands in them, which values are refused and how the sentence names them."""

import hashlib
from dataclasses import replace
from datetime import date, datetime
from importlib.resources import files

import pytest
from lxml import etree

from connectors.banking import BankAccount, PayoutDraft
from connectors.payouts.sepa import SepaBank
from connectors.registry import PAYOUTS
from core.errors import Refused
from core.money import Money

US = BankAccount("Entrepôt GmbH & Co", "DE02 1203 0000 0000 2020 51", "Köln", "DE")
CASA = BankAccount("Casa Verde Łódź", "ES9121000418450200051332", "Madrid", "ES", "BSCHESMMXXX")
NORDEN = BankAccount("Norden Lampen", "DE89370400440532013000", "Kiel", "DE")
DAY = date(2026, 11, 30)
N = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}


def draft(
    name: str = "E-1", to: BankAccount = CASA, cents: int = 12_345, text: str = "Statement 7"
) -> PayoutDraft:
    return PayoutDraft(name, to, Money(cents, "EUR"), text)


def texts(document: etree._Element, path: str) -> list[str | None]:
    return [element.text for element in document.iterfind(path, N)]


def test_the_file_says_what_was_asked_and_is_valid() -> None:
    made = PAYOUTS["sepa"]().export("MSG-1", US, [draft(), draft("E-2", NORDEN, 1)], DAY)
    assert (made.message_id, made.count, made.control_sum) == ("MSG-1", 2, Money(12_346, "EUR"))
    assert made.sha256 == hashlib.sha256(made.content).hexdigest()
    document = etree.fromstring(made.content)
    schema = (files("sepaxml") / "schemas" / "pain.001.001.09.xsd").read_bytes()
    etree.XMLSchema(etree.fromstring(schema)).assertValid(document)
    assert texts(document, ".//p:MsgId") == texts(document, ".//p:PmtInfId") == ["MSG-1"]
    assert texts(document, ".//p:CtrlSum") == ["123.46", "123.46"]
    assert texts(document, ".//p:NbOfTxs") == ["2", "2"]
    assert texts(document, ".//p:ReqdExctnDt/p:Dt") == ["2026-11-30"]
    assert texts(document, ".//p:EndToEndId") == ["E-1", "E-2"]
    assert texts(document, ".//p:InstdAmt") == ["123.45", "0.01"]
    assert texts(document, ".//p:Cdtr/p:Nm") == ["Casa Verde Lodz", "Norden Lampen"]
    assert texts(document, ".//p:CdtrAcct/p:Id/p:IBAN") == [CASA.iban, NORDEN.iban]
    assert texts(document, ".//p:CdtrAgt//p:BICFI") == ["BSCHESMMXXX"]
    assert texts(document, ".//p:Dbtr/p:Nm") == ["Entrepot GmbH + Co"]
    assert texts(document, ".//p:DbtrAcct/p:Id/p:IBAN") == ["DE02120300000000202051"]


def test_addresses_are_structured_on_both_sides() -> None:
    document = etree.fromstring(SepaBank().export("MSG-1", US, [draft()], DAY).content)
    assert texts(document, ".//p:Dbtr/p:PstlAdr/*") == ["Koln", "DE"]
    assert texts(document, ".//p:Cdtr/p:PstlAdr/*") == ["Madrid", "ES"]
    assert texts(document, ".//p:AdrLine") == []


def test_the_payers_bank_is_named_or_said_to_be_left_out() -> None:
    left_out = etree.fromstring(SepaBank().export("MSG-1", US, [draft()], DAY).content)
    assert texts(left_out, ".//p:DbtrAgt/p:FinInstnId/*/*") == ["NOTPROVIDED"]
    named = etree.fromstring(
        SepaBank().export("MSG-1", replace(US, bic="BYLADEM1001"), [draft()], DAY).content
    )
    assert texts(named, ".//p:DbtrAgt/p:FinInstnId/*") == ["BYLADEM1001"]


def test_a_long_name_is_cut_where_the_scheme_ends() -> None:
    made = SepaBank().export("MSG-1", US, [draft(to=replace(CASA, holder="Ä" * 69 + " B"))], DAY)
    assert texts(etree.fromstring(made.content), ".//p:Cdtr/p:Nm") == ["A" * 69]


def test_what_the_schema_does_not_take_never_leaves() -> None:
    with pytest.raises(Refused, match=r"The payment file MSG-1 is no valid pain\.001\.001\.09: .*Dt"):
        SepaBank().export("MSG-1", US, [draft()], datetime(2026, 11, 30, 12))


def test_each_transfer_is_to_be_booked_alone() -> None:
    document = etree.fromstring(SepaBank().export("MSG-1", US, [draft(), draft("E-2")], DAY).content)
    assert texts(document, ".//p:BtchBookg") == ["false"]


def test_nothing_in_the_file_is_random_but_its_moment() -> None:
    one, two = (etree.fromstring(SepaBank().export("MSG-1", US, [draft()], DAY).content) for _ in range(2))
    for document in (one, two):
        for moment in document.iterfind(".//p:CreDtTm", N):
            moment.text = ""
    assert etree.tostring(one) == etree.tostring(two)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (draft(to=replace(CASA, iban="ES9121000418450200051333")), "Casa Verde Łódź: 'ES9121000418450200051333' is not an IBAN"),
        (draft(to=replace(CASA, iban="")), "is not an IBAN"),
        (draft(to=replace(CASA, iban="BR1500000000000010932840814P2")), "outside SEPA"),
        (draft(to=replace(CASA, town="")), "the holder's town must have 1 to 35"),
        (draft(to=replace(CASA, country="Spain")), "country must be two letters such as DE; it is 'Spain'"),
        (draft(to=replace(CASA, bic="NOBIC")), "'NOBIC' is not a BIC"),
        (draft(to=replace(CASA, holder=" ")), "the name of the account's holder is missing"),
        (draft("E" * 36), "must have 1 to 35"),
        (draft("A//B"), "no two slashes"),
        (draft(""), "must have 1 to 35"),
        (draft(cents=0), "is of 0.00 EUR; it must be from 0.01"),
        (draft(cents=-5), "is of -0.05 EUR"),
        (draft(cents=100_000_000_000), "to 999999999.99 EUR"),
        (draft(text="x" * 141), "its text has 141 characters"),
        (draft(text=""), "its text has 0 characters"),
        (replace(draft(), amount=Money(100, "SEK")), "is in SEK; SEPA pays EUR only"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_the_name_of_its_transfer(wrong: PayoutDraft, said: str) -> None:
    with pytest.raises(Refused) as refused:
        SepaBank().export("MSG-1", US, [draft("OK"), wrong], DAY)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"The transfer {wrong.end_to_end_id} to {wrong.to.holder}")


def test_what_is_wrong_with_the_whole_file_is_refused() -> None:
    bank = SepaBank()
    with pytest.raises(Refused, match="stands twice"):
        bank.export("MSG-1", US, [draft(), draft()], DAY)
    with pytest.raises(Refused, match="has no transfer"):
        bank.export("MSG-1", US, [], DAY)
    with pytest.raises(Refused, match="its id '' must have 1 to 35"):
        bank.export("", US, [draft()], DAY)
    with pytest.raises(Refused, match="The payer Entrepôt GmbH & Co: 'DE00' is not an IBAN"):
        bank.export("MSG-1", replace(US, iban="DE00"), [draft()], DAY)
