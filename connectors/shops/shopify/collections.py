"""A category of ours is a collection of the shop: found by the last part of its address, made once, the owner's to rename."""

import hashlib
import re
import threading
import unicodedata
from collections import defaultdict

from connectors.shops.shopify.client import GraphQL, refusals, sentence
from connectors.shops.shopify.facts import Facts
from core.errors import Refused, Temporary, Unknown

LONGEST = 255
"""Characters of a title or handle."""
_MAKING: dict[str, threading.Lock] = defaultdict(threading.Lock)
"""By host: of several strands of a push that need a new collection one makes it, and the others find it."""


def handle_of(path: tuple[str, ...]) -> str:
    """The last part of a collection's address for a category ("Kitchen", "Mugs" is "kitchen-mugs").

    Where letters have no plain Latin form a digest tells categories apart: Shopify would write them its own way, and the
    collection would not be found again.
    """
    words = " ".join(path)
    plain = unicodedata.normalize("NFKD", words.casefold())
    latin = "".join(sign for sign in plain if not unicodedata.combining(sign))
    handle = re.sub(r"[^a-z0-9]+", "-", latin).strip("-")
    if any(sign.isalnum() and not sign.isascii() for sign in latin):
        handle = f"{handle}-{hashlib.sha256(words.encode()).hexdigest()[:8]}".strip("-")
    return handle[:LONGEST]


class Collections:
    """Those of one shop, remembered while the connector lives. An owner's collection of the same address is used as it is."""

    def __init__(self, graphql: GraphQL, facts: Facts) -> None:
        self._graphql, self._facts = graphql, facts
        self._known: dict[str, str] = {}

    def of(self, path: tuple[str, ...]) -> str | None:
        """The id of the collection for a category path, made and shown in the online store where it was not there.

        None for no category. Raises Refused where the shop takes none, Temporary where its answer was lost.
        """
        handle = handle_of(path)
        if not handle:
            return None
        if handle not in self._known:
            with _MAKING[self._graphql.host]:
                self._known[handle] = self._find(handle) or self._make(handle, path[-1].strip()[:LONGEST])
        return self._known[handle]

    def _find(self, handle: str) -> str | None:
        found = self._graphql.read("CollectionByHandle", handle=handle)["collectionByIdentifier"]
        return str(found["id"]) if found else None

    def _make(self, handle: str, title: str) -> str:
        try:
            payload = self._graphql.change("CollectionCreate", collection={"title": title, "handle": handle})
            errors = refusals(payload)
            if errors:
                raise Refused(f"The collection {title} could not be made. {sentence(errors)}")
            made = str(payload["collection"]["id"])
        except Unknown as error:
            found = self._find(handle)
            if found is None:
                raise Temporary(f"The collection {title} may not have been made: {error}") from None
            made = found
        wish = [{"publicationId": self._facts.publication}]
        try:
            errors = refusals(self._graphql.change("Publish", id=made, input=wish))
        except Unknown as error:
            raise Temporary(f"The collection {title} may not be shown yet: {error}") from None
        if errors:
            raise Refused(f"The collection {title} cannot be shown in the online store. {sentence(errors)}")
        return made
