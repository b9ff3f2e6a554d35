"""How a supplier's server lets the hub in: basic, a key in a header or the query, a bearer token, OAuth 2."""

import base64
import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from core.errors import Misconfigured

KINDS = ("none", "basic", "header", "query", "bearer", "oauth2")
EARLY = 30.0
"""Seconds before a token ends at which a new one is asked for."""
SHORTEST = 300.0
"""Seconds a token is kept where its server does not say how long (RFC 6749 section 5.1 only recommends it)."""
MOST_TOKENS = 1000
OURS = frozenset(
    [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "upgrade",
        "range",
        "if-range",
        "accept-encoding",
        "if-none-match",
        "if-modified-since",
    ]
)
"""Headers that say how the call is made: none of them holds a key."""
SHORTEST_SECRET = 4
"""Characters from which a secret is struck out of other people's words; shorter ones would strike out words."""

Post = Callable[[str, Mapping[str, str], Mapping[str, str]], tuple[int, Any]]
"""Sends a form with headers to an address; the status and the JSON of the answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` is the user (basic), the header, the query's parameter, or the client's id (oauth2)."""

    kind: str = "none"
    name: str = ""
    secret: str = field(default="", repr=False)
    token_url: str = ""
    scope: str = ""

    def headers(self, post: Post) -> dict[str, str]:
        """The headers that open the door; `post` fetches a token where one is needed. Raises Misconfigured, Temporary."""
        if self.kind == "basic":
            return {"Authorization": f"Basic {_basic(self.name, self.secret)}"}
        if self.kind == "header":
            return {self.name: self.secret}
        if self.kind == "bearer":
            return {"Authorization": f"Bearer {self.secret}"}
        if self.kind == "oauth2":
            return {"Authorization": f"Bearer {TOKENS.get(self, post)}"}
        return {}

    def params(self) -> dict[str, str]:
        """What is added to the address."""
        return {self.name: self.secret} if self.kind == "query" else {}

    def forget(self) -> bool:
        """Drops a kept token that its server no longer takes; True where there was one."""
        return self.kind == "oauth2" and TOKENS.drop(self)

    def cleaned(self, text: str) -> str:
        """`text` without anything of the credentials, in every spelling a server may echo."""
        written = {self.secret, quote(self.secret, safe=""), quote_plus(self.secret)}
        if self.kind in ("basic", "oauth2"):
            written.add(_basic(self.name, self.secret))
        if self.kind == "oauth2":
            written.add(TOKENS.kept(self) or "")
        for word in sorted(written, key=len, reverse=True):
            if len(word) >= SHORTEST_SECRET:
                text = text.replace(word, "•••")
        return text


def entry_of(auth: Mapping[str, str] | None, secret: Mapping[str, str]) -> Entry:
    """The way in that a source's `auth` options describe. Raises Misconfigured where something is missing."""
    options = dict(auth or {})
    made = Entry(**{"kind": "none", **options}, secret=secret.get("secret", ""))
    if made.kind not in KINDS:
        raise Misconfigured(f"There is no way in {made.kind!r}; there are {', '.join(KINDS)}.")
    if made.kind != "none" and not made.secret:
        raise Misconfigured("The feed's credentials are not stored: enter the password, key or token.")
    if made.kind in ("header", "bearer") and not (made.secret.isascii() and made.secret.isprintable()):
        raise Misconfigured(
            "The key or token has characters that no header can hold: enter it anew, without blanks around it."
        )
    if made.kind == "header" and (
        not re.fullmatch(r"[A-Za-z0-9-]{1,100}", made.name) or made.name.lower() in OURS
    ):
        raise Misconfigured(
            f"{made.name[:60]!r} is no header for a key: letters, digits and dashes, like X-Api-Key."
        )
    return made


class Tokens:
    """Tokens of OAuth 2's client credentials (RFC 6749 section 4.4), kept in this process until they end.

    They are never stored. The client authenticates in the header, as the standard prefers, else in the form.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def get(self, entry: Entry, post: Post) -> str:
        """A token that is good for a while. Raises Misconfigured where the server gives none."""
        if found := self.kept(entry):
            return found
        token, seconds = _asked(entry, post)
        with self._lock:
            if len(self._tokens) >= MOST_TOKENS:
                self._tokens.clear()
            self._tokens[_mark(entry)] = token, self._clock() + seconds - EARLY
        return token

    def kept(self, entry: Entry) -> str | None:
        """The token at hand, where it has not ended."""
        with self._lock:
            token, ends = self._tokens.get(_mark(entry), ("", 0.0))
        return token if token and self._clock() < ends else None

    def drop(self, entry: Entry) -> bool:
        """Forgets the token; True where there was one."""
        with self._lock:
            return self._tokens.pop(_mark(entry), None) is not None


TOKENS = Tokens()


def _asked(entry: Entry, post: Post) -> tuple[str, float]:
    form = {"grant_type": "client_credentials", **({"scope": entry.scope} if entry.scope else {})}
    basic = _basic(quote_plus(entry.name), quote_plus(entry.secret))
    status, said = post(entry.token_url, form, {"Authorization": f"Basic {basic}"})
    if status in (400, 401):
        status, said = post(
            entry.token_url, {**form, "client_id": entry.name, "client_secret": entry.secret}, {}
        )
    told = said if isinstance(said, dict) else {}
    token, kind = told.get("access_token"), str(told.get("token_type", "bearer"))
    if not 200 <= status < 300 or not isinstance(token, str) or not token:
        why = entry.cleaned(str(told.get("error_description") or told.get("error") or ""))[:200]
        raise Misconfigured(
            f"The token server answered {status} and gave no token{f' ({why})' if why else ''}; check its address, the "
            "client's id and its secret."
        )
    if kind.lower() != "bearer":
        raise Misconfigured(f"The token server gives tokens of the kind {kind[:40]!r}; only bearer is known.")
    try:
        seconds = float(told.get("expires_in") or SHORTEST)
    except (TypeError, ValueError):
        seconds = SHORTEST
    return token, min(max(seconds, 0.0), 86_400.0)


def _mark(entry: Entry) -> str:
    """One name for everything that decides which token it is; the secret is in it only as a hash."""
    parts = "\0".join((entry.token_url, entry.name, entry.scope, entry.secret))
    return hashlib.sha256(parts.encode()).hexdigest()


def _basic(user: str, secret: str) -> str:
    return base64.b64encode(f"{user}:{secret}".encode()).decode()
