"""Signing in and out, and the choice of light or dark."""

import math
import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy import select

from models.companies import Operator
from web.auth import SESSION_LIFE, Attempts, close_session, is_password, open_session
from web.deps import THEMES, BadForm, CheckedForm, Db, cookie_name, go, local_address, page

router = APIRouter()


@router.get("/login")
def show(request: Request, next: str = "/") -> Response:
    """The sign-in page; its form's token stands in a cookie of its own, since there is no session yet."""
    return _form(request, next)


@router.post("/login")
def sign_in(
    request: Request,
    db: Db,
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Opens a session for the right password; a wrong one counts against the address it came from."""
    attempts: Attempts = request.app.state.attempts
    if not csrf or not secrets.compare_digest(
        request.cookies.get(_visit(request), "").encode(), csrf.encode()
    ):
        raise BadForm("The sign-in page was too old, or this browser refuses cookies.")
    address = request.client.host if request.client else "?"
    if wait := attempts.wait(address):
        minutes = math.ceil(wait.total_seconds() / 60)
        return _form(request, next, f"Too many wrong passwords. Try again in {minutes} min.", status=429)
    with db.unit_of_work() as uow:
        stored = uow.session.scalar(select(Operator.password_hash).where(Operator.id == 1))
    if not is_password(stored, password):
        attempts.failed(address)
        return _form(
            request, next, "That is not the password. `entrepot operator reset` makes a new one.", status=401
        )
    attempts.succeeded(address)
    with db.unit_of_work() as uow:
        token = open_session(uow.session)
    response = go(local_address(next))
    _set(response, request, cookie_name(request), token, seconds=30 * 86400)
    response.delete_cookie(_visit(request))
    return response


@router.post("/logout")
def sign_out(request: Request, db: Db, session: CheckedForm) -> Response:
    """Ends this browser's session."""
    with db.unit_of_work() as uow:
        close_session(uow.session, session)
    response = go("/login")
    response.delete_cookie(cookie_name(request), secure=request.url.scheme == "https", httponly=True)
    return response


@router.post("/theme")
def choose_theme(
    request: Request,
    session: CheckedForm,
    theme: Annotated[str, Form()] = "auto",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Light, dark, or as the machine has it; kept in a cookie."""
    response = go(local_address(back))
    _set(response, request, "theme", theme if theme in THEMES else "auto", seconds=365 * 86400)
    return response


def _form(request: Request, next: str, problem: str = "", status: int = 200) -> Response:
    token = secrets.token_urlsafe(24)
    response = page(
        request, "login.html", status, title="Sign in", next=local_address(next), visit=token, problem=problem
    )
    _set(response, request, _visit(request), token, seconds=int(SESSION_LIFE.total_seconds()))
    return response


def _visit(request: Request) -> str:
    return cookie_name(request) + "-visit"


def _set(response: Response, request: Request, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
