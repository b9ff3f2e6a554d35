"""One HTTP client for every connector: guarded, pooled, bounded in time and size, one table of what errors mean."""

import base64
import json
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import orjson
import tenacity

from connectors.base import Pace, Unpaced
from core.clock import now
from core.errors import EntrepotError, Misconfigured, Temporary, Unknown
from core.guard import DEADLINE, Guard, PinnedTransport

Fault = TypeVar("Fault", bound=BaseException)
Query = Mapping[str, str | int]
Sign = Callable[[str, str, Query], Query]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
ATTEMPTS = 3
LONGEST_WAIT = 10.0
"""Seconds worth waiting inside a call; a longer wish of the other side is left to the message's `due_at`."""
LARGEST_BODY = 64 * 1024 * 1024
LARGEST_REFUSAL = 64 * 1024
"""Bytes read of an answer that is an error: it is only shown to a person."""
LONGEST_TEXT = 8 * 1024
"""Characters of it searched for words: a hostile page of open brackets costs their square."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: `body` is the parsed JSON, None where a refusal is not JSON.

    `code` and `message` are those of a JSON refusal, as plain text. `headers` are compared without regard to case.
    """

    status: int
    body: Any = field(repr=False)
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """True for 200 to 299."""
        return 200 <= self.status < 300


class Http:
    """A client of one server. `name` begins every sentence ("The shop shop.example"); secrets appear in none.

    `auth` is (user, password) for basic auth; `headers` go with every call and hold secrets as well.
    `explain` may turn a 401 or 403 into its channel's own sentence. `sign` is called for each attempt with its method,
    address and query and returns the query that is sent.
    `pace` is asked before each attempt for the call's `cost`, is told of every Retry-After, and hears how it ended: a
    hang, a broken connection and a 5xx are not well, a refusal is.
    Calls raise Misconfigured (key, certificate or address wrong; answers that are no JSON), Temporary (waiting
    helps and nothing was changed) and Unknown (a change may have happened). Other 4xx are answers to be judged
    by the caller, as is 501: the server says that it does not do this.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str,
        guard: Guard,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        explain: Callable[[Answer], str | None] = lambda answer: None,
        sign: Sign | None = None,
        pace: Pace | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base, self._name, self._explain, self._ca_file = base_url.rstrip("/"), name, explain, ca_file
        self._sign, self._pace = sign, pace or Unpaced()
        self._auth = httpx2.BasicAuth(*auth) if auth else None
        self._secrets = _secrets(auth) + tuple(value for value in (headers or {}).values() if value)
        self._sleep = sleep
        self._client = httpx2.Client(
            transport=PinnedTransport(guard, tls_context(ca_file)),
            headers={"User-Agent": "Entrepot/0.1", "Accept": "application/json", **(headers or {})},
            follow_redirects=False,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"Http({urlsplit(self._base).hostname})"

    def get(
        self,
        path: str,
        params: Query | None = None,
        *,
        seconds: float | None = None,
        anonymous: bool = False,
        cost: float = 1.0,
    ) -> Answer:
        """Reads. `seconds` is the longest silence; the whole call takes at most twice that, per attempt."""
        return self._call(
            "GET", path, cost, params=params, seconds=seconds or READ_SECONDS, anonymous=anonymous
        )

    def post(
        self,
        path: str,
        body: Any,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        cost: float = 1.0,
    ) -> Answer:
        """Changes something: what is sent and not clearly answered raises Unknown. `headers` go with this call only."""
        return self._call("POST", path, cost, body=body, seconds=seconds, headers=headers)

    def ask(self, path: str, body: Any, *, seconds: float | None = None, cost: float = 1.0) -> Answer:
        """Reads by POST, as GraphQL does: what gets lost changed nothing and is asked again."""
        return self._call("POST", path, cost, body=body, seconds=seconds or READ_SECONDS, changing=False)

    def close(self) -> None:
        """Closes the kept connection."""
        self._client.close()

    def _call(self, method: str, path: str, cost: float, **options: Any) -> Answer:
        attempts = tenacity.Retrying(
            # Outside the attempt: where the pace itself says “later”, it is not asked again here.
            before=lambda state: self._pace.take(cost),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            retry=tenacity.retry_if_exception(_worth_waiting),
            wait=_pause,
            sleep=self._sleep,
            reraise=True,
        )
        return attempts(self._once, method, path, **options)

    def _once(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        params: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        anonymous: bool = False,
        changing: bool | None = None,
    ) -> Answer:
        written = method != "GET"
        changing = written if changing is None else changing
        address = f"{self._base}/{path.lstrip('/')}"
        if self._sign is not None and not anonymous:
            params = self._sign(method, address, params or {})
        well = False
        token = DEADLINE.set(time.monotonic() + CONNECT_SECONDS + 2 * seconds)
        try:
            with self._client.stream(
                method,
                address,
                params=params,
                content=orjson.dumps(body) if written else None,
                headers={"Content-Type": "application/json", **(headers or {})} if written else None,
                auth=None if anonymous else self._auth,
                timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS, pool=seconds),
            ) as response:
                raw = self._read(response, changing)
            well = response.status_code < 500 or response.status_code == 501
        except Misconfigured:
            well = True  # a matter for its owner, not a shop that is in trouble
            raise
        except httpx2.TransportError as error:
            raise self._lost(error, changing, seconds) from None
        except (httpx2.DecodingError, httpx2.InvalidURL) as error:
            sentence = f"{self._name} sent an answer that cannot be unpacked ({error})."
            raise self._unclear(sentence, changing) from None
        finally:
            DEADLINE.reset(token)
            self._pace.ended(well=well)
        return self._judge(response.status_code, response.headers, raw, changing)

    def _read(self, response: httpx2.Response, changing: bool) -> bytes:
        limit = LARGEST_BODY if response.is_success else LARGEST_REFUSAL
        raw = bytearray()
        for chunk in response.iter_bytes():
            raw += chunk
            if len(raw) > limit:
                if not response.is_success:
                    break
                sentence = (
                    f"{self._name} answered with more than {limit // 1024**2} MB; the answer was given up."
                )
                raise Unknown(sentence) if changing else Misconfigured(sentence)
        return bytes(raw)

    def _judge(self, status: int, headers: Mapping[str, str], raw: bytes, changing: bool) -> Answer:
        """The table: status → answer or error."""
        if 200 <= status < 300:
            return Answer(status, self._parse(raw, changing), headers=headers)
        body = _loads(raw)
        code, message = _said(body, raw)
        answer = Answer(status, body, code, self._clean(message))
        told = f"{self._name} answered {status}" + (f" ({answer.message})" if answer.message else "")
        if 300 <= status < 400:
            target = self._clean(headers.get("location", "another address").partition("?")[0])
            raise Misconfigured(
                f"{self._name} sends the hub on to {target}; enter the address it really has."
            )
        if status in {401, 403}:
            raise Misconfigured(
                self._explain(answer) or f"{told}: it does not accept the key; check it and its rights."
            )
        wait = retry_after(headers.get("retry-after"))
        if wait:
            self._pace.pause(wait)
        if status in {408, 425, 429} or (status == 503 and (wait is not None or not changing)):
            raise Temporary(f"{told}; the hub tries again later.", retry_after=wait)
        if status < 500 or status == 501:
            return answer
        if changing:
            raise Unknown(f"{told}; whether the change was made is not known.")
        raise Temporary(f"{told}: its own program failed; the hub tries again later.", retry_after=wait)

    def _parse(self, raw: bytes, changing: bool) -> Any:
        """The JSON of a 200. A byte order mark or blank lines before it are harmless; anything else is not."""
        body = _loads(raw)
        if body is not None:
            return body
        text = raw.decode("utf-8", "replace").strip()
        if text[:1] in {"{", "["} or not text:
            raise self._unclear(
                f"{self._name} sent an answer that breaks off after {len(raw)} bytes.", changing
            )
        start = self._clean(plain(text))[:80]
        if text[-1:] in {"}", "]"}:
            sentence = f"{self._name} prints text before its answer (“{start}”): a plugin prints before the answer. Switch the display of PHP errors off (WP_DEBUG_DISPLAY) or that plugin."
        else:
            sentence = f"{self._name} answers with a web page instead of data (“{start}”). A security or cache plugin may stand before its REST API; let the hub through."
        raise Unknown(sentence) if changing else Misconfigured(sentence)

    def _lost(self, error: httpx2.TransportError, changing: bool, seconds: float) -> EntrepotError:
        """What a broken connection means: before anything was sent waiting helps, afterwards nobody knows."""
        if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)):
            return tls_fault(self._name, error, self._ca_file) or Temporary(
                f"{self._name} cannot be reached ({reason(error)})."
            )
        if isinstance(error, (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)):
            return Misconfigured(f"{self._name} cannot be asked: {self._clean(reason(error))}.")
        if isinstance(error, httpx2.TimeoutException):
            return self._unclear(f"{self._name} did not answer within {seconds:g} s.", changing)
        return self._unclear(
            f"{self._name} broke the connection before it had answered ({reason(error)}).", changing
        )

    def _unclear(self, sentence: str, changing: bool) -> EntrepotError:
        if changing:
            return Unknown(f"{sentence} Whether the change was made is not known.")
        return Temporary(f"{sentence} The hub tries again later.")

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return text


def _secrets(auth: tuple[str, str] | None) -> tuple[str, ...]:
    """Everything of the credentials that an answer might echo."""
    if auth is None:
        return ()
    return tuple(part for part in (base64.b64encode(":".join(auth).encode()).decode(), *auth) if part)


def tls_fault(name: str, error: BaseException, ca_file: Path | None) -> Misconfigured | None:
    """The sentence for a connection that failed over https's certificate or speech; None where it failed otherwise."""
    fault = cause(error, ssl.SSLError)
    if fault is None or isinstance(fault, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return None
    if not isinstance(fault, ssl.SSLCertVerificationError):
        return Misconfigured(f"{name} does not speak https at this address ({fault.reason}); check the port.")
    judge = f"the CA file {ca_file}" if ca_file else "the public certificate authorities"
    advice = (
        "Give the CA file that belongs to it" if ca_file else "Renew its certificate, or give its own CA file"
    )
    return Misconfigured(
        f"{name} shows a certificate that {judge} cannot confirm ({fault.verify_message}). {advice}."
    )


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """What confirms a server's certificate: `ca_file`, else the public authorities. Raises Misconfigured for no PEM file."""
    if ca_file is None:
        return _public_tls()
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        reason = "it holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise Misconfigured(
            f"The CA file {ca_file} cannot be used: {reason}. Give the path of a PEM file."
        ) from None


@cache
def _public_tls() -> ssl.SSLContext:
    """Read once: it takes a client longer to read the public authorities than to make a call."""
    return httpx2.create_ssl_context()


def _worth_waiting(error: BaseException) -> bool:
    return isinstance(error, Temporary) and (error.retry_after or 0) <= LONGEST_WAIT


def _pause(state: tenacity.RetryCallState) -> float:
    """Full jitter between nothing and 0.5, 1, 2 … s, on top of what the other side asked for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Temporary) else None
    return (asked or 0.0) + random.uniform(0, 0.5 * 2 ** (state.attempt_number - 1))  # noqa: S311 - no secret


def retry_after(value: str | None) -> float | None:
    """Seconds, from either form of the header (RFC 9110 section 10.2.3) or with a fraction as Shopify sends it ("2.0"),
    at most a day."""
    if not value:
        return None
    try:
        seconds = (
            float(value)
            if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip(), re.ASCII)
            else (parsedate_to_datetime(value) - now()).total_seconds()
        )
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), 86_400.0)


def _loads(raw: bytes) -> Any:
    """JSON whose fractions are Decimal, since they may be money; None where it is no JSON or null."""
    try:
        return json.loads(raw.removeprefix(b"\xef\xbb\xbf"), parse_float=Decimal)
    except ValueError:
        return None


def _said(body: Any, raw: bytes) -> tuple[str, str]:
    if isinstance(body, dict):
        return str(body.get("code") or ""), plain(str(body.get("message") or ""))
    return "", plain(raw.decode("utf-8", "replace"))


def plain(text: str) -> str:
    """The words of a piece of HTML, at most 200 characters, for a sentence."""
    text = re.sub(r"(?is)<(style|script)\b.*?</\1\s*>|<[^>]*>", " ", text[:LONGEST_TEXT])
    return " ".join(unescape(text).split())[:200]


def reason(error: BaseException) -> str:
    """The few words of the machine's own error behind this one."""
    inner = cause(error, OSError)
    return (inner.strerror if inner is not None and inner.strerror else str(error)) or type(error).__name__


def cause(error: BaseException, kind: type[Fault]) -> Fault | None:
    """The nearest error of `kind` behind this one; httpcore keeps it as its argument, not always as its cause."""
    seen: list[BaseException] = [error]
    for known in seen:
        if isinstance(known, kind):
            return known
        behind = (known.__cause__, known.__context__, *known.args)
        seen += [other for other in behind if isinstance(other, BaseException) and other not in seen]
    return None
