"""Bank statements: both versions as banks write them, returns and batches, and files that will not do."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.banking import BankLine, BankStatement
from connectors.payouts import camt053
from core.errors import Refused
from core.money import Money

IBAN = "DE02120300000000202051"
DAY = date(2026, 11, 27)


def eur(cents: int) -> Money:
    return Money(cents, "EUR")


def balance(code: str, amount: str, way: str = "CRDT", currency: str = "EUR") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='{currency}'>{amount}</Amt>"
        f"<CdtDbtInd>{way}</CdtDbtInd><Dt><Dt>2026-11-27</Dt></Dt></Bal>"
    )


def entry(
    amount: str,
    way: str,
    *,
    details: str = "",
    extra: str = "",
    status: str = "<Cd>BOOK</Cd>",
    reference: str = "<AcctSvcrRef>R1</AcctSvcrRef>",
    code: str = "",
    currency: str = "EUR",
    dates: str = "<BookgDt><Dt>2026-11-27</Dt></BookgDt>",
) -> str:
    domain = (
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>X</Cd><SubFmlyCd>{code}</SubFmlyCd></Fmly></Domn></BkTxCd>"
    )
    return (
        f"<Ntry><Amt Ccy='{currency}'>{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd>{extra}<Sts>{status}</Sts>"
        f"{dates}{reference}{domain if code else ''}<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def document(inner: str, *, version: str = "08", kind: str = "camt.053") -> str:
    return (
        f"<?xml version='1.0' encoding='UTF-8'?><Document xmlns='urn:iso:std:iso:20022:tech:xsd:{kind}.001.{version}'>"
        f"<BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Id>S-1</Id>"
        f"<Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>{inner}</Stmt></BkToCstmrStmt></Document>"
    )


def read(folder: Path, text: str | bytes) -> BankStatement:
    file = folder / "bank.xml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    (statement,) = camt053.read(file)
    return statement


def lines(folder: Path, entries: str, opening: str, closing: str, **options: str) -> tuple[BankLine, ...]:
    return read(
        folder, document(balance("OPBD", opening) + balance("CLBD", closing) + entries, **options)
    ).lines


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(Refused) as refused:
        read(folder, text)
    return str(refused.value)


def test_a_topup_of_version_08(tmp_path: Path) -> None:
    details = (
        "<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><Amt Ccy='EUR'>500.00</Amt>"
        "<RltdPties><Dbtr><Pty><Nm>Lena Shop</Nm></Pty></Dbtr><Cdtr><Pty><Nm>Entrepot</Nm></Pty></Cdtr></RltdPties>"
        "<RmtInf><Ustrd>TOP  UP</Ustrd><Ustrd>S-77</Ustrd></RmtInf></TxDtls>"
    )
    text = document(
        balance("OPBD", "10.00", "DBIT")
        + balance("CLBD", "490.00")
        + entry("500.00", "CRDT", details=details)
    )
    line = BankLine("R1", DAY, "credit", eur(50_000), "TOP UP S-77", "", "Lena Shop")
    assert read(tmp_path, text) == BankStatement("S-1", IBAN, eur(-1_000), eur(49_000), (line,))


def test_a_payout_of_version_02_after_a_closing_balance_of_the_day_before(tmp_path: Path) -> None:
    details = (
        "<TxDtls><Refs><EndToEndId>P-1</EndToEndId></Refs><AmtDtls><TxAmt><Amt Ccy='EUR'>12.50</Amt></TxAmt></AmtDtls>"
        "<RltdPties><Cdtr><Nm>Casa Verde</Nm></Cdtr></RltdPties>"
        "<RmtInf><Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>"
    )
    made = entry("12.50", "DBIT", details=details, status="BOOK", reference="<NtryRef>N9</NtryRef>")
    text = document(balance("PRCD", "20.00") + balance("CLBD", "7.50") + made, version="02")
    assert read(tmp_path, text).lines == (
        BankLine("N9", DAY, "debit", eur(1_250), "RF18539007547034", "P-1", "Casa Verde"),
    )


@pytest.mark.parametrize(
    ("extra", "code", "inner", "reason"),
    [
        ("", "", "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>", "AC04"),
        ("", "", "<RtrInf><AddtlInf>Konto erloschen</AddtlInf></RtrInf>", "Konto erloschen"),
        ("", "RRTN", "", ""),
        ("<RvslInd>true</RvslInd>", "", "", ""),
    ],
)
def test_a_transfer_that_came_back(tmp_path: Path, extra: str, code: str, inner: str, reason: str) -> None:
    details = (
        "<TxDtls><Refs><EndToEndId>P-1</EndToEndId></Refs><Amt Ccy='EUR'>5.00</Amt>"
        f"<RltdPties><Cdtr><Pty><Nm>Casa Verde</Nm></Pty></Cdtr></RltdPties>{inner}</TxDtls>"
    )
    made = entry("5.00", "CRDT", details=details, extra=extra, code=code)
    assert lines(tmp_path, made, "0.00", "5.00") == (
        BankLine("R1", DAY, "return", eur(500), "", "P-1", "Casa Verde", reason),
    )


def test_a_credit_taken_back_from_us_is_a_debit_with_its_reason(tmp_path: Path) -> None:
    details = (
        "<TxDtls><Refs><EndToEndId>T-1</EndToEndId></Refs><RtrInf><Rsn><Cd>AM05</Cd></Rsn></RtrInf></TxDtls>"
    )
    (line,) = lines(tmp_path, entry("5.00", "DBIT", details=details), "5.00", "0.00")
    assert (line.kind, line.end_to_end_id, line.reason) == ("debit", "T-1", "AM05")


def test_the_banks_own_charge_is_a_fee_but_a_transfer_with_charges_is_not(tmp_path: Path) -> None:
    fee = entry("1.50", "DBIT", code="CHRG").replace(
        "</Ntry>", "<AddtlNtryInf>Account fee</AddtlNtryInf></Ntry>"
    )
    paid = "<TxDtls><Refs><EndToEndId>P-1</EndToEndId></Refs></TxDtls>"
    own = entry("2.00", "DBIT", code="CHRG", details=paid, reference="<AcctSvcrRef>R2</AcctSvcrRef>")
    found = lines(tmp_path, fee + own, "3.50", "0.00")
    assert [(line.kind, line.reference, line.end_to_end_id) for line in found] == [
        ("fee", "Account fee", ""),
        ("debit", "", "P-1"),
    ]


def test_a_batch_is_unfolded_into_its_transfers(tmp_path: Path) -> None:
    details = "".join(
        f"<TxDtls><Refs><EndToEndId>P-{n}</EndToEndId></Refs><Amt Ccy='EUR'>{n}.00</Amt></TxDtls>"
        for n in (1, 2, 4)
    )
    found = lines(tmp_path, entry("7.00", "DBIT", details=details), "7.00", "0.00")
    assert [(line.line_id, line.end_to_end_id, line.amount) for line in found] == [
        ("R1/1", "P-1", eur(100)),
        ("R1/2", "P-2", eur(200)),
        ("R1/3", "P-4", eur(400)),
    ]


def test_a_batch_may_hold_what_goes_the_other_way(tmp_path: Path) -> None:
    details = (
        "<TxDtls><Amt Ccy='EUR'>5.00</Amt><CdtDbtInd>DBIT</CdtDbtInd></TxDtls>"
        "<TxDtls><Amt Ccy='EUR'>2.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></TxDtls>"
    )
    found = lines(tmp_path, entry("3.00", "DBIT", details=details), "3.00", "0.00")
    assert [(line.kind, line.amount) for line in found] == [("debit", eur(500)), ("credit", eur(200))]


def test_a_batch_whose_transfers_do_not_make_it_up_is_refused(tmp_path: Path) -> None:
    details = "<TxDtls><Amt Ccy='EUR'>1.00</Amt></TxDtls>" * 2
    text = document(
        balance("OPBD", "3.00") + balance("CLBD", "0.00") + entry("3.00", "DBIT", details=details)
    )
    assert "entry R1: its 2 single transfers do not make up its 3.00 EUR" in refusal(tmp_path, text)


def test_what_is_only_announced_is_left_out(tmp_path: Path) -> None:
    announced = entry("9.00", "CRDT", status="<Cd>PDNG</Cd>") + entry("8.00", "CRDT", status="INFO")
    assert lines(tmp_path, announced, "1.00", "1.00") == ()


def test_a_line_keeps_its_id_in_another_file_and_every_line_has_its_own(tmp_path: Path) -> None:
    made = (
        entry("1.00", "CRDT", reference="<NtryRef>A</NtryRef><AcctSvcrRef>B</AcctSvcrRef>")
        + entry("1.00", "CRDT", reference="<AcctSvcrRef>B</AcctSvcrRef>")
        + entry("1.00", "CRDT", reference="<AcctSvcrRef>NONREF</AcctSvcrRef>")
    )
    first = lines(tmp_path, made, "0.00", "3.00")
    assert [line.line_id for line in first] == ["B", "B#2", "S-1#3"]
    assert lines(tmp_path, made, "0.00", "3.00") == first


def test_dates_come_with_a_time_or_as_value_date_alone(tmp_path: Path) -> None:
    moment = entry("1.00", "CRDT", dates="<BookgDt><DtTm>2026-11-26T23:59:59+01:00</DtTm></BookgDt>")
    value = entry("1.00", "CRDT", dates="<ValDt><Dt>2026-11-25</Dt></ValDt>")
    found = lines(tmp_path, moment + value, "0.00", "2.00")
    assert [line.booked_on for line in found] == [date(2026, 11, 26), date(2026, 11, 25)]


@pytest.mark.parametrize("closing", ["2.99", "3.01"])
def test_a_statement_that_does_not_add_up_is_refused_with_both_sums(tmp_path: Path, closing: str) -> None:
    text = document(balance("OPBD", "1.00") + balance("CLBD", closing) + entry("2.00", "CRDT"))
    said = f"from 1.00 EUR its booked lines lead to 3.00 EUR, but it closes with {closing} EUR"
    assert said in refusal(tmp_path, text)


GOOD = document(balance("OPBD", "0.00") + balance("CLBD", "2.00") + entry("2.00", "CRDT"))
BOMB = "<!DOCTYPE Document [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(12)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bank.xml is no XML"),
        (":20:STARTUMS\r\n:25:12030000/202051", "bank.xml is no XML"),
        (GOOD[: len(GOOD) // 2], "bank.xml is broken or cut short in line 1"),
        ("<Document/>", "no ISO 20022 message"),
        (GOOD.replace("camt.053", "camt.054"), "bank.xml is a camt.054.001.08; wanted is camt.053.001.02 or 08"),
        (GOOD.replace("001.08", "001.01"), "bank.xml is a camt.053.001.01"),
        (GOOD.replace("Stmt>", "Sttmt>"), "has no statement in it"),
        (GOOD.replace("<Document", "<!DOCTYPE Document><Document", 1), "declares a document type"),
        (GOOD.replace("<Document", BOMB + "<Document", 1).replace("S-1", "&m;"), "bank.xml"),
        (GOOD.replace(f"<IBAN>{IBAN}</IBAN>", ""), "it lacks its IBAN"),
        (GOOD.replace("OPBD", "ITBD"), "it has no balance OPBD"),
        (GOOD.replace("CLBD", "CLAV"), "it has no balance CLBD"),
        (GOOD.replace("<Amt Ccy='EUR'>2.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>", "<Amt Ccy='USD'>2.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>"), "entry R1 is in USD on an account in EUR"),
        (GOOD.replace("<Ccy>EUR</Ccy>", "<Ccy>CHF</Ccy>"), "are in several currencies"),
        (GOOD.replace(">2.00<", ">2.001<"), "'2.001' EUR is not an amount"),
        (GOOD.replace(">2.00<", ">2,00<"), "no readable amount ('2,00')"),
        (GOOD.replace(">2.00<", ">1E999999<"), "no readable amount ('1E999999')"),
        (GOOD.replace(">2.00<", ">NaN<"), "no readable amount ('NaN')"),
        (GOOD.replace(">2.00<", ">-2.00<"), "no readable amount ('-2.00')"),
        (GOOD.replace("<BookgDt><Dt>2026-11-27", "<BookgDt><Dt>27.11.2026"), "'27.11.2026' is not a date"),
        (GOOD.replace("<BookgDt><Dt>2026-11-27</Dt></BookgDt>", ""), "it has no booking date"),
        (GOOD.replace("CRDT", "CREDIT"), "it says neither CRDT nor DBIT but 'CREDIT'"),
    ],
)  # fmt: skip
def test_a_file_that_will_not_do_is_refused_with_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    found = refusal(tmp_path, text)
    assert said in found
    assert "\n" not in found


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.integers(0, len(GOOD) - 1),
    length=st.integers(0, 40),
    instead=st.one_of(
        st.binary(max_size=8),
        st.sampled_from([b"<", b"&x;", b"]]>", b"</Ntry>", b"<Ntry/>", b"-", b"9" * 30]),
    ),
)
def test_a_spoiled_file_is_refused_or_adds_up_and_never_fails_otherwise(
    tmp_path: Path, where: int, length: int, instead: bytes
) -> None:
    content = GOOD.encode()
    file = tmp_path / "bank.xml"
    file.write_bytes(content[:where] + instead + content[where + length :])
    try:
        found = camt053.read(file)
    except Refused as refused:
        assert str(refused).startswith("bank.xml")
        return
    for statement in found:
        moved = sum(
            line.amount.minor * (1 if line.kind in {"credit", "return"} else -1) for line in statement.lines
        )
        assert statement.opening.minor + moved == statement.closing.minor


def test_nothing_outside_the_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("CANARY")
    outside = f"<!DOCTYPE Document [<!ENTITY x SYSTEM '{secret.as_uri()}'>]><Document"
    found = refusal(tmp_path, GOOD.replace("<Document", outside, 1).replace("S-1", "&x;"))
    assert "declares a document type" in found
    assert "CANARY" not in found


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"none\.xml cannot be read: No such file"):
        camt053.read(tmp_path / "none.xml")


def test_several_statements_come_in_their_order(tmp_path: Path) -> None:
    start, end = GOOD.index("<Stmt>"), GOOD.index("</Stmt>") + len("</Stmt>")
    file = tmp_path / "two.xml"
    file.write_text(GOOD[:end] + GOOD[start:end].replace("S-1", "S-2") + GOOD[end:])
    assert [statement.statement_id for statement in camt053.read(file)] == ["S-1", "S-2"]
