"""What a person or a program sees when something goes wrong: what happened, what it means, what to do."""

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import sqlalchemy.exc
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from core import log
from core.errors import EntrepotError, Misconfigured, Refused, Temporary, Unknown
from web.api.keys import NoKey
from web.deps import BadForm, NotSignedIn, local_address, page, signed_in

_log = log.logger("web")


@dataclass(frozen=True, slots=True)
class Story:
    """One error, told to whoever asked."""

    status: int
    rule: str
    happened: str
    means: str
    advice: str


UNSTORABLE = (sqlalchemy.exc.DataError, psycopg.DataError, UnicodeEncodeError)
"""What PostgreSQL and its driver say to numbers out of reach, to NUL and to half a pair of UTF-16 (JSON's "\\ud800")."""


def story_of(error: Exception, reference: str) -> Story:
    """The error as it is told. What nobody foresaw is told without its words: they may hold anything."""
    text = str(error)
    if isinstance(error, BadForm):
        return Story(
            403, "old_form", text, "Nothing was changed.", "Go back, load the page again, and repeat."
        )
    if isinstance(error, Refused) and error.rule == "not_found":
        return Story(
            404,
            "not_found",
            text,
            "There is nothing to show at this address.",
            "Look for it by its name with the search at the top, or start from the Overview.",
        )
    if isinstance(error, Refused) and error.rule == "wrong_state":
        return Story(
            409,
            error.rule,
            text,
            "Nothing was changed.",
            "Load the page again: somebody may have been faster.",
        )
    if isinstance(error, Refused):
        return Story(
            422,
            error.rule or "refused",
            text,
            "Nothing was changed.",
            "Change what the sentence above names, and send it again.",
        )
    if isinstance(error, Misconfigured):
        return Story(
            409,
            "misconfigured",
            text,
            "The hub cannot go on by itself here.",
            "Mend what the sentence above names, then repeat.",
        )
    if isinstance(error, Temporary):
        return Story(
            503,
            "temporary",
            text,
            "Nothing is lost; the hub was only busy or its database away for a moment.",
            "Wait a few seconds and load the page again.",
        )
    if isinstance(error, Unknown):
        return Story(
            503,
            "unknown",
            text,
            "It may have been stored or not.",
            "Look at the page again before you repeat it.",
        )
    if isinstance(error, EntrepotError):
        return Story(
            422,
            "refused",
            text,
            "Nothing was changed.",
            "Change what the sentence above names, and send it again.",
        )
    return Story(
        500, "internal", "Something went wrong inside the hub that nobody foresaw.",
        "What you asked for was not done; what was stored before is as it was.",
        f"Repeat it once. If it happens again, look for {reference} in the log of the web process and report what stands there.",
    )  # fmt: skip


def install(app: FastAPI) -> None:
    """Every way out of a route that is not its answer."""

    @app.exception_handler(NotSignedIn)
    def not_signed_in(request: Request, error: NotSignedIn) -> Response:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        to = f"/login?next={_quoted(here)}" if request.method == "GET" and here != "/" else "/login"
        if "hx-request" in request.headers:
            return Response(status_code=204, headers={"HX-Redirect": "/login"})
        return RedirectResponse(to, status_code=303)

    @app.exception_handler(ClientDisconnect)
    def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it: whoever sent a body has left in the middle of it

    @app.exception_handler(NoKey)
    def no_key(request: Request, error: NoKey) -> Response:
        told = Story(
            401, "no_key", "This needs a valid key: send it as `Authorization: Bearer ent_…`.", "", ""
        )
        return answer(request, told, None, {"WWW-Authenticate": "Bearer"})

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return tell(request, Refused(f"There is no page {request.url.path}.", rule="not_found"))
        if error.status_code == 405:
            told = Story(
                405,
                "method",
                f"{request.method} is not what {request.url.path} is for.",
                "Nothing was changed.",
                "Start from the Overview.",
            )
        else:
            told = Story(
                error.status_code,
                "too_large" if error.status_code == 413 else "refused",
                str(error.detail),
                "Nothing was changed.",
                "Go back and try it differently.",
            )
        return answer(request, told, None, dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["loc"][0] == "path":
            return tell(request, Refused(f"There is no page {request.url.path}.", rule="not_found"))
        name = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return tell(request, Refused(f"{name}: {first['msg']}.", rule="invalid"))

    # By their own names: what is handled as a mere Exception is answered, then raised again into the server's log.
    for kind in (EntrepotError, *UNSTORABLE, Exception):
        app.exception_handler(kind)(tell)


def tell(request: Request, error: Exception) -> Response:
    """The error page, or for the API {"error": {"rule", "message"}}; what nobody foresaw goes to the log."""
    reference = make_reference()
    if isinstance(error, UNSTORABLE):
        sentence = "A number is too great, or a text holds a character that no text can hold."
        error = Refused(sentence, rule="not_found" if request.method == "GET" else "invalid")
    told = story_of(error, reference)
    if told.status >= 500:
        _log.error("request failed", reference=reference, path=request.url.path, exc_info=error)
    return answer(request, told, reference if told.status >= 500 else None)


def answer(
    request: Request, told: Story, reference: str | None, headers: dict[str, str] | None = None
) -> Response:
    """The story in the form its reader takes."""
    if request.url.path.startswith("/api/") or request.headers.get("accept") == "application/json":
        body = {
            "rule": told.rule,
            "message": told.happened,
            **({"reference": reference} if reference else {}),
        }
        return JSONResponse({"error": body}, told.status, headers=headers)
    if not hasattr(request.state, "signed_in"):  # an address of no page: its frame is still the operator's
        with suppress(NotSignedIn, EntrepotError):
            signed_in(request)
    response = page(
        request,
        "error.html",
        told.status,
        title="Error",
        story=told,
        reference=reference,
        back=form_of(request),
    )
    response.headers.update(headers or {})
    return response


def form_of(request: Request) -> str:
    """The page of ours whose form was sent, "" where there is none."""
    came = urlsplit(request.headers.get("referer", ""))
    if request.method != "POST" or came.netloc != request.url.netloc:
        return ""
    return local_address(came.path + (f"?{came.query}" if came.query else ""))


def make_reference() -> str:
    """Something short to find an entry of the log by."""
    return "E-" + secrets.token_hex(4).upper()


def _quoted(address: str) -> str:
    return re.sub(
        r"[^\w/.~-]",
        lambda sign: "".join(f"%{byte:02X}" for byte in sign[0].encode()),
        address,
        flags=re.ASCII,
    )
