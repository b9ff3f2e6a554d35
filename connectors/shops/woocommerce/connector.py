"""A WooCommerce shop as the hub sees it: products are brought in here, orders by the small classes beside."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from connectors.base import Pace, ProductDraft, PushResult, ShopFacts, ShopListing, StockLevel, Unpaced
from connectors.http import plain
from connectors.orders import Notice, ShipmentReport, ShopOrder, UnreadableOrder
from connectors.shops.woocommerce import mapping
from connectors.shops.woocommerce.categories import Categories
from connectors.shops.woocommerce.client import BATCH, PAGE, Fields, Rest
from connectors.shops.woocommerce.entry import Entry
from connectors.shops.woocommerce.orders import Orders
from connectors.shops.woocommerce.shipments import Shipments
from connectors.shops.woocommerce.upsert import Upsert
from connectors.shops.woocommerce.webhooks import Webhooks
from core.errors import EntrepotError, Misconfigured, Refused, Temporary, Unknown
from core.guard import Guard, Resolver, system_resolver
from core.money import exponent


class WooCommerceShop:
    """One shop, reached over https with a REST key. One call at a time.

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
        patience: float = 120.0,
        pace: Pace | None = None,
        sleep: Callable[[float], None] = time.sleep,
        resolver: Resolver = system_resolver,
    ) -> None:
        self._rest = Rest(
            url,
            key,
            secret,
            guard=Guard(private_hosts, resolver),
            ca_file=Path(ca_file) if ca_file else None,
            patience=patience,
            pace=pace or Unpaced(),
            sleep=sleep,
        )
        self._categories = Categories(self._rest)
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
        currency = self._currency
        # Named fields only: for a whole report the shop would first call two servers elsewhere.
        status: Fields = self._rest.one(
            "system_status", _fields="environment.version,settings.number_of_decimals,security.hide_errors"
        )
        tax = self._rest.one("settings/tax/woocommerce_prices_include_tax")
        name, timezone = self._front()
        try:
            self._rest.may_write()
        except Unknown as error:
            raise Temporary(
                f"The shop {self._rest.host} did not say whether the key may write: {error}"
            ) from None
        return ShopFacts(
            name=name or self._rest.host,
            version=str(status["environment"]["version"]),
            currency=currency,
            prices_include_tax=tax["value"] == "yes",
            weight_unit=self._weight_unit,
            timezone=timezone,
            warnings=tuple(self._warnings(status, currency, timezone)),
        )

    def push(self, drafts: Sequence[ProductDraft]) -> Iterator[PushResult]:
        """Creates or updates products; see the Protocol. A variable product is yielded twice."""
        library: dict[str, str] = {}
        dead: dict[str, str] = {}
        for start in range(0, len(drafts), BATCH):
            yield from self._push(drafts[start : start + BATCH], library, dead)

    def set_stock(self, levels: Sequence[StockLevel]) -> Iterator[PushResult]:
        """Absolute stock only, in batches of 100: simple products together, variations by product."""
        by_parent: dict[str | None, list[StockLevel]] = {}
        for level in levels:
            if type(level.stock) is int and level.stock >= 0:
                by_parent.setdefault(level.parent_id, []).append(level)
            else:
                problem = (
                    f"The stock of {level.external_id} is {level.stock!r}; it must be a whole number from 0."
                )
                yield PushResult(level.key, level.external_id, problem=problem)
        for parent, some in by_parent.items():
            wishes = [mapping.stock_fields(level.external_id, level.stock) for level in some]
            for level, answer in zip(some, self._update(_path(parent), wishes), strict=True):
                yield _result(level.key, level.external_id, answer)

    def read_back(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """What the shop holds for these products; a product that is gone is one listing with the status "missing"."""
        for start in range(0, len(external_ids), PAGE):
            some = [number for number in external_ids[start : start + PAGE] if number.isdigit()]
            found = self._products(some)
            found |= self._products([number for number in some if number not in found], status="trash")
            for number in external_ids[start : start + PAGE]:
                if number in found:
                    yield from self._listings(found[number])
                else:
                    yield ShopListing(external_id=number, parent_id=None, status="missing")

    def withdraw(self, external_ids: Sequence[str]) -> Iterator[PushResult]:
        """Products become drafts, "product/variation" ids private: both keep their id, orders and reviews (decision
        0053). What is gone already is out of sale: no problem."""
        by_parent: dict[str | None, list[str]] = {}
        for external_id in external_ids:
            by_parent.setdefault(external_id.rpartition("/")[0] or None, []).append(external_id)
        for parent, some in by_parent.items():
            status = "private" if parent else "draft"
            wishes: list[Fields] = [{"id": int(name.rpartition("/")[2]), "status": status} for name in some]
            for name, answer in zip(some, self._update(_path(parent), wishes), strict=True):
                gone = str(answer.get("error", {}).get("code", "")).endswith("_invalid_id")
                yield PushResult(name, name) if gone else _result(name, name, answer)

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

    # ---------------------------------------------------------------- what the shop tells of itself

    @cached_property
    def _currency(self) -> str:
        return str(self._rest.one("data/currencies/current")["code"])

    @cached_property
    def _weight_unit(self) -> str:
        """kg, g, lbs or oz; "" where the shop does not tell, and then no weight is sent rather than a wrong one."""
        answer = self._rest.ask("settings/products/woocommerce_weight_unit")
        unit = str(answer.body.get("value")) if answer.ok else ""
        return unit if unit in mapping.GRAMS else ""

    def _front(self) -> tuple[str, str]:
        """The site's name and time zone; a security plugin may hide them, which hinders nothing else."""
        try:
            answer = self._rest.front()
        except (Misconfigured, Temporary):
            return "", ""
        if not answer.ok or not isinstance(answer.body, dict):
            return "", ""
        offset = answer.body.get("gmt_offset")
        zone = str(answer.body.get("timezone_string") or "")
        return str(answer.body.get("name") or ""), zone or (
            "" if offset is None else f"UTC{float(offset):+g}"
        )

    def _warnings(self, status: Fields, currency: str, timezone: str) -> Iterator[str]:
        if not self._weight_unit:
            yield "The shop does not tell its weight unit, so weights are not sent."
        if not timezone:
            yield "The shop does not tell its time zone."
        places = status["settings"].get("number_of_decimals")
        if places is not None and int(places) < exponent(currency):
            yield f"The shop shows prices with {places} decimals; {currency} has {exponent(currency)}, so shoppers see rounded prices."
        if status.get("security", {}).get("hide_errors") is False:
            yield "The shop shows PHP errors to visitors; a plugin's notice may spoil its answers. Switch WP_DEBUG_DISPLAY off."

    # ---------------------------------------------------------------- push

    def _push(
        self, drafts: Sequence[ProductDraft], library: dict[str, str], dead: dict[str, str]
    ) -> Iterator[PushResult]:
        wanted: dict[str, ProductDraft] = {}
        entries = []
        for draft in drafts:
            problem = mapping.why_not(draft)
            faults = {
                variant.key: mapping.why_not_variant(variant, self._currency) for variant in draft.variants
            }
            bad = {key: fault for key, fault in faults.items() if fault is not None}
            if problem is None and len(bad) == len(draft.variants):
                problem = " ".join(dict.fromkeys(bad.values()))
            if problem is not None:
                yield PushResult(draft.key, draft.external_id, problem=problem, problems=bad)
                continue
            good = tuple(variant for variant in draft.variants if variant.key not in bad)
            wanted[draft.key] = replace(draft, variants=good)
            entries.append(self._product_entry(wanted[draft.key], bad))
        variable = []
        for entry in Upsert(self._rest, "products", library, dead).settle(entries):
            draft = wanted[entry.key]
            yield self._product_result(draft, entry)
            if not draft.simple and entry.id is not None and entry.problem is None:
                variable.append((draft, entry))
        for draft, entry in variable:
            yield from self._push_variations(draft, entry, library, dead)

    def _product_entry(self, draft: ProductDraft, problems: dict[str, str]) -> Entry:
        only = draft.variants[0] if draft.simple else None
        pictures = draft.images or ((only.image,) if only and only.image else ())
        creation: Fields = {}
        try:
            category = self._categories.number(draft.category)
            if category is not None:
                # Only when it is made: afterwards the owner may sort it as he likes (decision 0051).
                creation["categories"] = [{"id": category}]
        except Refused as error:
            problems["category"] = str(error)
        return Entry(
            key=draft.key,
            sku=only.sku if only else mapping.parent_sku(draft),
            fields=mapping.product_fields(draft, self._unit(draft)),
            creation=creation,
            gtin=only.gtin if only else None,
            gtin_key=only.key if only else "",
            pictures=tuple(dict.fromkeys(pictures)),
            picture_ids=dict(draft.image_ids),
            id=int(draft.external_id) if draft.external_id else None,
            problems=problems,
        )

    def _product_result(self, draft: ProductDraft, entry: Entry) -> PushResult:
        live = draft.simple and entry.id is not None and entry.problem is None
        return PushResult(
            key=draft.key,
            external_id=str(entry.id) if entry.id is not None else None,
            variant_ids={draft.variants[0].key: str(entry.id)} if live else {},
            image_ids=_images(entry),
            problem=entry.problem,
            problems=dict(entry.problems),
            unknown=entry.unknown,
        )

    def _push_variations(
        self, draft: ProductDraft, product: Entry, library: dict[str, str], dead: dict[str, str]
    ) -> Iterator[PushResult]:
        entries = [
            Entry(
                key=variant.key,
                sku=variant.sku,
                fields=mapping.variation_fields(variant, draft, self._unit(draft)),
                gtin=variant.gtin,
                gtin_key=variant.key,
                pictures=(variant.image,) if variant.image else (),
                picture_ids=product.picture_ids | dict(draft.image_ids),
                parent=product.id,
                id=int(variant.external_id) if variant.external_id else None,
            )
            for variant in draft.variants
        ]
        result = self._product_result(draft, product)
        try:
            for entry in Upsert(self._rest, f"products/{product.id}/variations", library, dead).settle(
                entries
            ):
                result = _with_variation(result, entry)
        except EntrepotError:
            yield result
            raise
        yield result

    def _unit(self, draft: ProductDraft) -> str:
        return self._weight_unit if any(variant.weight_g is not None for variant in draft.variants) else ""

    # ---------------------------------------------------------------- calls

    def _update(self, path: str, wishes: Sequence[Fields]) -> Iterator[Fields]:
        """One answer a wish. The wishes are absolute, so after a lost answer the same call is simply made again, once;
        lost twice, the answer is {"lost": sentence}."""
        for start in range(0, len(wishes), BATCH):
            some = wishes[start : start + BATCH]
            try:
                try:
                    yield from self._rest.batch(path, some)
                except Unknown:
                    yield from self._rest.batch(path, some)
            except Unknown as error:
                yield from ({"lost": str(error)} for _ in some)
            except Refused as error:
                yield from ({"error": {"code": error.rule, "message": str(error)}} for _ in some)

    def _products(self, external_ids: Sequence[str], **params: str) -> dict[str, Fields]:
        if not external_ids:
            return {}
        found = self._rest.one("products", include=",".join(external_ids), per_page=PAGE, **params)
        return {str(product["id"]): product for product in found}

    def _listings(self, product: Fields) -> Iterator[ShopListing]:
        held: list[Fields] = []
        if product.get("type") == "variable":
            params = {"status": "trash"} if product.get("status") == "trash" else {}
            held = sorted(
                self._rest.pages(f"products/{product['id']}/variations", **params),
                key=lambda one: int(one["id"]),
            )
        for variation in held:
            yield mapping.listing(variation, self._currency, product)
        if not held:
            yield mapping.listing(product, self._currency)


def _path(parent: str | None) -> str:
    return f"products/{parent}/variations" if parent else "products"


def _result(key: str, external_id: str, answer: Fields) -> PushResult:
    if "lost" in answer:
        return PushResult(key, external_id, problem=str(answer["lost"]), unknown=True)
    if "error" in answer:
        words = plain(str(answer["error"].get("message")))
        return PushResult(key, external_id, problem=f"The shop refused the change of {external_id}: {words}")
    return PushResult(key, external_id)


def _with_variation(result: PushResult, entry: Entry) -> PushResult:
    problems = result.problems | entry.problems
    result = replace(result, image_ids=result.image_ids | _images(entry))
    if entry.unknown:
        return replace(result, problem=entry.problem, problems=problems, unknown=True)
    if entry.problem is not None or entry.id is None:
        return replace(result, problems=problems | {entry.key: entry.problem or ""})
    return replace(result, problems=problems, variant_ids=result.variant_ids | {entry.key: str(entry.id)})


def _images(entry: Entry) -> dict[str, str]:
    return {url: entry.picture_ids[url] for url in entry.pictures if url in entry.picture_ids}
