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
    found = dict(methods)
    if "PUT" in found:
        found["POST"] = found["PATCH"] = found["PUT"]
    elif "POST" in found and allow == _BATCH:
        found["PUT"] = found["PATCH"] = found["POST"]
    return Route(re.compile(path.replace("#", r"(\d+)")), allow, found)


ROUTES = (
    _route("/products", _LIST, GET=("list", products.products), POST=("create", products.new_product)),
    _route(
        "/products/#",
        _ONE,
        GET=("view", products.product),
        PUT=("edit", products.change_product),
        DELETE=("delete", products.remove_product),
    ),
    _route("/products/batch", _BATCH, POST=("batch", batch.of_products)),
    _route(
        "/products/#/variations",
        _LIST,
        GET=("list", products.variations),
        POST=("create", products.new_variation),
    ),
    _route(
        "/products/#/variations/#",
        _ONE,
        GET=("view", products.variation),
        PUT=("edit", products.change_variation),
        DELETE=("delete", products.remove_variation),
    ),
    _route("/products/#/variations/batch", _BATCH, POST=("batch", batch.of_variations)),
    _route(
        "/products/categories", _LIST, GET=("list", terms.categories), POST=("create", terms.new_category)
    ),
    _route(
        "/products/categories/#",
        _ONE,
        GET=("view", terms.category),
        PUT=("edit", terms.change_category),
        DELETE=("delete", terms.remove_category),
    ),
    _route("/products/tags", _LIST, GET=("list", tags.tags), POST=("create", tags.new_tag)),
    _route("/products/tags/#", _ONE, GET=("view", tags.tag), DELETE=("delete", tags.remove_tag)),
    _route(
        "/products/attributes", _LIST, GET=("list", terms.attributes), POST=("create", terms.new_attribute)
    ),
    _route(
        "/products/attributes/#",
        _ONE,
        GET=("view", terms.attribute),
        DELETE=("delete", terms.remove_attribute),
    ),
    _route("/products/attributes/#/terms", _LIST, GET=("list", terms.terms), POST=("create", terms.new_term)),
    _route("/products/attributes/#/terms/#", _ONE, DELETE=("delete", terms.remove_term)),
    _route("/orders", _LIST, GET=("list", orders.orders), POST=("create", orders.new_order)),
    _route(
        "/orders/#",
        _ONE,
        GET=("view", orders.order),
        PUT=("edit", orders.change_order),
        DELETE=("delete", orders.remove_order),
    ),
    _route("/orders/#/notes", _LIST, GET=("list", refunds.notes), POST=("create", refunds.new_note)),
    _route("/orders/#/refunds", _LIST, GET=("list", refunds.refunds), POST=("create", refunds.new_refund)),
    _route(
        "/orders/#/refunds/#",
        "GET, DELETE",
        GET=("view", refunds.refund),
        DELETE=("delete", refunds.remove_refund),
    ),
    _route("/webhooks", _LIST, GET=("list", webhooks.webhooks), POST=("create", webhooks.new_webhook)),
    _route(
        "/webhooks/#",
        _ONE,
        GET=("view", webhooks.webhook),
        PUT=("edit", webhooks.change_webhook),
        DELETE=("delete", webhooks.remove_webhook),
    ),
    _route("/data/currencies/current", "GET", GET=("view", site.current_currency)),
    _route(
        "/settings/tax/woocommerce_prices_include_tax",
        "GET, POST, PUT, PATCH",
        GET=("view", site.prices_include_tax),
    ),
    _route(
        "/settings/products/woocommerce_weight_unit",
        "GET, POST, PUT, PATCH",
        GET=("view", site.weight_unit),
    ),
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
