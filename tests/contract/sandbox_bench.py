"""A sandbox shop whose clock and counters can be set as they stood when a recording was made."""

import base64
import http.client
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.woocommerce import Shop

TRANSCRIPTS = Path(__file__).resolve().parents[2].parent / "shared" / "woocommerce" / "transcripts"
NAMES = sorted(path.stem for path in TRANSCRIPTS.glob("*.json"))
API = "/wp-json/wc/v3"


class Bench:
    """A shop whose clock and counters are set as they stood when a recording was made."""

    def __init__(self, folder: Path) -> None:
        self.moment = 0.0
        self.folder = folder
        self.shop = Shop(folder, tax_included=True, clock=lambda: self.moment)
        self.trust = ssl.create_default_context(cafile=str(self.shop.ca_file))

    def at(self, moment: str) -> None:
        self.moment = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()

    def number(self, counter: str, first: int) -> None:
        with self.shop.site.store.work():
            self.shop.site.store.start_counter(counter, first)

    def send(
        self, method: str, target: str, headers: dict[str, str], body: bytes | None, *, secure: bool = True
    ) -> tuple[http.client.HTTPResponse, bytes]:
        netloc = urlsplit(self.shop.url if secure else self.shop.http_url).netloc
        if secure:
            line: http.client.HTTPConnection = http.client.HTTPSConnection(
                netloc, context=self.trust, timeout=20
            )
        else:
            line = http.client.HTTPConnection(netloc, timeout=20)
        try:
            line.request(method, target, body, headers)
            reply = line.getresponse()
            return reply, reply.read()
        finally:
            line.close()

    def ask(self, method: str, path: str, fields: Any = None) -> Any:
        """A request of the preparation, which must succeed."""
        headers = {"Authorization": basic(self.shop.keys.key, self.shop.keys.secret)}
        body = None
        if fields is not None:
            headers["Content-Type"], body = "application/json", json.dumps(fields).encode()
        reply, found = self.send(method, API + path, headers, body)
        assert reply.status < 300, found
        return json.loads(found)

    def sandbox(self, name: str, fields: Any) -> Any:
        """One of the sandbox's own switches."""
        headers = {"Authorization": f"Bearer {self.shop.keys.admin_token}"}
        reply, found = self.send("POST", f"/sandbox/{name}", headers, json.dumps(fields).encode())
        assert reply.status < 300, found
        return json.loads(found)

    def as_recorded(self, name: str) -> Any:
        """Send another recording's request as part of the preparation."""
        request = load(name)["request"]
        path = urlsplit(request["url"]).path.removeprefix(API)
        return self.ask(request["method"], path, request["json"])


def load(name: str) -> Any:
    return json.loads((TRANSCRIPTS / f"{name}.json").read_text("utf-8"))


def basic(key: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
