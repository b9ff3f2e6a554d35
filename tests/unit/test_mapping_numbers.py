"""Numbers as suppliers write them, read without ever guessing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.feeds.mapping.numbers import currency_of, decimal_character, read_number


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("12.50", "", "12.50"), ("9,99", "", "9.99"), ("119", "", "119"), ("5 000,50", "", "5000.50"),
        ("5\u00a0000,50", "", "5000.50"), ("1\u202f234,5", "", "1234.5"), ("1'234.50", "", "1234.50"),
        ("1’234.50", "", "1234.50"), ("1.234,5", "", "1234.5"), ("1,234.5", "", "1234.5"), ("1.234.567", "", "1234567"),
        ("12,34,567", "", "1234567"), (",8", "", "0.8"), (".8", "", "0.8"), ("0,125", "", "0.125"), ("007.50", "", "7.50"),
        ("-5", "", "-5"), ("5-", "", "-5"), ("−5,00", "", "-5.00"), ("(5.00)", "", "-5.00"), ("-0.00", "", "0.00"),
        ("12,-", "", "12"), ("12.–", "", "12"), ("1.200,--", "", "1200"), ("１２３．５", "", "123.5"), ("١٢", "", "12"),
        ("1,234", ".", "1234"), ("1,234", ",", "1.234"), ("1.234", ",", "1234"), ("1.234", ".", "1.234"),
        ("1.23456789", "", "1.234568"), ("0.9999999", "", "1.000000"),
    ],
)  # fmt: skip
def test_every_notation(text: str, decimal: str, value: str) -> None:
    read = read_number(text, decimal)
    assert (read.text, read.ambiguous) == (value, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "81/70",
        "12 50",
        "1,23,4",
        "1.2,3.4",
        "1e5",
        "--5",
        "(5.00",
        "12.50.30,1",
        "9" * 16,
        "1 2 3",
    ],
)
def test_what_is_no_number_stays_none(text: str) -> None:
    assert read_number(text).text is None


@pytest.mark.parametrize("text", ["1,234", "1.234", "¥1,200"])
def test_three_digits_behind_one_sign_are_ambiguous_where_the_column_tells_nothing(text: str) -> None:
    assert read_number(text).ambiguous


def test_currency_words_are_split_off() -> None:
    assert read_number("119 EUR") == ("119", "", "EUR", False)
    assert read_number("US$ 12.50") == ("12.50", "US$", "", False)
    assert read_number("-$5") == ("-5", "$", "", False)


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        (["9,99", "10"], ","), (["9.99", "10"], "."), (["9.99", "9,99"], "mixed"), (["1.234,50"], ","), (["1,234.50"], "."),
        (["10", "20"], ""), (["1,500", "900", "12,000"], "."), (["1.500", "900"], ","), (["1,500", "2500"], ""), (["1,250", "2,375"], ""),
        (["0,125"], ","), (["1234,567"], ","),
    ],
)  # fmt: skip
def test_the_column_tells_its_decimal_character(values: list[str], sign: str) -> None:
    assert decimal_character(values) == sign


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("EUR", "EUR"),
        ("eur", "EUR"),
        ("€", "EUR"),
        ("zł", "PLN"),
        ("Kč", "CZK"),
        ("", ""),
        (".-", ""),
        ("$", None),
        ("kr", None),
        ("Taler", None),
    ],
)
def test_a_currency_is_never_guessed(text: str, code: str | None) -> None:
    assert currency_of(text) == code


_AMOUNTS = st.decimals(min_value=Decimal("-999999999"), max_value=Decimal("999999999"), places=2)
_STYLES = st.sampled_from(
    [(",", "."), (".", ","), (" ", ","), ("\u00a0", ","), ("'", "."), ("", "."), ("", ",")]
)


@given(_AMOUNTS, _STYLES, st.sampled_from(["{}", "{} EUR", "€{}", "{}€", " {} "]))
def test_round_trip_in_every_style(amount: Decimal, style: tuple[str, str], around: str) -> None:
    group, sign = style
    text = f"{amount:,.2f}".replace(",", "\0").replace(".", sign).replace("\0", group)
    read = read_number(around.format(text))
    assert read.text is not None
    assert Decimal(read.text) == amount
    assert not read.ambiguous


@given(_AMOUNTS)
def test_reading_what_was_read_changes_nothing(amount: Decimal) -> None:
    once = read_number(str(amount)).text
    assert once is not None
    assert read_number(once, ".").text == once


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    read = read_number(text)
    assert read.text is None or (read.text.isascii() and Decimal(read.text).is_finite())
