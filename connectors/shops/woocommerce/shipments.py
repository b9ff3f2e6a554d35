"""Shows shipments in a shop that has no status for them: a meta field for the hub, a note for the buyer, completed at the end."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from connectors.orders import ShipmentReport, ShopOrder
from connectors.shops.woocommerce import order_mapping
from connectors.shops.woocommerce.client import Fields, Rest
from connectors.shops.woocommerce.orders import Orders
from core.errors import Refused, Unknown

META = "_entrepot_shipment_"
"""Begins the meta field of each shipment, its key follows: a field each, so that no report can overwrite another's."""


class Shipments:
    """What the hub shows of parcels and completed services in one shop."""

    def __init__(self, rest: Rest, orders: Orders) -> None:
        self._rest, self._orders = rest, orders

    def report(self, order_id: str, report: ShipmentReport) -> str:
        """Shows the shipment once, however often it is reported; the order is completed with the last of its pieces.

        Each of the three writes is looked for before it is made, so that a report which broke off is taken up again.
        Raises Refused where the order no longer lets it be shipped, Unknown where an answer was lost.
        """
        found = self._orders.raw(order_id)
        if found is None:
            raise Refused(
                f"Order {order_id} is no longer in the shop; its shipment was not shown.", rule="gone"
            )
        order = self._orders.whole(found)
        if report.key not in shown(found):
            why = why_not(order, str(found.get("status")), report)
            if why is not None:
                raise Refused(f"{why}; its shipment was not shown.", rule="not_shippable")
            field = {"key": META + report.key, "value": orjson.dumps(as_shown(report)).decode()}
            found = self._rest.change(f"orders/{order_id}", {"meta_data": [field]})
            if report.key not in shown(found):
                raise Unknown(f"The shop did not keep the shipment {report.key} of order {order_id}.")
        self._tell(order_id, report, order)
        open_still = order_mapping.standing(found) == "open" and found.get("status") != "completed"
        if open_still and complete(order, shown(found)):
            self._rest.change(f"orders/{order_id}", {"status": "completed"})
        return report.key

    def _tell(self, order_id: str, report: ShipmentReport, order: ShopOrder) -> None:
        """A note to the buyer, which the shop mails. Its reference finds it again."""
        notes: list[Fields] = self._rest.one(f"orders/{order_id}/notes")
        if any(reference(report.key) in str(note.get("note")) for note in notes):
            return
        self._rest.change(f"orders/{order_id}/notes", {"note": note_of(report, order), "customer_note": True})


def shown(found: Fields) -> dict[str, Mapping[str, Any]]:
    """The shipments an order shows, by key, the oldest first: {"lines": [[line id, quantity]], "carrier", "number", "url"}."""
    fields = sorted(found.get("meta_data") or [], key=lambda one: int(one.get("id") or 0))
    kept: dict[str, Mapping[str, Any]] = {}
    for one in fields:
        name = str(one.get("key"))
        if name.startswith(META):
            kept[name.removeprefix(META)] = _read(one.get("value"))
    return kept


def as_shown(report: ShipmentReport) -> dict[str, Any]:
    """What of a report is kept in the order's meta field."""
    lines = [[name, quantity] for name, quantity in report.lines]
    return {"lines": lines, "carrier": report.carrier, "number": report.number, "url": report.url}


def why_not(order: ShopOrder, status: str, report: ShipmentReport) -> str | None:
    """Why the shop's owner would not have this shipped any more, as the beginning of a sentence; None where he would."""
    if order.standing == "cancelled" or status in {"refunded", "trash"}:
        words = {"refunded": "refunded", "trash": "in the trash"}.get(status, "cancelled")
        return f"Order {order.number} is {words} in the shop"
    due = still_due(order)
    for name, quantity in report.lines:
        if name not in due:
            return f"Line {name} is no longer in order {order.number}"
        if quantity > due[name]:
            return (
                f"Only {due[name]} of line {name} of order {order.number} are still ordered, not {quantity}"
            )
    return None


def still_due(order: ShopOrder) -> dict[str, int]:
    """Line id -> how many the buyer still wants of it, shipped or not: ordered less removed and refunded."""
    due = {line.external_id: line.quantity - line.removed for line in order.lines}
    for refund in order.refunds:
        for name, quantity in refund.lines:
            if name in due:
                due[name] -= quantity
    return due


def complete(order: ShopOrder, shipments: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether all that is still ordered, the lines of others too, is covered by our shipments."""
    covered = Counter[str]()
    for one in shipments.values():
        for name, quantity in one.get("lines") or []:
            covered[str(name)] += int(quantity)
    return all(covered[name] >= due for name, due in still_due(order).items())


def note_of(report: ShipmentReport, order: ShopOrder) -> str:
    """What the buyer reads: "Shipped: 2 × Mug. DHL 00340 https://… (Reference s-17)"."""
    titles = {line.external_id: line.title for line in order.lines}
    pieces = ", ".join(f"{quantity} × {titles.get(name) or name}" for name, quantity in report.lines)
    way = " ".join(_filled((report.carrier, report.number, report.url)))
    begin = "Shipped" if way else "Completed"
    return " ".join(_filled((f"{begin}: {pieces}." if pieces else f"{begin}.", way, reference(report.key))))


def reference(key: str) -> str:
    """The end of a note, by which it is known."""
    return f"(Reference {key})"


def _filled(parts: Iterable[str]) -> Iterable[str]:
    return (part for part in parts if part)


def _read(value: Any) -> Mapping[str, Any]:
    """A meta field somebody spoilt still says that the shipment was shown, though not what was in it."""
    try:
        found = orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
