"""However a supplier leads a source to an address of the hub's own network, no connection is made: 0 of n, counted there."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.base import FeedSource, SourceAccess
from connectors.sources import entry
from connectors.sources.api import JsonApi
from connectors.sources.sftp import SftpFolder
from connectors.sources.url import WebFile
from core.errors import EntrepotError, Misconfigured
from core.guard import Guard, system_resolver
from tests.file_server import FileHost, file_host, status
from tests.unit.scripted_server import authority

PUBLIC = "93.184.216.34"
HOME = "feeds.example"
NAMES: dict[str, list[list[str]]] = {
    HOME: [[PUBLIC]],
    "private.example": [["127.0.0.1"]],
    "rebound.example": [[PUBLIC], ["127.0.0.1"]],
    "rebound-mapped.example": [[PUBLIC], ["::ffff:127.0.0.1"]],
    "one-of-many.example": [[PUBLIC, "10.0.0.1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "metadata.example": [["169.254.169.254"]],
    "metadata-v6.example": [["fd00:ec2::254"]],
    "nat64.example": [["64:ff9b::7f00:1"]],
    "nat64-local.example": [["64:ff9b:1::a9fe:a9fe"]],
    "6to4.example": [["2002:7f00:1::"]],
    "teredo.example": [["2001:0:4136:e378:8000:63bf:80ff:fffe"]],
    "compatible.example": [["::127.0.0.1"]],
    "zone.example": [["fe80::1%lo"]],
    "unique-local.example": [["fc00::1"]],
    "this-network.example": [["0.0.0.0"]],
    "shared.example": [["100.64.0.1"]],
    "multicast.example": [["224.0.0.1"]],
}  # fmt: skip
"""name → the answers of its look-ups, one after the other, the last one for ever."""

TARGETS = (
    *(f"https://{name}:{{port}}/in" for name in NAMES if name != HOME),
    *(
        f"https://{written}:{{port}}/in"
        for written in (
            "127.0.0.1", "127.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "0.0.0.0", "0",
            "127.0.0.1.", "127。0。0。1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0xa9fea9fe", "100.64.0.1",
            "255.255.255.255", "localhost", "LOCALHOST.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
            "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]",
        )
    ),
    "http://127.0.0.1:{port}/in",
    f"http://{HOME}:{{port}}/in",
    f"https://{HOME}@127.0.0.1:{{port}}/in",
    f"https://{HOME}:x@127.0.0.1:{{port}}/in",
    f"https://{HOME}%40127.0.0.1:{{port}}/in",
    f"https://127.0.0.1:{{port}}\\@{HOME}/in",
    f"https://127.0.0.1:{{port}}#@{HOME}/in",
    f"https://127.0.0.1:{{port}}?@{HOME}/in",
    "//127.0.0.1:{port}/in",
    "\\\\127.0.0.1:{port}\\in",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/in",
    "gopher://127.0.0.1:{port}/in",
)  # fmt: skip
"""Where a supplier would like the hub to go; the port is that of the private server."""


class Private:
    """A server that belongs to nobody's list: it counts who connects, wherever on this machine they meant to go."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()


class World:
    """A network in which only PUBLIC is outside: there stands the supplier's server; all else ends at the private one."""

    def __init__(self, outside: FileHost, private: Private) -> None:
        self.outside, self.private = outside, private
        self.reached: list[str] = []
        self._asked: dict[str, int] = {}

    def resolve(self, host: str, port: int) -> list[str]:
        """The name server of this world; what is no name is read by this machine's own."""
        answers = NAMES.get(host.lower())
        if answers is None:
            return system_resolver(host, port)
        self._asked[host] = self._asked.get(host, 0) + 1
        return answers[min(self._asked[host], len(answers)) - 1]

    def forget(self) -> None:
        """For the next attempt names are asked for the first time again."""
        self._asked.clear()

    def connect(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Stands for socket.create_connection: a public address is the supplier's server, every other the private one."""

        def connect(address: tuple[str, int], *rest: Any, **options: Any) -> Any:
            self.reached.append(address[0])
            port = self.outside.port if address[0] == PUBLIC else self.private.port
            return real(("127.0.0.1", port), *rest, **options)

        return connect

    def access(self, **secret: str) -> SourceAccess:
        return SourceAccess(guard=Guard((), self.resolve), secret=secret or {"secret": "s"}, limit=10_000)


@contextmanager
def world(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[World]:
    private = Private()
    with file_host(folder, authority(folder, "outside", list(NAMES))) as outside:
        outside.content = b"sku;title\nA;1\n"
        made = World(outside, private)
        with patch.context() as patched:
            patched.setattr(socket, "create_connection", made.connect(socket.create_connection))
            yield made
    private.listener.close()


def home(made: World, path: str = "/list.csv") -> str:
    return f"https://{HOME}:{made.private.port}{path}"


def lead(made: World, *answers: Any) -> None:
    made.outside.script = list(answers)


def url_direct(made: World, target: str) -> FeedSource:
    return WebFile(target, ca_file=str(made.outside.ca_file), access=made.access())


def url_redirected(made: World, target: str) -> FeedSource:
    lead(made, status(302, location=_header(target)))
    return url_direct(made, home(made))


def url_redirected_at_the_third_hop(made: World, target: str) -> FeedSource:
    lead(
        made,
        status(301, location="/a"),
        status(308, location=home(made, "/b")),
        status(307, location=_header(target)),
    )
    return url_direct(made, home(made))


def api_direct(made: World, target: str, paging: dict[str, str] | None = None) -> FeedSource:
    return JsonApi(
        target, "items", paging, ca_file=str(made.outside.ca_file), access=made.access(), sleep=lambda s: None
    )


def api_next_address(made: World, target: str) -> FeedSource:
    lead(made, status(200, json.dumps({"items": [1], "next": target}).encode()))
    return api_direct(made, home(made), {"kind": "next", "next": "next"})


def api_link_header(made: World, target: str) -> FeedSource:
    lead(made, status(200, b'{"items": [1]}', link=f'<{_header(target)}>; rel="next"'))
    return api_direct(made, home(made), {"kind": "link"})


def api_redirected(made: World, target: str) -> FeedSource:
    lead(made, status(302, location=_header(target)))
    return api_direct(made, home(made))


def token_direct(made: World, target: str) -> FeedSource:
    auth = {"kind": "oauth2", "name": "client", "token_url": target}
    return WebFile(home(made), auth, str(made.outside.ca_file), access=made.access())


def token_redirected(made: World, target: str) -> FeedSource:
    lead(made, status(302, location=_header(target)))
    return token_direct(made, home(made, "/token"))


def sftp_host(made: World, target: str) -> FeedSource:
    name = target.partition("//")[2].rpartition(":")[0] or target
    return SftpFolder(
        name.strip("[]"), "u", port=made.private.port, fingerprint=f"SHA256:{'A' * 43}", access=made.access()
    )


WAYS = (
    url_direct, url_redirected, url_redirected_at_the_third_hop, api_direct, api_next_address, api_link_header, api_redirected,
    token_direct, token_redirected, sftp_host,
)  # fmt: skip


def _header(target: str) -> str:
    """As it can stand in a header: what is beyond Latin-1 is sent as UTF-8."""
    return target.encode().decode("latin-1")


@pytest.mark.parametrize("share", [10, pytest.param(1, marks=pytest.mark.deep)])
def test_no_connection_to_a_private_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], share: int
) -> None:
    """Every way × every target, three times: what was public at the first look is private at the second.

    Everyday a tenth: every way and every target once.
    """
    pairs = [(way, t) for w, way in enumerate(WAYS) for k, t in enumerate(TARGETS) if (w + k) % share == 0]
    attempts, led = 0, 0
    with world(tmp_path, monkeypatch) as made:
        for way, target in pairs:
            made.forget()
            for ask in ("fetch", "test", "fetch"):
                entry.TOKENS._tokens.clear()
                attempts, before = attempts + 1, len(made.reached)
                try:
                    source = way(made, target.format(port=made.private.port))
                    source.test() if ask == "test" else source.fetch(tmp_path / "archive", None)
                except EntrepotError:
                    led += len(made.reached) > before
            assert made.private.connections == 0, (way.__name__, target)
            assert set(made.reached) <= {PUBLIC}, (way.__name__, target, made.reached[-3:])
    with capsys.disabled():
        print(
            f"\nSSRF: {made.private.connections} of {attempts} attempts connected to a private address "
            f"({len(WAYS)} ways, {len({target for _, target in pairs})} targets; {led} were led there by the supplier's server)"
        )
    assert attempts == 3 * len(pairs) == 3 * len(WAYS) * len(TARGETS) // share
    assert led > attempts // 2, "the supplier's server must have been asked, or nothing was led anywhere"


def test_the_private_server_counts_and_would_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with the operator's own word for it the same ways do arrive, and are counted."""
    for way in WAYS:
        with world(tmp_path, monkeypatch) as made:
            made.access = lambda **secret: SourceAccess(  # type: ignore[method-assign]
                guard=Guard({"127.0.0.1"}, made.resolve), secret={"secret": "s"}
            )
            entry.TOKENS._tokens.clear()
            with pytest.raises(EntrepotError):
                way(made, f"https://127.0.0.1:{made.private.port}/in").fetch(tmp_path / "archive", None)
            expected = 0 if way is token_redirected else 1  # a token server's redirect is never followed
            assert made.reached.count("127.0.0.1") == expected, way.__name__
            assert made.private.connections == expected, way.__name__


def test_the_reason_is_told_to_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as made:
        port = made.private.port
        for target, words in (
            (f"https://rebound.example:{port}/in", None),
            (
                f"https://one-of-many.example:{port}/in",
                r"one-of-many\.example leads to 10\.0\.0\.1, which is not a public",
            ),
            (f"https://mapped.example:{port}/in", "leads to ::ffff:127.0.0.1"),
            (f"https://2130706433:{port}/in", "leads to 127.0.0.1"),
            (f"http://{HOME}:{port}/in", "only https is safe"),
        ):
            if words is None:
                assert url_direct(made, target).fetch(tmp_path / "archive", None) is not None
                words = r"rebound\.example leads to 127\.0\.0\.1"
            with pytest.raises(Misconfigured, match=words):
                url_direct(made, target).fetch(tmp_path / "archive", None)
        assert made.private.connections == 0
