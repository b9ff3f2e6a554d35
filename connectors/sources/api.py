"""A paged JSON API: every page's records become the lines of one file, so that it is archived under one hash."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from connectors.base import LandedFile, SourceAccess, SourceFacts
from connectors.sources.archive import archive_fetched
from connectors.sources.entry import entry_of
from connectors.sources.first_look import SHOWN
from connectors.sources.paging import expression, paging_of
from connectors.sources.web import SILENCE, Web, parsed, time_limit
from core.errors import Misconfigured, Temporary

LARGEST_PAGE = 64 * 1024 * 1024
MOST_PAGES = 10_000
PER_SECOND = 5.0
"""Calls a second at most, where the feed says nothing else: a supplier's shop must not suffer."""
TEST_SECONDS = 20.0


class JsonApi:
    """The records at `url`: `records` is the JMESPath of the list in an answer, "" where the answer itself is the list.

    `paging` says how pages follow each other (see paging.py), `auth` how to get in (see entry.py). Next addresses
    are judged as every other; credentials go to the host of `url` only. `sleep` and `seconds` are replaced in tests.
    """

    many = False

    def __init__(
        self,
        url: str,
        records: str = "",
        paging: Mapping[str, Any] | None = None,
        auth: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        per_second: float = PER_SECOND,
        pages: int = MOST_PAGES,
        *,
        access: SourceAccess,
        sleep: Callable[[float], None] = time.sleep,
        seconds: float = SILENCE,
    ) -> None:
        self._url, self._access, self._pages = parsed(url), access, pages
        self._records = expression(records) if records else None
        self._paging, self._entry = paging_of(paging), entry_of(auth, access.secret)
        self._ca_file, self._pause, self._sleep, self._seconds = ca_file, 1 / per_second, sleep, seconds

    @property
    def remembered(self) -> dict[str, Any]:
        """Nothing: whether anything changed is told by the hash of all pages."""
        return {}

    def fetch(self, into: Path, last: str | None) -> LandedFile | None:
        """All records as JSON lines in the archive `into`; None where they are the same as before."""
        with time_limit(), self._web(self._seconds) as web:
            lines = (line for _, records in self._walk(web) for line in _lines(records))
            landed = archive_fetched(lines, into, f"{self._url.host}.jsonl", self._access.limit)
        return None if landed.sha256 == last else landed

    def test(self) -> SourceFacts:
        """Asks for the first page only, and says how many records it has."""
        with time_limit(TEST_SECONDS), self._web(min(self._seconds, TEST_SECONDS / 2)) as web:
            raw, records = next(self._walk(web))
            notes = [f"The first page has {len(records)} records."]
            if not records:
                notes = ["The first page has no record: check where the records stand in the answer."]
            elif not isinstance(records[0], dict):
                notes.append("The records are no objects with named fields: check where they stand.")
            start = json.dumps(records[0], ensure_ascii=False)[:SHOWN] if records else ""
            return SourceFacts(
                bytes=len(raw),
                content_type="application/json",
                looks="JSON",
                start=web.cleaned(start),
                warnings=tuple(notes),
            )

    def _web(self, seconds: float) -> Web:
        return Web(
            str(self._url),
            self._entry,
            self._access.guard,
            ca_file=self._ca_file,
            seconds=seconds,
            sleep=self._sleep,
        )

    def _walk(self, web: Web) -> Iterator[tuple[bytes, list[Any]]]:
        """Page after page with its bytes. Raises Misconfigured where they do not end or come twice."""
        url: httpx2.URL | None = self._paging.first(self._url)
        seen: set[bytes] = set()
        for number in range(1, self._pages + 1):
            assert url is not None
            if number > 1:
                self._sleep(self._pause)
            raw, headers = self._page(web, url)
            body = _loaded(raw, web)
            records = self._found(body, web)
            mark = hashlib.sha256(raw).digest()
            if records and mark in seen:
                raise Misconfigured(
                    f"{web.name} gives the same page again and again: check the paging ({self._paging.kind}) and its parameter."
                )
            seen.add(mark)
            yield raw, records
            url = self._paging.following(url, body, headers, len(records), number)
            if url is None:
                return
        raise Misconfigured(
            f"{web.name} has more than {self._pages:,} pages; ask for larger pages, or raise `pages`."
        )

    def _page(self, web: Web, url: httpx2.URL) -> tuple[bytes, httpx2.Headers]:
        raw = bytearray()
        with web.open(str(url), {"Accept": "application/json"}) as response, _told(web):
            for piece in response.iter_bytes():
                raw += piece
                if len(raw) > LARGEST_PAGE:
                    raise Misconfigured(
                        f"{web.name} gives pages of more than {LARGEST_PAGE // 1024**2} MB; ask for smaller ones."
                    )
            return bytes(raw), response.headers

    def _found(self, body: Any, web: Web) -> list[Any]:
        found = self._records.search(body) if self._records else body
        if found is None and self._records and isinstance(body, dict):
            return []  # some leave the list out where it would be empty
        if not isinstance(found, list):
            where = f"{self._records.expression} in the answer" if self._records else "The answer"
            advice = "" if self._records else f" Its fields are: {_names(body)}."
            raise Misconfigured(
                f"{web.name}: {where} is no list of records; say where the list stands, like data.items.{web.cleaned(advice)}"
            )
        return found


@contextmanager
def _told(web: Web) -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as error:
        raise web.lost(error) from None
    except httpx2.DecodingError:
        raise Temporary(
            f"{web.name} sent a page that cannot be unpacked; the hub looks again later."
        ) from None


def _loaded(raw: bytes, web: Web) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        text = raw[:200].decode("utf-8", "replace").strip()
        if text[:1] in {"{", "["}:
            raise Temporary(f"{web.name} sent a page that breaks off; the hub looks again later.") from None
        raise Misconfigured(
            f"{web.name} answers with something that is no JSON (“{web.cleaned(text)[:80]}”); check the address."
        ) from None


def _lines(records: list[Any]) -> Iterator[bytes]:
    for record in records:
        try:
            yield json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 cannot hold and an escape can
            yield json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _names(body: Any) -> str:
    return ", ".join(list(body)[:10]) if isinstance(body, dict) and body else "none"
