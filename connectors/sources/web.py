"""A guarded client for the servers of suppliers: streams, follows redirects it has judged, and tells faults in words."""

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import tenacity

from connectors.http import LONGEST_WAIT, plain, reason, retry_after, tls_context, tls_fault
from connectors.sources.entry import Entry
from core.errors import EntrepotError, Misconfigured, Temporary
from core.guard import DEADLINE, Guard, PinnedTransport

CONNECT_SECONDS = 5.0
SILENCE = 30.0
"""Seconds a server may say nothing."""
TOTAL = 900.0
"""Seconds a whole look may take: a step's own limit is 1,150."""
REDIRECTS = 5
ATTEMPTS = 3
LARGEST_ANSWER = 1024 * 1024
"""Bytes read of a token server's answer."""
LARGEST_REFUSAL = 64 * 1024
MOVED = frozenset({301, 302, 303, 307, 308})


class Web:
    """`name` begins every sentence ("The server files.example"). `home` is the address that was configured: only to its
    scheme, host and port do the credentials go, wherever redirects or next links lead.

    `sleep` is replaced in tests, `seconds` is the longest silence. Raises Misconfigured and Temporary only.
    """

    def __init__(
        self,
        home: str,
        entry: Entry,
        guard: Guard,
        *,
        ca_file: str | None = None,
        seconds: float = SILENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._home, self._entry, self._sleep, self._seconds = parsed(home), entry, sleep, seconds
        self._ca_file = Path(ca_file) if ca_file else None
        self.name = f"The server {self._home.host}"
        tls: ssl.SSLContext = tls_context(self._ca_file)
        self._client = httpx2.Client(
            transport=PinnedTransport(guard, tls),
            headers={"User-Agent": "Entrepot/0.1", "Accept": "*/*", "Accept-Encoding": "gzip, identity"},
            follow_redirects=False,
            trust_env=False,
            timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS, pool=seconds),
        )

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx2.Response]:
        """A GET's answer with its body unread: 2xx, or 304 and 416 where `headers` ask for them.

        A short Retry-After is waited for here; what it asks beyond that is in the Temporary raised.
        """
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            retry=tenacity.retry_if_exception(_asks_to_wait),
            wait=_asked_wait,
            sleep=self._sleep,
            reraise=True,
        )
        response: httpx2.Response = attempts(self._answer, parsed(url), dict(headers or {}))
        try:
            yield response
        finally:
            response.close()

    def lost(self, error: httpx2.TransportError) -> EntrepotError:
        """What a broken connection means to whoever waits for the file."""
        if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)):
            fault = tls_fault(self.name, error, self._ca_file)
            return fault or Temporary(f"{self.name} cannot be reached ({reason(error)}).")
        if isinstance(error, (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)):
            return Misconfigured(f"{self.name} cannot be asked: {self._entry.cleaned(reason(error))}.")
        if isinstance(error, httpx2.TimeoutException):
            return Temporary(
                f"{self.name} was silent for {self._seconds:g} s, or took longer than {TOTAL:g} s in all."
            )
        return Temporary(f"{self.name} broke the connection before everything had come ({reason(error)}).")

    def cleaned(self, text: str) -> str:
        """Words of the server, without anything of the credentials."""
        return self._entry.cleaned(text)

    def _answer(self, url: httpx2.URL, headers: dict[str, str]) -> httpx2.Response:
        renewed = False
        for _ in range(REDIRECTS + 1):
            at_home = _origin(url) == _origin(self._home)
            response = self._send(url, headers, at_home)
            if response.status_code in MOVED:
                response.close()
                url = self._target(url, response.headers.get("location", ""))
                continue
            if response.status_code == 401 and at_home and not renewed and self._entry.forget():
                response.close()
                renewed = True  # the token ended before its time: ask for another, once
                continue
            return self._judged(response, headers, at_home)
        raise Misconfigured(
            f"{self.name} sends the hub on and on, more than {REDIRECTS} times; enter the address it really has."
        )

    def _send(self, url: httpx2.URL, headers: dict[str, str], at_home: bool) -> httpx2.Response:
        if at_home:
            headers = {**headers, **self._entry.headers(self._post)}
            url = url.copy_merge_params(self._entry.params()) if self._entry.params() else url
        try:
            return self._client.send(self._client.build_request("GET", url, headers=headers), stream=True)
        except httpx2.TransportError as error:
            raise self.lost(error) from None

    def _target(self, url: httpx2.URL, location: str) -> httpx2.URL:
        try:
            return parsed(str(url.join(location)))
        except (httpx2.InvalidURL, ValueError):
            raise Misconfigured(f"{self.name} sends the hub on to an address that is none.") from None

    def _judged(self, response: httpx2.Response, sent: Mapping[str, str], at_home: bool) -> httpx2.Response:
        """The table: status → answer or error."""
        status = response.status_code
        if status == 206 and "Range" not in sent:
            response.close()
            raise Temporary(
                f"{self.name} sent a part of the file that was not asked for; the hub looks again later."
            )
        if (
            200 <= status < 300
            or (status == 304 and {"If-None-Match", "If-Modified-Since"} & sent.keys())
            or (status == 416 and "Range" in sent)
        ):
            return response
        try:
            said = self.cleaned(_words_of(_head(response)))[:120]
        except httpx2.TransportError:
            said = ""
        finally:
            response.close()
        host = response.request.url.host
        told = f"{self.name if at_home else f'The server {host}'} answered {status}" + (
            f" ({said})" if said else ""
        )
        wait = retry_after(response.headers.get("retry-after"))
        if status in {401, 403} and not at_home:
            raise Misconfigured(
                f"{told}. {self.name} sent the hub on to it, and credentials go to no other host: enter the address it really has."
            )
        if status in {401, 403}:
            asks = "it does not accept the credentials; check them and their rights"
            raise Misconfigured(
                f"{told}: {asks if self._entry.kind != 'none' else 'it asks for credentials; choose how to log in'}."
            )
        if status in {404, 410}:
            raise Misconfigured(f"{told}: there is nothing at this address; check it, or ask the supplier.")
        if status in {408, 425, 429} or status >= 500:
            raise Temporary(f"{told}; the hub looks again later.", retry_after=wait)
        raise Misconfigured(f"{told}; check the address and what it needs.")

    def _post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
        """A form to the token server: no redirect is followed, since it carries the client's secret."""
        address = parsed(url)
        try:
            request = self._client.build_request(
                "POST", address, data=dict(form), headers={"Accept": "application/json", **headers}
            )
            response = self._client.send(request, stream=True)
            try:
                raw, status = _head(response, LARGEST_ANSWER), response.status_code
            finally:
                response.close()
        except httpx2.TransportError as error:
            problem = self.lost(error)
            raise type(problem)(
                str(problem).replace(self.name, f"The token server {address.host}", 1)
            ) from None
        if status in {408, 425, 429} or status >= 500:
            raise Temporary(
                f"The token server {address.host} answered {status}; the hub looks again later.",
                retry_after=retry_after(response.headers.get("retry-after")),
            )
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, None


def parsed(url: str) -> httpx2.URL:
    """An address that may be fetched. Raises Misconfigured where it is none, or carries a user or a password."""
    try:
        address = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        raise Misconfigured("The address is none: write it like https://files.example/list.csv.") from None
    if address.scheme not in ("https", "http") or not address.host:
        raise Misconfigured("The address must begin with https:// and name a host.")
    if address.userinfo or "@" in address.host:
        raise Misconfigured(
            f"The address of {address.host} has a user or password in it; enter them in their own fields."
        )
    return address


@contextmanager
def time_limit(seconds: float = TOTAL) -> Iterator[None]:
    """Everything this thread waits for in the block ends after so many seconds, however slowly bytes trickle in."""
    ends = time.monotonic() + seconds
    set_already = DEADLINE.get()
    token = DEADLINE.set(ends if set_already is None else min(ends, set_already))
    try:
        yield
    finally:
        DEADLINE.reset(token)


def changed_at(response: httpx2.Response) -> datetime | None:
    """When the server says that the file was last changed; None where it does not, or not in words of RFC 9110."""
    try:
        moment = parsedate_to_datetime(response.headers.get("last-modified", ""))
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else None


def file_name(response: httpx2.Response) -> str:
    """The file's own name: from Content-Disposition, else the end of the address, at most 255 long."""
    header = Message()
    header["content-disposition"] = response.headers.get("content-disposition", "")
    named = header.get_filename() or unquote(response.request.url.path.rsplit("/", 1)[-1])
    named = "".join(sign for sign in named.replace("\\", "/").rsplit("/", 1)[-1] if sign.isprintable())
    return named.strip()[-255:] or response.request.url.host


def _head(response: httpx2.Response, limit: int = LARGEST_REFUSAL) -> bytes:
    raw = bytearray()
    for chunk in response.iter_raw():
        raw += chunk
        if len(raw) >= limit:
            break
    return bytes(raw[:limit])


def _words_of(refusal: bytes) -> str:
    """What a refusal says: the message of a JSON one, else its words without the markup."""
    try:
        told = json.loads(refusal)
    except ValueError:
        return plain(refusal.decode("utf-8", "replace"))
    for name in ("message", "error_description", "detail", "title", "error"):
        if isinstance(told, dict) and isinstance(told.get(name), str):
            return plain(told[name])
    return ""


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or {"http": 80}.get(url.scheme, 443)


def _asks_to_wait(error: BaseException) -> bool:
    return (
        isinstance(error, Temporary) and error.retry_after is not None and error.retry_after <= LONGEST_WAIT
    )


def _asked_wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after or 0.0) if isinstance(error, Temporary) else 0.0
