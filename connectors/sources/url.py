"""A file at an https address: asked for only where it changed, streamed into the archive, resumed where it broke off."""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2

from connectors.base import LandedFile, SourceAccess, SourceFacts
from connectors.sources.archive import archive_fetched
from connectors.sources.entry import entry_of
from connectors.sources.first_look import LOOKED_AT, judged
from connectors.sources.web import SILENCE, Web, changed_at, file_name, parsed, time_limit
from core.errors import Misconfigured, Temporary

STARTS = 3
"""How often a download begins anew because the file changed meanwhile."""
BREAKS = 20
"""How often a broken download is taken up again, each time with bytes won."""
LONGEST_VALIDATOR = 1000
TEST_SECONDS = 20.0
PIECE = 256 * 1024


class WebFile:
    """The file at `url`. `auth` says how to get in (see entry.py), `ca_file` what confirms a certificate of its own.

    What is remembered is the answer's ETag and Last-Modified: a 304 then costs a few hundred bytes. `sleep` and
    `seconds` (the longest silence) are replaced in tests.
    """

    many = False

    def __init__(
        self,
        url: str,
        auth: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        *,
        access: SourceAccess,
        sleep: Callable[[float], None] = time.sleep,
        seconds: float = SILENCE,
    ) -> None:
        self._url, self._access = str(parsed(url)), access
        self._entry = entry_of(auth, access.secret)
        self._ca_file, self._sleep, self._seconds = ca_file, sleep, seconds
        self._remembered = {
            name: access.state[name] for name in ("etag", "last_modified") if access.state.get(name)
        }

    @property
    def remembered(self) -> dict[str, Any]:
        """The validators of the last answer."""
        return dict(self._remembered)

    def fetch(self, into: Path, last: str | None) -> LandedFile | None:
        """The file, streamed into the archive `into`; None where the server or its hash says that it is unchanged."""
        with time_limit(), self._web() as web:
            for _ in range(STARTS):
                try:
                    return self._download(web, into, last)
                except _Changed:
                    continue
        raise Temporary(
            f"{web.name} changes the file faster than it can be fetched; the hub looks again later."
        )

    def test(self) -> SourceFacts:
        """Asks for the file and reads its beginning only."""
        with (
            time_limit(TEST_SECONDS),
            self._web(min(self._seconds, TEST_SECONDS / 2)) as web,
            web.open(self._url) as response,
        ):
            head = b""
            try:
                for piece in _decoded(response.iter_raw(), _coding(response, web.name), web.name):
                    head += piece
                    if len(head) >= LOOKED_AT:
                        break
            except httpx2.TransportError as error:
                raise web.lost(error) from None
            looks, start, warning = judged(head[:LOOKED_AT])
            length = response.headers.get("content-length", "")
            notes = [warning] if warning else []
            if "etag" not in response.headers and "last-modified" not in response.headers:
                notes.append(
                    "The server does not say when the file changed: each look fetches it whole; look seldom."
                )
            return SourceFacts(
                name=file_name(response),
                bytes=int(length) if length.isdigit() and not _coding(response, web.name) else None,
                changed_at=changed_at(response),
                content_type=web.cleaned(response.headers.get("content-type", ""))[:100] or None,
                looks=looks,
                start=web.cleaned(start),
                warnings=tuple(notes),
            )

    def _web(self, seconds: float | None = None) -> Web:
        return Web(
            self._url,
            self._entry,
            self._access.guard,
            ca_file=self._ca_file,
            seconds=seconds or self._seconds,
            sleep=self._sleep,
        )

    def _download(self, web: Web, into: Path, last: str | None) -> LandedFile | None:
        asked = {} if last is None else _conditions(self._remembered)
        with web.open(self._url, asked) as response:
            if response.status_code == 304:
                return None
            pieces = _decoded(self._raw(web, response), _coding(response, web.name), web.name)
            landed = archive_fetched(
                pieces, into, file_name(response), self._access.limit, changed_at(response)
            )
            self._remembered = _validators(response)
        return None if landed.sha256 == last else landed

    def _raw(self, web: Web, response: httpx2.Response) -> Iterator[bytes]:
        """The body as sent. Where it breaks off, the rest is asked for, if a strong ETag says that it is the same file.

        Source: RFC 9110 sections 13.1.5 (If-Range) and 14. Raises _Changed where the server sends another file.
        """
        etag, done, before = response.headers.get("etag", ""), 0, 0
        resumable = etag.startswith('"')
        with ExitStack() as opened:
            for _ in range(BREAKS):
                try:
                    for (
                        piece
                    ) in response.iter_raw():  # as they come: pieces of a given size get lost in a break
                        done += len(piece)
                        yield piece
                    return
                except httpx2.TransportError as error:
                    if not resumable or done == before:
                        raise web.lost(error) from None
                before = done
                opened.close()
                rest = {"Range": f"bytes={done}-", "If-Range": etag}
                response = opened.enter_context(web.open(self._url, rest))
                begins = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
                if response.status_code != 206 or begins != str(done) or response.headers.get("etag") != etag:
                    raise _Changed
        raise Temporary(
            f"{web.name} broke the connection {BREAKS} times in one file; the hub looks again later."
        )


class _Changed(Exception):
    """The file is another one than when its download began."""


def _conditions(validators: Mapping[str, str]) -> dict[str, str]:
    named = {"If-None-Match": "etag", "If-Modified-Since": "last_modified"}
    return {header: validators[name] for header, name in named.items() if name in validators}


def _validators(response: httpx2.Response) -> dict[str, str]:
    found = {
        "etag": response.headers.get("etag", ""),
        "last_modified": response.headers.get("last-modified", ""),
    }
    return {name: value for name, value in found.items() if value and len(value) <= LONGEST_VALIDATOR}


def _coding(response: httpx2.Response, name: str) -> str:
    """ "gzip", or "" where the body is the file itself. Raises Misconfigured for what was not offered."""
    coding: str = response.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return ""
    if coding not in ("gzip", "x-gzip"):
        raise Misconfigured(
            f"{name} packs the file as {coding[:40]!r}, which was not offered; only gzip is read."
        )
    return "gzip"


def _decoded(pieces: Iterator[bytes], coding: str, name: str) -> Iterator[bytes]:
    """The file's own bytes, unpacked piece by piece so that a bomb never lies in memory."""
    if not coding:
        yield from pieces
        return
    unpacker, begun = zlib.decompressobj(31), False
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if unpacker.eof:  # several gzip members follow each other (RFC 1952 section 2.2)
                    unpacker = zlib.decompressobj(31)
                begun = True
                if unpacked := unpacker.decompress(rest, PIECE):
                    yield unpacked
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        while not unpacker.eof and (unpacked := unpacker.decompress(b"", PIECE)):
            yield unpacked
    except zlib.error:
        raise Misconfigured(f"{name} says that the file is packed as gzip, and it is not.") from None
    if begun and not unpacker.eof:
        raise Temporary(f"{name} sent a packed file that breaks off; the hub looks again later.")
