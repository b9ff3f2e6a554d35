"""Every address of the shop's REST API, what may be done there, and what answers it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from sandbox.woocommerce import (
    batch,
    keys,
    listing,
    media,
    orders,
    products,
    races,
    refunds,
    site,
    tags,
    terms,
    webhooks,
)
from sandbox.woocommerce.answers import Answer, Call, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.keys import Keys
from sandbox.woocommerce.site import Site

API = "/wp-json/wc/v3"
Endpoint = Callable[..., Answer]
_ONE = "GET, POST, PUT, PATCH, DELETE"
_LIST = "GET, POST"
_BATCH = "POST, PUT, PATCH"
# Addresses a real shop has and this one does not simulate; anything else below /wc/v3 is no route at all.
_KNOWN = """products orders customers coupons reports settings taxes webhooks data shipping payment_gateways
    shipping_methods system_status refunds variations layout-templates"""


@dataclass(frozen=True)
class Route:
    """One address: its pattern, the `Allow` header it answers with, and per method (purpose, endpoint)."""

    pattern: re.Pattern[str]
    allow: str
    methods: dict[str, tuple[str, Endpoint]]


def _route(path: str, allow: str, **methods: tuple[str, Endpoint]) -> Route:
    return Route(re.compile(path.replace("#", r"(\d+)")), allow, methods)


def _list(path: str, show: Endpoint, create: Endpoint) -> Route:
    return _route(path, _LIST, GET=("list", show), POST=("create", create))


def _one(
    path: str, view: Endpoint | None, edit: Endpoint | None, delete: Endpoint, allow: str = _ONE
) -> Route:
    """One thing; without `view` or `edit` that was never recorded."""
    methods = {"DELETE": ("delete", delete)}
    if view is not None:
        methods["GET"] = ("view", view)
    if edit is not None:
        methods |= dict.fromkeys(("POST", "PUT", "PATCH"), ("edit", edit))
    return _route(path, allow, **methods)


def _batch(path: str, change: Endpoint) -> Route:
    return _route(path, _BATCH, **dict.fromkeys(("POST", "PUT", "PATCH"), ("batch", change)))


_SETTING = "GET, POST, PUT, PATCH"
ROUTES = (
    _list("/products", products.products, products.new_product),
    _one("/products/#", products.product, products.change_product, products.remove_product),
    _batch("/products/batch", batch.of_products),
    _list("/products/#/variations", products.variations, products.new_variation),
    _one(
        "/products/#/variations/#", products.variation, products.change_variation, products.remove_variation
    ),
    _batch("/products/#/variations/batch", batch.of_variations),
    _list("/products/categories", terms.categories, terms.new_category),
    _one("/products/categories/#", terms.category, terms.change_category, terms.remove_category),
    _list("/products/tags", tags.tags, tags.new_tag),
    _one("/products/tags/#", tags.tag, None, tags.remove_tag),
    _list("/products/attributes", terms.attributes, terms.new_attribute),
    _one("/products/attributes/#", terms.attribute, None, terms.remove_attribute),
    _list("/products/attributes/#/terms", terms.terms, terms.new_term),
    _one("/products/attributes/#/terms/#", None, None, terms.remove_term),
    _list("/orders", orders.orders, orders.new_order),
    _one("/orders/#", orders.order, orders.change_order, orders.remove_order),
    _list("/orders/#/notes", refunds.notes, refunds.new_note),
    _list("/orders/#/refunds", refunds.refunds, refunds.new_refund),
    _one("/orders/#/refunds/#", refunds.refund, None, refunds.remove_refund, "GET, DELETE"),
    _list("/webhooks", webhooks.webhooks, webhooks.new_webhook),
    _one("/webhooks/#", webhooks.webhook, webhooks.change_webhook, webhooks.remove_webhook),
    _route("/data/currencies/current", "GET", GET=("view", site.current_currency)),
    _route("/settings/tax/woocommerce_prices_include_tax", _SETTING, GET=("view", site.prices_include_tax)),
    _route("/settings/products/woocommerce_weight_unit", _SETTING, GET=("view", site.weight_unit)),
    _route("/settings/products/woocommerce_manage_stock", _SETTING, GET=("view", site.manage_stock)),
    _route("/settings/general/woocommerce_default_country", _SETTING, GET=("view", site.country)),
    _route("/settings/general/woocommerce_calc_taxes", _SETTING, GET=("view", site.calc_taxes)),
    _route("/settings/general/woocommerce_price_num_decimals", _SETTING, GET=("view", site.decimals)),
    _route("/settings/tax/woocommerce_tax_round_at_subtotal", _SETTING, GET=("view", site.tax_rounding)),
    _route("/system_status", "GET", GET=("list", site.system_status)),
)


def answer(shop: Site, shop_keys: Keys, call: Call) -> Answer:
    """The shop's answer to one request below /wp-json; whatever it changed is committed. Raises nothing."""
    allow = ""
    try:
        if call.path.rstrip("/") == "/wp-json":
            return _index(shop, call)
        route, numbers = _find(call)
        allow = route.allow if route else ""
        purpose, endpoint = (route.methods.get(call.method) if route else None) or ("list", None)
        keys.check(shop_keys, call, purpose=purpose, now=shop.now())
        if route is None:
            _no_route(call)
        if endpoint is None:
            raise NotSimulated("this method here")
        if call.method in ("POST", "PUT", "PATCH") and call.path.startswith(f"{API}/products"):
            fields = fields_of(call)
            stocks = races.stocks_before(shop, call, fields)
            call = replace(call, fetched=media.fetch_all(shop, call, fields), stocks=stocks)
        if purpose == "batch":
            found = endpoint(shop, call, *numbers)
        else:
            shop.pause(call.pause)
            with shop.store.work():
                found = endpoint(shop, call, *numbers)
        if "_fields" in call.query:
            found.body = listing.only(found.body, call.query["_fields"])
    except Refusal as refusal:
        found = Answer(refusal.status, refusal.as_json(), envelope=refusal.envelope)
    except NotSimulated as reason:
        return not_simulated(call, str(reason))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # PHP makes something of every shape; what, was never recorded. Nothing of the request was kept.
        return not_simulated(call, f"a body of this shape: {error!r}")
    if allow and found.envelope == "rest":
        found.headers["Allow"] = allow
    return found


def _index(shop: Site, call: Call) -> Answer:
    """The only address without a key. With one WordPress would look for an account of its own; nobody recorded that."""
    if call.method != "GET" or "authorization" in call.headers:
        raise NotSimulated("the index with a key, or another method")
    found = site.index(shop, call)
    if "_fields" in call.query:
        found.body = listing.only(found.body, call.query["_fields"])
    return found


def not_simulated(call: Call, reason: str = "") -> Answer:
    """501: nobody recorded what a real shop answers here."""
    target = call.path + (f"?{call.raw_query}" if call.raw_query else "")
    message = f"not simulated: {call.method} {target}" + (f" ({reason})" if reason else "")
    return Answer(501, {"code": "not_simulated", "message": message, "data": {"status": 501}})


def _find(call: Call) -> tuple[Route | None, list[int]]:
    below = call.path.removeprefix(API).rstrip("/")
    for route in ROUTES:
        found = route.pattern.fullmatch(below)
        if found:
            return route, [int(number) for number in found.groups()]
    return None, []


def _no_route(call: Call) -> None:
    first = call.path.removeprefix(API).strip("/").partition("/")[0]
    if not call.path.startswith(f"{API}/") or first in _KNOWN.split():
        raise NotSimulated("an address outside the recorded ones")
    raise Refusal("rest_no_route", "No route was found matching the URL and request method.", 404)
