"""Dates, countries and languages: whatever they are called, one ISO word; and what is none is no value."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.mapping.dates import date_order, read_date
from pipelines.feeds.mapping.operations import OPERATIONS
from pipelines.feeds.mapping.templates import composed
from pipelines.feeds.mapping.words import country_of, language_of

DAYS = st.dates(date(1971, 1, 1), date(2069, 12, 31))
FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%d.%m.%y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%A, %d %B %Y", "%Y-%m-%dT%H:%M:%SZ",
    "%Y年%m月%d日", "%d.%m.%Y %H:%M",
)  # fmt: skip


@given(DAYS, st.sampled_from(FORMATS))
def test_a_day_written_in_any_of_these_ways_is_that_day(day: date, written: str) -> None:
    assert read_date(day.strftime(written)) == day.isoformat()


@given(DAYS)
def test_slashes_are_read_only_where_they_say_one_thing(day: date) -> None:
    text = day.strftime("%d/%m/%Y")
    assert read_date(text, "dmy") == day.isoformat()
    assert read_date(day.strftime("%m/%d/%Y"), "mdy") == day.isoformat()
    assert read_date(text) in ((day.isoformat(), None) if day.day <= 12 else (day.isoformat(),))
    assert date_order([text, "01/02/2026"]) == ("dmy" if day.day > 12 else "")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("27. listopadu 2026", "2026-11-27"), ("27 listopada 2026", "2026-11-27"), ("27 листопада 2026", "2026-11-27"), ("27 ноября 2026 г.", "2026-11-27"),
        ("1er février 2026", "2026-02-01"), ("3 de agosto de 2026", "2026-08-03"), ("3 maart 2026", "2026-03-03"), ("5. července 2026", "2026-07-05"),
        ("12. června 2026", "2026-06-12"), ("15 dicembre 2026", "2026-12-15"), ("46353", "2026-11-27"), ("202611271030", "2026-11-27"), ("1795737600", "2026-11-27"),
        ("31.02.2026", None), ("2026", None), ("13/13/2026", None), ("soon", None), ("4711", None), ("12345678", None), ("00.00.0000", None), ("1" * 100, None),
    ],
)  # fmt: skip
def test_dates_of_many_languages_and_what_is_none(text: str, iso: str | None) -> None:
    assert read_date(text) == iso


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("DE", "Deutschland|Germany|Allemagne|Alemania|Germania|Niemcy|Německo|Duitsland|Германия|Німеччина|DE|de|DEU|276|Made in Germany"),
        ("US", "USA|U.S.A.|United States|United States of America|Vereinigte Staaten|États-Unis|EE.UU.|США|840|usa"),
        ("CN", "China|PRC|P.R. China|VR China|Chine|Čína|Chiny|Китай|中国|CHN|made in china"), ("GB", "UK|United Kingdom|Great Britain|England|Großbritannien|GBR"),
        ("CZ", "Czechia|Czech Republic|Tschechien|Tschechische Republik|Česko|CZE"), ("NL", "The Netherlands|Holland|Niederlande|NLD"), ("TR", "Turkey|Türkiye|Türkei"),
        ("KR", "South Korea|Korea|Republic of Korea|Südkorea|KOR"), ("VN", "Vietnam|Viet Nam"), ("CH", "Schweiz|Suisse|Svizzera|756"),
    ],
)  # fmt: skip
def test_countries_by_every_name(code: str, names: str) -> None:
    assert {name: country_of(name) for name in names.split("|")} == dict.fromkeys(names.split("|"), code)


def test_what_is_no_country_is_none() -> None:
    assert [country_of(text) for text in ("EU", "QU", "Import", "various", "4", "Entenhausen", "")] == [
        None
    ] * 7


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("uk", "ua|UA|uk|ukr|Ukrainian|Ukrainisch|українська"), ("de", "de|DE|deu|ger|German|Deutsch|allemand|de-DE|de_AT|German (Germany)"),
        ("cs", "cz|cs|cze|ces|Czech|čeština"), ("zh", "zh|chi|zho|Chinese|中文|zh-Hans"), ("en", "en|eng|English|Englisch|en-US"),
    ],
)  # fmt: skip
def test_languages_by_every_name(code: str, names: str) -> None:
    assert {name: language_of(name) for name in names.split("|")} == dict.fromkeys(names.split("|"), code)
    assert language_of("xx") is None


def column(values: list[object], operation: str) -> Column:
    typed = any(isinstance(one, list) for one in values)
    series = pd.Series(values, dtype=object if typed else "str")
    found = Column(series, series)
    OPERATIONS[operation](found, None)
    return found


def test_what_an_operation_cannot_read_is_remarked_and_no_value() -> None:
    found = column(["Deutschland", "Mond", None], "country")
    assert [None if pd.isna(one) else one for one in found.values] == ["DE", None, None]
    assert found.marks["value_ignored"].tolist() == [False, True, False]
    lists = column([["DE", "Österreich"], ["Mond"], []], "country")
    assert [list(one) if isinstance(one, list) else [] for one in lists.values] == [["DE", "AT"], [], []]
    assert lists.marks["value_ignored"].tolist() == [False, True, False]


def test_text_of_several_columns_leaves_out_what_is_blank() -> None:
    frame = pd.DataFrame(
        {"Marke": ["Norden", "-", "Norden", None], "Titel": ["Lampe", "Tisch", None, " "]}, dtype="str"
    )
    made = composed(frame, "{Marke} - {Titel}", frozenset({"-"}))
    assert [None if pd.isna(one) else one for one in made] == ["Norden - Lampe", "Tisch", "Norden", None]
