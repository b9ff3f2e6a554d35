"""The supplier's protocol and his switches, as pure as a store allows: a request in, a status and JSON out."""

import base64
import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sandbox.supplier.faults import Faults
from sandbox.supplier.store import Fields, Store

Reply = tuple[int, Any]


@dataclass(frozen=True)
class Request:
    """One request; header names are lower case, `body` is its JSON, None where it is none."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Desk:
    """Answers as docs/suppliers.md says. `twice` on: each POST makes an order, so that a double ask shows."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store, self._faults = store, faults
        self.key, self.admin_token = store.secret("key"), store.secret("admin_token")
        self.twice = False

    def answer(self, request: Request) -> Reply:
        """The protocol itself."""
        given = base64.b64encode(f"entrepot:{self.key}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Basic {given}"):
            return _no(401, "key", "The key is missing or wrong.")
        parts = request.path.strip("/").split("/")
        if request.method == "POST" and parts == ["orders"]:
            return self._place(request)
        if request.method == "GET" and parts == ["orders"]:
            found = self._store.find(request.query.get("reference", ""))
            return 200, {"orders": [_shown(order) for order in found]}
        if request.method == "POST" and len(parts) == 3 and (parts[0], parts[2]) == ("orders", "cancel"):
            order = self._store.move(unquote(parts[1]), "cancelled", unless="shipped")
            if order is None:
                return _no(404, "unknown", f"There is no order {parts[1]}.")
            return 200, {"cancelled": order["state"] == "cancelled"}
        return _no(404, "unknown", f"There is no {request.method} {request.path}.")

    def switch(self, request: Request) -> Reply:
        """`/sandbox/…`: faults, what was asked, what is kept. 400 with the reason for what cannot be followed."""
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given, f"Bearer {self.admin_token}"):
            return _no(401, "key", "The admin token is missing or wrong.")
        wish = request.body if isinstance(request.body, dict) else {}
        try:
            match f"{request.method} {request.path.removeprefix('/sandbox/')}":
                case "GET orders":
                    return 200, self._store.everything()
                case "GET requests":
                    return 200, self._faults.seen()
                case "DELETE requests":
                    self._faults.forget()
                case "GET faults":
                    return 200, self._faults.waiting()
                case "POST faults":
                    self._faults.add(str(wish.pop("kind", "")), **wish)
                case "DELETE faults":
                    self._faults.clear()
                case "POST settings":
                    self.twice = bool(wish["twice"])
                case "POST ship":
                    shipped = self._store.move(str(wish["number"]), "shipped", unless="cancelled")
                    if shipped is None or shipped["state"] != "shipped":
                        return _no(400, "sandbox", f"The order {wish['number']} cannot be shipped.")
                case unknown:
                    return _no(404, "sandbox", f"There is no switch {unknown}.")
        except (ValueError, TypeError, KeyError) as error:
            return _no(400, "sandbox", str(error))
        return 200, {"done": True}

    def _place(self, request: Request) -> Reply:
        fault = _fault_of(request.body)
        if fault:
            return _no(422, "invalid", fault)
        if request.headers.get("idempotency-key") != request.body["reference"]:
            return _no(400, "idempotency_key", "The header Idempotency-Key must be the order's reference.")
        order, new = self._store.place(request.body, twice=self.twice)
        return (201 if new else 200), _shown(order)


def _fault_of(body: Any) -> str:
    """What is wrong with an order, "" where nothing is."""
    if not isinstance(body, dict) or not isinstance(body.get("reference"), str) or not body["reference"]:
        return "An order needs its reference."
    lines = body.get("lines")
    if not isinstance(lines, list) or not lines:
        return "An order needs lines."
    for line in lines:
        if not isinstance(line, dict) or not isinstance(line.get("sku"), str) or not line["sku"]:
            return "A line needs its sku."
        if type(line.get("quantity")) is not int or line["quantity"] < 1:
            return f"The line of {line['sku']} needs a whole quantity from 1."
        if not _is_money(line.get("unit_cost")):
            return f"The line of {line['sku']} needs its unit_cost as text and its currency."
    if not _is_money(body.get("shipping")):
        return "An order needs its shipping as text and its currency."
    ship_to = body.get("ship_to")
    if not isinstance(ship_to, dict) or not ship_to.get("name") or not ship_to.get("country"):
        return "An order needs ship_to with at least a name and a country."
    return ""


def _is_money(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("amount"), str)
        and isinstance(value.get("currency"), str)
    )


def _shown(order: Fields) -> Fields:
    return {name: order[name] for name in ("number", "reference", "state")}


def _no(status: int, code: str, message: str) -> Reply:
    return status, {"code": code, "message": message}
