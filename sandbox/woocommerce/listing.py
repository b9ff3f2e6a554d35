"""Lists: which documents, in what order, which page of them, and the headers that say so."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from sandbox.woocommerce import schema
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal
from sandbox.woocommerce.site import Site

_ORDER = {"date": "created", "id": "id", "modified": "modified", "slug": "slug"}
_STATUSES = ("any", "future", "trash", "draft", "pending", "private", "publish")
_COMMON = {
    **schema.PAGES,
    "orderby": schema.Rule(
        "string",
        ("date", "id", "include", "title", "slug", "modified", "price", "popularity", "rating", "menu_order"),
    ),
}
PRODUCTS = {**_COMMON, "status": schema.Rule("string", _STATUSES)}
# Real filters whose answers were never recorded; a parameter unknown to the shop is ignored.
_FILTERS = """search search_sku search_name_or_sku search_fields category category_operator tag brand shipping_class
    attribute attribute_term tax_class in_stock stock_status on_sale min_price max_price offset parent_exclude
    slug featured global_unique_id virtual downloadable include_status exclude_status exclude_types
    include_types pos_products_only context dp customer product exclude_meta include_meta created_via
    min_date max_date has_price attributes"""
_NOT_SIMULATED = frozenset(_FILTERS.split())


def products(site: Site, call: Call, show: Callable[[Fields], Fields]) -> Answer:
    """The product list. Variations are in it only when asked for by their SKU, a part of it, or GTIN."""
    query = checked(call, PRODUCTS, also=("slug", "global_unique_id", "search_sku"))
    where, values = ["kind = 'product'"], list[Any]()
    if query.get("global_unique_id"):
        gtins = [gtin.strip() for gtin in query["global_unique_id"].split(",")]
        where = ["kind IN ('product', 'variation')", f"gtin IN ({_marks(gtins)})"]
        values += gtins
    if query.get("slug"):
        where.append("slug = ?")
        values.append(query["slug"])
    if query.get("search_sku"):
        where = ["kind IN ('product', 'variation')", *where[1:], "instr(sku, ?)"]
        values.append(query["search_sku"].casefold())
    elif query.get("sku"):
        skus = [sku.strip().casefold() for sku in query["sku"].split(",")]
        where = ["kind IN ('product', 'variation')", *where[1:], f"sku IN ({_marks(skus)})"]
        values += skus
    _by_status(query.get("status", "any"), where, values)
    for name, column in (("include", "id"), ("parent", "parent")):
        if query.get(name):
            among(query[name], column, where, values)
    if query.get("exclude"):
        numbers = _numbers(query["exclude"])
        where.append(f"id NOT IN ({_marks(numbers)})")
        values += numbers
    if query.get("type"):
        where.append("json_extract(doc, '$.type') = ?")
        values.append(query["type"])
    by_date(site, query, where, values)
    return page(site, call, " AND ".join(where), values, query, show)


def variations(site: Site, call: Call, parent: int, show: Callable[[Fields], Fields]) -> Answer:
    query = checked(call, PRODUCTS)
    where, values = ["kind = 'variation'", "parent = ?"], list[Any]([parent])
    if query.get("sku"):
        skus = [sku.strip().casefold() for sku in query["sku"].split(",")]
        where.append(f"sku IN ({_marks(skus)})")
        values += skus
    _by_status(query.get("status", "any"), where, values)
    if query.get("include"):
        among(query["include"], "id", where, values)
    by_date(site, query, where, values)
    return page(site, call, " AND ".join(where), values, query, show)


def page(
    site: Site,
    call: Call,
    where: str,
    values: list[Any],
    query: Mapping[str, str],
    show: Callable[[Fields], Any],
    *,
    order: str | None = None,
    also: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """One page with its X-WP headers; `also` are parameters the shop adds to the links of its own accord.

    What cannot be loaded is counted and left out, so that a page may be short without being the last (get_items of
    WooCommerce's class-wc-rest-crud-controller.php).
    """
    size, number = int(query.get("per_page", 10)), int(query.get("page", 1))
    total = site.store.count(where, tuple(values))
    pages = -(-total // size)
    tail = f"ORDER BY {order or _order(query)} LIMIT {size} OFFSET {size * (number - 1)}"
    found = site.store.find(where, tuple(values), tail)
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(pages)}
    near = []
    if number > 1 and pages:
        near.append((min(number - 1, pages), "prev"))
    if number < pages:
        near.append((number + 1, "next"))
    if near:
        headers["Link"] = ", ".join(f'<{_address(call, other, also)}>; rel="{name}"' for other, name in near)
    return Answer(200, [show(doc) for doc in found if doc["id"] not in site.unloadable], headers)


def only(value: Any, wanted: str) -> Any:
    """`_fields`: the named keys only. A dotted name reaches into objects and loses lists, as recorded."""
    if isinstance(value, list):
        return [only(member, wanted) for member in value]
    if not isinstance(value, dict):
        return value
    kept: Fields = {}
    for name in filter(None, (part.strip() for part in wanted.split(","))):
        source: Any = value
        target, path = kept, name.split(".")
        for step in path[:-1]:
            source = source.get(step) if isinstance(source, dict) else None
            if not isinstance(source, dict):
                break
            target = target.setdefault(step, {})
        if isinstance(source, dict) and path[-1] in source:
            target[path[-1]] = source[path[-1]]
    return kept


def moment(site: Site, value: str, *, gmt: bool) -> int:
    """The epoch second a date filter means.

    A naive value is the shop's own time unless `dates_are_gmt`; a zone is honoured, but then
    `dates_are_gmt` shifts by the shop's offset all the same, as recorded. Raises ValueError.
    """
    found = datetime.datetime.fromisoformat(value)
    if found.tzinfo is None:
        naive = int(found.replace(tzinfo=datetime.UTC).timestamp())
        return naive if gmt else naive - site.utc_offset
    return int(found.timestamp()) + (site.utc_offset if gmt else 0)


def checked(call: Call, rules: dict[str, schema.Rule], *, also: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The query, if it keeps the rules; `also` are filters that only this list simulates."""
    schema.check(dict(call.query), rules)
    for name in call.query:
        if name in _NOT_SIMULATED and name not in also:
            raise NotSimulated(f"the parameter {name}")
    if call.query.get("orderby", "date") not in (*_ORDER, "include"):
        raise NotSimulated(f"orderby={call.query['orderby']}")
    return call.query


def by_date(site: Site, query: Mapping[str, str], where: list[str], values: list[Any]) -> None:
    """`modified_after` and its three companions: all exclusive, at whole seconds."""
    gmt = query.get("dates_are_gmt") in ("true", "1")
    names = {
        "after": "created >",
        "before": "created <",
        "modified_after": "modified >",
        "modified_before": "modified <",
    }
    for name, condition in names.items():
        if name not in query:
            continue
        try:
            values.append(moment(site, query[name], gmt=gmt))
        except ValueError:
            fault = {"code": "rest_invalid_date", "message": "Invalid date.", "data": None}
            raise schema.invalid({name: fault}) from None
        where.append(f"{condition} ?")


def _by_status(status: str, where: list[str], values: list[Any]) -> None:
    if status == "any":
        where.append("status NOT IN ('trash', 'auto-draft')")
    else:
        where.append("status = ?")
        values.append(status)


def among(listed: str, column: str, where: list[str], values: list[Any]) -> None:
    numbers = _numbers(listed)
    where.append(f"{column} IN ({_marks(numbers)})")
    values += numbers


def _numbers(listed: str) -> list[int]:
    try:
        return [int(number) for number in listed.split(",") if number.strip()]
    except ValueError:
        raise NotSimulated(f"{listed!r} where a list of ids belongs") from None


def _marks(values: list[Any]) -> str:
    return ",".join("?" * len(values))


def _order(query: Mapping[str, str]) -> str:
    direction = "ASC" if query.get("order") == "asc" else "DESC"
    if query.get("orderby") == "include":
        numbers = _numbers(query.get("include", ""))
        cases = " ".join(f"WHEN {number} THEN {place}" for place, number in enumerate(numbers))
        return f"CASE id {cases} END" if cases else "id"
    column = _ORDER[query.get("orderby", "date")]
    return f"{column} {direction}, id {direction}"


def _address(call: Call, number: int, also: tuple[tuple[str, str], ...]) -> str:
    kept = [part for part in call.raw_query.split("&") if part and part.partition("=")[0] != "page"]
    added = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in also]
    return f"{call.base}{call.path}?{'&'.join([*kept, *added, f'page={number}'])}"


def query_of(raw: str) -> dict[str, str]:
    """A query string as PHP reads it: the last one wins, `name[]=a&name[]=b` is a list (joined by commas)."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(raw, keep_blank_values=True):
        if name.endswith("]") and "[" in name:
            plain = name.partition("[")[0]
            found[plain] = f"{found[plain]},{value}" if plain in found else value
        else:
            found[name] = value
    return found


def missing(code: str) -> Refusal:
    return Refusal(code, "Invalid ID.", 404)
