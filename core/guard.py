"""SSRF-safe connections: whoever names a host, the hub only ever connects to an address it has judged itself."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import httpcore2
import httpx2

from core.errors import Misconfigured, Temporary

Resolver = Callable[[str, int], list[str]]

LOOKUP_SECONDS = 5.0
IDLE_SECONDS = 4.0
"""How long an unused connection is kept: below the 5 s after which many servers close theirs."""

PIECE = 16 * 1024
"""Bytes written between two looks at the clock: one TLS record."""

DEADLINE: ContextVar[float | None] = ContextVar("DEADLINE", default=None)
"""The `time.monotonic()` at which the call of this thread must be over, however slowly bytes still trickle in."""

# Only 2000::/3 is global unicast (RFC 4291). Inside it these carry or stand for other addresses: 2001::/23 IETF
# protocols with Teredo, 2001:db8::/32 and 3fff::/20 documentation, 2002::/16 6to4. NAT64 (64:ff9b::/96), IPv4-mapped
# and -compatible, link-local and unique-local addresses all lie outside 2000::/3. (IANA special-purpose registry.)
_V6_GLOBAL = ipaddress.ip_network("2000::/3")
_V6_REFUSED = tuple(map(ipaddress.ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# The same registry for IPv4. Multicast, 240/4 and broadcast are the last two.
_V4_REFUSED = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip


def is_public(address: str) -> bool:
    """True where `address` is a global unicast address that stands for nothing but itself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _V6_GLOBAL and not any(ip in block for block in _V6_REFUSED)
    return not any(ip in block for block in _V4_REFUSED)


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses the machine's own resolver gives for `host`, in its order. Raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Guard:
    """Decides which address a connection may go to.

    `private_hosts` are the operator's own exceptions ("host" or "host:port", lower case): settings, never input.
    """

    def __init__(self, private_hosts: Iterable[str] = (), resolver: Resolver = system_resolver) -> None:
        self._private_hosts = frozenset(private_hosts)
        self._resolver = resolver

    def allows_private(self, host: str, port: int) -> bool:
        """True where the operator named this host in ENTREPOT_PRIVATE_HOSTS."""
        name = host.lower().rstrip(".").strip("[]")
        written = {name, f"{name}:{port}"} | ({f"[{name}]", f"[{name}]:{port}"} if ":" in name else set())
        return not written.isdisjoint(self._private_hosts)

    def check_scheme(self, scheme: str, host: str, port: int) -> None:
        """Raises Misconfigured unless the address begins with https, or with http for a host the operator named."""
        if scheme == "https" or (scheme == "http" and self.allows_private(host, port)):
            return
        raise Misconfigured(
            f"{scheme}://{host} is not fetched: only https is safe. Use the https address; for a machine of your own "
            f"network the operator may add {host} to ENTREPOT_PRIVATE_HOSTS."
        )

    def address(self, host: str, port: int, seconds: float = LOOKUP_SECONDS) -> str:
        """The first of `addresses`. Raises as it does."""
        return self.addresses(host, port, seconds)[0]

    def addresses(self, host: str, port: int, seconds: float = LOOKUP_SECONDS) -> list[str]:
        """Where `host` may be reached, looked up exactly once, the best first.

        Every answer must be public, since a connection that is refused at one goes to the next. Raises
        Misconfigured where one is not or the name does not exist, Temporary where the look-up itself fails or
        takes longer than `seconds`.
        """
        answers = self._look_up(host, port, seconds)
        if not self.allows_private(host, port):
            for answer in answers:
                if not is_public(answer):
                    raise Misconfigured(
                        f"{host} leads to {answer}, which is not a public address. Check the address; for a machine "
                        f"of your own network the operator may add {host} to ENTREPOT_PRIVATE_HOSTS."
                    )
        return answers

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A TCP connection to the one judged address, for what does not speak HTTP. Raises as `address` does, and OSError."""
        return socket.create_connection((self.address(host, port), port), timeout=seconds)

    def _look_up(self, host: str, port: int, seconds: float) -> list[str]:
        """getaddrinfo knows no time-out, so it is waited for in a thread of its own."""
        outcome: list[list[str] | OSError] = []

        def ask() -> None:
            try:
                outcome.append(self._resolver(host, port))
            except OSError as error:
                outcome.append(error)
            except UnicodeError:
                outcome.append(socket.gaierror(socket.EAI_NONAME, "not a host name"))

        thread = threading.Thread(target=ask, name="guard-lookup", daemon=True)
        thread.start()
        thread.join(seconds)
        if not outcome:
            raise Temporary(
                f"The name {host} was not answered within {seconds:g} s; the name server may be down."
            )
        answers = outcome[0]
        if isinstance(answers, socket.gaierror) and answers.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
            raise Misconfigured(f"There is no host named {host}. Check the address for a typing mistake.")
        if isinstance(answers, OSError):
            raise Temporary(f"The name {host} could not be looked up just now ({answers.strerror}).")
        if not answers:
            raise Misconfigured(f"The name {host} has no address. Check the address for a typing mistake.")
        return answers


class PinnedTransport(httpx2.HTTPTransport):
    """httpx2's transport, connecting only to what the guard chose; it sees every request, so redirects as well.

    The address is looked up once, where the connection is made, so nothing can change between judging it and
    using it. TLS still checks the certificate against the host's name. It knows no proxy, whatever the
    environment says. `network` is replaced in tests only.
    """

    def __init__(
        self,
        guard: Guard,
        tls: ssl.SSLContext,
        *,
        connections: int = 1,
        network: httpcore2.NetworkBackend | None = None,
    ) -> None:
        self._guard = guard
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=_PinnedNetwork(guard, network or httpcore2.SyncBackend()),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        host, port = url.raw_host.decode("ascii"), url.port or {"http": 80}.get(url.scheme, 443)
        self._guard.check_scheme(url.scheme, host, port)
        return super().handle_request(request)


class _PinnedNetwork(httpcore2.NetworkBackend):
    def __init__(self, guard: Guard, network: httpcore2.NetworkBackend) -> None:
        self._guard, self._network = guard, network

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore2.NetworkStream:
        *others, last = self._guard.addresses(
            host, port, _left(LOOKUP_SECONDS, httpcore2.ConnectTimeout) or LOOKUP_SECONDS
        )
        for address in others:
            left = _left(timeout, httpcore2.ConnectTimeout)
            try:  # "localhost" is ::1 first in many places, where most servers do not listen
                return _TimedStream(self._network.connect_tcp(address, port, left, *args, **options))
            except httpcore2.ConnectError:
                continue
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _TimedStream(self._network.connect_tcp(last, port, left, *args, **options))


class _TimedStream(httpcore2.NetworkStream):
    """A stream whose every wait also ends at the DEADLINE: a time-out per read never ends on a slow trickle."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            self._stream.write(buffer[start : start + PIECE], _left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    """Seconds this wait may take. Raises `error` where the deadline has passed."""
    deadline = DEADLINE.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise error("the call took longer than it may in all")
    return left if timeout is None else min(timeout, left)
