"""What the seller does to an order at the desk of the back office: take the money, cancel, edit, refund, throw away.

None of it was recorded through the API, where another quantity leaves a line's amounts as they are. At the desk they
are scaled, and the stock follows what had been taken for it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from sandbox.woocommerce import order_view, orders, refunds, stock, text
from sandbox.woocommerce.answers import Call, Fields
from sandbox.woocommerce.order_money import KEPT, shown
from sandbox.woocommerce.site import Site


def act(site: Site, call: Call, wish: Fields) -> Fields:
    """`{"id": order, "act": "pay" | "cancel" | "edit" | "refund" | "status" | "trash" | "delete", …}`; the order as it is then.

    edit: `"line"`, `"quantity"` (0 takes the line out). refund: `"lines": [[line, quantity]]` or `"amount": "5.00"`.
    status: `"status"`, any word, as where an extension has words of its own.
    Raises ValueError for an act or a line there is not, Refusal for an order there is not.
    """
    name, number = str(wish["act"]), int(wish["id"])
    if name not in _ACTS:
        raise ValueError(f"There is no act {name!r}; there are {', '.join(_ACTS)}.")
    with site.store.work():
        doc = orders.the_order(site, number)
        _ACTS[name](site, call, doc, wish)
        left = site.store.get("order", number)
        return order_view.order(site, call, left) if left else {"id": number}


def _pay(site: Site, call: Call, doc: Fields, wish: Fields) -> None:
    doc["paid"] = doc["paid"] or site.now()
    orders.move(site, doc, "processing" if doc["needs_processing"] else "completed")
    _changed(site, doc)


def _status(site: Site, call: Call, doc: Fields, wish: Fields) -> None:
    if wish["status"] == "refunded" != doc["status"]:
        orders.refund_the_rest(site, call, doc)
    orders.move(site, doc, str(wish["status"]))
    _changed(site, doc)


def _cancel(site: Site, call: Call, doc: Fields, wish: Fields) -> None:
    orders.move(site, doc, "cancelled")
    _changed(site, doc)


def _edit(site: Site, call: Call, doc: Fields, wish: Fields) -> None:
    line, quantity = _line(doc, wish["line"]), int(wish["quantity"])
    if quantity < 0:
        raise ValueError("A line cannot have less than nothing.")
    stock.adjust(site, line, quantity)
    if quantity == 0:
        doc["lines"].remove(line)
    else:
        for name in ("subtotal", "total"):
            amount = text.rounded(Decimal(line[name]) * quantity / line["quantity"], KEPT)
            line.update({name: str(amount), f"{name}_tax": shown(amount * site.tax_rate)})
        line["quantity"] = quantity
    _changed(site, doc)


def _refund(site: Site, call: Call, doc: Fields, wish: Fields) -> None:
    """As a person does who types quantities: each line's share of its amount and its tax, booked without a gateway."""
    lines, amount = [], Decimal(str(wish.get("amount") or 0))
    for number, quantity in wish.get("lines") or []:
        line = _line(doc, number)
        net, tax = (
            text.rounded(Decimal(line[name]) * quantity / line["quantity"]) for name in ("total", "total_tax")
        )
        amount += 0 if wish.get("amount") else net + tax
        taxes = [{"id": 1, "refund_total": str(tax)}]
        lines.append({"id": line["id"], "quantity": quantity, "refund_total": str(net), "refund_tax": taxes})
    before = site.store.find("kind = 'refund' AND parent = ?", (doc["id"],))
    left = order_view.total_of(site, call, doc) - sum((Decimal(one["amount"]) for one in before), Decimal(0))
    fields = {"amount": str(min(amount, left)), "api_refund": False, "line_items": lines}
    headers = {**call.headers, "content-type": "application/json"}
    refunds.new_refund(site, replace(call, headers=headers, body=json.dumps(fields).encode()), doc["id"])


def _trash(site: Site, call: Call, doc: Fields, wish: Fields) -> None:
    orders.trash(site, doc)


def _delete(site: Site, call: Call, doc: Fields, wish: Fields) -> None:
    """For good, by way of the trash."""
    _trash(site, call, doc, wish)
    site.store.drop("order", doc["id"])


_ACTS: dict[str, Callable[[Site, Call, Fields, Fields], None]] = {
    "pay": _pay,
    "cancel": _cancel,
    "edit": _edit,
    "refund": _refund,
    "status": _status,
    "trash": _trash,
    "delete": _delete,
}


def _changed(site: Site, doc: Fields) -> None:
    doc["modified"] = site.now()
    orders.save(site, doc, "updated")


def _line(doc: Fields, number: object) -> Fields:
    found: list[Fields] = [line for line in doc["lines"] if str(line["id"]) == str(number)]
    if not found:
        raise ValueError(f"Order {doc['id']} has no line {number!r}.")
    return found[0]
