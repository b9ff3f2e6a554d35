"""The European Central Bank's reference rates: its XML and CSV files, zipped or not, read into plain values."""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from lxml import etree

from connectors.base import SourceAccess
from connectors.sources.url import WebFile
from core.errors import Refused, Temporary
from core.guard import Guard

LARGEST = 32 * 1024 * 1024
"""Bytes; all rates since 1999 are less than nine million as XML."""
_CURRENCY = re.compile(r"[A-Z]{3}")
_LEAST, _MOST = Decimal("1E-8"), Decimal("1E10")
# https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates: the daily CSV has "27 November
# 2026", the history "2026-11-27"; a currency that was not quoted on a day is "N/A".
_DAYS = ("%Y-%m-%d", "%d %B %Y")


@dataclass(frozen=True, slots=True)
class ReferenceRate:
    """How many of a currency (ISO 4217) one euro is on a day."""

    day: date
    currency: str
    per_euro: Decimal


def read_rates(content: bytes) -> list[ReferenceRate]:
    """The rates of eurofxref-daily.xml, eurofxref-hist.xml, eurofxref.zip or eurofxref-hist.zip.

    Raises Refused where it is none of them, or one of its figures is no rate.
    """
    if content.startswith(b"PK"):
        content = _unpacked(content)
    content = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    rates = list(_from_xml(content) if content.startswith(b"<") else _from_csv(content))
    if not rates:
        raise _refused("it has no rate in it")
    return rates


def fetch_rates(url: str, guard: Guard, into: Path, ca_file: str | None = None) -> bytes:
    """The file at `url`, as it was archived in the folder `into`. Raises Misconfigured and Temporary as every source."""
    landed = WebFile(url, ca_file=ca_file, access=SourceAccess(guard=guard, limit=LARGEST)).fetch(into, None)
    if landed is None:
        raise Temporary(f"{url} has no rates now; they are asked for again.")
    return landed.path.read_bytes()


def _unpacked(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            names = packed.namelist()
            if len(names) != 1:
                raise _refused(f"the archive has {len(names)} files in it instead of one")
            with packed.open(names[0]) as member:
                found = member.read(LARGEST + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _refused(f"the archive is damaged ({error})") from None
    if len(found) > LARGEST:
        raise _refused("it is too large to be true")
    return found


def _from_xml(content: bytes) -> Iterator[ReferenceRate]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise _refused(f"its XML is broken ({error.msg})") from None
    for of_day in root.iter("{*}Cube"):
        if (told := of_day.get("time")) is not None:
            day = _day(told)
            for one in of_day.iterchildren("{*}Cube"):
                yield _rate(day, one.get("currency") or "", one.get("rate") or "")


def _from_csv(content: bytes) -> Iterator[ReferenceRate]:
    lines = [
        [cell.strip() for cell in line.split(",")] for line in content.decode("ascii", "replace").splitlines()
    ]
    head = lines[0] if lines else []
    if not head or head[0] != "Date":
        raise _refused("it begins neither like the bank's XML nor like its CSV")
    for line in lines[1:]:
        if line[0]:
            day = _day(line[0])
            for currency, told in zip(head[1:], line[1:], strict=False):
                if currency and told not in ("", "N/A"):
                    yield _rate(day, currency, told)


def _day(told: str) -> date:
    for shape in _DAYS:
        try:
            return datetime.strptime(told, shape).date()
        except ValueError:
            continue
    raise _refused(f"{told[:40]!r} is no day")


def _rate(day: date, currency: str, told: str) -> ReferenceRate:
    try:
        per_euro = Decimal(told)
    except InvalidOperation:
        per_euro = Decimal(0)
    if not _CURRENCY.fullmatch(currency) or not per_euro.is_finite() or not (_LEAST <= per_euro < _MOST):
        raise _refused(f"{currency[:20]!r} at {told[:40]!r} is no rate")
    return ReferenceRate(day, currency, per_euro)


def _refused(why: str) -> Refused:
    return Refused(
        f"This is no file of the European Central Bank's reference rates: {why}. Take eurofxref-daily.xml or eurofxref-hist.zip.",
        rule="rates",
    )
