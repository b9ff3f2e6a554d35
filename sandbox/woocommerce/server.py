"""How the shop's server reads a request as PHP does, and which headers the recorded answers have."""

import email.utils
import json
import ssl
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from sandbox.shops import server
from sandbox.shops.answers import Fields
from sandbox.shops.faults import Faults, Record
from sandbox.woocommerce import batch, faults
from sandbox.woocommerce.answers import Answer, Call
from sandbox.woocommerce.faults import Fault
from sandbox.woocommerce.latency import Latency
from sandbox.woocommerce.listing import query_of

_NO_CACHE = {
    "Expires": "Wed, 11 Jan 1984 05:00:00 GMT",
    "Cache-Control": "no-cache, must-revalidate, max-age=0, no-store, private",
}
_REST = {
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Expose-Headers": "X-WP-Total, X-WP-TotalPages, Link",
    "Access-Control-Allow-Headers": "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type",
}
# The recorded sets of usual headers: of an answer, of a refusal before the key was known, of a dead WordPress …
_ENVELOPES = {
    "rest": _REST | _NO_CACHE,
    "rest stranger": _REST | {"Vary": "Origin"},
    "rest unallowed": _REST | _NO_CACHE,
    "died": _NO_CACHE,
    "stray": {},
    "proxy": {},
    "page": {},
}


class Listener(server.Listener[Call, Answer, Fault]):
    """One port, with or without TLS; faults strike below /wp-json."""

    def __init__(
        self,
        port: int,
        answer: Callable[[Call], Answer],
        *,
        switches: Faults[Fault],
        record: Record,
        latency: Latency,
        tls: ssl.SSLContext | None = None,
        below: str = "",
    ) -> None:
        self._answer, self._latency, self._below = answer, latency, below
        super().__init__(port, switches, record, tls)

    def read(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Call:
        parts = urlsplit(target)
        path = unquote(parts.path)
        # Beside its folder there is no shop, whatever is asked.
        path = path.removeprefix(self._below) if path.startswith(f"{self._below}/") else f"/beside{path}"
        return Call(
            method,
            path,
            headers,
            body,
            query=query_of(parts.query),
            secure=self.tls is not None,
            raw_query=parts.query,
            below=self._below,
        )

    def may_fail(self, call: Call) -> bool:
        return call.path.startswith("/wp-json")

    def told(self, call: Call) -> Fields:
        return {
            "method": call.method,
            "path": call.path,
            "query": dict(call.query),
            "bytes": len(call.body),
            "batch": _batch_sizes(call),
        }

    def hits(self, fault: Fault, call: Call) -> bool:
        return fault.hits(call)

    def own(self, call: Call) -> Answer:
        if not self.may_fail(call):
            return self._answer(call)
        return self._latency.answered(call, _batch_sizes(call), self._answer)

    def instead(self, fault: Fault, call: Call) -> Answer | None:
        if fault.kind == "slow":
            return self._answer(replace(call, pause=fault.seconds))
        return faults.instead(fault, call)

    def spoiled(self, fault: Fault, answer: Answer) -> Answer:
        return faults.spoiled(fault, answer)

    def head(self, answer: Answer, host: str) -> dict[str, str]:
        headers = {"Host": host, "Date": email.utils.formatdate(usegmt=True)}
        if answer.envelope != "proxy":
            headers["X-Powered-By"] = "PHP/8.2.36"
        headers["Content-Type"] = answer.content_type
        headers |= _ENVELOPES[answer.envelope]
        if answer.envelope.startswith("rest"):
            scheme = "https" if self.tls else "http"
            # The links of a list's pages replace this one, as recorded.
            headers["Link"] = f'<{scheme}://{host}{self._below}/wp-json/>; rel="https://api.w.org/"'
        return headers | answer.headers


def _batch_sizes(call: Call) -> dict[str, int]:
    if not call.path.endswith("/batch"):
        return {}
    try:
        return batch.sizes(json.loads(call.body or b"{}"))
    except ValueError:
        return {}
