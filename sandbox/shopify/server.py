"""The shop as an https server on 127.0.0.1, able to fail in every way that was asked for.

It stands on the standard library's server because a fault must reach the socket itself: hold it, cut it,
answer late.
"""

import email.utils
import http.client
import secrets
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit

from sandbox.shopify import faults
from sandbox.shopify.answers import Answer, Call, Fields
from sandbox.shopify.faults import Fault, Faults, Record

MAX_BODY = 101 * 1024 * 1024
IDLE = 60.0  # seconds after which a silent connection is closed


class Gone(Exception):
    """The connection is to be cut without an answer."""


class Listener(ThreadingMixIn, TCPServer):
    """One port with TLS, one thread per connection."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        answer: Callable[[Call], Answer],
        *,
        fields_of: Callable[[Call], list[str]],
        throttle: Callable[[], Fields],
        switches: Faults,
        record: Record,
        tls: ssl.SSLContext,
    ) -> None:
        self.answer, self.fields_of, self.throttle = answer, fields_of, throttle
        self.switches, self.record, self.tls = switches, record, tls
        self.stopping = threading.Event()
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
    """One connection: reads requests, lets faults strike, writes the answer."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def handle_one_request(self) -> None:
        """As the base class, but every method goes the same way."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        call = self._call()
        if call.path == "/" or call.path.startswith("/sandbox/"):
            self._send(self.server.answer(call))
        else:
            self._api(call)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the record of requests says it better."""

    def _call(self) -> Call:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = int(headers.get("content-length") or 0)
        if length > MAX_BODY or "chunked" in headers.get("transfer-encoding", ""):
            raise Gone
        parts = urlsplit(self.path)
        return Call(self.command, parts.path, headers, self.rfile.read(length), parts.query)

    def _api(self, call: Call) -> None:
        fields = self.server.fields_of(call)
        fault = self.server.switches.take(fields)
        entry = self.server.record.arrived(call, fields, fault)
        status = None
        try:
            answer = self._struck(call, fault) if fault else self.server.answer(call)
            status = answer.status
        finally:
            self.server.record.answered(entry, status)
        self._send(answer)

    def _struck(self, call: Call, fault: Fault) -> Answer:
        if fault.kind == "hang":
            self.server.stopping.wait(fault.seconds)
            raise self._gone()
        if fault.kind == "drop_before":
            raise self._gone()
        replaced = faults.instead(fault, self.server.throttle())
        if replaced is not None:
            return replaced
        answer = self.server.answer(call)
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
        headers = {
            "Date": email.utils.formatdate(usegmt=True),
            "Content-Type": answer.content_type,
            "X-Request-Id": secrets.token_hex(16),
            **answer.headers,
            "Content-Length": str(len(body)),
        }
        if self.close_connection:
            headers["Connection"] = "close"
        reason = http.client.responses.get(answer.status, "Unknown")
        head = [
            f"HTTP/1.1 {answer.status} {reason}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body)


def cut(connection: socket.socket) -> None:
    """Ends a connection the hard way: the other side sees a reset, not an end."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
