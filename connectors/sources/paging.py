"""How the pages of a JSON API follow each other: by number, offset, cursor, Link header, or an address in the body."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import jmespath
from jmespath.exceptions import JMESPathError

from core.errors import Misconfigured

KINDS = ("none", "page", "offset", "cursor", "link", "next")


@dataclass(frozen=True, slots=True)
class Paging:
    """`param` is the query's parameter that says which page ("page", "offset", "cursor"), `start` its first value.

    `size` and `size_param` ask for so many records a page; `next` is the JMESPath of the cursor (cursor) or of the
    next address (next) in the body.
    """

    kind: str = "none"
    param: str = ""
    start: int = 1
    size: int = 0
    size_param: str = ""
    next: str = ""

    def first(self, url: httpx2.URL) -> httpx2.URL:
        """The address of the first page."""
        asked: dict[str, Any] = {self.size_param: self.size} if self.size_param and self.size else {}
        if self.kind in ("page", "offset"):
            asked[self.param or self.kind] = self.start
        return url.copy_merge_params(asked) if asked else url

    def following(
        self, url: httpx2.URL, body: Any, headers: Mapping[str, str], count: int, number: int
    ) -> httpx2.URL | None:
        """The address of the page after `url`, which was the `number`-th (from 1) and had `count` records; None at the end."""
        if self.kind == "none" or count == 0:
            return None
        if self.kind == "page":
            return url.copy_merge_params({self.param or "page": self.start + number})
        if self.kind == "offset":
            param = self.param or "offset"
            return url.copy_merge_params({param: int(url.params.get(param, self.start)) + count})
        if self.kind == "link":
            target = next_link(headers.get("link", ""))
            return _joined(url, target) if target else None
        found = expression(self.next).search(body)
        if found in (None, "", False):
            return None
        if not isinstance(found, str | int):
            raise Misconfigured(
                f"{self.next} in the answer is no address or cursor, but {type(found).__name__}."
            )
        if self.kind == "next":
            return _joined(url, str(found))
        return url.copy_merge_params({self.param or "cursor": str(found)})


def paging_of(options: Mapping[str, Any] | None) -> Paging:
    """The paging that a source's options describe. Raises Misconfigured where they contradict themselves."""
    made = Paging(**dict(options or {}))
    if made.kind == "offset" and "start" not in (options or {}):
        made = Paging(**{**dict(options or {}), "start": 0})
    if made.kind not in KINDS:
        raise Misconfigured(f"There is no paging {made.kind!r}; there are {', '.join(KINDS)}.")
    if made.kind in ("cursor", "next") and not made.next:
        raise Misconfigured(
            f"Paging by {made.kind} needs `next`: where in the answer it stands, like meta.next."
        )
    if made.next:
        expression(made.next)
    return made


def expression(text: str) -> Any:
    """A compiled JMESPath. Raises Misconfigured where it is none."""
    try:
        return jmespath.compile(text)
    except JMESPathError as error:
        raise Misconfigured(f"{text!r} is no JMESPath: {' '.join(str(error).split())[:200]}.") from None


def next_link(header: str) -> str | None:
    """The target of rel="next" in a Link header (RFC 8288), or None."""
    for link in re.split(r",\s*(?=<)", header[:8192]):
        found = re.match(r"\s*<([^<>]*)>(.*)", link, re.S)
        relation = re.search(r";\s*rel\s*=\s*\"?([^\";]*)", found[2], re.I) if found else None
        if found and relation and "next" in relation[1].lower().split():
            return found[1]
    return None


def _joined(url: httpx2.URL, target: str) -> httpx2.URL:
    try:
        return url.join(target)
    except (httpx2.InvalidURL, ValueError):
        raise Misconfigured("The address of the next page is none.") from None
