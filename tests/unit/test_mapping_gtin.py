"""GTINs: judged, repaired only in a column of GTINs, never trusted without their check digit."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from pipelines.feeds.mapping.gtin import bare_gtins, judge, looks_like_gtins


def judged(*values: str | None, repair: bool = False) -> list[tuple[str | None, str | None]]:
    gtin, verdict = judge(bare_gtins(pd.Series(values, dtype="str")), repair=repair)
    return list(zip(gtin, verdict, strict=True))


@pytest.mark.parametrize(
    ("text", "gtin", "verdict"),
    [
        ("4006381333931", "4006381333931", "valid"), ("96385074", "96385074", "valid"), ("036000291452", "036000291452", "valid"),
        ("14006381333938", "14006381333938", "valid"), ("4006381333932", "4006381333932", "invalid"),
        ("'4006381333931", "4006381333931", "valid"), (" 4 006381 333931 ", "4006381333931", "valid"),
        ("4006381333931.0", "4006381333931", "valid"), ("978-80-7257-952-5", "9788072579525", "valid"),
        ("４００６３８１３３３９３１", "4006381333931", "valid"), ("80-7257-952-5", "9788072579525", "valid"), ("4006381333931, 4006381333948", "4006381333931", "valid"),
        ("2000001234563", "2000001234563", "restricted"), ("EANRP1", "EANRP1", "invalid"), ("0000000000000", "0000000000000", "invalid"),
        ("4.00638E+12", "4.00638E+12", "invalid"), ("12345", "12345", "invalid"),
    ],
)  # fmt: skip
def test_verdicts(text: str, gtin: str, verdict: str) -> None:
    assert judged(text) == [(gtin, verdict)]


def test_nothing_is_nothing() -> None:
    assert judged(None) == [(None, None)]


def test_lost_zeros_come_back_only_where_asked_and_where_the_check_digit_holds() -> None:
    assert judged("36000291452", "36000291453") == [("36000291452", "invalid"), ("36000291453", "invalid")]
    assert judged("36000291452", "36000291453", repair=True) == [
        ("036000291452", "repaired"),
        ("36000291453", "invalid"),
    ]


def test_short_shop_numbers_are_never_repaired() -> None:
    """A tenth of all five-digit numbers would pass a check digit by chance."""
    numbers = pd.Series([str(number) for number in range(10_000, 20_000)], dtype="str")
    assert set(judge(bare_gtins(numbers), repair=True)[1]) == {"invalid"}
    assert not looks_like_gtins(bare_gtins(numbers))


def test_a_column_is_one_of_gtins_by_its_valid_ones() -> None:
    good = ["4006381333931", "4006381333948", "36000291452"]
    assert looks_like_gtins(bare_gtins(pd.Series(good, dtype="str")))
    assert not looks_like_gtins(
        bare_gtins(pd.Series([*good, "1234567", "7654321", "1111111", "2222222"], dtype="str"))
    )
    lost = [f"{ean.calc_check_digit(f'0{n:010}')}" for n in range(3600029145, 3600029155)]
    column = [f"{n}{digit}" for n, digit in zip(range(3600029145, 3600029155), lost, strict=True)]
    assert looks_like_gtins(bare_gtins(pd.Series(column, dtype="str")))


@given(st.from_regex("[1-9][0-9]{6}|[1-9][0-9]{10,12}", fullmatch=True))
def test_agrees_with_stdnum(body: str) -> None:
    right = body + ean.calc_check_digit(body)
    wrong = body + str((int(right[-1]) + 1) % 10)
    assert [one[1] in ("valid", "restricted") for one in judged(right, wrong)] == [True, False]
    assert ean.is_valid(right)
