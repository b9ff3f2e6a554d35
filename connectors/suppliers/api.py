"""A supplier's own order server, reached by the small protocol that docs/suppliers.md describes."""

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from connectors.http import Answer, Http, plain
from connectors.orders import Buyer
from connectors.purchasing import PurchaseDraft
from core.errors import Misconfigured, Permanent, Refused, Unknown
from core.guard import Guard, Resolver, system_resolver
from core.money import exact

LONGEST_NUMBER = 100
"""Characters of a supplier's order number."""


class ApiSupplier:
    """SupplierConnector over https with a key. One call at a time.

    `private_hosts` are the operator's exceptions; `patience` is how many seconds an order may take before its outcome
    counts as unknown. `sleep` and `resolver` are replaced in tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        ca_file: str | Path | None = None,
        private_hosts: frozenset[str] = frozenset(),
        *,
        patience: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        resolver: Resolver = system_resolver,
    ) -> None:
        parts = urlsplit(url.strip())
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
            raise Misconfigured(
                "The supplier's address is not usable; enter it like https://orders.supplier.example."
            )
        self._name, self._patience = f"The supplier {parts.netloc}", patience
        self._http = Http(
            url.strip(),
            name=self._name,
            guard=Guard(private_hosts, resolver),
            auth=("entrepot", key.strip()),
            ca_file=Path(ca_file) if ca_file else None,
            sleep=sleep,
        )

    def __repr__(self) -> str:
        return f"ApiSupplier({self._name})"

    def close(self) -> None:
        """Closes the kept connection."""
        self._http.close()

    def place(self, draft: PurchaseDraft) -> str:
        """Places the order once, and returns the supplier's number. See the Protocol for what it raises."""
        answer = self._http.post(
            "orders",
            _order(draft),
            seconds=self._patience,
            headers={"Idempotency-Key": draft.reference},
        )
        if not answer.ok:
            raise Refused(f"{self._name} refuses the order {draft.reference}: {_words(answer)}.")
        return self._number(answer.body, draft.reference, Unknown)

    def find(self, reference: str) -> str | None:
        """Asks for the order by our reference. More than one order of one reference is a fault of his: Permanent."""
        answer = self._http.get("orders", {"reference": reference})
        if not answer.ok:
            raise Permanent(f"{self._name} cannot be asked for the order {reference}: {_words(answer)}.")
        found = answer.body.get("orders") if isinstance(answer.body, dict) else None
        if not isinstance(found, list):
            raise Misconfigured(f"{self._name} answers without the list `orders`; see docs/suppliers.md.")
        if len(found) > 1:
            numbers = ", ".join(str(one.get("number")) for one in found if isinstance(one, dict))
            raise Permanent(
                f"{self._name} has the order {reference} {len(found)} times ({plain(numbers)}). "
                "Ask him to cancel all but one."
            )
        return self._number(found[0], reference, Misconfigured) if found else None

    def cancel(self, reference: str) -> bool:
        """Asks to cancel: True he did, False he ships it. What he never had is cancelled: True."""
        number = self.find(reference)
        if number is None:
            return True
        answer = self._http.post(f"orders/{quote(number, safe='')}/cancel", {}, seconds=self._patience)
        if not answer.ok:
            raise Refused(f"{self._name} does not cancel the order {reference}: {_words(answer)}.")
        cancelled = answer.body.get("cancelled") if isinstance(answer.body, dict) else None
        if not isinstance(cancelled, bool):
            raise Unknown(f"{self._name} does not say whether the order {reference} is cancelled.")
        return cancelled

    def _number(self, body: Any, reference: str, fault: type[Unknown] | type[Misconfigured]) -> str:
        number = body.get("number") if isinstance(body, dict) else None
        if not isinstance(number, str) or not 0 < len(number) <= LONGEST_NUMBER:
            raise fault(f"{self._name} gives no number for the order {reference}; see docs/suppliers.md.")
        if body.get("reference", reference) != reference:
            raise fault(f"{self._name} answers for another order than {reference}; see docs/suppliers.md.")
        return number


def _order(draft: PurchaseDraft) -> dict[str, Any]:
    """The order as the protocol writes it; amounts are decimals in text, with their currency."""
    currency = draft.shipping.currency
    return {
        "reference": draft.reference,
        "lines": [
            {
                "line": line.line_id,
                "sku": line.supplier_sku,
                "title": line.title,
                "quantity": line.quantity,
                "unit_cost": {"amount": exact(line.unit_cost, currency), "currency": currency},
            }
            for line in draft.lines
        ],
        "ship_to": {part.name: getattr(draft.ship_to, part.name) for part in fields(Buyer)},
        "shipping": draft.shipping.as_json(),
    }


def _words(answer: Answer) -> str:
    """What he said, without his full stop; his status where he said nothing."""
    return answer.message.rstrip(".") or f"he answered {answer.status}"
