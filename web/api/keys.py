"""The API's front door: a bearer key, and what lists have in common."""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from web.auth import is_api_key
from web.deps import database

BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="`Authorization: Bearer ent_…`")


class NoKey(Exception):
    """The request has no key that is valid: errors.py answers 401."""


def checked_key(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> None:
    """Lets a request with a valid key pass. Raises NoKey."""
    if given is None:
        raise NoKey
    with database(request).unit_of_work() as uow:
        valid = is_api_key(uow.session, given.credentials)
    if not valid:
        raise NoKey


class Problem(BaseModel):
    """What went wrong: `rule` for programs, `message` for people; `reference` finds it in the hub's log."""

    rule: str
    message: str
    reference: str | None = None


class Failure(BaseModel):
    """Every answer that is not a success."""

    error: Problem


class Page(BaseModel):
    """A list's page; ask again with `after` until it is null."""

    after: str | None = Field(None, description="The next page's `after`; null on the last one.")


Limit = Annotated[int, Query(ge=1, le=500, description="At most so many.")]
After = Annotated[str | None, Query(description="`after` of the page before.")]
