"""The supplier as an https server on 127.0.0.1. It stands on the socket, since a fault must be able to cut it."""

import json
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from sandbox.certificates import in_folder
from sandbox.supplier.desk import Desk, Reply, Request
from sandbox.supplier.faults import Fault, Faults
from sandbox.supplier.store import Store

IDLE = 60.0
MAX_BODY = 4 * 1024 * 1024


class SupplierServer:
    """A supplier in a folder; a context manager that serves in between. A restart keeps orders and key."""

    def __init__(self, name: str, folder: Path, port: int = 0) -> None:
        self.name = name
        certificates = in_folder(folder)
        self.ca_file = certificates.ca_file
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificates.server_file, certificates.key_file)
        self._store = Store(folder / "supplier.sqlite")
        self.faults = Faults()
        self.desk = Desk(self._store, self.faults)
        self._listener = _Listener(port, self.desk, self.faults, tls)
        self.url = f"https://127.0.0.1:{self._listener.server_address[1]}"

    def description(self) -> dict[str, str]:
        """What a client must know; the one line the process prints when it is ready."""
        return {
            "name": self.name,
            "url": self.url,
            "ca_file": str(self.ca_file),
            "key": self.desk.key,
            "admin_token": self.desk.admin_token,
        }

    def orders(self) -> list[dict[str, Any]]:
        """All orders; `asked` counts how often each one's reference was asked for."""
        return self._store.everything()

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._store.close()


class _Gone(Exception):
    """The connection is to be cut without an answer."""


class _Listener(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, desk: Desk, faults: Faults, tls: ssl.SSLContext) -> None:
        self.desk, self.faults, self.tls = desk, faults, tls
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, so that a slow handshake holds up nobody else."""
        request.settimeout(IDLE)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with self.tls.wrap_socket(request, server_side=True) as wrapped:
                _Handler(wrapped, client_address, self)
        except (OSError, _Gone):
            return  # the client went away or was sent away; both are part of the game


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def handle_one_request(self) -> None:
        """As the base class, but every method goes the same way."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        request = self._request()
        if request.path.startswith("/sandbox/"):
            self._send(self.server.desk.switch(request))
            return
        said = request.body.get("reference") if isinstance(request.body, dict) else None
        reference = str(said or request.query.get("reference", ""))
        fault = self.server.faults.take(request.method, request.path, reference)
        self._send(self._struck(request, fault) if fault else self.server.desk.answer(request))

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the record of requests says it better."""

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            raise _Gone
        try:
            body = json.loads(self.rfile.read(length) or b"null")
        except ValueError:
            body = None
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, parts.path, query, headers, body)

    def _struck(self, request: Request, fault: Fault) -> Reply:
        if fault.kind == "status":
            return fault.status, None
        if fault.kind == "refuse":
            return 422, {"code": "refused", "message": fault.message}
        if fault.kind == "hang":
            self.server.stopping.wait(fault.seconds)
        if fault.kind in {"hang", "drop_before"}:
            raise self._gone()
        reply = self.server.desk.answer(request)
        if fault.kind == "late":
            self.server.stopping.wait(fault.seconds)
        if fault.kind == "drop_after":
            raise self._gone()
        return reply

    def _gone(self) -> _Gone:
        """Ends the connection the hard way: the other side sees a reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RDWR)
        return _Gone()

    def _send(self, reply: Reply) -> None:
        status, body = reply
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
