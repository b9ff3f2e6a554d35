"""Reads orders: one by its id, and everything that changed since a moment without missing one that moves meanwhile."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from connectors.orders import ShopOrder, UnreadableOrder
from connectors.shops.woocommerce import order_mapping
from connectors.shops.woocommerce.client import Fields, Rest
from core.errors import Refused

OVERLAP = timedelta(seconds=2)
"""The shop's filter is exclusive at whole seconds, and an order is seen a moment after the second it carries."""
SECOND = timedelta(seconds=1)


class Orders:
    """The orders of one shop."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def order(self, external_id: str) -> ShopOrder | None:
        """The whole order; None where the shop has it no longer. One in the trash is there, and not to be shipped."""
        found = self.raw(external_id)
        return None if found is None else self.whole(found)

    def raw(self, external_id: str) -> Fields | None:
        """The order in the shop's own fields."""
        return self._rest.known(f"orders/{external_id}") if external_id.isdecimal() else None

    def whole(self, found: Fields) -> ShopOrder:
        """Adds what only the list of refunds tells: which lines were refunded."""
        refunds = self._rest.pages(f"orders/{found['id']}/refunds") if found.get("refunds") else ()
        return order_mapping.order(found, list(refunds))

    def since(self, moment: datetime) -> Iterator[ShopOrder | UnreadableOrder]:
        """Every order changed at or after `moment`, each state once, the earliest change first.

        An order that changes while the pages are read moves to the end, and those behind it would slip to a page
        already read. So the next page begins at the second the last one ended in, not at a number of orders; pages
        are counted only within a second that fills more than one.
        """
        after = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None) - OVERLAP
        page, seen = 1, set[tuple[str, str]]()
        while True:
            found, more = self._changed(after, page)
            for one in found:
                state = (str(one["id"]), str(one["date_modified_gmt"]))
                if state not in seen:
                    seen.add(state)
                    yield self._told(one)
            if not more:
                return
            last = datetime.fromisoformat(str(found[-1]["date_modified_gmt"])) if found else after
            after, page = (last - SECOND, 1) if last - SECOND > after else (after, page + 1)

    def _told(self, found: Fields) -> ShopOrder | UnreadableOrder:
        try:
            return self.whole(found)
        except Refused as error:
            return UnreadableOrder(str(found["id"]), str(error))

    def _changed(self, after: datetime, page: int) -> tuple[list[Fields], bool]:
        # Without a zone in the value: with both, the shop shifts by its offset (recorded: …_Z_with_gmt_flag).
        return self._rest.page(
            "orders",
            page,
            modified_after=after.isoformat(),
            dates_are_gmt="true",
            orderby="modified",
            order="asc",
        )
