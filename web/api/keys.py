"""The API's front door: a bearer key, and what lists have in common."""

from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from core.errors import Refused
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

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        description="Of your own, 1 to 80 characters. The same key with the same content gives the first answer; with other content, 422.",
    ),
]
"""What every command that moves money carries: sent again, nothing happens twice."""

SMALL_FILE = 16 << 20
"""Bytes of a bank statement or a file of answers; feeds may be greater."""


async def file_sent(request: Request) -> bytes:
    """The body as it came. Raises Refused ("too_large") beyond SMALL_FILE, ("empty") where there is none."""
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > SMALL_FILE:
            raise Refused(f"The file has more than {SMALL_FILE >> 20} MB.", rule="too_large")
    if not content:
        raise Refused("The file is empty: send it as the body of the request.", rule="empty")
    return content


FileSent = Annotated[bytes, Depends(file_sent)]


def takes_file(media_type: str) -> dict[str, object]:
    """The part of a route's OpenAPI document for a body that is a file."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "content": content}}


def gives_file(media_type: str, what: str) -> dict[int | str, dict[str, object]]:
    """The same for an answer that is a file."""
    return {
        200: {
            "description": what,
            "content": {media_type: {"schema": {"type": "string", "format": "binary"}}},
        }
    }
