"""What is to be sent and what has been: fulfilment orders, and fulfillmentCreate in whole or in part."""

from typing import Any

from graphql import GraphQLError

from sandbox.shopify import inventory
from sandbox.shopify.answers import Fields, UserError, not_simulated, only
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.site import Site, connection, gid

_SCOPE = "merchant_managed_fulfillment_orders"
_SERVICES = "third_party_fulfillment_orders"
_OPEN = ("OPEN", "IN_PROGRESS")
_WRONG_QUANTITY = "Invalid fulfillment order line item quantity requested."


@mutation("fulfillmentCreate", scope=f"write_{_SCOPE}")
def create(site: Site, _source: Any, arguments: Fields) -> Fields:
    return {"fulfillment": _ship(site, arguments["fulfillment"]), "userErrors": []}


def by_hand(site: Site, order: Fields, wish: Fields) -> None:
    """The shop's own people send `{"lines"?: [{"sku", "quantity"}], "tracking"?: {"number", "company", "url"}}` of an
    order; without lines all that is left. Raises UserError for what is not left."""
    asked = {one["sku"]: int(one["quantity"]) for one in wish.get("lines") or []}
    for part in [one for one in order["parts"] if one["status"] in _OPEN]:
        rows = [
            row
            for row in part["lines"]
            if row["remaining"] and (not wish.get("lines") or row["sku"] in asked)
        ]
        lines = [
            {
                "id": gid("FulfillmentOrderLineItem", row["id"]),
                "quantity": asked.pop(row["sku"], row["remaining"]),
            }
            for row in rows
        ]
        if lines:
            named = {
                "fulfillmentOrderId": gid("FulfillmentOrder", part["id"]),
                "fulfillmentOrderLineItems": lines,
            }
            _ship(site, {"lineItemsByFulfillmentOrder": [named], "trackingInfo": wish.get("tracking")})
    if asked:
        raise UserError(f"Nothing is left to send of {', '.join(sorted(asked))}.")


def hold(site: Site, order: Fields, *, on: bool) -> None:
    """The shop's own people hold back what was not begun, e.g. for a look at a suspicious buyer, or let it go."""
    for part in order["parts"]:
        if part["status"] == ("OPEN" if on else "ON_HOLD"):
            part.update(status="ON_HOLD" if on else "OPEN", updatedAt=site.now())
    site.touch(order)
    site.fired("ORDERS_UPDATED", "Order", order["id"])


def split(site: Site, order: Fields, wish: Fields) -> None:
    """The shop's own people, or its routing, let `{"lines": [{"line", "quantity"}], "place"?: name}` be sent on their own, from
    another place where one is named."""
    places = {one["name"]: one["id"] for one in site.all("Location")}
    for asked in wish["lines"]:
        part, row = next(
            (part, row)
            for part in order["parts"]
            for row in part["lines"]
            if part["status"] in _OPEN
            and gid("LineItem", row["line"]) == asked["line"]
            and row["remaining"] >= asked["quantity"]
        )
        pieces, place = int(asked["quantity"]), places.get(wish.get("place"), part["place"])
        row.update(total=row["total"] - pieces, remaining=row["remaining"] - pieces)
        apart = {**row, "id": site.number("FulfillmentOrderLineItem"), "total": pieces, "remaining": pieces}
        made = {**part, "id": site.number("FulfillmentOrder"), "place": place, "lines": [apart]}
        order["parts"].append(made)
        site.put("FulfillmentOrderPlace", {"id": made["id"], "parent": order["id"]})
        item = inventory.of_line(site, next(one for one in order["lines"] if one["id"] == row["line"]))
        if item is not None and item["tracked"] and place != part["place"]:
            inventory.move(site, item, part["place"], committed=-pieces)
            inventory.move(site, item, place, committed=pieces)
    site.touch(order)
    site.fired("ORDERS_UPDATED", "Order", order["id"])


def shown_to(site: Site, part: Fields) -> bool:
    """Whether the app is told of a part: one that lies with a fulfilment service needs a scope of its own."""
    place = site.one("Location", part["place"])
    return not (place and place.get("service")) or bool(
        {f"{kind}_{_SERVICES}" for kind in ("read", "write")} & {*site.scopes}
    )


def _ship(site: Site, wish: Fields) -> Fields:
    """All its fulfilment orders are of one order and one place; without line items all that is left is sent."""
    only(wish, "a fulfillment", "lineItemsByFulfillmentOrder", "trackingInfo", "notifyCustomer")
    order, parts = _parts(site, [one["fulfillmentOrderId"] for one in wish["lineItemsByFulfillmentOrder"]])
    lines: list[Fields] = []
    for part, one in zip(parts, wish["lineItemsByFulfillmentOrder"], strict=True):
        lines += _send(site, order, part, one.get("fulfillmentOrderLineItems") or [])
    made = {
        "__typename": "Fulfillment",
        "id": site.number("Fulfillment"),
        "order": order["id"],
        "name": f"{order['name']}.{len(order['fulfillments']) + 1}",
        "createdAt": site.now(),
        "updatedAt": site.now(),
        "status": "SUCCESS",
        "displayStatus": "FULFILLED",
        "place": parts[0]["place"],
        "parts": [part["id"] for part in parts],
        "tracking": _tracking(wish.get("trackingInfo") or {}),
        "notified": bool(wish.get("notifyCustomer")),
        "lines": lines,
    }
    order["fulfillments"].append(made)
    site.touch(order)
    site.put("FulfillmentPlace", {"id": made["id"], "parent": order["id"]})
    for topic in ("FULFILLMENTS_CREATE", "ORDERS_UPDATED"):
        site.fired(topic, "Order", order["id"])
    return made


@mutation("fulfillmentTrackingInfoUpdate", scope=f"write_{_SCOPE}")
def update_tracking(site: Site, _source: Any, arguments: Fields) -> Fields:
    found = fulfillment(site, None, {"id": arguments["fulfillmentId"]})
    if found is None:
        raise UserError("Fulfillment does not exist.", "", "fulfillmentId")
    order = site.one("Order", found["order"])
    assert order is not None
    held = next(one for one in order["fulfillments"] if one["id"] == found["id"])
    held.update(tracking=_tracking(arguments["trackingInfoInput"]), updatedAt=site.now())
    site.touch(order)
    site.fired("ORDERS_UPDATED", "Order", order["id"])
    return {"fulfillment": held, "userErrors": []}


@field("QueryRoot.fulfillment", scope="read_orders")
def fulfillment(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return _inside(site, "Fulfillment", "fulfillments", arguments["id"])


@field("QueryRoot.fulfillmentOrder", scope=f"read_{_SCOPE}")
def fulfillment_order(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return _inside(site, "FulfillmentOrder", "parts", arguments["id"])


@field("FulfillmentOrder.status")
def status(_site: Site, part: Fields, _arguments: Fields) -> str:
    return str(part["status"])


@field("FulfillmentOrder.supportedActions")
def actions(_site: Site, part: Fields, _arguments: Fields) -> list[Fields]:
    names = {"OPEN": ("CREATE_FULFILLMENT", "MOVE", "HOLD", "SPLIT"), "IN_PROGRESS": ("CREATE_FULFILLMENT",)}
    return [{"action": name, "externalUrl": None} for name in names.get(part["status"], ())]


@field("FulfillmentOrder.assignedLocation")
def assigned(site: Site, part: Fields, _arguments: Fields) -> Fields:
    place = site.one("Location", part["place"])
    assert place is not None
    return {"location": place, "name": place["name"], "countryCode": "DE"}


@field("FulfillmentOrder.lineItems")
def part_lines(_site: Site, part: Fields, arguments: Fields) -> Fields:
    return connection(part["lines"], arguments)


@field("FulfillmentOrder.fulfillments")
def part_fulfillments(site: Site, part: Fields, arguments: Fields) -> Fields:
    order = site.one("Order", part["order"])
    rows = order["fulfillments"] if order else []
    return connection([one for one in rows if part["id"] in one["parts"]], arguments)


@field("FulfillmentOrderLineItem.remainingQuantity")
def remaining(_site: Site, row: Fields, _arguments: Fields) -> int:
    return int(row["remaining"])


@field("FulfillmentOrderLineItem.totalQuantity")
def total(_site: Site, row: Fields, _arguments: Fields) -> int:
    return int(row["total"])


@field("Fulfillment.trackingInfo")
def tracking(_site: Site, one: Fields, arguments: Fields) -> list[Fields]:
    return list(one["tracking"][: arguments.get("first") or None])


@field("Fulfillment.location")
def location(site: Site, one: Fields, _arguments: Fields) -> Fields | None:
    return site.one("Location", one["place"])


@field("Fulfillment.totalQuantity")
def quantity(_site: Site, one: Fields, _arguments: Fields) -> int:
    return sum(row["quantity"] for row in one["lines"])


@field("Fulfillment.fulfillmentLineItems")
def sent_lines(_site: Site, one: Fields, arguments: Fields) -> Fields:
    return connection(one["lines"], arguments)


@field("Fulfillment.fulfillmentOrders")
def sent_parts(site: Site, one: Fields, arguments: Fields) -> Fields:
    order = site.one("Order", one["order"])
    return connection(
        [part for part in (order or {"parts": []})["parts"] if part["id"] in one["parts"]], arguments
    )


def _parts(site: Site, ids: list[str]) -> tuple[Fields, list[Fields]]:
    """The order and its named parts. Raises UserError where they do not belong together or are closed."""
    places = []
    for one in ids:
        kind, _, number = one.removeprefix("gid://shopify/").partition("/")
        place = site.one("FulfillmentOrderPlace", int(number)) if kind == "FulfillmentOrder" else None
        if place is None:
            raise UserError("Fulfillment order does not exist.", "", "fulfillment")
        places.append(place)
    if len({place["parent"] for place in places}) != 1:
        raise UserError("All fulfillment orders must belong to the same order.", "", "fulfillment")
    order = site.one("Order", places[0]["parent"])
    assert order is not None
    parts = [next(part for part in order["parts"] if part["id"] == place["id"]) for place in places]
    if len({part["place"] for part in parts}) != 1:
        raise UserError("All fulfillment orders must be assigned to the same location.", "", "fulfillment")
    for part in parts:
        if part["status"] not in _OPEN:
            message = f"Fulfillment order {part['id']} has an unfulfillable status= {part['status'].lower()}."
            raise UserError(message, "", "fulfillment")
    return order, parts


def _send(site: Site, order: Fields, part: Fields, wished: list[Fields]) -> list[Fields]:
    rows = {gid("FulfillmentOrderLineItem", row["id"]): row for row in part["lines"]}
    chosen = {one["id"]: one["quantity"] for one in wished} or {
        name: row["remaining"] for name, row in rows.items() if row["remaining"]
    }
    if len(wished) > len(chosen):
        raise not_simulated("the same line item twice in one fulfillment")
    sent = []
    for name, wanted in chosen.items():
        row = rows.get(name)
        if row is None:
            raise UserError("Fulfillment order line item does not exist.", "", "fulfillment")
        if not 0 < wanted <= row["remaining"]:
            raise UserError(_WRONG_QUANTITY, "", "fulfillment")
        row["remaining"] -= wanted
        line = next(one for one in order["lines"] if one["id"] == row["line"])
        item = inventory.of_line(site, line)
        if item is not None and item["tracked"]:
            inventory.move(site, item, part["place"], committed=-wanted)
        sent.append(
            {
                "id": site.number("FulfillmentLineItem"),
                "order": order["id"],
                "line": row["line"],
                "quantity": wanted,
            }
        )
    left = any(row["remaining"] for row in part["lines"])
    part.update(status="IN_PROGRESS" if left else "CLOSED", updatedAt=site.now())
    return sent


def _tracking(given: Fields) -> list[Fields]:
    numbers = given.get("numbers") or ([given["number"]] if given.get("number") else [])
    urls = given.get("urls") or ([given["url"]] if given.get("url") else [])
    for one in urls:
        if not one.startswith(("http://", "https://")):
            raise GraphQLError(f"Invalid url '{one}'", extensions={"code": "INVALID_VARIABLE"})
    company = given.get("company")
    size = max(len(numbers), len(urls), 1 if company else 0)
    numbers, urls = numbers + [None] * size, urls + [None] * size
    return [{"company": company, "number": numbers[at], "url": urls[at]} for at in range(size)]


def _inside(site: Site, kind: str, among: str, named: str) -> Fields | None:
    """A document that lives within its order."""
    given, _, number = named.removeprefix("gid://shopify/").partition("/")
    place = site.one(f"{kind}Place", int(number)) if given == kind and number.isdigit() else None
    order = site.one("Order", place["parent"]) if place else None
    rows = order[among] if order else []
    return next((one for one in rows if place and one["id"] == place["id"]), None)
