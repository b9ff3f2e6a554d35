"""The shop as a web server on 127.0.0.1, with https and http, able to fail in every way that was asked for.

It stands on the standard library's server because a fault must reach the socket itself: hold it, cut it,
answer late.
"""

import email.utils
import http.client
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox.woocommerce import batch, faults
from sandbox.woocommerce.answers import Answer, Call
from sandbox.woocommerce.faults import Fault, Faults, Record
from sandbox.woocommerce.latency import Latency
from sandbox.woocommerce.listing import query_of

MAX_BODY = 64 * 1024 * 1024  # as the recorded post_max_size
IDLE = 60.0  # seconds after which a silent connection is closed

_NO_CACHE = {
    "Expires": "Wed, 11 Jan 1984 05:00:00 GMT",
    "Cache-Control": "no-cache, must-revalidate, max-age=0, no-store, private",
}
_REST = {
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Expose-Headers": "X-WP-Total, X-WP-TotalPages, Link",
    "Access-Control-Allow-Headers": "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type",
}
# The recorded sets of usual headers: of an answer, of a refusal before the key was known, of a dead WordPress …
_ENVELOPES = {
    "rest": _REST | _NO_CACHE,
    "rest stranger": _REST | {"Vary": "Origin"},
    "rest unallowed": _REST | _NO_CACHE,
    "died": _NO_CACHE,
    "stray": {},
    "proxy": {},
    "page": {},
}


class Gone(Exception):
    """The connection is to be cut without an answer."""


class Listener(ThreadingMixIn, TCPServer):
    """One port, one thread per connection, with or without TLS."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        answer: Callable[[Call], Answer],
        *,
        switches: Faults,
        record: Record,
        latency: Latency,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answer, self.switches, self.record, self.tls = answer, switches, record, tls
        self.latency, self.stopping = latency, threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, so that a slow handshake holds up nobody else."""
        request.settimeout(IDLE)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(request)
        try:
            if self.tls is None:
                Handler(request, client_address, self)
            else:
                with self.tls.wrap_socket(request, server_side=True) as wrapped:
                    Handler(wrapped, client_address, self)
        except (OSError, Gone):
            return  # the client went away or was sent away; both are part of the game
        finally:
            with self._lock:
                self._open.discard(request)

    def stop(self) -> None:
        """Answers nothing more: closes the port and every connection."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                cut(connection)


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, lets faults strike, writes the recorded headers."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def handle_one_request(self) -> None:
        """As the base class, but every method goes the same way."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        call = self._call()
        if call.path.startswith("/wp-json"):
            self._api(call)
        else:
            self._send(self.server.answer(call))

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the record of requests says it better."""

    def _call(self) -> Call:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = int(headers.get("content-length") or 0)
        if length > MAX_BODY or "chunked" in headers.get("transfer-encoding", ""):
            raise Gone
        return Call(
            method=self.command,
            path=unquote(parts.path),
            query=query_of(parts.query),
            headers=headers,
            body=self.rfile.read(length),
            secure=self.server.tls is not None,
            raw_query=parts.query,
        )

    def _api(self, call: Call) -> None:
        fault = self.server.switches.take(call)
        sizes = _batch_sizes(call)
        entry = self.server.record.arrived(call, sizes, fault)
        status = None
        try:
            answer = self._struck(call, sizes, fault) if fault else self._own(call, sizes)
            status = answer.status
        finally:
            self.server.record.answered(entry, status)
        self._send(answer)

    def _own(self, call: Call, sizes: dict[str, int]) -> Answer:
        with self.server.latency.turn(call, sizes) as made:
            made.append(self.server.answer(call))
        return made[0]

    def _struck(self, call: Call, sizes: dict[str, int], fault: Fault) -> Answer:
        if fault.kind == "hang":
            self.server.stopping.wait(fault.seconds)
            raise self._gone()
        if fault.kind == "drop_before":
            raise self._gone()
        replaced = faults.instead(fault, call)
        if replaced is not None:
            return replaced
        answer = self._own(call, sizes)
        if fault.kind == "late":
            self.server.stopping.wait(fault.seconds)
        if fault.kind == "drop_after":
            raise self._gone()
        return faults.spoiled(fault, answer)

    def _gone(self) -> Gone:
        cut(self.connection)
        return Gone()

    def _send(self, answer: Answer) -> None:
        body = b"" if self.command == "HEAD" else answer.encoded()
        host = self.headers.get("Host", "127.0.0.1")
        headers = {"Host": host, "Date": email.utils.formatdate(usegmt=True)}
        if answer.envelope != "proxy":
            headers["X-Powered-By"] = "PHP/8.2.36"
        headers["Content-Type"] = answer.content_type
        headers |= _ENVELOPES[answer.envelope]
        if answer.envelope.startswith("rest"):
            scheme = "https" if self.server.tls else "http"
            # The links of a list's pages replace this one, as recorded.
            headers["Link"] = f'<{scheme}://{host}/wp-json/>; rel="https://api.w.org/"'
        headers |= answer.headers
        headers["Content-Length"] = str(len(body))
        if self.close_connection:
            headers["Connection"] = "close"
        reason = http.client.responses.get(answer.status, "Unknown")
        lines = [
            f"HTTP/1.1 {answer.status} {reason}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)


def cut(connection: socket.socket) -> None:
    """Ends a connection the hard way: the other side sees a reset, not an end."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _batch_sizes(call: Call) -> dict[str, int]:
    if not call.path.endswith("/batch"):
        return {}
    try:
        return batch.sizes(json.loads(call.body or b"{}"))
    except ValueError:
        return {}
