"""A buyer's order as a shop tells it, a shipment as it is told to the shop, and a webhook once it is verified."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from core.money import Money

STANDINGS = ("unpaid", "open", "cancelled")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whom the goods go to. The only place where a buyer's data stands; never in a log, an error or an event.

    `country` is ISO 3166 alpha-2. Fields the shop does not have are "".
    """

    name: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""
    street: str = ""
    street2: str = ""
    postcode: str = ""
    city: str = ""
    region: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class ShopOrderLine:
    """One line: `quantity` as first ordered, `removed` of it taken back by an edit of the order (not by a refund).

    `variant_id` is what Listing.external_id holds for it (the variation's or simple product's number on WooCommerce, the
    variant's gid on Shopify); None where the product is gone. `unit_price` is what the buyer pays for one, None where the shop
    does not tell it as an exact amount. `taken` is how many pieces the shop itself has counted off its stock for this line
    just now (none for an unpaid order, fewer after a refund that put some back); None where it does not tell.
    """

    external_id: str
    variant_id: str | None
    sku: str
    title: str
    quantity: int
    removed: int = 0
    unit_price: Money | None = None
    taken: int | None = None


@dataclass(frozen=True, slots=True)
class ShopRefund:
    """A refund in the shop. `lines` are (external line id, quantity); by amount alone it has no lines."""

    external_id: str
    amount: Money
    lines: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """The whole order as it stands now. `standing`: "unpaid" (do not ship yet), "open" (to be fulfilled) or "cancelled".

    `updated_at` is the shop's own clock and orders its versions. `test` orders are never bought.
    """

    external_id: str
    number: str
    currency: str
    standing: Literal["unpaid", "open", "cancelled"]
    placed_at: datetime
    updated_at: datetime
    total: Money
    lines: tuple[ShopOrderLine, ...]
    refunds: tuple[ShopRefund, ...] = ()
    buyer: Buyer = Buyer()
    test: bool = False


@dataclass(frozen=True, slots=True)
class UnreadableOrder:
    """An order among others that makes no sense to us; `problem` is a sentence. The others are read all the same."""

    external_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified webhook: only a hint that something changed. `kind` says what; `external_id` which one of it, if any.

    `delivery_id` is unique for a shop: the same delivery again is the same notice. A "ping" carries nothing. "product"
    names a product that was changed or deleted, by whomever; "stock" the id under which a stock is kept
    (ShopListing.stock_id); "redact" an order, or None for all of the shop's, whose buyer's data must go. `told_at` is when
    the shop first told it, None where it does not say: it may come hours later.
    """

    delivery_id: str
    topic: str
    kind: Literal["order", "product", "stock", "ping", "uninstalled", "redact", "other"]
    external_id: str | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShipmentReport:
    """A parcel, or a completed service, as the shop shall show it. `lines` are (external line id, quantity).

    `key` is ours and unique: reported again, the shop shows it once. `carrier`, `number`, `url` are "" for a service.
    """

    key: str
    lines: tuple[tuple[str, int], ...]
    carrier: str = ""
    number: str = ""
    url: str = ""


class OrderConnector(Protocol):
    """What a shop's connector (connectors/base.py) knows of orders. Raises only what core.errors has."""

    def order(self, external_id: str) -> ShopOrder | None:
        """The whole order as it stands now; None where the shop has it no longer.

        Raises Refused with the rule "hidden" where the shop may have it and does not show it.
        """
        ...

    def orders_since(self, moment: datetime) -> Iterator[ShopOrder | UnreadableOrder]:
        """Every order changed at or after `moment` (UTC), the earliest change first; some may come that did not change."""
        ...

    def report_shipment(self, order_id: str, report: ShipmentReport) -> str:
        """Shows the shipment in the shop; the shop's id for it. Looks by `report.key` before it makes one.

        Raises Refused where the shop no longer lets these lines be shipped, Unknown where it may have been made.
        """
        ...

    def subscribe(self, url: str) -> Sequence[str]:
        """Makes the shop call `url` at each change of an order. The topics that were missing, disabled or led elsewhere
        and were mended; [] where all stood. What others subscribed is left alone."""
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verifies the signature over the raw body in constant time, then reads it. Asks nobody.

        Header names are lower case. Raises Refused with the rule "signature" where it is not this shop's own.
        """
        ...
