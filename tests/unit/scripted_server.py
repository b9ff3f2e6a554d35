"""A real server on this machine that answers as a test's script says, and the client under test."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from connectors.http import Http
from core.guard import Guard

KEY, SECRET = "ck_canary_key", "cs_canary_secret"
BASIC = "Y2tfY2FuYXJ5X2tleTpjc19jYW5hcnlfc2VjcmV0"


class Script:
    """What the server does with each request: a list of answers, the last one repeated; what it received."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.received: list[tuple[str, str, dict[str, str], bytes]] = []
        self.hold = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.script.received.append(
            (self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        )
        answers = self.script.answers
        step = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(step):
            step(self)
            return
        status, headers, content = step
        content = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *args: Any) -> None: ...


class Server(ThreadingHTTPServer):
    """Quiet where a test breaks the connection on purpose."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None: ...


def drop(handler: Handler) -> None:
    """Takes the request and closes the connection without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut(handler: Handler) -> None:
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'[{"id":')
    handler.wfile.flush()
    drop(handler)


def hang(handler: Handler) -> None:
    handler.script.hold.wait(30)
    handler.close_connection = True


def trickle(handler: Handler) -> None:
    """A byte now and then, for ever: each single read is quick."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    while not handler.script.hold.wait(0.02):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return


def client(port: int, waits: list[float], scheme: str = "http", **options: Any) -> Http:
    return Http(
        f"{scheme}://127.0.0.1:{port}/wp-json",
        name="The shop",
        guard=Guard({"127.0.0.1"}),
        auth=(KEY, SECRET),
        sleep=waits.append,
        **options,
    )


JSON = {"Content-Type": "application/json"}
