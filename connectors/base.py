"""The Protocols every connector keeps, and the values that pass through them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from core.money import Money

if TYPE_CHECKING:  # half a second that a command which reads no feed need not wait
    import pandas as pd

    from core.guard import Guard


# ---------------------------------------------------------------- feeds
@dataclass(frozen=True, slots=True)
class LandedFile:
    """A file as received: where it lies, its own name, its size in bytes and its SHA-256 in hex.

    `as_of` is when its server says that it was last changed, None where it says nothing.
    """

    path: Path
    name: str
    bytes: int
    sha256: str
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written, in Frictionless words. Detected once, shown, then pinned in the feed's mapping.

    `format` is a key of connectors.registry.READERS ("csv", "xml", …); `header` the column names as written
    (empty for XML); `header_row` counts from 0 (-1: the file has no header); `record_path` says which element or object repeats (XML: path of local names from the
    root, JSON: "products" or "catalog.products"). `context` names values outside the records that each record is to
    have as columns ("/BMECAT/HEADER/CATALOG/CURRENCY"). `sheet` is a workbook's sheet, `member` the file inside an archive.
    """

    format: str
    encoding: str
    delimiter: str | None = None
    quote_char: str | None = '"'
    header_row: int = 0
    header: tuple[str, ...] = ()
    record_path: str | None = None
    sheet: str | None = None
    member: str | None = None
    escape_char: str | None = None
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """What the hub gives a source beside its own options: what opens it, what it remembered, and the hub's limits.

    `guard` judges every address; `secret` has "secret" (password, key, token) and "private_key" (PEM) where they are
    needed; `state` is what `remembered` was after the last look; `limit` is the size in bytes beyond which a file is not taken.
    """

    guard: "Guard"
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    state: Mapping[str, Any] = field(default_factory=dict)
    limit: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a source says when it is tried; nothing is landed.

    `looks` is what the first bytes seem to be, in words, and `start` their first readable characters. `fingerprint` is an
    SFTP server's key ("SHA256:…"); where it was not pinned yet, nothing else was asked and the rest is None.
    """

    name: str | None = None
    bytes: int | None = None
    changed_at: datetime | None = None
    content_type: str | None = None
    looks: str | None = None
    start: str | None = None
    fingerprint: str | None = None
    warnings: tuple[str, ...] = ()


class FeedSource(Protocol):
    """Where a supplier's file comes from. Raises Misconfigured and Temporary, in words for its owner, without secrets."""

    many: bool
    """Whether another file may wait behind the one that was landed."""

    @property
    def remembered(self) -> dict[str, Any]:
        """What the next look must know (an ETag, the file taken last), to be stored with what was landed."""
        ...

    def fetch(self, into: Path, last: str | None) -> LandedFile | None:
        """The file, copied below `into`, or None where it is unchanged since `last` (a SHA-256) or not there."""
        ...

    def test(self) -> SourceFacts:
        """Connects and says what is there, without landing it."""
        ...


class FeedReader(Protocol):
    """Turns one file into frames of text. It knows a syntax (CSV, XML), never a supplier's fields."""

    def detect(self, file: Path, encoding: str | None = None) -> Dialect:
        """The dialect of `file`. Raises Refused with a rule where it is no feed at all.

        `encoding` is the pinned one: it stays where the bytes fit it and do not prove another.
        """
        ...

    def frames(self, file: Path, dialect: Dialect) -> "Iterator[pd.DataFrame]":
        """Frames of text, one row a record, a column `_locator` ("row 12", "item 3") saying where it stands.

        Rows a reader cannot split carry their rule ("ragged_row", "undecodable", "truncated") in `_fault`.
        """
        ...


@runtime_checkable
class TreeReader(FeedReader, Protocol):
    """A reader of trees: which of the things that repeat are the records is a choice."""

    def detect(self, file: Path, encoding: str | None = None, *, record_path: str | None = None) -> Dialect:
        """The dialect of `file`, its records at `record_path` where one is pinned."""
        ...

    def shapes(self, file: Path, encoding: str | None = None) -> "Iterator[Dialect]":
        """The dialects in which the file could be read, each with other records, the likeliest first."""
        ...


# ---------------------------------------------------------------- shops
@dataclass(frozen=True, slots=True)
class ShopFacts:
    """What a shop tells of itself. `currency` is ISO 4217; `warnings` are sentences for its owner.

    `locations` are the names of the places that keep stock, the one the hub sets first, and `location_ids` theirs in the shop,
    where it has several: the hub stays with the first as long as it is there. `scopes` what the key may do;
    `limits` the shop's own, in words ("variants of a product": "2,048").
    """

    name: str
    version: str
    currency: str
    prices_include_tax: bool
    weight_unit: str
    timezone: str
    warnings: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    location_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantDraft:
    """One buyable thing as we want it in the shop. `key` is ours and comes back in the result.

    `external_id` is None until the shop has it. `stock` is absolute, `before` as in StockLevel. `weight_g` in grams.
    `hs_code` and `origin` (ISO 3166 alpha-2) are for customs. `compare_at` is the price that is struck through.
    """

    key: str
    sku: str
    price: Money
    stock: int
    external_id: str | None = None
    gtin: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    image: str | None = None
    weight_g: int | None = None
    before: int | None = None
    hs_code: str | None = None
    origin: str | None = None
    compare_at: Money | None = None


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """One product as we want it in the shop: simple where its only variant has no options, else variable.

    `image_ids` maps an image's URL to the shop's own id, so that a picture is sent once. `category` is a path in the
    shop's own words. `handle` is the last part of its page's address, None where the shop may make it from the title.
    `tags` are ours: others that the owner gave stay. With `trade_only` (an adopted product whose page is its owner's)
    nothing but price, stock and what keeps stock true is sent.
    """

    key: str
    title: str
    variants: tuple[VariantDraft, ...]
    external_id: str | None = None
    description: str = ""
    brand: str | None = None
    category: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    image_ids: dict[str, str] = field(default_factory=dict)
    kind: str = "goods"
    handle: str | None = None
    tags: tuple[str, ...] = ()
    trade_only: bool = False

    @property
    def simple(self) -> bool:
        """True where the product is sold as one thing, without a choice."""
        return len(self.variants) == 1 and not self.variants[0].options


@dataclass(frozen=True, slots=True)
class PushResult:
    """What the shop answered for one product or variant. A refusal is a value: `problem` is a sentence.

    `key` is the draft's; `variant_ids` maps variant keys to the shop's ids, `image_ids` URLs to the shop's,
    `stock_ids` variant keys to the ids under which the shop keeps their stock, where those are others.
    `problems` maps the keys of refused variants to sentences. `unknown` is True where the call may have
    happened all the same.
    """

    key: str
    external_id: str | None = None
    variant_ids: dict[str, str] = field(default_factory=dict)
    image_ids: dict[str, str] = field(default_factory=dict)
    stock_ids: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    problems: dict[str, str] = field(default_factory=dict)
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class StockLevel:
    """Absolute stock of one variant; `parent_id` is its product's id where the shop keeps variants below one.

    `before` is what the shop would show if nothing had been sold there that we have not seen: what was sent last, less
    the orders taken over since. Where the shop shows less, the difference was sold meanwhile and is taken off `stock`
    too: it is to be set to `stock - (before - shown)`, at least 0, so that no unit is sold twice. None: nothing is known,
    `stock` is what it must show. `stock_id` is PushResult.stock_ids' id, None where it is not known.
    """

    key: str
    external_id: str
    parent_id: str | None
    stock: int
    before: int | None = None
    stock_id: str | None = None


@dataclass(frozen=True, slots=True)
class ShopListing:
    """One variant as the shop holds it now. `status` is "live", "draft", "trash" or "missing".

    `price` is None where the shop has none (an empty price is not a price of zero).
    `stock` is None where the shop does not keep count, `tags` where the channel does not tell them as they were sent.
    `failed_images` are the ids of pictures that the shop took and could not fetch afterwards.
    `key` is our own key (of its product, or its own) where it bears one and the shop was asked for it: the hub made it,
    whether or not it knows that yet.
    """

    external_id: str
    parent_id: str | None
    status: str
    sku: str = ""
    title: str = ""
    price: Money | None = None
    stock: int | None = None
    gtin: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    image_count: int = 0
    stock_id: str | None = None
    tags: tuple[str, ...] | None = None
    failed_images: tuple[str, ...] = ()
    key: str | None = None


class Pace(Protocol):
    """How fast a shop may be asked, shared by everybody who asks it: its own meter, its pauses and its breaker.

    A connector asks before each call and tells what the shop said. Costs are in the shop's own points, calls where it
    has none.
    """

    def take(self, cost: float) -> None:
        """Waits until the shop has `cost` left. Raises Temporary with `retry_after` where that is too long to wait for,
        or where the shop is left alone for a while because it failed several times in a row."""
        ...

    def told(self, *, left: float, most: float, a_second: float) -> None:
        """The shop's meter, read off its last answer."""
        ...

    def pause(self, seconds: float) -> None:
        """The shop asked to be left alone so long (Retry-After, THROTTLED)."""
        ...

    def ended(self, *, well: bool) -> None:
        """A call ended: `well` where the shop answered sensibly, refusals included; else it failed, hung or was gone."""
        ...


class Unpaced:
    """For one who asks alone and rarely, and for tests: no waiting."""

    def take(self, cost: float) -> None:
        """Never waits."""

    def told(self, *, left: float, most: float, a_second: float) -> None:
        """Is not kept."""

    def pause(self, seconds: float) -> None:
        """Is not kept."""

    def ended(self, *, well: bool) -> None:
        """Is not kept."""


class ShopConnector(Protocol):
    """One shop of one channel. Raises only what core.errors has. Every channel's class takes `pace: Pace`."""

    def check(self) -> ShopFacts:
        """Asks the shop who it is. Raises Misconfigured, in its owner's words, where the key or address is wrong."""
        ...

    def push(self, drafts: Sequence[ProductDraft]) -> Iterator[PushResult]:
        """Creates or updates products; yields each result as soon as it is known, so that ids are stored at once.

        One result a draft. A product may be yielded twice: first with its id, then with its variants' ids.
        """
        ...

    def set_stock(self, levels: Sequence[StockLevel]) -> Iterator[PushResult]:
        """The fast path: sends stock only, in the largest calls the shop takes, without asking first where `before` is
        known. One result a level."""
        ...

    def read_back(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """What the shop holds now for these products (not variants): one ShopListing per variant, or "missing"."""
        ...

    def withdraw(self, external_ids: Sequence[str]) -> Iterator[PushResult]:
        """Takes products or "parent/variation" ids out of sale without destroying their history."""
        ...

    def everything(self) -> Iterator[ShopListing]:
        """Every variant that the shop sells or could sell, whoever made it: what is in the trash is left out. Tells `key`."""
        ...

    def holders(self, skus: Sequence[str], gtins: Sequence[str]) -> Iterator[ShopListing]:
        """What of the shop's has one of these SKUs, whatever its case, or GTINs; some others may come too. Tells `key`, and
        for the rest only ids, SKU and GTIN."""
        ...

    def variants(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """These variants (Listing.external_id) by their ids, whatever SKU they have by now; those that are gone are left
        out, those in the trash are not. Tells what `holders` tells."""
        ...
