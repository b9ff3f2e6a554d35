"""A WooCommerce shop as the hub sees it: one door to the small classes beside that know products, stock and orders."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from connectors.base import Pace, ProductDraft, PushResult, ShopFacts, ShopListing, StockLevel
from connectors.orders import Notice, ShipmentReport, ShopOrder, UnreadableOrder
from connectors.shops.woocommerce.client import Rest
from connectors.shops.woocommerce.facts import Facts
from connectors.shops.woocommerce.orders import Orders
from connectors.shops.woocommerce.products import Products
from connectors.shops.woocommerce.shelf import Shelf
from connectors.shops.woocommerce.shipments import Shipments
from connectors.shops.woocommerce.stock import Stock
from connectors.shops.woocommerce.webhooks import Webhooks
from core.guard import Guard, Resolver, system_resolver


class WooCommerceShop:
    """One shop, reached with a REST key over https; over http, its calls signed, only where the operator set
    `insecure_http` for it. One call at a time.

    `private_hosts` are the operator's exceptions; `patience` is how many seconds a batch may take before its
    outcome counts as unknown. `pace` is asked for one before each call. `sleep` and `resolver` are replaced in tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str,
        ca_file: str | Path | None = None,
        private_hosts: frozenset[str] = frozenset(),
        *,
        insecure_http: bool = False,
        patience: float = 120.0,
        pace: Pace | None = None,
        sleep: Callable[[float], None] = time.sleep,
        resolver: Resolver = system_resolver,
    ) -> None:
        self._rest = Rest(
            url,
            key,
            secret,
            guard=_PlainGuard(private_hosts, resolver) if insecure_http else Guard(private_hosts, resolver),
            ca_file=Path(ca_file) if ca_file else None,
            patience=patience,
            pace=pace,
            insecure_http=insecure_http,
            sleep=sleep,
        )
        self._facts = Facts(self._rest)
        self._stock = Stock(self._rest)
        self._products = Products(self._rest, self._facts, self._stock)
        self._shelf = Shelf(self._rest, self._facts)
        self._orders = Orders(self._rest)
        self._shipments = Shipments(self._rest, self._orders)
        self._webhooks = Webhooks(self._rest, secret)

    def __repr__(self) -> str:
        return f"WooCommerceShop({self._rest.host})"

    def close(self) -> None:
        """Closes the kept connection."""
        self._rest.close()

    def check(self) -> ShopFacts:
        """Asks the shop who it is, and whether the key may write, without changing anything."""
        return self._facts.check()

    def push(self, drafts: Sequence[ProductDraft]) -> Iterator[PushResult]:
        """Creates or updates products; see the Protocol. A variable product is yielded twice."""
        return self._products.push(drafts)

    def set_stock(self, levels: Sequence[StockLevel]) -> Iterator[PushResult]:
        """Stock only, in batches of 100: simple products together, variations by product; see Stock.set."""
        return self._stock.set(levels)

    def read_back(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """What the shop holds for these products; a product that is gone is one listing with the status "missing"."""
        return self._shelf.read_back(external_ids)

    def withdraw(self, external_ids: Sequence[str]) -> Iterator[PushResult]:
        """Products become drafts, "product/variation" ids private (decision 0053)."""
        return self._shelf.withdraw(external_ids)

    def everything(self) -> Iterator[ShopListing]:
        """Every simple product and every variation outside the trash, whoever made it."""
        return self._shelf.everything()

    def holders(self, skus: Sequence[str], gtins: Sequence[str]) -> Iterator[ShopListing]:
        """What of the shop's has one of these SKUs, or GTINs, a hundred a call."""
        return self._shelf.holders(skus, gtins)

    def variants(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """These products and variations by their numbers, one a call; what is gone is left out."""
        return self._shelf.variants(external_ids)

    # ---------------------------------------------------------------- orders (connectors/orders.py)

    def order(self, external_id: str) -> ShopOrder | None:
        """The whole order as it stands now; None where the shop has it no longer."""
        return self._orders.order(external_id)

    def orders_since(self, moment: datetime) -> Iterator[ShopOrder | UnreadableOrder]:
        """Every order changed at or after `moment`, the earliest change first."""
        return self._orders.since(moment)

    def report_shipment(self, order_id: str, report: ShipmentReport) -> str:
        """Shows the shipment in the order, once; see the Protocol. The shop's id for it is `report.key`."""
        return self._shipments.report(order_id, report)

    def subscribe(self, url: str) -> Sequence[str]:
        """Makes the shop call `url` at each change of an order; the topics that were mended."""
        return self._webhooks.subscribe(url)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verifies a webhook and reads it; see the Protocol."""
        return self._webhooks.read(headers, body)


class _PlainGuard(Guard):
    """Lets http through as well; where an address leads is judged as ever."""

    def check_scheme(self, scheme: str, host: str, port: int) -> None:
        if scheme != "http":
            super().check_scheme(scheme, host, port)
