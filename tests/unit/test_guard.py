"""Nobody who names a host makes the hub connect to an address that is not public."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore2
import httpx2
import pytest

from core.errors import Misconfigured, Temporary
from core.guard import Guard, PinnedTransport, is_public

REFUSED = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.254",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:8.8.8.8",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "3fff::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "100::1",
    "5f00::1",
    "not-an-address",
]
PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "2606:2800:220:1:248:1893:25c8:1946",
    "2a00:1450::1",
]


class Names:
    """A resolver of our own: each look-up takes the next answer, the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Network(httpcore2.SyncBackend):
    """Records every connection that is tried, and makes only those to this machine."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore2.NetworkStream:
        self.tried.append(host)
        if host != "127.0.0.1":
            raise httpcore2.ConnectError("not off this machine")
        return super().connect_tcp(host, port, *args, **options)


class Echo(BaseHTTPRequestHandler):
    """Answers 200, or redirects where the path is /to/<address>."""

    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    seen: list[str] = []
    handler = type("Here", (Echo,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield httpd.server_port, seen
        httpd.shutdown()
        thread.join()


def client(guard: Guard, network: Network) -> httpx2.Client:
    transport = PinnedTransport(guard, ssl.create_default_context(), network=network)
    return httpx2.Client(transport=transport, trust_env=False, follow_redirects=True)


@pytest.mark.parametrize("address", REFUSED)
def test_no_address_that_is_not_global_unicast(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(
        Misconfigured, match=r"shop\.example leads to .*not a public address.*ENTREPOT_PRIVATE_HOSTS"
    ):
        Guard(resolver=Names([address])).address("shop.example", 443)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_taken(address: str) -> None:
    assert Guard(resolver=Names([address])).address("shop.example", 443) == address


def test_one_private_answer_among_public_ones_refuses_the_name() -> None:
    with pytest.raises(Misconfigured):
        Guard(resolver=Names(["93.184.216.34", "10.0.0.1"])).address("shop.example", 443)


@pytest.mark.parametrize("written", ["127.1", "0x7f.1", "2130706433", "017700000001", "localhost"])
def test_other_spellings_of_this_machine_are_judged_by_where_they_lead(written: str) -> None:
    with pytest.raises(Misconfigured):
        Guard().address(written, 443)


@pytest.mark.parametrize(
    ("private", "host", "port", "allowed"),
    [
        ("shop.lan", "shop.lan", 443, True),
        ("shop.lan", "SHOP.lan.", 8443, True),
        ("shop.lan:8443", "shop.lan", 8443, True),
        ("shop.lan:8443", "shop.lan", 443, False),
        ("shop.lan", "other.shop.lan", 443, False),
        ("[::1]:8443", "::1", 8443, True),
        ("::1", "[::1]", 443, True),
    ],
)
def test_only_the_operators_own_words_open_a_private_host(
    private: str, host: str, port: int, allowed: bool
) -> None:
    guard = Guard({private}, Names(["10.0.0.9"]))
    assert guard.allows_private(host, port) is allowed
    if allowed:
        assert guard.address(host, port) == "10.0.0.9"
    else:
        with pytest.raises(Misconfigured):
            guard.address(host, port)


def test_rebinding_connects_to_nothing_private(server: tuple[int, list[str]]) -> None:
    """The name is public when it is first asked and private ever after: one look-up a connection leaves no gap."""
    port, seen = server
    names, network = Names(["93.184.216.34"], ["127.0.0.1"]), Network()
    http = client(Guard(resolver=names), network)
    with pytest.raises(httpx2.ConnectError):
        http.get(f"https://rebind.example:{port}/")
    assert network.tried == ["93.184.216.34"]
    for _ in range(3):
        with pytest.raises(Misconfigured):
            http.get(f"https://rebind.example:{port}/")
    assert network.tried == ["93.184.216.34"]
    assert names.asked == [("rebind.example", port)] * 4
    assert seen == []


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/in", "https://127.0.0.1:{port}/in", "http://[::1]:{port}/in"]
)
def test_each_redirect_is_judged_again(server: tuple[int, list[str]], target: str) -> None:
    port, seen = server
    network = Network()
    http = client(Guard({f"feeds.lan:{port}"}, lambda host, port: ["127.0.0.1"]), network)
    inside = target.format(port=port)
    with pytest.raises(Misconfigured):
        http.get(f"http://feeds.lan:{port}/to/{inside}")
    assert seen == [f"/to/{inside}"]
    assert network.tried == ["127.0.0.1"]


def test_a_named_private_host_is_reached(server: tuple[int, list[str]]) -> None:
    port, seen = server
    http = client(Guard({"feeds.lan"}, lambda host, port: ["127.0.0.1"]), Network())
    assert http.get(f"http://feeds.lan:{port}/a").status_code == 200
    assert seen == ["/a"]


def test_where_one_address_refuses_the_next_is_asked(server: tuple[int, list[str]]) -> None:
    port, seen = server
    names, network = Names(["::1", "127.0.0.1"], ["127.0.0.1", "::1"], ["::1", "10.0.0.9"]), Network()
    for tried in (["::1", "127.0.0.1"], ["127.0.0.1"]):
        network.tried.clear()
        http = client(Guard({"feeds.lan"}, names), network)
        assert http.get(f"http://feeds.lan:{port}/a").status_code == 200
        assert network.tried == tried
    network.tried.clear()
    with pytest.raises(httpx2.ConnectError):
        client(Guard({"feeds.lan"}, names), network).get(f"http://feeds.lan:{port}/a")
    assert (network.tried, seen) == (["::1", "10.0.0.9"], ["/a", "/a"])


def test_http_is_refused_before_any_look_up() -> None:
    names, network = Names(["93.184.216.34"]), Network()
    with pytest.raises(Misconfigured, match="only https is safe"):
        client(Guard(resolver=names), network).get("http://shop.example/")
    assert (names.asked, network.tried) == ([], [])


def test_proxies_of_the_environment_are_not_used(
    server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, seen = server
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    network = Network()
    with pytest.raises(httpx2.ConnectError):
        client(Guard(resolver=Names(["93.184.216.34"])), network).get("https://shop.example/")
    assert network.tried == ["93.184.216.34"]
    assert seen == []


def failing(error: OSError) -> Callable[[str, int], list[str]]:
    def resolve(host: str, port: int) -> list[str]:
        raise error

    return resolve


def test_a_name_that_does_not_exist_is_the_owners_matter_and_a_failed_look_up_is_not() -> None:
    with pytest.raises(Misconfigured, match=r"no host named shop\.example"):
        Guard(resolver=failing(socket.gaierror(socket.EAI_NONAME, "unknown"))).address("shop.example", 443)
    with pytest.raises(Temporary, match="could not be looked up"):
        Guard(resolver=failing(socket.gaierror(socket.EAI_AGAIN, "again"))).address("shop.example", 443)
    with pytest.raises(Misconfigured, match="no host named"):
        Guard().address("a" * 70 + ".example", 443)


def test_a_name_server_that_hangs_is_given_up() -> None:
    never = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        never.wait(30)
        return []

    with pytest.raises(Temporary, match=r"not answered within 0\.05 s"):
        Guard(resolver=hang).address("shop.example", 443, seconds=0.05)
    never.set()
