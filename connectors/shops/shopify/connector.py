"""A Shopify shop as the hub sees it: its products, its stock, its orders and its webhooks."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from connectors.base import Pace, ProductDraft, PushResult, ShopFacts, ShopListing, StockLevel, Unpaced
from connectors.orders import Notice, ShipmentReport, ShopOrder, UnreadableOrder
from connectors.shops.shopify import bulk, limits, mapping
from connectors.shops.shopify.bulk import Bulk
from connectors.shops.shopify.bulk_files import BulkFiles
from connectors.shops.shopify.client import Fields, GraphQL, refusals, sentence
from connectors.shops.shopify.facts import Facts
from connectors.shops.shopify.holders import VARIANT, holders, key_of, variants
from connectors.shops.shopify.orders import Orders
from connectors.shops.shopify.shipments import Shipments
from connectors.shops.shopify.stock import Stock, Wish
from connectors.shops.shopify.trade import Trade
from connectors.shops.shopify.upsert import KEYS, Upsert
from connectors.shops.shopify.webhooks import Webhooks
from core.errors import Unknown
from core.guard import Guard, Resolver, system_resolver

PRODUCTS_A_READ = 10
"""Products of one look: with a hundred variants each it stays below what one query may cost."""
PRODUCT = "gid://shopify/Product/"


class ShopifyShop:
    """One shop, reached over https. `key` is the app's access token, `secret` its client secret, which signs webhooks.
    One call at a time.

    `private_hosts` are the operator's exceptions; `patience` is how many seconds a change may take before its outcome
    counts as unknown; `location` is where its stock was kept until now (ShopFacts.location_ids); `renew` gives the token of now where this one ended. `sleep` and `resolver` are replaced in tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str,
        ca_file: str | Path | None = None,
        private_hosts: frozenset[str] = frozenset(),
        *,
        location: str | None = None,
        pace: Pace = Unpaced(),  # noqa: B008 - it keeps nothing
        renew: Callable[[], str] | None = None,
        patience: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        resolver: Resolver = system_resolver,
    ) -> None:
        guard, authority = Guard(private_hosts, resolver), Path(ca_file) if ca_file else None
        self._graphql = GraphQL(
            url,
            key,
            guard=guard,
            ca_file=authority,
            patience=patience,
            pace=pace,
            renew=renew,
            sleep=sleep,
        )
        self._facts = Facts(self._graphql, location)
        self._stock = Stock(self._graphql, self._facts)
        self._trade = Trade(self._graphql, self._stock)
        self._upsert = Upsert(self._graphql, self._facts, self._stock)
        self._bulk = Bulk(self._graphql, self._facts, self._upsert, BulkFiles(guard, authority))
        self._orders = Orders(self._graphql, self._facts)
        self._shipments = Shipments(self._graphql)
        self._webhooks = Webhooks(self._graphql, secret)

    def __repr__(self) -> str:
        return f"ShopifyShop({self._graphql.host})"

    def close(self) -> None:
        """Closes the kept connection."""
        self._graphql.close()

    def check(self) -> ShopFacts:
        """Asks the shop who it is and what the app may do, without changing anything."""
        return self._facts.check()

    def push(self, drafts: Sequence[ProductDraft]) -> Iterator[PushResult]:
        """Creates or updates products; see the Protocol. One that is new is yielded twice."""
        judged = [(draft, *self._faults(draft)) for draft in drafts]
        new = [(draft, bad) for draft, problem, bad in judged if problem is None and _is_new(draft)]
        if len(new) >= bulk.FROM:
            yield from self._bulk.settle(new)
            judged = [one for one in judged if one[1] is not None or not _is_new(one[0])]
        for start in range(0, len(judged), KEYS):
            some = judged[start : start + KEYS]
            keys = [draft.key for draft, problem, _ in some if problem is None and _is_new(draft)]
            absent = self._upsert.absent(keys) if keys else set()
            for draft, problem, bad in some:
                if problem is not None:
                    yield PushResult(draft.key, draft.external_id, problem=problem, problems=bad)
                elif draft.trade_only:
                    yield from self._trade.settle(draft, bad)
                else:
                    yield from self._upsert.settle(draft, bad, absent=draft.key in absent)

    def set_stock(self, levels: Sequence[StockLevel]) -> Iterator[PushResult]:
        """Stock only, 250 variants a call, without a look where `before` and `stock_id` are known."""
        wanted: dict[str, Wish] = {}
        keys: dict[str, str] = {}
        for level in levels:
            if type(level.stock) is not int or not 0 <= level.stock <= limits.MOST_STOCK:
                yield PushResult(
                    level.key,
                    level.external_id,
                    problem=f"The stock of {level.external_id} is {level.stock!r}; it must be a whole number from 0.",
                )
            else:
                keys[level.external_id] = level.key
                wanted[level.external_id] = Wish(level.stock, level.before, level.stock_id)
        for number, outcome in self._stock.settle(wanted):
            key = keys[number]
            yield PushResult(
                key,
                number,
                stock_ids={key: outcome.stock_id} if outcome.stock_id else {},
                problem=outcome.problem,
                unknown=outcome.unknown,
            )

    def read_back(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """What the shop holds for these products; a product that is gone is one listing with the status "missing"."""
        for start in range(0, len(external_ids), PRODUCTS_A_READ):
            some = external_ids[start : start + PRODUCTS_A_READ]
            asked = [number for number in some if number.startswith(PRODUCT)]
            place = {"location": self._facts.location, "publication": self._facts.publication}
            found = self._graphql.read("Products", ids=asked, **place)["nodes"] if asked else []
            held = {str(one["id"]): one for one in found if one and "variants" in one}
            for number in some:
                if number in held:
                    product = self._whole(held[number])
                    for variant in product["variants"]["nodes"]:
                        yield mapping.listing(variant, product, self._facts.currency)
                else:
                    yield ShopListing(external_id=number, parent_id=None, status="missing")

    def withdraw(self, external_ids: Sequence[str]) -> Iterator[PushResult]:
        """Products become drafts; "product/variant" ids stay with a stock of nothing, which the shop does not sell
        (decision 0056). What is gone already is out of sale: no problem."""
        variants: dict[str, str] = {}
        for external_id in external_ids:
            number = "gid://" + external_id.rpartition("gid://")[2]
            if number.startswith(VARIANT):
                variants[number] = external_id
            elif number.startswith(PRODUCT):
                yield self._hide(external_id)
            else:
                yield PushResult(external_id, external_id)
        for number, outcome in self._stock.settle(dict.fromkeys(variants, Wish(0))):
            yield PushResult(
                variants[number],
                variants[number],
                problem=None if outcome.gone else outcome.problem,
                unknown=outcome.unknown,
            )

    def everything(self) -> Iterator[ShopListing]:
        """Every variant of every product that is not archived, a hundred products a call: a page costs the less for each
        of its products the longer it is, at most 516 points."""
        place = {"location": self._facts.location, "publication": self._facts.publication}
        after = None
        while True:
            page = self._graphql.read("Everything", after=after, **place)["products"]
            for node in page["nodes"]:
                if mapping.status(node) != "trash":
                    product = self._whole(node)
                    for variant in product["variants"]["nodes"]:
                        found = mapping.listing(variant, product, self._facts.currency)
                        yield replace(found, key=key_of(product))
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def holders(self, skus: Sequence[str], gtins: Sequence[str]) -> Iterator[ShopListing]:
        """What of the shop's has one of these SKUs or GTINs, fifty a call."""
        return holders(self._graphql, skus, gtins)

    def variants(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """These variants by their ids, fifty a call; what is gone is left out."""
        return variants(self._graphql, external_ids)

    def order(self, external_id: str) -> ShopOrder | None:
        """The whole order as it stands now; None where the shop has it no longer. Raises Refused with the rule "hidden"."""
        return self._orders.one(external_id)

    def orders_since(self, moment: datetime) -> Iterator[ShopOrder | UnreadableOrder]:
        """Every order changed at or after `moment` (UTC), the earliest change first."""
        return self._orders.since(moment)

    def report_shipment(self, order_id: str, report: ShipmentReport) -> str:
        """Shows the shipment in the shop; the fulfilment's id. See the Protocol."""
        return self._shipments.report(order_id, report)

    def subscribe(self, url: str) -> Sequence[str]:
        """Makes the shop call `url` at each change of an order; the topics that had to be mended."""
        return self._webhooks.subscribe(url)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verifies and reads a call. Raises Refused with the rule "signature"."""
        return self._webhooks.read(headers, body)

    def _whole(self, product: Fields) -> Fields:
        return self._upsert.whole(product, "ProductVariants", location=self._facts.location)

    def _faults(self, draft: ProductDraft) -> tuple[str | None, dict[str, str]]:
        """(the sentence why the product cannot be sent, those for single variants by their keys)."""
        faults = {one.key: limits.why_not_variant(one, self._facts.currency) for one in draft.variants}
        bad = {key: fault for key, fault in faults.items() if fault is not None}
        problem = None if draft.trade_only else limits.why_not(draft)
        if problem is None and len(bad) == len(draft.variants):
            problem = " ".join(dict.fromkeys(bad.values()))
        return problem, bad

    def _hide(self, number: str) -> PushResult:
        """A draft stays a draft, so a lost answer is simply asked for again, once."""
        try:
            try:
                payload = self._graphql.change("Draft", id=number)
            except Unknown:
                payload = self._graphql.change("Draft", id=number)
        except Unknown as error:
            return PushResult(number, number, problem=str(error), unknown=True)
        errors = refusals(payload)
        gone = any("does not exist" in error["message"] for error in errors)
        return PushResult(number, number, problem=sentence(errors) if errors and not gone else None)


def _is_new(draft: ProductDraft) -> bool:
    return draft.external_id is None and not draft.trade_only
