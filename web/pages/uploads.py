"""The console's part of sending a large file in pieces; web/static/upload.js is the other."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse, Response

from core.errors import there_is
from pipelines.feeds.uploads import NewUpload, begin, drop, finish, found
from web.api.uploads import UploadView, piece_of, view_of
from web.auth import SignedIn
from web.deps import BadForm, Db, Session, settings_of, signed_in

router = APIRouter(prefix="/feeds/{feed_id}/uploads")


def checked_header(
    session: Annotated[SignedIn, Depends(signed_in)], x_csrf: Annotated[str, Header()] = ""
) -> SignedIn:
    """As deps.checked_form, for calls whose body is a file: the form's token comes in a header."""
    if not secrets.compare_digest(session.csrf.encode(), x_csrf.encode()):
        raise BadForm("This page is older than the session. Nothing was changed; load it again and repeat.")
    return session


def of_feed(db: Db, feed_id: int, upload_id: str) -> str:
    """The upload's id, where it is one of this feed. Raises Refused."""
    with db.unit_of_work() as uow:
        there = found(uow, upload_id)
        return str(there_is(there.id if there.feed_id == feed_id else None, "This upload"))


Checked = Annotated[SignedIn, Depends(checked_header)]
OfFeed = Annotated[str, Depends(of_feed)]


@router.post("", status_code=201)
def begin_upload(request: Request, db: Db, session: Checked, feed_id: int, body: NewUpload) -> UploadView:
    """Announces a file."""
    with db.unit_of_work() as uow:
        return view_of(begin(uow, settings_of(request), feed_id, body))


@router.get("/{upload_id}")
def show(db: Db, session: Session, upload_id: OfFeed) -> UploadView:
    """How much of it is there."""
    with db.unit_of_work() as uow:
        return view_of(found(uow, upload_id))


@router.patch("/{upload_id}/file")
def piece(
    request: Request, db: Db, session: Checked, upload_id: OfFeed, upload_offset: Annotated[int, Header(ge=0)]
) -> Response:  # fmt: skip
    """The next piece; `received` says how many bytes are there."""
    there = piece_of(request, db, settings_of(request), upload_id, upload_offset)
    return JSONResponse({"received": there})


@router.post("/{upload_id}/finish")
def end(request: Request, db: Db, session: Checked, upload_id: OfFeed) -> Response:
    """Makes the run; `address` is its page."""
    run_id, state = finish(db, settings_of(request), upload_id)
    said = "unchanged" if state == "unchanged" else "landed"
    return JSONResponse({"address": f"/runs/{run_id}?said={said}"})


@router.delete("/{upload_id}", status_code=204)
def give_up(request: Request, db: Db, session: Checked, upload_id: OfFeed) -> Response:
    """Gives it up."""
    with db.unit_of_work() as uow:
        drop(uow, settings_of(request), upload_id)
    return Response(status_code=204)
