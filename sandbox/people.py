"""Who takes part in the demo and the journeys: the hub as its users see it, shops and a picture server as processes."""

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60
PATIENCE_SECONDS = 450  # for one command; what it waits for is told before that by the command itself
_BILLING = {
    "first_name": "Erika",
    "last_name": "Muster",
    "address_1": "Musterweg 1",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
    "email": "erika@example.com",
}
_HELD = """query($after: String) { productVariants(first: 100, after: $after) {
  pageInfo { hasNextPage endCursor }
  nodes { sku price inventoryQuantity product { status publishedAt }
    inventoryItem { tracked inventoryLevels(first: 1) { nodes { id } } } } } }"""
_SENT = "query($id: ID!) { order(id: $id) { fulfillments { trackingInfo { company number url } } } }"
_started: list[subprocess.Popen[str]] = []


class Trouble(Exception):
    """Something the demo relies on went wrong; the message is one sentence."""


class SoldOut(Trouble):
    """The shop has not as many as a buyer wants."""


def start(
    argv: list[str], environment: dict[str, str] | None = None, *, out: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Starts a process of ours; stop_all() ends it."""
    child = subprocess.Popen(
        argv,
        stdout=out,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    _started.append(child)
    return child


def stop_all() -> None:
    """Ends what was started, the last first, by its own pid; 30 seconds for each, then by force."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave servers behind
    while _started:
        stop(_started[-1])
    Shopfront.running.clear()


def stop(child: subprocess.Popen[str], number: int = signal.SIGTERM) -> None:
    """Ends one process."""
    _started.remove(child)
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdout:
        child.stdout.close()


def first_line(child: subprocess.Popen[str], what: str) -> dict[str, Any]:
    """The JSON line a server prints when it is ready. Raises Trouble where it ends or says nothing for a minute."""
    alarm = threading.Timer(READY_SECONDS, child.kill)
    alarm.start()
    try:
        assert child.stdout
        line = child.stdout.readline()
    finally:
        alarm.cancel()
    if not line:
        raise Trouble(f"{what} did not start; what it said stands above.")
    said: dict[str, Any] = json.loads(line)
    return said


def free_port(wished: int) -> int:
    """The wished port on 127.0.0.1, or a free one where somebody has it."""
    for port in (wished, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Trouble("There is no free port on 127.0.0.1.")


def kept_port(folder: Path) -> str:
    """The port this server had the last time, where it is still free: addresses stay the same from run to run."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "port"
    port = str(free_port(int(note.read_text()) if note.exists() else 0))
    note.write_text(port)
    return port


class Server:
    """A started server of the sandbox and its address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = urlsplit(url).netloc


def start_images(folder: Path) -> Server:
    """The picture server: one distinct picture a product."""
    child = start([sys.executable, "-m", "sandbox.images", "--port", kept_port(folder)])
    return Server(first_line(child, "The picture server")["url"])


class Shopfront(Server, ABC):
    """A sandbox shop as a process, with the hands of its buyers, its seller and whoever plays tricks on it.

    Orders, lines and shipments go by the ids the shop itself gives them, as text.
    """

    running: ClassVar[list["Shopfront"]] = []
    module: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, folder: Path, name: str, *options: str) -> None:
        argv = ["--name", name, "--folder", str(folder), "--port", kept_port(folder), *self.options, *options]
        self.name = name
        self.child = start([sys.executable, "-m", self.module, *argv])
        self.told = first_line(self.child, f"The shop {name}")
        super().__init__(self.told["url"])
        self.front, self.ca_file = self.told["url"], self.told["ca_file"]
        self.admin_token = self.told["admin_token"]
        self._tls = ssl.create_default_context(cafile=self.ca_file)
        self.keys = self.known()
        Shopfront.running.append(self)

    @abstractmethod
    def known(self) -> dict[str, str]:
        """The keys as the hub's command line takes them from its environment."""

    @abstractmethod
    def held(self) -> dict[str, tuple[str, int | None]]:
        """What the shop has on sale: SKU → (price, stock), asked page by page as any client would."""

    @abstractmethod
    def buy(self, lines: Sequence[tuple[str, int]], **wish: Any) -> str:
        """A checkout of (SKU, quantity); `paid=False` leaves the money open, the rest is the shop's own wish. The
        order's id. Raises SoldOut where there are not as many, Trouble where the shop would not sell it."""

    @abstractmethod
    def pay(self, order: str) -> None:
        """The money of an unpaid order arrives."""

    @abstractmethod
    def cancel(self, order: str) -> None:
        """The seller cancels the whole order."""

    @abstractmethod
    def refund(self, order: str, lines: Sequence[tuple[str, int]], amount: str = "") -> None:
        """The seller pays back (SKU, quantity), or only `amount` where there are no lines."""

    @abstractmethod
    def orders(self) -> list[dict[str, Any]]:
        """Every order: `id`, `number`, `status` in the shop's own word, `lines` of (SKU, quantity that is left)."""

    @abstractmethod
    def shipments(self, order: str) -> list[dict[str, Any]]:
        """What the shop was told was sent: `number`, `carrier`, `url` each, oldest first."""

    def switch(self, method: str, name: str, **wish: Any) -> Any:
        """One of the shop's own switches: faults, what was asked, a meddling hand."""
        return self._call(
            method, f"/sandbox/{name}", {"Authorization": f"Bearer {self.admin_token}"}, wish or None
        )

    def _call(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={**headers, "Content-Type": "application/json", "Accept": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60, context=self._tls) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            trouble = SoldOut if "out of stock" in said or "sandbox_out_of_stock" in said else Trouble
            raise trouble(f"The shop {self.name} answers {method} {path} with {error.code}: {said}") from None
        except urllib.error.URLError as error:
            raise Trouble(f"The shop {self.name} does not answer {method} {path}: {error}") from None


class ShopServer(Shopfront):
    """A WooCommerce sandbox shop."""

    module = "sandbox.woocommerce"
    options = ("--images", "private")

    def known(self) -> dict[str, str]:
        return {"ENTREPOT_SHOP_KEY": self.told["key"], "ENTREPOT_SHOP_SECRET": self.told["secret"]}

    def get(self, path: str) -> Any:
        """A REST answer of the shop."""
        given = base64.b64encode(f"{self.told['key']}:{self.told['secret']}".encode()).decode()
        return self._call("GET", f"/wp-json/wc/v3/{path}", {"Authorization": f"Basic {given}"})

    def held(self) -> dict[str, tuple[str, int | None]]:
        found: dict[str, tuple[str, int | None]] = {}
        for product in self._pages("products?status=publish"):
            if product["type"] == "variable":
                for variation in self._pages(f"products/{product['id']}/variations?status=publish"):
                    found[variation["sku"]] = (variation["regular_price"], variation["stock_quantity"])
            else:
                found[product["sku"]] = (product["regular_price"], product["stock_quantity"])
        return found

    def buy(self, lines: Sequence[tuple[str, int]], *, paid: bool = True, **wish: Any) -> str:
        rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        way = "card" if paid else "bacs"
        return str(
            self.switch("POST", "order", lines=rows, payment_method=way, billing=_BILLING, **wish)["id"]
        )

    def pay(self, order: str) -> None:
        self._act(order, "pay")

    def cancel(self, order: str) -> None:
        self._act(order, "cancel")

    def refund(self, order: str, lines: Sequence[tuple[str, int]], amount: str = "") -> None:
        held = {line["sku"]: line["id"] for line in self.get(f"orders/{order}")["line_items"]}
        rows = [[held[sku], quantity] for sku, quantity in lines]
        self._act(order, "refund", lines=rows, amount=amount)

    def orders(self) -> list[dict[str, Any]]:
        return [
            {
                "id": str(one["id"]),
                "number": one["number"],
                "status": one["status"],
                "lines": [(line["sku"], line["quantity"]) for line in one["line_items"]],
            }
            for one in self._pages("orders?orderby=id&order=asc")
        ]

    def shipments(self, order: str) -> list[dict[str, Any]]:
        """Kept where the hub writes them for want of a place of WooCommerce's own: in fields of the order."""
        fields = sorted(self.get(f"orders/{order}")["meta_data"], key=lambda one: int(one["id"]))
        rows = [json.loads(one["value"]) for one in fields if one["key"].startswith("_entrepot_shipment_")]
        return [{name: one[name] for name in ("number", "carrier", "url")} for one in rows]

    def _act(self, order: str, act: str, **wish: Any) -> None:
        self.switch("POST", "order/act", id=int(order), act=act, **wish)

    def _pages(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while page := self.get(f"{path}&per_page=100&page={len(found) // 100 + 1}"):
            found += page
            if len(page) < 100:
                break
        return found


class ShopifyServer(Shopfront):
    """A Shopify sandbox shop."""

    module = "sandbox.shopify"

    def known(self) -> dict[str, str]:
        return {
            "ENTREPOT_SHOP_KEY": self.told["access_token"],
            "ENTREPOT_SHOP_SECRET": self.told["client_secret"],
        }

    def ask(self, document: str, **variables: Any) -> Any:
        """The data of a GraphQL answer. Raises Trouble for one with errors."""
        headers = {"X-Shopify-Access-Token": self.told["access_token"]}
        body = {"query": document, "variables": variables}
        said = self._call("POST", "/admin/api/2026-10/graphql.json", headers, body)
        if "errors" in said:
            raise Trouble(f"The shop {self.name} objects: {json.dumps(said['errors'])[:300]}")
        return said["data"]

    def held(self) -> dict[str, tuple[str, int | None]]:
        found: dict[str, tuple[str, int | None]] = {}
        after = None
        while True:
            page = self.ask(_HELD, after=after)["productVariants"]
            for one in page["nodes"]:
                levels = one["inventoryItem"]["inventoryLevels"]["nodes"]
                stock = one["inventoryQuantity"] if levels and one["inventoryItem"]["tracked"] else None
                if one["product"]["publishedAt"] and one["product"]["status"] == "ACTIVE":
                    found[one["sku"]] = (one["price"], stock)
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    def buy(self, lines: Sequence[tuple[str, int]], **wish: Any) -> str:
        rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        return str(self.switch("POST", "order", lines=rows, **wish)["id"])

    def pay(self, order: str) -> None:
        self.switch("POST", "order/pay", order=order)

    def cancel(self, order: str) -> None:
        self.switch("POST", "order/cancel", order=order)

    def refund(self, order: str, lines: Sequence[tuple[str, int]], amount: str = "") -> None:
        rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        self.switch("POST", "order/refund", order=order, lines=rows, amount=amount)

    def orders(self) -> list[dict[str, Any]]:
        return [
            {
                "id": one["id"],
                "number": one["name"],
                "status": "cancelled" if one["cancelled"] else one["financial_status"].lower(),
                "lines": [(line["sku"], line["current"]) for line in one["lines"]],
            }
            for one in self.switch("GET", "orders")
        ]

    def shipments(self, order: str) -> list[dict[str, Any]]:
        found = self.ask(_SENT, id=order)["order"]["fulfillments"]
        return [
            {"number": track["number"], "carrier": track["company"] or "", "url": track["url"] or ""}
            for one in found
            for track in one["trackingInfo"]
        ]


class Hub:
    """The hub through its command line; its servers as one supervised process."""

    def __init__(self, data: Path, *, port: int, **environment: str) -> None:
        self.data = data
        self.environment = {"ENTREPOT_DATA": str(data), "ENTREPOT_PORT": str(port), **environment}
        self.console = f"http://127.0.0.1:{port}"
        self.supervisor: subprocess.Popen[str] | None = None

    def allow(self, hosts: list[str]) -> None:
        """Names the private hosts the operator allows."""
        self.environment["ENTREPOT_PRIVATE_HOSTS"] = ",".join(hosts)

    def start(self) -> None:
        """Starts web, worker and scheduler; what they say goes to standard error."""
        self.supervisor = start(
            [sys.executable, "-m", "cli", "up"], self.environment, out=sys.stderr.fileno()
        )

    def stop(self) -> None:
        """One Ctrl-C."""
        if self.supervisor:
            stop(self.supervisor, signal.SIGINT)
            self.supervisor = None

    def ask(
        self, *words: str, secrets: dict[str, str] | None = None, allowed: tuple[int, ...] = (0,)
    ) -> dict[str, Any]:
        """`entrepot … --json`: its last line. Raises Trouble where it ends with a code that is not `allowed`, or not at all."""
        try:
            done = subprocess.run(
                [sys.executable, "-m", "cli", *words, "--json"], capture_output=True, text=True, cwd=CHECKOUT, check=False,
                env={**os.environ, **self.environment, **(secrets or {})}, timeout=PATIENCE_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Trouble(
                f"entrepot {' '.join(words)} did not end in {PATIENCE_SECONDS} s; `entrepot message list` shows what waits."
            ) from None
        if done.returncode not in allowed:
            raise Trouble(
                f"entrepot {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-500:]}"
            )
        lines = done.stdout.strip().splitlines()
        answer: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return answer
