"""A live Shopify under the order contract: buyer and seller act by its Admin API, and what they made is taken away again."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.shops.shopify.connector import ShopifyShop
from tests.contract.shopify_rig import ShopifyOrderRig, ShopifyRig, live_shopify, shown_shipments

NEEDED = {"write_orders", "write_order_edits"}
"""Scopes that only this rig needs; the hub itself only reads orders."""
TURNS = 90
"""Looks, a second each, at what a real shop does a moment later: a cancellation, its search, a trial shop's next minute."""

SCOPES = "{ currentAppInstallation { accessScopes { handle } } }"
PRICED = """query ($sku: String!) { productVariants(first: 10, query: $sku) { nodes { id sku price } } }"""
CURRENCY = "{ shop { currencyCode taxesIncluded } }"
BUY = """mutation ($order: OrderCreateOrderInput!) {
  orderCreate(order: $order, options: {inventoryBehaviour: DECREMENT_OBEYING_POLICY}) {
    order { id } userErrors { message } } }"""
PAY = "mutation ($id: ID!) { orderMarkAsPaid(input: {id: $id}) { userErrors { message } } }"
LINES = "query ($id: ID!) { order(id: $id) { lineItems(first: 50) { nodes { id sku originalUnitPriceSet { shopMoney { amount } } } } } }"
BEGIN = """mutation ($id: ID!) { orderEditBegin(id: $id) {
  calculatedOrder { id lineItems(first: 50) { nodes { id sku quantity } } } userErrors { message } } }"""
SET = """mutation ($edit: ID!, $line: ID!, $quantity: Int!) {
  orderEditSetQuantity(id: $edit, lineItemId: $line, quantity: $quantity, restock: true) { userErrors { message } } }"""
COMMIT = (
    "mutation ($edit: ID!) { orderEditCommit(id: $edit, notifyCustomer: false) { userErrors { message } } }"
)
PAID = "query ($id: ID!) { order(id: $id) { transactions(first: 10) { id kind gateway status } } }"
REFUND = """mutation ($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) { refund { id } userErrors { message } } }"""
CANCEL = """mutation ($id: ID!) { orderCancel(orderId: $id, reason: OTHER, restock: true, notifyCustomer: false,
  refundMethod: {originalPaymentMethodsRefund: true}) { job { id } userErrors: orderCancelUserErrors { message } } }"""
STATE = "query ($id: ID!) { order(id: $id) { updatedAt cancelledAt closedAt } }"
RECENT = """query ($search: String!) {
  orders(first: 50, query: $search, sortKey: UPDATED_AT, reverse: true) { nodes { id updatedAt } } }"""
CLOSE = "mutation ($id: ID!) { orderClose(input: {id: $id}) { userErrors { message } } }"
DELETE = "mutation ($id: ID!) { orderDelete(orderId: $id) { deletedId userErrors { message } } }"


class LiveShopifyOrderRig:
    """Its orders are test orders, paid by hand, so that Shopify lets them be deleted; what needs a switch of the sandbox
    (a lost answer, webhooks that arrive) cannot be done here. `pause` is replaced in tests.

    Whether a real shop keeps a customer of the buyer's address behind is not known [?].
    """

    can_fail = False
    marks_tests = True
    buyer: Mapping[str, str] = ShopifyOrderRig.buyer
    address = ""

    def __init__(self, rig: ShopifyRig, pause: Callable[[float], None] = time.sleep) -> None:
        self.rig, self._pause = rig, pause
        self._orders: list[str] = []

    def lacking(self) -> set[str]:
        """Scopes that the token would have to have as well."""
        held = self.rig.graphql(SCOPES)["accessScopes"]
        return NEEDED - {scope["handle"] for scope in held}

    def connect(self, **options: Any) -> ShopifyShop:
        return self.rig.connect(**options)

    def buy(self, lines: Sequence[tuple[str, int]], *, paid: bool = True) -> str:
        shop = self.rig.graphql(CURRENCY)
        rows, total = [], Decimal(0)
        for sku, quantity in lines:
            variant = self._variant(sku)
            money = {"shopMoney": {"amount": variant["price"], "currencyCode": shop["currencyCode"]}}
            row = {"variantId": variant["id"], "quantity": quantity, "priceSet": money}
            rows.append(row | {"requiresShipping": True})
            total += Decimal(variant["price"]) * quantity
        order: dict[str, Any] = {
            "lineItems": rows, "currency": shop["currencyCode"], "taxesIncluded": shop["taxesIncluded"],
            "test": True, "email": self.buyer["email"], "shippingAddress": self._address(),
        }  # fmt: skip
        if paid:
            amount = {"shopMoney": {"amount": str(total), "currencyCode": shop["currencyCode"]}}
            sale = {"kind": "SALE", "status": "SUCCESS", "gateway": "manual", "test": True}
            order["transactions"] = [sale | {"amountSet": amount}]
        else:
            order["financialStatus"] = "PENDING"
        number = self._created(order)
        self._orders.append(number)
        self._listed(number)
        return number

    def pay(self, order_id: str) -> None:
        self.rig.graphql(PAY, id=order_id)

    def edit(self, order_id: str, line_id: str, quantity: int) -> None:
        sku = self._line(order_id, line_id)["sku"]
        draft = self.rig.graphql(BEGIN, id=order_id)["calculatedOrder"]
        (line,) = [one for one in draft["lineItems"]["nodes"] if one["sku"] == sku]
        self.rig.graphql(SET, edit=draft["id"], line=line["id"], quantity=quantity)
        self.rig.graphql(COMMIT, edit=draft["id"])

    def refund(self, order_id: str, lines: Sequence[tuple[str, int]], amount: str = "") -> str:
        rows, due = [], Decimal(0)
        for line_id, quantity in lines:
            rows.append({"lineItemId": line_id, "quantity": quantity, "restockType": "NO_RESTOCK"})
            price = self._line(order_id, line_id)["originalUnitPriceSet"]["shopMoney"]["amount"]
            due += Decimal(price) * quantity
        paid = self.rig.graphql(PAID, id=order_id)["transactions"]
        sale = next(one for one in paid if (one["kind"], one["status"]) == ("SALE", "SUCCESS"))
        back = {"orderId": order_id, "kind": "REFUND", "parentId": sale["id"], "gateway": sale["gateway"]}
        wish = {
            "orderId": order_id,
            "refundLineItems": rows,
            "transactions": [back | {"amount": amount or str(due)}],
        }
        made = self.rig.graphql(REFUND, input=wish, key=secrets.token_hex(16))
        return str(made["refund"]["id"])

    def cancel(self, order_id: str) -> None:
        self.rig.graphql(CANCEL, id=order_id)
        self._until(lambda: bool(self.rig.graphql(STATE, id=order_id)["cancelledAt"]))
        self._listed(order_id)

    def delete(self, order_id: str) -> None:
        """Shopify deletes what is cancelled or archived; archiving can always be done."""
        state = self.rig.graphql(STATE, id=order_id)
        if not (state["cancelledAt"] or state["closedAt"]):
            self.rig.graphql(CLOSE, id=order_id)
        self.rig.graphql(DELETE, id=order_id)
        self._orders.remove(order_id)

    def shipments(self, order_id: str) -> list[Mapping[str, Any]]:
        return shown_shipments(self.rig, order_id)

    def lose_answer(self) -> None:
        raise AssertionError("a live shop's answers cannot be lost on purpose")

    def webhooks(self) -> list[tuple[Mapping[str, str], bytes]]:
        raise AssertionError("a live shop's webhooks do not reach a test")

    def forget(self, prefix: str) -> None:
        """Takes the orders and the products of one test away again."""
        while self._orders:
            self.delete(self._orders[0])
        self.rig.tidy(prefix)

    def tidy(self) -> None: ...

    def _created(self, order: Mapping[str, Any]) -> str:
        """A trial or development store takes five new orders a minute (shopify.dev, orderCreate): then it is waited for."""
        made: list[str] = []

        def tried() -> bool:
            said = self.rig.asked(BUY, order=order)
            words = " ".join(error["message"] for error in said["userErrors"])
            assert not words or "try again" in words.lower(), words
            made.extend([said["order"]["id"]] if not words else [])
            return not words

        self._until(tried)
        return made[0]

    def _listed(self, order_id: str) -> None:
        """Until the shop's search knows of the order's last change: it lags behind by seconds."""

        def known() -> bool:
            moment = self.rig.graphql(STATE, id=order_id)["updatedAt"]
            found = self.rig.graphql(RECENT, search=f"updated_at:>='{moment}'")["nodes"]
            return {"id": order_id, "updatedAt": moment} in found

        self._until(known)

    def _until(self, true: Callable[[], bool]) -> None:
        for _ in range(TURNS):
            if true():
                return
            self._pause(1.0)
        raise AssertionError(f"The shop did not get there in {TURNS} seconds.")

    def _variant(self, sku: str) -> dict[str, Any]:
        """Its search finds parts of a SKU, too, and knows a new product only seconds later."""
        found: list[dict[str, Any]] = []

        def known() -> bool:
            nodes = self.rig.graphql(PRICED, sku=f"sku:'{sku}'")["nodes"]
            found[:] = [one for one in nodes if one["sku"] == sku]
            return bool(found)

        self._until(known)
        return found[0]

    def _line(self, order_id: str, line_id: str) -> dict[str, Any]:
        lines = self.rig.graphql(LINES, id=order_id)["lineItems"]["nodes"]
        found: dict[str, Any] = next(line for line in lines if line["id"] == line_id)
        return found

    def _address(self) -> dict[str, str]:
        first, _, last = self.buyer["name"].partition(" ")
        place = {"address1": self.buyer["street"], "zip": self.buyer["postcode"], "city": self.buyer["city"]}
        return {"firstName": first, "lastName": last, "countryCode": self.buyer["country"], **place}


@contextmanager
def order_rig(folder: Path) -> Iterator[LiveShopifyOrderRig]:
    with live_shopify(folder) as rig:
        made = LiveShopifyOrderRig(rig)
        if lacking := made.lacking():
            pytest.skip(f"To write orders the token needs the scopes {', '.join(sorted(lacking))} as well.")
        yield made
