"""A live WooCommerce under the order contract: buyer and seller act by its REST API, and what they made is taken away again."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.shops.woocommerce.connector import WooCommerceShop
from tests.contract.shops import WooRig, live_woocommerce
from tests.contract.woocommerce_order_rig import WooOrderRig, shown_shipments

CENT = Decimal("0.01")


class LiveOrderRig:
    """What needs a switch of the sandbox (a lost answer, webhooks that arrive) cannot be done here."""

    can_fail = False
    marks_tests = False
    address = ""

    def __init__(self, woo: WooRig) -> None:
        self.woo = woo
        country, _, self._state = self._setting("general/woocommerce_default_country").partition(":")
        self.buyer: Mapping[str, str] = {**WooOrderRig.buyer, "country": country}
        """Lives where the shop does, so that its prices with tax are his."""

    @property
    def shown_is_paid(self) -> bool:
        """Where prices are entered with tax, and each line is rounded for itself; or where there is no tax at all. Not where
        the shop rounds orders to whole units."""
        if self._setting("general/woocommerce_price_num_decimals") != "2":
            return False
        if self._setting("general/woocommerce_calc_taxes") == "no":
            return True
        rounds = self._setting("tax/woocommerce_tax_round_at_subtotal") == "no"
        return rounds and self._setting("tax/woocommerce_prices_include_tax") == "yes"

    def connect(self, **options: Any) -> WooCommerceShop:
        return self.woo.connect(**options)

    def buy(self, lines: Sequence[tuple[str, int]], *, paid: bool = True) -> str:
        first, _, last = self.buyer["name"].partition(" ")
        billing = {
            "first_name": first,
            "last_name": last,
            "state": self._state,
            "address_1": self.buyer["street"],
            **{name: self.buyer[name] for name in ("postcode", "city", "country", "email")},
        }
        fields: dict[str, Any] = {
            "payment_method": "bacs",
            "billing": billing,
            "line_items": [self.woo.line(sku, quantity) for sku, quantity in lines],
            **({"set_paid": True} if paid else {"status": "on-hold"}),
        }
        return self.woo.ordered(fields)

    def pay(self, order_id: str) -> None:
        # Not set_paid: the shop takes that as payment of a pending or failed order only.
        self._change(order_id, status="processing")

    def edit(self, order_id: str, line_id: str, quantity: int) -> None:
        line = self._line(order_id, line_id)
        totals = {name: _part(line[name], quantity, line["quantity"]) for name in ("subtotal", "total")}
        self._change(order_id, line_items=[{"id": line["id"], "quantity": quantity, **totals}])

    def refund(self, order_id: str, lines: Sequence[tuple[str, int]], amount: str = "") -> str:
        rows, whole = [], Decimal(0)
        for line_id, quantity in lines:
            line = self._line(order_id, line_id)
            taxes = [(tax["id"], _part(tax["total"], quantity, line["quantity"])) for tax in line["taxes"]]
            gross = Decimal(_part(str(Decimal(line["total"]) + Decimal(line["total_tax"])), quantity, line["quantity"]))  # fmt: skip
            net = gross - sum((Decimal(tax) for _, tax in taxes), Decimal(0))
            row = {"id": line["id"], "quantity": quantity, "refund_total": float(net)}
            rows.append(row | {"refund_tax": [{"id": key, "refund_total": float(tax)} for key, tax in taxes]})
            whole += gross
        fields: dict[str, Any] = {"amount": amount or str(whole), "api_refund": False}
        if rows:
            fields["line_items"] = rows
        return str(self.woo.rest("POST", f"orders/{order_id}/refunds", json=fields)["id"])

    def cancel(self, order_id: str) -> None:
        self._change(order_id, status="cancelled")

    def delete(self, order_id: str) -> None:
        self.woo.forget_order(order_id)

    def shipments(self, order_id: str) -> list[Mapping[str, Any]]:
        return shown_shipments(self.woo, order_id)

    def lose_answer(self) -> None:
        raise AssertionError("a live shop's answers cannot be lost on purpose")

    def webhooks(self) -> list[tuple[Mapping[str, str], bytes]]:
        raise AssertionError("a live shop's webhooks do not reach a test")

    def forget(self, prefix: str) -> None:
        """Takes the orders and the products of one test away again."""
        self.woo.tidy(prefix)

    def tidy(self) -> None: ...

    def _setting(self, name: str) -> str:
        return str(self.woo.rest("GET", f"settings/{name}")["value"])

    def _line(self, order_id: str, line_id: str) -> dict[str, Any]:
        lines = self.woo.rest("GET", f"orders/{order_id}")["line_items"]
        found: dict[str, Any] = next(line for line in lines if str(line["id"]) == line_id)
        return found

    def _change(self, order_id: str, **fields: Any) -> None:
        self.woo.rest("PUT", f"orders/{order_id}", json=fields)


def order_rig(folder: Path) -> AbstractContextManager[LiveOrderRig]:
    with live_woocommerce(folder) as woo:
        return nullcontext(LiveOrderRig(woo))


def _part(amount: str, quantity: int, whole: int) -> str:
    """The part of a line's amount that so many of its pieces have."""
    return str((Decimal(amount) * quantity / whole).quantize(CENT))
