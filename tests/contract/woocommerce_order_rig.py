"""The sandbox's WooCommerce under the order contract: its buyers at the till, its seller at the desk, its webhooks heard."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from connectors.shops.woocommerce.connector import WooCommerceShop
from sandbox.woocommerce.shop import Shop
from tests.contract.shops import PATIENCE, WooRig

SHIPMENT = "_entrepot_shipment_"


class Ear:
    """Takes every webhook on 127.0.0.1 and answers `status`."""

    def __init__(self) -> None:
        self.heard: list[tuple[Mapping[str, str], bytes]] = []
        self.status = 200
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                ear.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(ear.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/woocommerce/7"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class WooOrderRig:
    """One sandbox shop with prices that include tax, as a buyer sees them."""

    can_fail = True
    marks_tests = False
    buyer: Mapping[str, str] = {
        "name": "Käthe O'Neil",
        "street": "Weg 2",
        "postcode": "80331",
        "city": "München",
        "country": "DE",
        "email": "kaethe@example.test",
    }

    def __init__(self, shop: Shop, ear: Ear) -> None:
        self.shop, self.ear = shop, ear
        self.woo = WooRig(shop.url, shop.keys.key, shop.keys.secret, str(shop.ca_file), shop)
        tls = ssl.create_default_context(cafile=str(shop.ca_file))
        headers = {"Authorization": f"Bearer {shop.keys.admin_token}", "Content-Type": "application/json"}
        self._switches = httpx2.Client(verify=tls, headers=headers, timeout=60, trust_env=False)
        self._tls = self.woo._http

    def connect(self, **options: Any) -> WooCommerceShop:
        return self.woo.connect(patience=PATIENCE, **options)

    def switch(self, name: str, fields: Mapping[str, Any]) -> httpx2.Response:
        """One of the sandbox's own switches, answered as it was."""
        return self._switches.post(f"{self.shop.url}/sandbox/{name}", content=json.dumps(fields))

    def desk(self, order_id: str, act: str, **fields: Any) -> dict[str, Any]:
        answer = self.switch("order/act", {"id": int(order_id), "act": act, **fields})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def buy(self, lines: Sequence[tuple[str, int]], *, paid: bool = True) -> str:
        first, _, last = self.buyer["name"].partition(" ")
        billing = {
            "first_name": first,
            "last_name": last,
            "address_1": self.buyer["street"],
            **{name: self.buyer[name] for name in ("postcode", "city", "country", "email")},
        }
        answer = self.switch(
            "order",
            {
                "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
                "payment_method": "card" if paid else "bacs",
                "billing": billing,
            },
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def pay(self, order_id: str) -> None:
        self.desk(order_id, "pay")

    def edit(self, order_id: str, line_id: str, quantity: int) -> None:
        self.desk(order_id, "edit", line=line_id, quantity=quantity)

    def refund(self, order_id: str, lines: Sequence[tuple[str, int]], amount: str = "") -> str:
        found = self.desk(order_id, "refund", lines=[list(line) for line in lines], amount=amount)
        return str(max(one["id"] for one in found["refunds"]))

    def cancel(self, order_id: str) -> None:
        self.desk(order_id, "cancel")

    def delete(self, order_id: str) -> None:
        self.desk(order_id, "delete")

    def shipments(self, order_id: str) -> list[Mapping[str, Any]]:
        return shown_shipments(self.woo, order_id)

    def notes(self, order_id: str) -> list[str]:
        """What the buyer was told, the latest first."""
        notes = self.woo.rest("GET", f"orders/{order_id}/notes")
        return [one["note"] for one in notes if one["customer_note"]]

    def lose_answer(self) -> None:
        self.woo.fail("drop_after", path="/orders/")

    def webhooks(self) -> list[tuple[Mapping[str, str], bytes]]:
        self.shop.deliveries.run()
        heard, self.ear.heard = self.ear.heard, []
        return heard

    @property
    def address(self) -> str:
        return self.ear.url

    def forget(self, prefix: str) -> None: ...

    def tidy(self) -> None:
        self.woo.tidy("")
        self.ear.heard, self.ear.status = [], 200


def shown_shipments(woo: WooRig, order_id: str) -> list[Mapping[str, Any]]:
    """What an order shows as shipped, the oldest first."""
    fields = woo.rest("GET", f"orders/{order_id}")["meta_data"]
    kept = [
        json.loads(one["value"])
        for one in sorted(fields, key=lambda one: one["id"])
        if one["key"].startswith(SHIPMENT)
    ]
    return [{name: one[name] for name in ("number", "carrier", "url")} for one in kept]


@contextmanager
def order_rig(folder: Path, currency: str = "EUR") -> Iterator[WooOrderRig]:
    ear = Ear()
    try:
        with Shop(folder, images="accept", tax_included=True, currency=currency) as shop:
            yield WooOrderRig(shop, ear)
    finally:
        ear.close()
