"""The Protocol of the ways in which a purchase order reaches a supplier, and the values that pass through it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from connectors.orders import Buyer
from core.money import Money


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """What we order: the supplier's own SKU, and our number of the line, by which he answers.

    `unit_cost` is in major units of the order's currency (its shipping's), as exact as his own list: 1,000 screws at
    0.0345 are 34.50, not 30.00.
    """

    line_id: int
    supplier_sku: str
    title: str
    quantity: int
    unit_cost: Decimal


@dataclass(frozen=True, slots=True)
class PurchaseDraft:
    """One order to one supplier. `reference` is ours, unique for ever: he finds the order by it."""

    reference: str
    lines: tuple[PurchaseLine, ...]
    ship_to: Buyer
    shipping: Money


class SupplierConnector(Protocol):
    """One way to one supplier. Raises only what core.errors has."""

    def place(self, draft: PurchaseDraft) -> str | None:
        """Places the order; the supplier's own number, None where he takes it up later by himself.

        Raises Refused where he will not have it, Unknown where he may have it: then look by `find` before repeating.
        """
        ...

    def find(self, reference: str) -> str | None:
        """The supplier's own number of the order with our reference; None where he has none."""
        ...

    def cancel(self, reference: str) -> bool | None:
        """Asks to cancel: True he did, False he ships it all the same, None he answers later by himself."""
        ...
