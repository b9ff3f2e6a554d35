"""Reads orders whole: one by its id, or all that changed since a moment, with every line however long they are."""

from collections.abc import Iterator
from datetime import UTC, datetime

from connectors.orders import ShopOrder, UnreadableOrder
from connectors.shops.shopify.client import Fields, GraphQL
from connectors.shops.shopify.facts import Facts, number_of
from connectors.shops.shopify.order_mapping import shop_order
from core.errors import Refused, Temporary

ORDER = "gid://shopify/Order/"


class Orders:
    """The orders of one shop. Only those of the last 60 days are shown without the scope read_all_orders."""

    def __init__(self, graphql: GraphQL, facts: Facts) -> None:
        self._graphql, self._facts = graphql, facts

    def one(self, external_id: str) -> ShopOrder | None:
        """The order as it stands now; None where the shop has it no longer.

        Raises Refused with the rule "hidden" where it may be there and is only too old to be shown.
        """
        if not external_id.startswith(ORDER):
            return None
        found = self._graphql.read("Order", id=external_id)["order"]
        if found is None and self._hidden(external_id):
            raise Refused(
                f"The order {external_id} is older than the 60 days that Shopify shows: what changed in it is not known. Give "
                "the hub's app the scope read_all_orders, connect the shop again and have the order read again.",
                rule="hidden",
            )
        return None if found is None else shop_order(self._complete(found))

    def since(self, moment: datetime) -> Iterator[ShopOrder | UnreadableOrder]:
        """Every order changed at or after `moment`, the earliest change first, 25 a page: 218 points of the 1,000
        that one query may cost."""
        search = f"updated_at:>='{moment.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}'"
        after = None
        while True:
            page = self._graphql.read("Orders", search=search, after=after)["orders"]
            for found in page["nodes"]:
                yield self._told(found)
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def _hidden(self, external_id: str) -> bool:
        """Whether an order that is not told may be an old one: orders are numbered as they come, and it comes before the first
        that is shown."""
        if self._facts.sees_old_orders:
            return False
        shown = self._graphql.read("OldestOrder")["orders"]["nodes"]
        return not shown or number_of(external_id) < number_of(str(shown[0]["id"]))

    def _told(self, found: Fields) -> ShopOrder | UnreadableOrder:
        try:
            return shop_order(self._complete(found))
        except Refused as error:
            return UnreadableOrder(str(found["id"]), str(error))

    def _complete(self, found: Fields) -> Fields:
        lines = self._rest(found["lineItems"], "OrderLines", "order", "lineItems", str(found["id"]))
        refunds = [
            refund
            | {
                "refundLineItems": self._rest(
                    refund["refundLineItems"], "RefundLines", "refund", "refundLineItems", str(refund["id"])
                )
            }
            for refund in found.get("refunds") or []
        ]
        return found | {"lineItems": lines, "refunds": refunds}

    def _rest(self, connection: Fields, name: str, thing: str, inner: str, number: str) -> Fields:
        """The connection with all its nodes, the missing pages read one after the other."""
        nodes, page = list(connection["nodes"]), connection["pageInfo"]
        while page["hasNextPage"]:
            more = self._graphql.read(name, id=number, after=page["endCursor"])[thing]
            if more is None:
                raise Temporary(f"{number} left the shop while it was read; the hub looks again later.")
            nodes += more[inner]["nodes"]
            page = more[inner]["pageInfo"]
        return {"nodes": nodes, "pageInfo": page}
