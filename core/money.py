"""Money as integer minor units of one ISO 4217 currency; never a float."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Self

from core.errors import Refused

# Minor-unit exponents that are not 2 (source: Unicode CLDR supplementalData, "fractions" of currencies in use,
# with ISO 4217's exponent where CLDR's display digits differ, e.g. IQD 3).
EXPONENTS = {
    "BHD": 3, "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0, "KMF": 0,
    "KRW": 0, "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0, "VND": 0, "VUV": 0,
    "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip


def exponent(currency: str) -> int:
    """How many decimal places the currency's minor unit has (EUR 2, JPY 0, KWD 3)."""
    return EXPONENTS.get(currency, 2)


def exact(amount: Decimal, currency: str) -> str:
    """An amount as exact as it is, with the currency's own places at least: "10.00", "10.005"; JPY "12"."""
    whole, _, places = format(amount, "f").partition(".")
    places = places.rstrip("0").ljust(exponent(currency), "0")
    return f"{whole}.{places}" if places else whole


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`minor` units of `currency`: Money(1250, "EUR") is 12.50 EUR."""

    minor: int
    currency: str

    @classmethod
    def of(cls, amount: str | Decimal, currency: str) -> Self:
        """Money from a decimal with a point, rounded half-even to the currency's minor unit.

        Raises Refused where `amount` is not a finite number.
        """
        try:
            value = Decimal(amount)
            minor = value.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
        except InvalidOperation:
            raise Refused(
                f"{amount!r} is not an amount of money; write it like 12.50.", rule="not_a_number"
            ) from None
        return cls(int(minor), currency)

    @property
    def amount(self) -> Decimal:
        """The value in major units, with the currency's own number of places."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def plus_percent(self, percent: Decimal) -> Self:
        """This amount and `percent` on top, rounded half-up to the minor unit: the shopper's rounding."""
        value = (Decimal(self.minor) * (100 + percent) / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        return type(self)(int(value), self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def as_json(self) -> dict[str, str]:
        """{"amount": "12.50", "currency": "EUR"}"""
        return {"amount": str(self.amount), "currency": self.currency}
