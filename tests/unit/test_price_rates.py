"""The European Central Bank's files, in each of the forms in which it gives them, and what is no such file."""

import io
import zipfile
from datetime import date
from decimal import Decimal

import pytest

from connectors.rates import ReferenceRate, read_rates
from core.errors import Refused

DAILY = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
  <Cube>%s</Cube>
</gesmes:Envelope>"""
ONE_DAY = (
    b"<Cube time='2026-11-26'><Cube currency='USD' rate='1.0810'/><Cube currency='JPY' rate='170.30'/></Cube>"
)
DAY = date(2026, 11, 26)
EXPECTED = [ReferenceRate(DAY, "USD", Decimal("1.0810")), ReferenceRate(DAY, "JPY", Decimal("170.30"))]


def packed(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def test_the_daily_xml() -> None:
    assert read_rates(DAILY % ONE_DAY) == EXPECTED


def test_the_history_in_xml_has_each_day() -> None:
    older = b"<Cube time='2026-11-25'><Cube currency='USD' rate='1.07'/></Cube>"
    assert read_rates(DAILY % (ONE_DAY + older)) == [
        *EXPECTED, ReferenceRate(date(2026, 11, 25), "USD", Decimal("1.07")),
    ]  # fmt: skip


def test_the_daily_csv_comes_zipped_with_its_own_way_of_dates() -> None:
    csv = b"Date, USD, JPY, \n26 November 2026, 1.0810, 170.30, \n"
    assert read_rates(packed(eurofxref=csv)) == EXPECTED
    assert read_rates(csv) == EXPECTED


def test_the_history_in_csv_leaves_out_what_was_not_quoted() -> None:
    csv = b"\xef\xbb\xbfDate,USD,JPY,\n2026-11-26,1.0810,170.30,\n2026-11-25,N/A,169,\n"
    assert read_rates(packed(hist=csv)) == [*EXPECTED, ReferenceRate(date(2026, 11, 25), "JPY", Decimal(169))]


BOMB = b"""<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>
<Cube><Cube time="2026-11-26"><Cube currency="USD" rate="&c;"/></Cube></Cube>"""


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "begins neither"),
        (b"sku;title\n", "begins neither"),
        (b"<html><body>Not found</body></html>", "no rate in it"),
        (b"<Cube><Cube", "XML is broken"),
        (BOMB, "is no rate"),
        (b"Date,USD\n26.11.2026,1.08\n", "'26.11.2026' is no day"),
        (b"Date,USD\n2026-11-26,1;08\n", "'1;08' is no rate"),
        (b"Date,USD\n2026-11-26,NaN\n", "is no rate"),
        (b"Date,USD\n2026-11-26,-1\n", "is no rate"),
        (b"Date,usd\n2026-11-26,1.08\n", "'usd' at '1.08' is no rate"),
        (b"PK\x03\x04 not really", "archive is damaged"),
        (packed(one=b"Date", two=b"Date"), "2 files"),
    ],
)
def test_what_is_no_such_file_says_why(content: bytes, word: str) -> None:
    with pytest.raises(Refused, match="no file of the European Central Bank") as caught:
        read_rates(content)
    assert word in str(caught.value)
