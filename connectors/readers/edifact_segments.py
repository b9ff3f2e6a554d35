"""EDIFACT text -> segments of elements of components, whatever characters part them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TextIO

from core.errors import Refused

Segment = list[list[str]]
"""[[tag], [component, …], [component, …], …]."""
LONGEST = 1 << 20  # characters of one segment; the standards allow some thousands
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Service:
    """The service characters (ISO 9735-1, UNA): what parts components, elements and segments, what takes that meaning away."""

    component: str = ":"
    element: str = "+"
    release: str = "?"
    end: str = "'"


def segments(stream: TextIO, name: str) -> Iterator[Segment]:
    """The segments as they come; line ends between them do not count. Raises Refused (`too_long`) where one never ends."""
    text = stream.read(_PIECE).lstrip("\ufeff \t\r\n")
    service, text = _service(text)
    whole = _pattern(service)
    ended = False
    while True:
        at = 0
        while found := whole.match(text, at):
            at = found.end()
            if segment := _split(found[1], service):
                yield segment
        text = text[at:]
        if ended:
            if text.strip("\r\n \x1a") and (segment := _split(text, service)):
                yield segment  # the last one, its end lost
            return
        if len(text) > LONGEST:
            raise Refused(
                f"{name} has a segment of over 1 MB ({text.lstrip()[:3]}); a terminator is missing.",
                rule="too_long",
            )
        piece = stream.read(_PIECE)
        ended = not piece
        text += piece


def _service(text: str) -> tuple[Service, str]:
    """The service characters, and the text behind UNA."""
    if not text.startswith("UNA") or len(text) < 9:
        return Service(), text
    component, element, _, release, _, end = tuple(text[3:9])
    if end == "\r":
        end = "\n"  # the terminator is a line end, written as two characters
    return Service(component, element, release.strip(), end), text[9:].lstrip("\r\n")


def _pattern(service: Service) -> re.Pattern[str]:
    end, release = re.escape(service.end), re.escape(service.release)
    inside = f"[^{end}{release}]++|{release}." if service.release else f"[^{end}]++"
    return re.compile(
        f"((?:{inside})*+){end}", re.S
    )  # possessive: a terminator that is missing costs no time


def _split(text: str, service: Service) -> Segment:
    text = text.strip()
    if not service.release or service.release not in text:
        return [element.split(service.component) for element in text.split(service.element)] if text else []
    return [
        [_plain(part, service) for part in _parts(element, service.component, service)]
        for element in _parts(text, service.element, service)
    ]


def _parts(text: str, separator: str, service: Service) -> list[str]:
    """`text` at each separator that is not released."""
    parts = []
    for found in _between(separator, service.release).finditer(text):
        parts.append(found[1])
        if not found[2]:
            break
    return parts


@lru_cache
def _between(separator: str, release: str) -> re.Pattern[str]:
    sign, released = re.escape(separator), re.escape(release)
    return re.compile(f"((?:[^{sign}{released}]++|{released}.)*+)({sign}|{released}?$)", re.S)


def _plain(text: str, service: Service) -> str:
    return re.sub(f"{re.escape(service.release)}(.)", r"\1", text, flags=re.S)
