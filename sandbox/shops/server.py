"""A shop as a web server on 127.0.0.1, able to fail in every way that was asked for.

It stands on the standard library's server because a fault must reach the socket itself: hold it, cut it,
answer late.
"""

import http.client
import socket
import ssl
import struct
import threading
from abc import ABC, abstractmethod
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Generic, TypeVar

from sandbox.shops.answers import Answer, Call, Fields
from sandbox.shops.faults import Fault, Faults, Record

IDLE = 60.0  # seconds after which a silent connection is closed

C = TypeVar("C", bound=Call)
A = TypeVar("A", bound=Answer)
F = TypeVar("F", bound=Fault)


class Gone(Exception):
    """The connection is to be cut without an answer."""


class Listener(ThreadingMixIn, TCPServer, ABC, Generic[C, A, F]):
    """One port, one thread per connection, with or without TLS. A channel says how it reads, answers and fails."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    max_body = 64 * 1024 * 1024

    def __init__(self, port: int, switches: Faults[F], record: Record, tls: ssl.SSLContext | None) -> None:
        """`port` 0 takes a free one."""
        self.switches, self.record, self.tls = switches, record, tls
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    @abstractmethod
    def read(self, method: str, target: str, headers: dict[str, str], body: bytes) -> C:
        """The request; `headers` has lower-case names."""

    @abstractmethod
    def may_fail(self, call: C) -> bool:
        """Whether faults strike it and it is noted in the record."""

    @abstractmethod
    def told(self, call: C) -> Fields:
        """What the record says of it."""

    @abstractmethod
    def hits(self, fault: F, call: C) -> bool:
        """Whether a fault is meant for it."""

    @abstractmethod
    def own(self, call: C) -> A:
        """The shop's own answer."""

    @abstractmethod
    def instead(self, fault: F, call: C) -> A | None:
        """The answer in place of the shop's own, for the faults where nothing is done."""

    @abstractmethod
    def spoiled(self, fault: F, answer: A) -> A:
        """The shop's own answer as a fault of the channel's own lets it through."""

    @abstractmethod
    def head(self, answer: A, host: str) -> dict[str, str]:
        """The headers, but for Content-Length and Connection."""

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

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Answers nothing more: closes the port and every connection."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                cut(connection)


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, lets faults strike, writes the answers."""

    protocol_version = "HTTP/1.1"
    server: Listener[Any, Any, Any]

    def handle_one_request(self) -> None:
        """As the base class, but every method goes the same way."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = int(headers.get("content-length") or 0)
        if length > self.server.max_body or "chunked" in headers.get("transfer-encoding", ""):
            raise Gone
        call = self.server.read(self.command, self.path, headers, self.rfile.read(length))
        self._send(self._noted(call) if self.server.may_fail(call) else self.server.own(call))

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the record of requests says it better."""

    def _noted(self, call: Call) -> Answer:
        server = self.server
        fault = server.switches.take(lambda one: server.hits(one, call))
        entry = server.record.arrived(server.told(call), fault)
        status = None
        try:
            answer: Answer = self._struck(call, fault) if fault else server.own(call)
            status = answer.status
        finally:
            server.record.answered(entry, status)
        return answer

    def _struck(self, call: Call, fault: Fault) -> Answer:
        server = self.server
        if fault.kind == "hang":
            server.stopping.wait(fault.seconds)
            raise self._gone()
        if fault.kind == "drop_before":
            raise self._gone()
        replaced: Answer | None = server.instead(fault, call)
        if replaced is not None:
            return replaced
        answer: Answer = server.own(call)
        if fault.kind == "late":
            server.stopping.wait(fault.seconds)
        if fault.kind == "drop_after":
            raise self._gone()
        if fault.kind == "cut":
            whole = answer.encoded()
            return replace(answer, body=whole[: len(whole) // 2])
        spoiled: Answer = server.spoiled(fault, answer)
        return spoiled

    def _gone(self) -> Gone:
        cut(self.connection)
        return Gone()

    def _send(self, answer: Answer) -> None:
        body = b"" if self.command == "HEAD" else answer.encoded()
        headers = self.server.head(answer, self.headers.get("Host", "127.0.0.1"))
        headers["Content-Length"] = str(len(body))
        if self.close_connection:
            headers["Connection"] = "close"
        reason = http.client.responses.get(answer.status, "Unknown")
        lines = [
            f"HTTP/1.1 {answer.status} {reason}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)


def tls_with(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's TLS with these files (PEM)."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(certificate, key)
    return tls


def cut(connection: socket.socket) -> None:
    """Ends a connection the hard way: the other side sees a reset, not an end."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
