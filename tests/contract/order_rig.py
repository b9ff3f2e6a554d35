"""What every channel's test shop lets a buyer and its seller do to an order, so that one contract is asked of all.

A channel adds one line to ORDER_RIGS and inherits every test of test_orders_contract.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol, cast

from connectors.base import ShopConnector, ShopFacts
from connectors.orders import OrderConnector
from tests.conftest import GIVEN
from tests.contract.shops import LIVE, LIVE_SHOPIFY


class OrderShop(ShopConnector, OrderConnector, Protocol):
    """A connector that knows products and orders."""


class OrderRig(Protocol):
    """One shop under test and the hands of its buyers and its seller. Order and line ids are those the connector gives.

    `buyer` is what each buyer of this shop gives at the checkout: name, street, postcode, city, country, email. Where it
    cannot fail it is a live one: no answer can be lost on purpose there, and no webhook reaches a test. `marks_tests`: its
    orders are test orders.
    """

    can_fail: bool
    marks_tests: bool
    buyer: Mapping[str, str]

    def connect(self, **options: Any) -> OrderShop:
        """The hub's connector of this shop; `options` replace its constructor's arguments."""
        ...

    def buy(self, lines: Sequence[tuple[str, int]], *, paid: bool = True) -> str:
        """A checkout of (SKU, quantity) at the shop's own prices, stock lowered by the shop; the order's id."""
        ...

    def pay(self, order_id: str) -> None:
        """The money of an unpaid order arrives."""
        ...

    def edit(self, order_id: str, line_id: str, quantity: int) -> None:
        """The seller edits the order: this line shall have `quantity` instead; 0 takes it out."""
        ...

    def refund(self, order_id: str, lines: Sequence[tuple[str, int]], amount: str = "") -> str:
        """The seller pays back (line id, quantity), or only `amount` where there are no lines; the refund's id."""
        ...

    def cancel(self, order_id: str) -> None:
        """The seller cancels the whole order."""
        ...

    def delete(self, order_id: str) -> None:
        """The order is no longer in the shop at all."""
        ...

    def shipments(self, order_id: str) -> list[Mapping[str, Any]]:
        """What the shop itself holds as shipped: {"number": tracking number, "carrier", "url"} each, oldest first."""
        ...

    def lose_answer(self) -> None:
        """The next change asked of an order is made, but its answer never arrives."""
        ...

    def webhooks(self) -> list[tuple[Mapping[str, str], bytes]]:
        """The webhooks that arrived at `address` since the last look, after the shop sent all that are due:
        (headers in lower case, raw body)."""
        ...

    @property
    def address(self) -> str:
        """Where this rig listens for webhooks: what a test gives to `subscribe`."""
        ...

    def forget(self, prefix: str) -> None:
        """A live shop is left as it was found: what a test sold there, and what it bought, is taken away again."""
        ...

    def tidy(self) -> None:
        """Ends faults and forgets webhooks; orders may stay."""
        ...


_PLACES = {
    "shopify": "tests.contract.shopify_rig:order_rig",
    "woocommerce": "tests.contract.woocommerce_order_rig:order_rig",
}
"""channel -> the context manager that opens its rig in an empty folder."""
if f"{LIVE}URL" in GIVEN:
    _PLACES["live-woocommerce"] = "tests.contract.woocommerce_live_rig:order_rig"
if f"{LIVE_SHOPIFY}URL" in GIVEN:
    _PLACES["live-shopify"] = "tests.contract.shopify_live_rig:order_rig"


def shown_is_paid(rig: OrderRig, facts: ShopFacts) -> bool:
    """Whether a buyer pays what stands on the page, no tax on top and none left out. A rig of a live shop may know better
    than the shop's one setting: `shown_is_paid`."""
    return bool(getattr(rig, "shown_is_paid", facts.prices_include_tax))


def order_rigs() -> Iterator[str]:
    """The channels whose rig is there."""
    return (name for name, place in _PLACES.items() if find_spec(place.partition(":")[0]))


def open_rig(channel: str, folder: Path) -> AbstractContextManager[OrderRig]:
    """The rig of a channel, with a shop of its own in `folder`."""
    opener = cast(Callable[[Path], AbstractContextManager[OrderRig]], resolve_name(_PLACES[channel]))
    return opener(folder)
