"""Stock: an item has a quantity only where it is stocked; setting it compares first and needs a key."""

import re
from typing import Any

from sandbox.shopify.answers import Fields, UserError, UserErrors, not_simulated
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.search import matcher
from sandbox.shopify.site import Site, connection, gid

MOST = 1_000_000_000
_DOCUMENT = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+/\S+")
# shopify.dev, "Inventory management: set quantities", table of reasons.
_REASONS = [
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_created",
    "movement_updated",
    "movement_received",
    "movement_canceled",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
]


def stock_at(site: Site, item: Fields, place: int, available: int) -> None:
    """Puts the item on the shelves of a place, or changes how many may be sold there."""
    level = item["levels"].setdefault(str(place), {"available": 0, "committed": 0})
    changed = level["available"] != available or "updated" not in level
    level.update(available=available, updated=site.now())
    site.touch(item)
    if changed:
        site.fired("INVENTORY_LEVELS_UPDATE", f"InventoryLevel {place}", item["id"])
        variant = site.one("ProductVariant", item["parent"]) if site.chatty else None
        if variant:
            site.fired("PRODUCTS_UPDATE", "Product", variant["parent"])


def move(site: Site, item: Fields, place: int, *, available: int = 0, committed: int = 0) -> None:
    """Adds to what may be sold and to what is promised to buyers."""
    level = item["levels"].setdefault(str(place), {"available": 0, "committed": 0})
    level["committed"] += committed
    stock_at(site, item, place, level["available"] + available)


def of_line(site: Site, line: Fields) -> Fields | None:
    """What an order's line takes from the shelves; nothing for a line without a variant, or of a product now gone."""
    return None if line["item"] is None else site.one("InventoryItem", line["item"])


def total(item: Fields) -> int:
    return sum(level["available"] for level in item["levels"].values())


@field("QueryRoot.inventoryItem", scope="read_inventory")
def item_by_id(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return site.one("InventoryItem", arguments["id"])


@field("QueryRoot.inventoryItems", scope="read_inventory")
def items(site: Site, _source: Any, arguments: Fields) -> Fields:
    match = matcher(
        arguments.get("query"),
        {
            "id": lambda one: one["id"],
            "sku": lambda one: one["sku"],
            "updated_at": lambda one: one["modified"],
            "created_at": lambda one: one["created"],
        },
    )
    return site.page("InventoryItem", arguments, match)


@field("InventoryItem.measurement")
def measurement(_site: Site, item: Fields, _arguments: Fields) -> Fields:
    return {"id": item["id"], "weight": item["weight"]}


@field("InventoryItem.unitCost")
def unit_cost(_site: Site, item: Fields, _arguments: Fields) -> Any:
    return item["cost"]


@field("InventoryItem.variant")
def variant_of(site: Site, item: Fields, _arguments: Fields) -> Fields | None:
    return site.one("ProductVariant", item["parent"])


@field("InventoryItem.variants")
def variants_of(site: Site, item: Fields, arguments: Fields) -> Fields:
    return connection(site.all("ProductVariant", "id = ?", item["parent"]), arguments)


@field("InventoryItem.inventoryLevel")
def level_at(site: Site, item: Fields, arguments: Fields) -> Fields | None:
    place = site.one("Location", arguments["locationId"])
    return _level(item, place["id"]) if place and str(place["id"]) in item["levels"] else None


@field("InventoryItem.inventoryLevels")
def levels(_site: Site, item: Fields, arguments: Fields) -> Fields:
    return connection([_level(item, int(place)) for place in item["levels"]], arguments)


@field("InventoryLevel.id")
def level_id(_site: Site, level: Fields, _arguments: Fields) -> str:
    return f"{gid('InventoryLevel', level['location'])}?inventory_item_id={level['item']}"


@field("InventoryLevel.isActive")
def level_active(_site: Site, _level: Fields, _arguments: Fields) -> bool:
    return True


@field("InventoryLevel.item", "InventoryChange.item")
def level_item(site: Site, level: Fields, _arguments: Fields) -> Fields | None:
    return site.one("InventoryItem", level["item"])


@field("InventoryLevel.location", "InventoryChange.location")
def level_location(site: Site, level: Fields, _arguments: Fields) -> Fields | None:
    return site.one("Location", level["location"])


@field("InventoryLevel.updatedAt", "InventoryLevel.createdAt")
def level_time(site: Site, level: Fields, _arguments: Fields) -> int:
    return int(_held(site, level)["updated"])


@field("InventoryLevel.quantities")
def quantities(site: Site, level: Fields, arguments: Fields) -> list[Fields]:
    held = _held(site, level)
    known = {"available": held["available"], "committed": held["committed"]}
    known["on_hand"] = held["available"] + held["committed"]
    known |= dict.fromkeys(("incoming", "reserved", "damaged", "safety_stock", "quality_control"), 0)
    rows = []
    for name in arguments["names"]:
        if name not in known:
            raise not_simulated(f"the quantity {name}")
        rows.append(
            {"id": level["item"], "name": name, "quantity": known[name], "updatedAt": held["updated"]}
        )
    return rows


@mutation("inventoryActivate", scope="write_inventory", keyed=True)
def activate(site: Site, _source: Any, arguments: Fields) -> Fields:
    item, place = (
        site.one("InventoryItem", arguments["inventoryItemId"]),
        site.one("Location", arguments["locationId"]),
    )
    if item is None:
        raise UserError("The product couldn't be stocked because it doesn't exist.", "", "inventoryItemId")
    if place is None:
        raise UserError(
            "The product couldn't be stocked because the location doesn't exist.", "", "locationId"
        )
    if arguments.get("onHand") is not None:
        raise not_simulated("onHand in inventoryActivate")
    if str(place["id"]) not in item["levels"]:
        stock_at(site, item, place["id"], arguments.get("available") or 0)
    elif arguments.get("available") is not None:
        message = "Not allowed to set available quantity when the item is already active at the location."
        raise UserError(message, "", "available")
    return {"inventoryLevel": _level(item, place["id"]), "userErrors": []}


@mutation("inventorySetQuantities", scope="write_inventory", keyed=True)
def set_quantities(site: Site, _source: Any, arguments: Fields) -> Fields:
    """All or none of them; where none, every quantity that is in the way is named."""
    wish = arguments["input"]
    name = wish["name"]
    if name not in ("available", "on_hand"):
        raise UserError(
            "The quantity name must be either 'available' or 'on_hand'.", "INVALID_NAME", "input", "name"
        )
    if wish["reason"] not in _REASONS:
        raise UserError("The specified reason is invalid.", "INVALID_REASON", "input", "reason")
    document = wish.get("referenceDocumentUri")
    if document is not None and not _DOCUMENT.fullmatch(document):
        message = "The specified reference document is invalid."
        raise UserError(message, "INVALID_REFERENCE_DOCUMENT", "input", "referenceDocumentUri")
    changes: list[Fields] = []
    errors: list[UserError] = []
    seen: set[tuple[str, str]] = set()
    for at, one in enumerate(wish["quantities"]):
        try:
            changes += _set(site, at, one, name, seen)
        except UserError as error:
            errors.append(error)
    if errors:
        raise UserErrors(errors)
    if not changes:
        return {"inventoryAdjustmentGroup": None, "userErrors": []}
    group = site.new("InventoryAdjustmentGroup", reason=wish["reason"], changes=changes)
    group["referenceDocumentUri"] = wish.get("referenceDocumentUri")
    site.put("InventoryAdjustmentGroup", group)
    return {"inventoryAdjustmentGroup": group, "userErrors": []}


@field("InventoryAdjustmentGroup.changes")
def changes_of(_site: Site, group: Fields, arguments: Fields) -> list[Fields]:
    if any(value is not None for value in arguments.values()):
        raise not_simulated("a choice of changes")
    return list(group["changes"])


def _set(site: Site, at: int, one: Fields, name: str, seen: set[tuple[str, str]]) -> list[Fields]:
    pair = (one["inventoryItemId"], one["locationId"])
    if pair in seen:
        raise _refusal(at, "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "inventoryItemId", "The combination of inventoryItemId and locationId must be unique.")  # fmt: skip
    seen.add(pair)
    item, place = site.one("InventoryItem", one["inventoryItemId"]), site.one("Location", one["locationId"])
    if item is None:
        raise _refusal(
            at,
            "INVALID_INVENTORY_ITEM",
            "inventoryItemId",
            "The specified inventory item could not be found.",
        )
    if place is None or not place["isActive"]:
        raise _refusal(at, "INVALID_LOCATION", "locationId", "The specified location could not be found.")
    if item.get("bundle"):
        message = "The specified inventory item is not allowed to be adjusted via API."
        raise _refusal(at, "NON_MUTABLE_INVENTORY_ITEM", "inventoryItemId", message)
    held = item["levels"].get(str(place["id"]))
    if held is None:
        raise _refusal(
            at,
            "INVALID_LOCATION",
            "locationId",
            "The specified inventory item is not stocked at the location.",
        )
    quantity = one["quantity"]
    if quantity < 0:
        raise _refusal(at, "INVALID_QUANTITY_NEGATIVE", "quantity", "The quantity can't be negative.")
    if quantity > MOST:
        raise _refusal(
            at,
            "INVALID_QUANTITY_TOO_HIGH",
            "quantity",
            "The total quantity can't be higher than 1,000,000,000.",
        )
    promised = held["committed"] if name == "on_hand" else 0
    before = held["available"] + promised
    if "changeFromQuantity" not in one:  # since 2026-04 it is given or explicitly null
        raise _refusal(at, "COMPARE_QUANTITY_REQUIRED", "changeFromQuantity", "changeFromQuantity must be given to each quantity, or be null.")  # fmt: skip
    if one["changeFromQuantity"] not in (None, before):
        raise _refusal(at, "CHANGE_FROM_QUANTITY_STALE", "changeFromQuantity", "The changeFromQuantity value does not match persisted value.")  # fmt: skip
    if quantity == before:
        return []
    stock_at(site, item, place["id"], quantity - promised)
    whose = {"item": item["id"], "location": place["id"], "delta": quantity - before}
    return [
        {"name": kind, "quantityAfterChange": None, "ledgerDocumentUri": None, **whose}
        for kind in ("available", "on_hand")
    ]


def _refusal(at: int, code: str, field_name: str, message: str) -> UserError:
    return UserError(message, code, "input", "quantities", str(at), field_name)


def _level(item: Fields, place: int) -> Fields:
    return {"__typename": "InventoryLevel", "item": item["id"], "location": place}


def _held(site: Site, level: Fields) -> Fields:
    item = site.one("InventoryItem", level["item"])
    assert item is not None
    found: Fields = item["levels"][str(level["location"])]
    return found
