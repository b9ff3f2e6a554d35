"""What a request to the shop is and what it answers: the values that every other file of the shop passes on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"

Fields = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request as it arrived; `headers` has lower-case names, `query` is what stands behind the question mark."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""

    @property
    def wish(self) -> Fields:
        """The JSON object of the body. Raises ValueError where it is something else."""
        found = json.loads(self.body or b"{}")
        if not isinstance(found, dict):
            raise ValueError("The body is not a JSON object.")
        return found


@dataclass
class Answer:
    """One answer: status, body (a JSON value, or ready bytes) and the headers beyond the usual ones."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class UserError(Exception):
    """What a mutation answers in `userErrors`; everything the mutation had written is undone."""

    def __init__(self, message: str, code: str = "", *field: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = list(field) or None

    def rows(self) -> list[Fields]:
        return [{"message": str(self), "code": self.code or None, "field": self.field}]


class UserErrors(UserError):
    """Several of them at once, in the order of what was asked."""

    def __init__(self, errors: list[UserError]) -> None:
        super().__init__("; ".join(str(one) for one in errors))
        self._errors = errors

    def rows(self) -> list[Fields]:
        return [row for one in self._errors for row in one.rows()]


def not_simulated(what: str) -> GraphQLError:
    """Neither the page nor Shopify's documents say what a real shop would answer, so the sandbox does not guess."""
    return GraphQLError(f"The sandbox does not simulate {what}.", extensions={"code": "NOT_SIMULATED"})


def only(given: Fields, place: str, *simulated: str) -> None:
    """Raises NOT_SIMULATED for any other field with a value."""
    for name, value in given.items():
        if name not in simulated and value not in (None, False, []):
            raise not_simulated(f"{name} in {place}")
