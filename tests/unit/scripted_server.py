"""A real server on this machine that answers as a test's script says, and the client under test."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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


@contextmanager
def secure_server(script: Script, folder: Path) -> Iterator[tuple[int, Path]]:
    """The same over https: its port and the CA file that belongs to it."""
    ca_file, certificate, key = authority(folder, "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(("127.0.0.1", 0), type("Here", (Handler,), {"script": script})) as httpd:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield httpd.server_port, ca_file
        httpd.shutdown()
        thread.join()


def authority(folder: Path, name: str, hosts: Sequence[str] = ()) -> tuple[Path, Path, Path]:
    """A CA and a certificate for 127.0.0.1 and `hosts` signed by it: CA file, certificate, key."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)

    def build(subject: x509.Name, public: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=2))
        )  # fmt: skip

    ca = (
        build(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(True, 0), True)
        .sign(ca_key, hashes.SHA256())
    )
    local = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName([local, *(x509.DNSName(host) for host in hosts)])
    server = build(x509.Name([]), key.public_key()).add_extension(names, True).sign(ca_key, hashes.SHA256())
    paths = folder / f"{name}-ca.pem", folder / f"{name}.pem", folder / f"{name}.key"
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(ca.public_bytes(pem))
    paths[1].write_bytes(server.public_bytes(pem))
    paths[2].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
