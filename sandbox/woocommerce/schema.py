"""WordPress' checking of request fields. It stands before single calls only: batches skip it, as recorded."""

import re
from dataclasses import dataclass
from typing import Any

from sandbox.woocommerce.answers import Fields, NotSimulated, Refusal


@dataclass(frozen=True)
class Rule:
    """What one field must be: `kind` in WordPress' words; `inside` are the fields of an object or of each member."""

    kind: str
    enum: tuple[str, ...] = ()
    inside: "dict[str, Rule] | None" = None


STRING, INTEGER, BOOLEAN = Rule("string"), Rule("integer"), Rule("boolean")
_STRINGS: tuple[str, ...] = (
    "sku",
    "global_unique_id",
    "description",
    "regular_price",
    "sale_price",
    "tax_class",
    "weight",
)
_STRINGS += ("shipping_class",)
_DATES = ("date_on_sale_from", "date_on_sale_from_gmt", "date_on_sale_to", "date_on_sale_to_gmt")
_IMAGE = {"id": INTEGER, "src": STRING, "name": STRING, "alt": STRING}
_BOTH: dict[str, Rule] = {
    **dict.fromkeys(_STRINGS, STRING),
    **dict.fromkeys(_DATES, STRING),
    **dict.fromkeys(("virtual", "downloadable", "manage_stock"), BOOLEAN),
    **dict.fromkeys(("stock_quantity", "menu_order", "download_limit", "download_expiry"), INTEGER),
    "low_stock_amount": Rule("integer or null"),
    "tax_status": Rule("string", ("taxable", "shipping", "none")),
    "stock_status": Rule("string", ("instock", "outofstock", "onbackorder")),
    "backorders": Rule("string", ("no", "notify", "yes")),
    "dimensions": Rule("object", inside=dict.fromkeys(("length", "width", "height"), STRING)),
    "downloads": Rule("array"),
    "meta_data": Rule("array", inside={"id": INTEGER, "key": STRING}),
}
PRODUCT: dict[str, Rule] = {
    **_BOTH,
    **dict.fromkeys(("name", "slug", "short_description", "purchase_note", "post_password"), STRING),
    **dict.fromkeys(("featured", "sold_individually", "reviews_allowed"), BOOLEAN),
    "type": Rule("string", ("simple", "grouped", "external", "variable")),
    "status": Rule("string", ("draft", "pending", "private", "publish", "future", "auto-draft", "trash")),
    "catalog_visibility": Rule("string", ("visible", "catalog", "search", "hidden")),
    "parent_id": INTEGER,
    "upsell_ids": Rule("array"),
    "cross_sell_ids": Rule("array"),
    "grouped_products": Rule("array"),
    "categories": Rule("array", inside={"id": INTEGER}),
    "tags": Rule("array", inside={"id": INTEGER}),
    "brands": Rule("array"),
    "images": Rule("array", inside=_IMAGE),
    "attributes": Rule(
        "array",
        inside={
            "id": INTEGER,
            "name": STRING,
            "position": INTEGER,
            "visible": BOOLEAN,
            "variation": BOOLEAN,
            "options": Rule("array", inside={"": STRING}),
        },
    ),
    "default_attributes": Rule("array", inside={"id": INTEGER, "name": STRING, "option": STRING}),
}
VARIATION: dict[str, Rule] = {
    **_BOTH,
    "status": Rule("string", ("draft", "pending", "private", "publish")),
    "image": Rule("object", inside=_IMAGE),
    "attributes": Rule("array", inside={"id": INTEGER, "name": STRING, "option": STRING}),
}
PAGES: dict[str, Rule] = {
    "per_page": Rule("per_page"),
    "page": Rule("page"),
    "order": Rule("string", ("asc", "desc")),
}


def check(fields: Fields, rules: dict[str, Rule]) -> None:
    """Raises the 400 `rest_invalid_param` naming every field that breaks its rule; null is never checked."""
    broken: dict[str, Fields] = {}
    for name, rule in rules.items():
        value = fields.get(name)
        if value is not None and (fault := _fault(value, rule, name)):
            broken[name] = fault
    if broken:
        raise invalid(broken)


def invalid(broken: dict[str, Fields]) -> Refusal:
    """The refusal for fields at fault, each given as {code, message, data}."""
    return Refusal(
        "rest_invalid_param",
        f"Invalid parameter(s): {', '.join(broken)}",
        400,
        params={name: fault["message"] for name, fault in broken.items()},
        details=broken,
    )


def _fault(value: Any, rule: Rule, name: str) -> Fields | None:
    if rule.kind in ("per_page", "page"):
        return _page_fault(value, rule.kind)
    if not _is(value, rule.kind):
        wanted = rule.kind.replace(" or ", ",")
        message = f"{name} is not of type {wanted}."
        return {"code": "rest_invalid_type", "message": message, "data": {"param": name}}
    if rule.enum and value not in rule.enum:
        listed = ", ".join(rule.enum[:-1]) + (", and " if len(rule.enum) > 2 else " and ") + rule.enum[-1]
        return {"code": "rest_not_in_enum", "message": f"{name} is not one of {listed}.", "data": None}
    return _inner_fault(value, rule, name) if rule.inside else None


def _inner_fault(value: Any, rule: Rule, name: str) -> Fields | None:
    inside = rule.inside or {}
    if rule.kind == "object":
        members = [(f"{name}[{key}]", value.get(key), inner) for key, inner in inside.items()]
    elif "" in inside:
        members = [(f"{name}[{index}]", member, inside[""]) for index, member in enumerate(value)]
    else:
        for index, member in enumerate(value):
            if not isinstance(member, dict):
                whole = f"{name}[{index}]"
                message = f"{whole} is not of type object."
                return {"code": "rest_invalid_type", "message": message, "data": {"param": whole}}
        members = [
            (f"{name}[{index}][{key}]", member.get(key), inner)
            for index, member in enumerate(value)
            for key, inner in inside.items()
        ]
    for whole, member, inner in members:
        if member is not None and (fault := _fault(member, inner, whole)):
            return fault
    return None


def _page_fault(value: Any, name: str) -> Fields | None:
    if not _is(value, "integer"):
        message = f"{name} is not of type integer."
        return {"code": "rest_invalid_type", "message": message, "data": {"param": name}}
    if name == "per_page" and not 1 <= int(value) <= 100:
        message = "per_page must be between 1 (inclusive) and 100 (inclusive)"
    elif int(value) < 1:
        message = f"{name} must be greater than or equal to 1"
    else:
        return None
    return {"code": "rest_out_of_bounds", "message": message, "data": None}


def _is(value: Any, kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind in ("integer", "integer or null"):
        if isinstance(value, str):
            return re.fullmatch(r"\s*[+-]?\d+(\.0*)?", value) is not None
        return not isinstance(value, bool) and isinstance(value, int | float) and float(value).is_integer()
    if kind == "boolean":
        return value in (True, False) or (
            isinstance(value, str) and value.lower() in ("0", "1", "true", "false")
        )
    if kind == "object":
        return isinstance(value, dict)
    if kind == "array" and isinstance(value, str):
        raise NotSimulated("a comma list where JSON has an array")
    return isinstance(value, list)
