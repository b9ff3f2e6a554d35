"""What a seller wants of a shop beside its prices: texts, categories, how much stock to show, and when to wait for him."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Protocol, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.database import UnitOfWork
from core.errors import Refused, there_is
from models.events import ListingsDue
from models.shops import Shop
from pipelines.listings import templates
from pipelines.listings.document import checked

ON_PRODUCT = tuple(name for name in templates.NAMES if name != "description")


def _checked(*names: str) -> AfterValidator:
    def look(pattern: str) -> str:
        try:
            templates.check(pattern, names)
        except Refused as error:
            raise ValueError(str(error)) from None
        return pattern

    return AfterValidator(look)


def _path(text: str) -> str:
    parts = [part.strip() for part in text.split(">")]
    if not all(parts):
        raise ValueError("a category is written like Home > Kitchen > Cups")
    return " > ".join(parts)


Line = Annotated[str, Field(min_length=1, max_length=500), _checked(*ON_PRODUCT)]
Markup = Annotated[str, Field(min_length=1, max_length=50_000), _checked(*templates.NAMES)]
Path = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_path)]
Percent = Annotated[int, Field(ge=0, le=100)]


class ShopSettings(BaseModel):
    """A shop's settings; what is not given is as it says here. Only what differs is stored.

    `title_template`, `description_template` (HTML) and `handle_template` are patterns of pipelines.listings.templates;
    None: as the supplier writes it. `tags` are patterns too, each one tag. `categories` maps a supplier's category, or
    the head of it, to the shop's own; the longest that fits counts. `category_default` is for those that fit none;
    None: the supplier's own.
    `buffer` pieces are kept back, `show_at_most` are shown; scarce stock is split between shops by `weight`. A figure
    that is older than `stale_hours` counts as nothing; None: it stays.
    A push by itself that takes more than `withdraw_limit_percent` of the live listings out of sale, or lowers a price by
    more than `price_fall_limit_percent`, waits for a person.
    `prices_include_tax` overrules what the shop says of itself; `tax_percent` is what such a price includes, None: nothing is added.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    title_template: Line | None = None
    description_template: Markup | None = None
    handle_template: Line | None = None
    tags: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    categories: Annotated[dict[Path, Path], Field(max_length=5000)] = {}
    category_default: Path | None = None
    buffer: int = Field(0, ge=0, le=1_000_000)
    weight: Decimal = Field(Decimal(1), gt=0, le=1000, max_digits=7, decimal_places=3)
    show_at_most: int | None = Field(None, ge=0, le=1_000_000)
    stale_hours: int | None = Field(None, ge=1, le=8760)
    withdraw_limit_percent: Percent = 20
    price_fall_limit_percent: Percent = 30
    prices_include_tax: bool | None = None
    tax_percent: Decimal | None = Field(None, ge=0, le=100, max_digits=5, decimal_places=2)

    @property
    def writes(self) -> bool:
        """Whether anything of a page is written by a pattern."""
        return bool(self.title_template or self.description_template or self.handle_template or self.tags)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """The settings from what is stored of them. Raises Refused naming the field at fault."""
        return checked(cls, stored, whole="the settings", rule="setting")

    def stored(self) -> dict[str, Any]:
        """What differs from the usual, as JSON has it: Decimals as text."""
        return self.model_dump(mode="json", exclude_defaults=True)


class HasSettings(Protocol):
    """A shop, or a row of one."""

    @property
    def settings(self) -> Mapping[str, Any]: ...


def settings_of(shop: HasSettings) -> ShopSettings:
    """What the shop's seller wants of it."""
    return ShopSettings.read(shop.settings)


def change(uow: UnitOfWork, shop_id: int, asked: Mapping[str, Any]) -> ShopSettings:
    """Changes the fields that are given, None takes one back to the usual; what the shop should hold is planned anew.

    Raises Refused naming the field at fault, and then nothing is changed.
    """
    shop = there_is(uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}")
    merged = {name: value for name, value in {**shop.settings, **asked}.items() if value is not None}
    wanted = ShopSettings.read(merged)
    if wanted.stored() != shop.settings:
        shop.settings = wanted.stored()
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return wanted
