"""The document of a price rule: what a price starts from, what is put on it, and between which limits it stays."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.money import exponent
from pipelines.listings.document import checked

Percent = Annotated[Decimal, Field(ge=-90, le=10_000, max_digits=9, decimal_places=4)]
Amount = Annotated[Decimal, Field(ge=-1_000_000, le=1_000_000, decimal_places=6)]


class Rounding(BaseModel):
    """Which prices look well. `to` that fits evenly into the next 0.1, 1, 10 … is a step (0.05: 12.05, 12.10; 1: 12, 13);
    else it is how prices end (0.99: 12.99, 13.99; 9.90: 19.90, 29.90). `way`: the next above, or the nearest."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    to: Decimal = Field(gt=0, le=10_000, decimal_places=3)
    way: Literal["up", "nearest"] = "nearest"

    @property
    def steps(self) -> bool:
        """Whether `to` is a step, and no ending."""
        return _span(self.to) % self.to == 0

    def grid(self, currency: str) -> tuple[int, int] | None:
        """(first, step) in minor units of the currency: such prices are first, first + step, …; None where it has no such coin."""
        return _grid(self.to, exponent(currency))


class Tier(BaseModel):
    """From this amount on, so many per cent: the amount in the shop's currency."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    start: Decimal = Field(alias="from", ge=0, le=100_000_000, decimal_places=6)
    percent: Percent


class Formula(BaseModel):
    """How a price is made; the steps and their order are those of pipelines.listings.pricing.price.

    `base`: the supplier's cost, his own price, or his recommended retail price. `margin_percent` is put on it, or that
    of the `tiers` it falls into. `add_on` is an amount of the shop's currency, without tax. `minimum_margin_percent` is on
    the cost. `rrp_cap`: never above the recommended price. `map_floor`: never below the lowest price that the supplier
    allows. `compare_at` "rrp": the recommended price is shown struck through where it is higher. `tax_percent` overrules
    the shop's (books).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    base: Literal["cost", "price", "rrp"] = "cost"
    margin_percent: Percent = Decimal(0)
    tiers: Annotated[tuple[Tier, ...], Field(max_length=50)] = ()
    add_on: Amount = Decimal(0)
    rounding: Rounding | None = None
    rrp_cap: bool = False
    map_floor: bool = True
    minimum_margin_percent: Percent | None = None
    compare_at: Literal["none", "rrp"] = "none"
    tax_percent: Decimal | None = Field(None, ge=0, le=100, decimal_places=2)

    @field_validator("tiers")
    @classmethod
    def _rising(cls, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
        starts = [tier.start for tier in tiers]
        if tiers and (starts[0] != 0 or starts != sorted(set(starts))):
            raise ValueError("the tiers must begin with one from 0, and each must begin above the one before")
        return tiers

    @model_validator(mode="after")
    def _one_margin(self) -> Self:
        if self.tiers and self.margin_percent:
            raise ValueError("give margin_percent or tiers, not both")
        return self

    @cached_property
    def floors(self) -> tuple[Decimal, ...]:
        """For each tier the dearest price of those before it: what costs more never sells for less."""
        floors = [Decimal(0)]
        for before, tier in zip(self.tiers, self.tiers[1:], strict=False):
            floors.append(max(floors[-1], tier.start * (100 + before.percent) / 100))
        return tuple(floors)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """The formula of a document. Raises Refused naming the field at fault."""
        return checked(cls, stored, whole="the formula", rule="formula")

    def stored(self) -> dict[str, Any]:
        """The document: what differs from the usual, Decimals as text."""
        return self.model_dump(mode="json", exclude_defaults=True, by_alias=True)


def near(amount: Decimal, grid: tuple[int, int], way: str) -> int:
    """The price of a grid for an amount in minor units: the next not below it, or the nearest, the higher of two as near."""
    first, step = grid
    above = first + max(0, int(((amount - first) / step).to_integral_value(ROUND_CEILING))) * step
    if way == "nearest" and above > first and amount - (above - step) < above - amount:
        return above - step
    return above


def below(amount: int, grid: tuple[int, int]) -> int | None:
    """The highest price of a grid not above an amount in minor units, None where there is none."""
    first, step = grid
    return None if amount < first else first + (amount - first) // step * step


@lru_cache(maxsize=1000)
def _grid(to: Decimal, places: int) -> tuple[int, int] | None:
    minor = to.scaleb(places)
    if minor != minor.to_integral_value(ROUND_FLOOR):
        return None
    first = int(minor)
    if _span(to) % to == 0:
        return first, first
    whole = _span(to).scaleb(places)
    return (first, int(whole)) if whole >= 1 else None


def _span(to: Decimal) -> Decimal:
    """The power of ten above it."""
    return Decimal(1).scaleb(to.adjusted() + 1)
