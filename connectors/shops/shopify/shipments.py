"""Shows a parcel or a completed service in the shop, once: what is there already is looked for before anything is made."""

from collections.abc import Iterator, Sequence

from connectors.orders import ShipmentReport
from connectors.shops.shopify.client import Fields, GraphQL, refusals, sentence
from core.errors import Refused, Temporary, Unknown

SHIPPABLE = {"OPEN", "IN_PROGRESS"}
WAITING = {"ON_HOLD", "SCHEDULED"}
"""Statuses of a fulfilment order that will be shippable again without anybody's new order."""


class Shipments:
    """Fulfilments have no key of ours, so one is known by its tracking number and its lines (decision 0057)."""

    def __init__(self, graphql: GraphQL) -> None:
        self._graphql = graphql

    def report(self, order_id: str, report: ShipmentReport) -> str:
        """The fulfilment's id; of several, one for each location, the last.

        Raises Refused where the order or its lines can no longer be shipped, Temporary where the seller holds them,
        Unknown where it may have been made.
        """
        number = report.number or report.key
        order = self._order(order_id)
        found, missing = _look(order, number, report.lines)
        if not missing:
            return found
        if order["cancelledAt"]:
            raise Refused(f"The order {order_id} was cancelled in the shop; nothing of it can be shipped.")
        for parcel in _parcels(order, order_id, missing):
            found = self._make(order_id, parcel, report, number)
        return found

    def _make(self, order_id: str, parcel: list[Fields], report: ShipmentReport, number: str) -> str:
        tracking = {"number": number, "company": report.carrier, "url": report.url}
        wish = {
            "lineItemsByFulfillmentOrder": parcel,
            "trackingInfo": {name: value for name, value in tracking.items() if value},
            "notifyCustomer": True,
        }
        try:
            payload = self._graphql.change("Fulfil", fulfillment=wish)
        except Unknown:
            found, missing = _look(self._order(order_id), number, report.lines)
            if missing:
                raise
            return found
        errors = refusals(payload)
        if errors or not payload.get("fulfillment"):
            raise Refused(f"The shop does not take the shipment of {order_id}. {sentence(errors)}")
        return str(payload["fulfillment"]["id"])

    def _order(self, order_id: str) -> Fields:
        order: Fields | None = self._graphql.read("Fulfilments", id=order_id)["order"]
        if order is None:
            raise Refused(
                f"The order {order_id} is no longer in the shop; its shipment cannot be shown there."
            )
        parts = order["fulfillmentOrders"]
        while parts["pageInfo"]["hasNextPage"]:
            after = parts["pageInfo"]["endCursor"]
            more = self._graphql.read("FulfilmentOrders", id=order_id, after=after)["order"]
            if more is None:
                raise Temporary(
                    f"The order {order_id} left the shop while it was read; the hub looks again later."
                )
            parts["nodes"] += more["fulfillmentOrders"]["nodes"]
            parts["pageInfo"] = more["fulfillmentOrders"]["pageInfo"]
        for one in parts["nodes"]:
            page = one["lineItems"]["pageInfo"]
            while page["hasNextPage"]:
                more = self._graphql.read("FulfilmentOrderLines", id=one["id"], after=page["endCursor"])
                one["lineItems"]["nodes"] += more["fulfillmentOrder"]["lineItems"]["nodes"]
                page = more["fulfillmentOrder"]["lineItems"]["pageInfo"]
        return order


def _look(order: Fields, number: str, lines: Sequence[tuple[str, int]]) -> tuple[str, dict[str, int]]:
    """(the last fulfilment that bears this number and holds some of these lines, or "", what of them is in none)."""
    missing: dict[str, int] = {}
    for line, quantity in lines:
        missing[line] = missing.get(line, 0) + quantity
    found = ""
    for one in order["fulfillments"]:
        numbers = {str(track.get("number") or "") for track in one["trackingInfo"]}
        if one["status"] == "CANCELLED" or number not in numbers:
            continue
        for held in one["fulfillmentLineItems"]["nodes"]:
            line = str(held["lineItem"]["id"])
            if line in missing:
                found = str(one["id"])
                missing[line] -= int(held["quantity"])
    return found, {line: quantity for line, quantity in missing.items() if quantity > 0}


def _parcels(order: Fields, order_id: str, missing: dict[str, int]) -> Iterator[list[Fields]]:
    """The lines by fulfilment order, those of one location together, since one fulfilment leaves from one place."""
    left = dict(missing)
    by_place: dict[str, list[Fields]] = {}
    held = False
    for one in order["fulfillmentOrders"]["nodes"]:
        wanted = [entry for entry in one["lineItems"]["nodes"] if left.get(str(entry["lineItem"]["id"]))]
        held = held or (one["status"] in WAITING and bool(wanted))
        if one["status"] not in SHIPPABLE:
            continue
        taken = []
        for entry in wanted:
            line = str(entry["lineItem"]["id"])
            quantity = min(left[line], int(entry["remainingQuantity"]))
            if quantity > 0:
                left[line] -= quantity
                taken.append({"id": entry["id"], "quantity": quantity})
        if taken:
            place = str(((one.get("assignedLocation") or {}).get("location") or {}).get("id") or "")
            wish = {"fulfillmentOrderId": one["id"], "fulfillmentOrderLineItems": taken}
            by_place.setdefault(place, []).append(wish)
    short = [line for line, quantity in left.items() if quantity > 0]
    if short and held:
        raise Temporary(f"The seller holds the order {order_id} back in the shop; the hub tries again later.")
    if short:
        raise Refused(
            f"The shop no longer lets {', '.join(short)} of the order {order_id} be shipped in this quantity: it was sent or "
            "taken out there, or lies with a fulfilment service, for which the hub's app needs the scope "
            "write_third_party_fulfillment_orders."
        )
    yield from by_place.values()
