"""Numbers as a person reads them, whatever a decimal's own form is."""

from decimal import Decimal

import pytest

from web.formats import number


@pytest.mark.parametrize(
    ("value", "locale", "text"),
    [
        (None, "en", "–"),
        (12345, "en", "12,345"),
        (Decimal("4E+1"), "en", "40"),
        (Decimal("1.6E+3"), "de", "1.600"),
        (Decimal("12345.5"), "en", "12,345.5"),
        (Decimal("-10"), "en", "-10"),
        (1234.25, "de", "1.234,25"),
    ],
)
def test_a_number_is_written_out(value: Decimal | int | float | None, locale: str, text: str) -> None:
    assert number(value, locale) == text
