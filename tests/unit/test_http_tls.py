"""Certificates: a shop's own CA is honoured, everything else is told to its owner."""

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import Misconfigured
from tests.unit.scripted_server import JSON, Handler, Script, Server, client


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    yield made
    made.hold.set()


@pytest.fixture
def waits() -> list[float]:
    return []


def authority(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """A CA and a certificate for 127.0.0.1 signed by it: CA file, certificate, key."""
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
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = build(x509.Name([]), key.public_key()).add_extension(names, True).sign(ca_key, hashes.SHA256())
    paths = folder / f"{name}-ca.pem", folder / f"{name}.pem", folder / f"{name}.key"
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(ca.public_bytes(pem))
    paths[1].write_bytes(server.public_bytes(pem))
    paths[2].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@pytest.fixture
def secure(script: Script, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    ca_file, certificate, key = authority(tmp_path, "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(("127.0.0.1", 0), type("Here", (Handler,), {"script": script})) as httpd:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield httpd.server_port, ca_file
        httpd.shutdown()
        thread.join()


def test_https_with_the_shops_own_ca(secure: tuple[int, Path], script: Script, waits: list[float]) -> None:
    script.answers = [(200, JSON, "[1]")]
    port, ca_file = secure
    assert client(port, waits, "https", ca_file=ca_file).get("x").body == [1]


def test_a_certificate_of_another_ca_names_the_ca_file(
    secure: tuple[int, Path], waits: list[float], tmp_path: Path
) -> None:
    other, *_ = authority(tmp_path, "other")
    with pytest.raises(Misconfigured) as caught:
        client(secure[0], waits, "https", ca_file=other).post("x", {}, seconds=5)
    assert f"the CA file {other} cannot confirm" in str(caught.value)
    with pytest.raises(Misconfigured, match="the public certificate authorities cannot confirm"):
        client(secure[0], waits, "https").get("x")
    assert waits == []


def test_a_server_without_tls_is_told_so(script: Script, waits: list[float]) -> None:
    script.answers = [(200, JSON, "[]")]
    with Server(("127.0.0.1", 0), type("Here", (Handler,), {"script": script})) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        with pytest.raises(Misconfigured, match="does not speak https at this address"):
            client(httpd.server_port, waits, "https").get("x")
        httpd.shutdown()
        thread.join()


def test_a_ca_file_that_is_none(tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(Misconfigured, match="cannot be used: No such file"):
        client(1, waits, "https", ca_file=tmp_path / "absent.pem")
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    with pytest.raises(Misconfigured, match="no certificate in PEM form"):
        client(1, waits, "https", ca_file=empty)
