"""How the shop's server reads a request, and which headers its answers have."""

import email.utils
import secrets
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from sandbox.shopify import faults
from sandbox.shopify.answers import Answer, Call, Fields
from sandbox.shopify.faults import Fault, Faults, Record
from sandbox.shops import server


class Listener(server.Listener[Call, Answer, Fault]):
    """One port with TLS; faults strike everything but the shop front and the switches."""

    max_body = 101 * 1024 * 1024

    def __init__(
        self,
        port: int,
        answer: Callable[[Call], Answer],
        *,
        fields_of: Callable[[Call], list[str]],
        throttle: Callable[[], Fields],
        switches: Faults,
        record: Record,
        tls: ssl.SSLContext,
    ) -> None:
        self._answer, self._fields_of, self._throttle = answer, fields_of, throttle
        super().__init__(port, switches, record, tls)

    def read(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Call:
        parts = urlsplit(target)
        return Call(method, parts.path, headers, body, parts.query)

    def may_fail(self, call: Call) -> bool:
        return call.path != "/" and not call.path.startswith("/sandbox/")

    def told(self, call: Call) -> Fields:
        return {"path": call.path, "fields": self._fields_of(call), "bytes": len(call.body)}

    def hits(self, fault: Fault, call: Call) -> bool:
        return fault.hits(self._fields_of(call))

    def own(self, call: Call) -> Answer:
        return self._answer(call)

    def instead(self, fault: Fault, call: Call) -> Answer | None:
        return faults.instead(fault, self._throttle())

    def spoiled(self, fault: Fault, answer: Answer) -> Answer:
        return faults.spoiled(fault, answer)

    def head(self, answer: Answer, host: str) -> dict[str, str]:
        return {
            "Date": email.utils.formatdate(usegmt=True),
            "Content-Type": answer.content_type,
            "X-Request-Id": secrets.token_hex(16),
            **answer.headers,
        }
