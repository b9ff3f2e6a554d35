"""Files of Shopify's bulk operations: sent to the place it names, fetched from the place it names, both judged by the guard."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson

from connectors.http import CONNECT_SECONDS, reason, tls_context, tls_fault
from core.errors import Temporary
from core.guard import DEADLINE, Guard, PinnedTransport

SILENCE = 60.0
"""Seconds without a byte after which a file is given up."""
WHOLE = 900.0
"""Seconds that one file may take in all."""
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes of one line of a result."""


class BulkFiles:
    """The places are Shopify's storage, not the shop: they get no token. Raises Temporary, since a file is simply sent
    or fetched again, and Misconfigured where a place is not to be trusted."""

    def __init__(self, guard: Guard, ca_file: Path | None) -> None:
        self._guard, self._ca_file = guard, ca_file

    def send(self, url: str, parameters: Mapping[str, str], content: bytes) -> None:
        """Fills a place by a form: its parameters in their order, then the file."""
        with self._client() as client, _told(url, self._ca_file):
            fields: dict[str, tuple[str | None, bytes, str]] = {
                name: (None, value.encode(), "text/plain") for name, value in parameters.items()
            }
            answer = client.post(url, files={**fields, "file": ("variables.jsonl", content, "text/jsonl")})
            if not answer.is_success:
                raise Temporary(f"Shopify's storage did not take the load ({answer.status_code}).")

    def lines(self, url: str) -> Iterator[dict[str, Any]]:
        """The objects of a JSONL file, one after the other."""
        with self._client() as client, _told(url, self._ca_file), client.stream("GET", url) as answer:
            if not answer.is_success:
                raise Temporary(f"Shopify's storage did not give out the result ({answer.status_code}).")
            rest = b""
            for piece in answer.iter_bytes():
                *whole, rest = (rest + piece).split(b"\n")
                yield from map(_object, filter(None, whole))
                if len(rest) > LONGEST_LINE:
                    raise Temporary("Shopify's result has a line that is longer than any product.")
            if rest.strip():
                yield _object(rest)

    def _client(self) -> httpx2.Client:
        return httpx2.Client(
            transport=PinnedTransport(self._guard, tls_context(self._ca_file)),
            headers={"User-Agent": "Entrepot/0.1"},
            timeout=httpx2.Timeout(SILENCE, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )


@contextmanager
def _told(url: str, ca_file: Path | None, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Says what went wrong without the address, which opens the file for whoever knows it."""
    token = DEADLINE.set(clock() + WHOLE)
    name = f"Shopify's storage {httpx2.URL(url).host}"
    try:
        yield
    except httpx2.ConnectError as error:
        raise tls_fault(name, error, ca_file) or Temporary(
            f"{name} cannot be reached ({reason(error)})."
        ) from None
    except (httpx2.TransportError, httpx2.DecodingError) as error:
        raise Temporary(f"{name} broke the connection ({reason(error)}).") from None
    finally:
        DEADLINE.reset(token)


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Temporary("Shopify's result has a line that is no JSON; it is fetched again later.") from None
    return found if isinstance(found, dict) else {}
