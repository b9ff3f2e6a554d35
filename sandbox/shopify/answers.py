"""What a request to the shop is and what it answers: the values that every other file of the shop passes on."""

from dataclasses import dataclass

from graphql import GraphQLError

from sandbox.shops import answers

JSON, HTML = answers.JSON, answers.HTML
Fields = answers.Fields
Answer = answers.Answer


@dataclass(frozen=True)
class Call(answers.Call):
    """One request as it arrived; `query` is what stands behind the question mark."""

    query: str = ""


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
