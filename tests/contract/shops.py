"""Shops under contract: the sandbox of each channel, a live one where it is given, and the drafts that go into them.

A later channel adds a Rig and its name in RIGS and inherits every test. A live WooCommerce is given by
ENTREPOT_LIVE_WOOCOMMERCE_URL, _KEY, _SECRET and _CA, a live Shopify by ENTREPOT_LIVE_SHOPIFY_URL, _TOKEN and _SECRET;
each is left as it was found.
"""

import secrets
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol

import httpx2
import pytest

from connectors.base import ProductDraft, PushResult, ShopConnector, ShopListing, VariantDraft
from connectors.shops.woocommerce.client import site_of
from connectors.shops.woocommerce.connector import WooCommerceShop
from core.money import Money, exponent
from sandbox.woocommerce.shop import Shop
from tests.conftest import GIVEN
from tests.contract.woocommerce_signing import Signed

LIVE = "ENTREPOT_LIVE_WOOCOMMERCE_"
LIVE_SHOPIFY = "ENTREPOT_LIVE_SHOPIFY_"
LOST = ("late", "drop_after", "stray", "cut", "drop_before", "hang", "php_fatal")
"""Faults after which a writer cannot know what happened; in the first four it did happen."""
SLOW = 120.0
"""Seconds a call of a test's own hands may take: a live shop stands on somebody's small machine."""
LONG_ENOUGH = 10
"""Characters a name must have before everything that begins with it is taken out of a live shop."""
PATIENCE = 0.8
"""Seconds a writer waits in these tests; the two slow faults take longer."""


@dataclass(frozen=True)
class Page:
    """What a shopper sees of a product, read by other hands than the connector's: names of tags and of the categories
    or collections it stands in, and by SKU what it costs and the price struck through, None where there is none."""

    title: str
    description: str
    handle: str
    tags: frozenset[str]
    places: frozenset[str]
    prices: dict[str, tuple[Money, Money | None]]


class Rig(Protocol):
    """One shop under test, and the hands of others upon it. `held` are the things whose SKU begins with a prefix.

    `unique_skus`: the shop lets no two products have one. `hides_variants`: one withdrawn is a draft, else it stays
    without stock.
    """

    can_fail: bool
    unique_skus: bool
    hides_variants: bool

    def connect(self, **options: Any) -> ShopConnector: ...
    def stranger(self, sku: str) -> str: ...
    def edit(self, external_id: str, **changes: Any) -> None: ...
    def trash(self, external_id: str) -> None: ...
    def delete(self, external_id: str) -> None: ...
    def held(self, prefix: str) -> list[dict[str, Any]]: ...
    def page(self, external_id: str, currency: str) -> Page: ...
    def tag(self, external_id: str, *names: str) -> None:
        """The owner gives it these tags beside those it has."""
        ...

    def sell(self, sku: str, quantity: int) -> None:
        """A buyer buys so many, and the shop counts them off."""
        ...

    def recount(self, sku: str, stock: int) -> None:
        """The owner writes another stock."""
        ...

    def fail(self, kind: str, *, parent: str = "", times: int = 1) -> None: ...
    def fail_stock(self, kind: str, *, parent: str = "") -> None:
        """The next call that sets stock (below this product, where the shop keeps variants so) fails in this way."""
        ...

    def calls(self) -> list[dict[str, Any]]: ...
    def tidy(self, prefix: str) -> None: ...


class WooRig:
    """A WooCommerce shop; `sandbox` is None for a live one, whose faults cannot be switched."""

    unique_skus = hides_variants = True

    def __init__(self, url: str, key: str, secret: str, ca_file: str | None, sandbox: Shop | None) -> None:
        self.url = site_of(url, insecure_http=True)
        self.key, self.secret, self.ca_file, self.sandbox = key, secret, ca_file, sandbox
        self.can_fail = sandbox is not None
        self._plain = self.url.startswith("http://")
        hands: Any = Signed(key, secret) if self._plain else (key, secret)
        tls = ssl.create_default_context(cafile=ca_file)
        self._http = httpx2.Client(verify=tls, auth=hands, timeout=SLOW, trust_env=False)
        self._hosts = frozenset({"127.0.0.1", httpx2.URL(self.url).host})
        self._orders: list[str] = []

    def connect(self, **options: Any) -> WooCommerceShop:
        given = {"url": self.url, "key": self.key, "secret": self.secret, "ca_file": self.ca_file}
        usual = {"private_hosts": self._hosts, "insecure_http": self._plain, "sleep": lambda seconds: None}
        return WooCommerceShop(**{**given, **usual, **options})

    def rest(self, method: str, path: str, **options: Any) -> Any:
        return self._asked(method, path, **options).json()

    def _asked(self, method: str, path: str, **options: Any) -> httpx2.Response:
        answer = self._http.request(method, f"{self.url}/wp-json/wc/v3/{path}", **options)
        assert answer.is_success, answer.text
        return answer

    def stranger(self, sku: str) -> str:
        made = self.rest(
            "POST", "products", json={"name": f"Seller's own {sku}", "sku": sku, "regular_price": "5.00"}
        )
        return str(made["id"])

    def edit(self, external_id: str, **changes: Any) -> None:
        self.rest("PUT", f"products/{external_id}", json=changes)

    def trash(self, external_id: str) -> None:
        answer = self._http.request("DELETE", f"{self.url}/wp-json/wc/v3/products/{external_id}")
        if answer.status_code == 501:
            pytest.skip("this shop keeps no trash (EMPTY_TRASH_DAYS is 0)")
        assert answer.is_success, answer.text

    def delete(self, external_id: str) -> None:
        self.rest("DELETE", f"products/{external_id}", params={"force": "true"})

    def page(self, external_id: str, currency: str) -> Page:
        product = self.rest("GET", f"products/{external_id}")
        things = [product]
        if product["type"] == "variable":
            things = list(self.pages(f"products/{external_id}/variations"))
        return Page(
            title=unescape(product["name"]),
            description=product["description"].strip(),
            handle=product["slug"],
            tags=frozenset(unescape(tag["name"]) for tag in product["tags"]),
            places=frozenset(unescape(one["name"]) for one in product["categories"]),
            prices={one["sku"]: _prices(one, currency) for one in things},
        )

    def tag(self, external_id: str, *names: str) -> None:
        held = [{"id": tag["id"]} for tag in self.rest("GET", f"products/{external_id}")["tags"]]
        made = [{"id": self.rest("POST", "products/tags", json={"name": name})["id"]} for name in names]
        self.edit(external_id, tags=[*held, *made])

    def sell(self, sku: str, quantity: int) -> None:
        fields = {"status": "processing", "payment_method": "cod", "line_items": [self.line(sku, quantity)]}
        self.ordered(fields)

    def ordered(self, fields: dict[str, Any]) -> str:
        """Makes an order, which is taken away again with the rest; its id."""
        self._orders.append(str(self.rest("POST", "orders", json=fields)["id"]))
        return self._orders[-1]

    def forget_order(self, number: str) -> None:
        """Deletes an order for good."""
        self.rest("DELETE", f"orders/{number}", params={"force": "true"})
        self._orders.remove(number)

    def line(self, sku: str, quantity: int) -> dict[str, int]:
        """So many of this SKU as a line of an order."""
        (thing,) = self.rest("GET", "products", params={"sku": sku})
        line = {"product_id": thing["parent_id"] or thing["id"], "quantity": quantity}
        return line | ({"variation_id": thing["id"]} if thing["parent_id"] else {})

    def recount(self, sku: str, stock: int) -> None:
        (thing,) = self.rest("GET", "products", params={"sku": sku})
        below = f"{thing['parent_id']}/variations/" if thing["parent_id"] else ""
        fields = {"manage_stock": True, "stock_quantity": stock}
        self.rest("PUT", f"products/{below}{thing['id']}", json=fields)

    def fail_stock(self, kind: str, *, parent: str = "") -> None:
        self.fail(kind, parent=parent)

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        page, last = 0, 1
        whole = {"per_page": 100, "orderby": "id", "order": "asc", **params}
        while page < last:
            page += 1
            answer = self._asked("GET", path, params={**whole, "page": page})
            last = int(answer.headers.get("X-WP-TotalPages") or 1)
            yield from answer.json()

    def products(self, prefix: str) -> list[dict[str, Any]]:
        """Those whose SKU holds it, and others where the shop is too old to know `search_sku`: a live one may have thousands."""
        found = (one for status in ("any", "trash") for one in self.pages("products", status=status, search_sku=prefix))  # fmt: skip
        return [product for product in found if product["type"] != "variation"]

    def held(self, prefix: str) -> list[dict[str, Any]]:
        things = []
        for product in self.products(prefix):
            things.append(product)
            if product["type"] == "variable" and prefix in product["sku"]:
                params = {"per_page": 100, **({"status": "trash"} if product["status"] == "trash" else {})}
                things += self.rest("GET", f"products/{product['id']}/variations", params=params)
        return [thing for thing in things if prefix.lower() in thing["sku"].lower()]

    def fail(
        self,
        kind: str,
        *,
        parent: str = "",
        times: int = 1,
        path: str = "",
        method: str = "POST",
        **more: Any,
    ) -> None:
        assert self.sandbox is not None
        path = path or (f"/products/{parent}/variations/batch" if parent else "/products/batch")
        self.sandbox.faults.add(kind, times=times, method=method, path=path, seconds=2.5 * PATIENCE, **more)

    def calls(self) -> list[dict[str, Any]]:
        assert self.sandbox is not None
        return self.sandbox.requests.seen()

    def tidy(self, prefix: str) -> None:
        if self.sandbox is not None:
            self.sandbox.faults.clear()
            self.sandbox.requests.clear()
            return
        assert len(prefix) >= LONG_ENOUGH, "too short a name would fit things of the owner's"
        left: list[AssertionError | httpx2.HTTPError] = []
        for path in list(self._ours(prefix)):
            try:
                self.rest("DELETE", path, params={"force": "true"})
            except (AssertionError, httpx2.HTTPError) as error:
                left.append(error)
        self._orders.clear()
        assert not left, f"not all could be taken away again: {left}"

    def _ours(self, prefix: str) -> Iterator[str]:
        """The addresses of everything that a test left in a live shop, orders first."""
        yield from (f"orders/{number}" for number in self._orders)
        for product in self.products(prefix):
            if product["sku"].lower().removeprefix("entrepot-").startswith(prefix.lower()):
                yield f"products/{product['id']}"
        for terms in ("products/categories", "products/tags"):
            found = [term["id"] for term in self.pages(terms) if term["name"].startswith(prefix)]
            yield from (f"{terms}/{number}" for number in found)


def _prices(thing: dict[str, Any], currency: str) -> tuple[Money, Money | None]:
    regular, sale = thing["regular_price"], thing["sale_price"]
    struck = Money.of(regular, currency) if sale else None
    return Money.of(sale or regular, currency), struck


@contextmanager
def sandbox_woocommerce(folder: Path) -> Iterator[WooRig]:
    with Shop(folder, images="accept") as shop:
        yield WooRig(shop.url, shop.keys.key, shop.keys.secret, str(shop.ca_file), shop)


def live_woocommerce(folder: Path) -> AbstractContextManager[WooRig]:
    url, key, secret = (GIVEN[f"{LIVE}{name}"] for name in ("URL", "KEY", "SECRET"))
    return nullcontext(WooRig(url, key, secret, GIVEN.get(f"{LIVE}CA") or None, None))


def shopify(opener: str) -> Callable[[Path], AbstractContextManager[Rig]]:
    """Its rig stands in a module that itself needs this one."""

    def open_it(folder: Path) -> AbstractContextManager[Rig]:
        found: Callable[[Path], AbstractContextManager[Rig]] = resolve_name(
            f"tests.contract.shopify_rig:{opener}"
        )
        return found(folder)

    return open_it


RIGS: dict[str, Callable[[Path], AbstractContextManager[Rig]]] = {
    "shopify": shopify("sandbox_shopify"),
    "woocommerce": sandbox_woocommerce,
}
if f"{LIVE}URL" in GIVEN:
    RIGS["live-woocommerce"] = live_woocommerce
if f"{LIVE_SHOPIFY}URL" in GIVEN:
    RIGS["live-shopify"] = shopify("live_shopify")


class Make:
    """Drafts and what they should look like in the shop."""

    def __init__(self, prefix: str, currency: str) -> None:
        if exponent(currency) != 2:
            pytest.skip(f"the contract's prices have cents, and {currency} has none")
        self.prefix, self.currency = prefix, currency

    def money(self, amount: str) -> Money:
        return Money.of(amount, self.currency)

    @staticmethod
    def gtin() -> str:
        """A barcode that no other product of the shop has."""
        return f"99{secrets.randbelow(10**11):011}"

    def simple(self, number: int = 1, **changes: Any) -> ProductDraft:
        own = {name: changes.pop(name) for name in list(changes) if name in VariantDraft.__dataclass_fields__}
        variant = VariantDraft(f"v{number}", f"{self.prefix}-{number}", self.money("12.50"), 7)
        draft = ProductDraft(f"{self.prefix}-k{number}", f"Mug {number} & <Cup>", (replace(variant, **own),))
        return replace(draft, **changes)

    def variable(self, number: int = 1, sizes: str = "SML", **changes: Any) -> ProductDraft:
        variants = tuple(
            VariantDraft(f"v{number}{size}", f"{self.prefix}-{number}-{size}", self.money("19.50"), place, options=(("Size", size), ("Fit", "slim")))
            for place, size in enumerate(sizes)
        )  # fmt: skip
        return replace(ProductDraft(f"{self.prefix}-k{number}", f"Shirt {number}", variants), **changes)


def last(results: list[PushResult]) -> dict[str, PushResult]:
    """The last word on each draft."""
    return {result.key: result for result in results}


def push(shop: ShopConnector, *drafts: ProductDraft) -> dict[str, PushResult]:
    return last(list(shop.push(drafts)))


def known(draft: ProductDraft, result: PushResult) -> ProductDraft:
    """The draft as the hub has it after the push."""
    variants = tuple(
        replace(v, external_id=result.variant_ids.get(v.key, v.external_id)) for v in draft.variants
    )
    images = {**draft.image_ids, **result.image_ids}
    return replace(draft, external_id=result.external_id, variants=variants, image_ids=images)


def expected(draft: ProductDraft, result: PushResult, status: str = "live") -> dict[str, ShopListing]:
    return {
        variant.sku: ShopListing(
            external_id=result.variant_ids[variant.key],
            # Where the shop sells a simple product as such there is nothing above it.
            parent_id=result.external_id if result.variant_ids[variant.key] != result.external_id else None,
            status=status,
            sku=variant.sku,
            title=draft.title,
            price=variant.price,
            stock=variant.stock,
            gtin=variant.gtin,
            options=variant.options,
            image_count=len(draft.images),
            stock_id=result.stock_ids.get(variant.key),
        )
        for variant in draft.variants
    }


def read(shop: ShopConnector, *external_ids: str | None) -> dict[str, ShopListing]:
    """By SKU; the order of a variation's options is the shop's own matter, and tags are asked of the page."""
    found = [replace(one, tags=None) for one in shop.read_back([number for number in external_ids if number])]
    return {listing.sku or listing.external_id: listing for listing in found}


def assert_true(shop: ShopConnector, drafts: list[ProductDraft], results: dict[str, PushResult]) -> None:
    """Everything went in and the shop holds exactly what was wanted."""
    for draft in drafts:
        result = results[draft.key]
        assert (result.problem, result.problems, result.unknown) == (None, {}, False)
        assert set(result.variant_ids) == {variant.key for variant in draft.variants}
        assert read(shop, result.external_id) == expected(draft, result)


def assert_no_doubles(rig: Rig, prefix: str, skus: set[str]) -> None:
    held = sorted(thing["sku"] for thing in rig.held(prefix) if not thing["sku"].startswith("entrepot-"))
    assert held == sorted(skus)
    parents = [thing["sku"] for thing in rig.held(prefix) if thing["sku"].startswith("entrepot-")]
    assert len(parents) == len(set(parents))
