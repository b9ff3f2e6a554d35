"""Finds or makes the shop's category or tag of a name, since one sent by name is ignored or becomes Uncategorized."""

from html import escape, unescape
from typing import Literal

from connectors.shops.woocommerce.client import BY_ID, Rest
from core.errors import Refused, Temporary, Unknown

LONGEST = 200
"""Characters of wp_terms.name."""


class Terms:
    """The shop's categories, or its tags, read once and then kept up to date with those made here."""

    def __init__(self, rest: Rest, kind: Literal["category", "tag"]) -> None:
        self._rest, self._kind = rest, kind
        self._path = "products/categories" if kind == "category" else "products/tags"
        self._known: dict[tuple[int, str], int] | None = None

    def number(self, path: tuple[str, ...]) -> int | None:
        """The id of the category at this path ("Clothing", "Shirts"), made where it is missing; None for no path. A tag's
        path is its name.

        Names are compared without regard to case, as the shop does. Raises Refused for a name that is too long and with the
        shop's own words, Temporary where the answer was lost.
        """
        number = 0
        long = next((part for part in path if len(escape(part, quote=False)) > LONGEST), None)
        if long is not None:
            raise Refused(f"The {self._kind} {long[:40]!r}… is longer than {LONGEST} characters; shorten it.")
        for name in (" ".join(part.split()) for part in path):
            if name:
                known = self._all().get((number, name.casefold()))
                number = known if known is not None else self._make(name, number)
        return number or None

    def _all(self) -> dict[tuple[int, str], int]:
        if self._known is None:
            self._known = {
                (int(found.get("parent") or 0), unescape(str(found["name"])).casefold()): int(found["id"])
                for found in self._rest.pages(self._path, **BY_ID)
            }
        return self._known

    def _make(self, name: str, parent: int) -> int:
        fields = {"name": escape(name, quote=False)} | (
            {"parent": parent} if self._kind == "category" else {}
        )
        try:
            answer = self._rest.create(self._path, fields)
        except Unknown as error:
            # Made or not: the name is unique below its parent, so asking again later cannot make a second one.
            raise Temporary(f"The {self._kind} {name!r} may not have been made: {error}") from None
        if answer.ok:
            number = int(answer.body["id"])
        elif answer.code == "term_exists" and answer.body["data"].get("resource_id"):
            number = int(
                answer.body["data"]["resource_id"]
            )  # made by someone else meanwhile (error_category_exists)
        else:
            raise Refused(f"The shop refused the {self._kind} {name!r}: {answer.message or answer.code}.")
        self._all()[(parent, name.casefold())] = number
        return number
