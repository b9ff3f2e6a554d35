"""A real https server on this machine that serves one file, or pages of records, as a supplier's would."""

import base64
import gzip
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.certificates import in_folder

CHANGED = 1_790_000_000.0
Answer = Callable[["Handler"], None]


class FileHost:
    """`content` is what lies at /list.csv; `validators` whether an ETag is told; `script` answers instead, each once."""

    def __init__(self) -> None:
        self.content, self.validators, self.packed, self.changed = b"", True, False, CHANGED
        self.needs: dict[str, str] = {}  # header → value without which 401 is answered
        self.script: list[Answer] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.posted: list[dict[str, str]] = []
        self.token, self.token_seconds = "canary-token-1", 3600
        self.sent, self.connections, self.port, self.ca_file = 0, 0, 0, Path()
        self.hold = threading.Event()

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    def url(self, path: str = "/list.csv") -> str:
        return f"https://127.0.0.1:{self.port}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms
    host: FileHost

    def do_GET(self) -> None:
        host = self.host
        host.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if host.script:
            host.script.pop(0)(self)
        elif any(self.headers.get(name) != value for name, value in host.needs.items()):
            self.answer(401, b'{"error": "who are you?"}')
        elif self.path.startswith("/pages"):
            pages(self)
        else:
            self._file()

    def do_POST(self) -> None:
        """The token server: client credentials in the header or the form."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.host.posted.append({**form, "authorization": self.headers.get("Authorization", "")})
        if self.host.script:
            self.host.script.pop(0)(self)
            return
        right = base64.b64encode(b"canary-client:canary-secret").decode()
        if self.headers.get("Authorization") != f"Basic {right}":
            self.answer(401, json.dumps({"error": "invalid_client"}).encode())
            return
        told = {
            "access_token": self.host.token,
            "token_type": "Bearer",
            "expires_in": self.host.token_seconds,
        }
        self.answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _file(self) -> None:
        host, content, headers = self.host, self.host.content, {"Content-Type": "text/csv"}
        if host.validators:
            headers |= {"ETag": host.etag, "Last-Modified": formatdate(host.changed, usegmt=True)}
        if host.validators and self.headers.get("If-None-Match") == host.etag:
            self.answer(304, b"", headers)
            return
        if host.packed:
            content, headers["Content-Encoding"] = gzip.compress(content), "gzip"
        asked = self.headers.get("Range", "")
        if asked and self.headers.get("If-Range") == host.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, content[start:], headers)
            return
        self.answer(200, content, headers)

    def answer(
        self, status: int, content: bytes, headers: dict[str, str] | None = None, part: int | None = None
    ) -> None:
        """An answer; with `part` the connection breaks after so many bytes of it."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if status != 304:
            self.wfile.write(content if part is None else content[:part])
            self.host.sent += len(content if part is None else content[:part])
        if part is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *args: Any) -> None: ...


def pages(handler: Handler) -> None:
    """The content's JSON lines, `size` a page, however they are asked for: page, offset, cursor, Link header, next."""
    url = urlsplit(handler.path)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    records = [json.loads(line) for line in handler.host.content.splitlines()]
    size = int(query.get("size", 2))
    start = int(query["offset"]) if "offset" in query else (int(query.get("page", 1)) - 1) * size
    start = int(query.get("cursor", start))
    found, more = records[start : start + size], start + size < len(records)
    following = handler.host.url(f"/pages?cursor={start + size}&size={size}")
    body = {
        "items": found, "meta": {"cursor": str(start + size) if more else None, "next": following if more else None},
    }  # fmt: skip
    headers = {"Content-Type": "application/json"}
    if more:
        headers["Link"] = f'<{handler.host.url("/pages")}>; rel="first", <{following}>; rel="next"'
    handler.answer(200, json.dumps(body).encode(), headers)


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """An answer for the script: a status with a body and headers (retry_after="5" is Retry-After)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(code, body, named)


def cut(after: int) -> Answer:
    """The file, and the connection breaks after so many bytes."""

    def answer(handler: Handler) -> None:
        headers = {"ETag": handler.host.etag} if handler.host.validators else {}
        handler.answer(200, handler.host.content, headers, part=after)

    return answer


def hang(handler: Handler) -> None:
    """Takes the question and says nothing."""
    handler.host.hold.wait(30)
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    host: FileHost

    def get_request(self) -> Any:
        found = super().get_request()
        self.host.connections += 1
        return found

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@contextmanager
def file_host(folder: Path, shown: tuple[Path, Path, Path] | None = None) -> Iterator[FileHost]:
    """A server with a certificate of its own for as long as the block lasts; `ca_file` confirms it.

    `shown` are another CA file, certificate and key to show.
    """
    host = FileHost()
    with _Server(("127.0.0.1", 0), type("Here", (Handler,), {"host": host})) as httpd:
        httpd.host = host
        if shown is None:
            made = in_folder(folder / "certificates")
            shown = made.ca_file, made.server_file, made.key_file
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown[1], shown[2])
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        host.ca_file = shown[0]
        host.port = httpd.server_port
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield host
        host.hold.set()
        httpd.shutdown()
        thread.join()
