"""Certificates: a shop's own CA is honoured, everything else is told to its owner."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Misconfigured
from tests.unit.scripted_server import JSON, Handler, Script, Server, authority, client, secure_server


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    yield made
    made.hold.set()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def secure(script: Script, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    with secure_server(script, tmp_path) as made:
        yield made


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
