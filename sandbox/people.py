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
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60
_started: list[subprocess.Popen[str]] = []


class Trouble(Exception):
    """Something the demo relies on went wrong; the message is one sentence."""


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
    ShopServer.running.clear()


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


class ShopServer(Server):
    """A WooCommerce sandbox shop as a process. `held()` asks it as any REST client would."""

    running: ClassVar[list["ShopServer"]] = []

    def __init__(self, folder: Path, name: str, *options: str) -> None:
        argv = [
            "--name",
            name,
            "--folder",
            str(folder),
            "--port",
            kept_port(folder),
            "--images",
            "private",
            *options,
        ]
        self.name = name
        self.child = start([sys.executable, "-m", "sandbox.woocommerce", *argv])
        told = first_line(self.child, f"The shop {name}")
        super().__init__(told["url"])
        self.front, self.ca_file, self.admin_token = told["url"], told["ca_file"], told["admin_token"]
        self.keys = {"ENTREPOT_SHOP_KEY": told["key"], "ENTREPOT_SHOP_SECRET": told["secret"]}
        self._tls = ssl.create_default_context(cafile=self.ca_file)
        ShopServer.running.append(self)

    def get(self, path: str) -> Any:
        """A REST answer of the shop."""
        given = f"{self.keys['ENTREPOT_SHOP_KEY']}:{self.keys['ENTREPOT_SHOP_SECRET']}"
        return self._call(
            "GET", f"/wp-json/wc/v3/{path}", "Basic " + base64.b64encode(given.encode()).decode()
        )

    def switch(self, method: str, name: str, **wish: Any) -> Any:
        """One of the shop's own switches: faults, what was asked, a meddling hand."""
        return self._call(method, f"/sandbox/{name}", f"Bearer {self.admin_token}", wish or None)

    def _call(self, method: str, path: str, authorization: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": authorization, "Content-Type": "application/json", "Accept": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60, context=self._tls) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            raise Trouble(f"The shop {self.name} does not answer {method} {path}: {error}") from None

    def held(self) -> dict[str, tuple[str, int | None]]:
        """What the shop has on sale: SKU → (price, stock), asked page by page over REST."""
        found: dict[str, tuple[str, int | None]] = {}
        for product in self._pages("products?status=publish"):
            if product["type"] == "variable":
                for variation in self._pages(f"products/{product['id']}/variations?status=publish"):
                    found[variation["sku"]] = (variation["regular_price"], variation["stock_quantity"])
            else:
                found[product["sku"]] = (product["regular_price"], product["stock_quantity"])
        return found

    def _pages(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while page := self.get(f"{path}&per_page=100&page={len(found) // 100 + 1}"):
            found += page
            if len(page) < 100:
                break
        return found


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
        """`entrepot … --json`: its last line. Raises Trouble where it ends with a code that is not `allowed`."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words, "--json"], capture_output=True, text=True, cwd=CHECKOUT, timeout=600, check=False,
            env={**os.environ, **self.environment, **(secrets or {})},
        )  # fmt: skip
        if done.returncode not in allowed:
            raise Trouble(
                f"entrepot {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-500:]}"
            )
        lines = done.stdout.strip().splitlines()
        answer: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return answer
