"""/api/v1: large files sent in pieces, as tus does it: announce, send from where it broke off, finish into a run."""

import io
import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel

from core.database import Database
from core.errors import Refused
from core.settings import Settings
from models.uploads import Upload
from pipelines.feeds.uploads import NewUpload, add, begin, drop, finish, found
from web.api.feeds import Body, RunView, get_run
from web.deps import Db, settings_of

router = APIRouter(tags=["Feeds"])

PIECES = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")


class UploadView(BaseModel):
    """A file on its way: `received` of `size` bytes are there. `run_id` is the run it became."""

    id: str
    feed_id: int
    name: str
    size: int
    received: int
    sha256: str | None
    run_id: int | None
    created_at: datetime


@router.post("/feeds/{feed_id}/uploads", status_code=201)
def begin_upload(request: Request, response: Response, db: Db, feed_id: int, body: NewUpload) -> UploadView:
    """Announces a file that is sent in pieces. Location is where they go."""
    with db.unit_of_work() as uow:
        view = view_of(begin(uow, settings_of(request), feed_id, body))
    response.headers["Location"] = f"/api/v1/uploads/{view.id}/file"
    _tell(response, view)
    return view


@router.head("/uploads/{upload_id}/file", include_in_schema=False)
@router.get("/uploads/{upload_id}")
def get_upload(response: Response, db: Db, upload_id: str) -> UploadView:
    """How much of a file is there: `received`, and the headers Upload-Offset and Upload-Length."""
    with db.unit_of_work() as uow:
        view = view_of(found(uow, upload_id))
    _tell(response, view)
    return view


@router.patch("/uploads/{upload_id}/file", status_code=204, openapi_extra=PIECES)
def patch_upload(
    request: Request, db: Db, upload_id: str,
    upload_offset: Annotated[int, Header(ge=0, description="How many bytes are there: the piece begins with the next.")],
) -> Response:  # fmt: skip
    """The next piece. What comes is kept even where the connection breaks; 409 where the offset is another."""
    return _taken(request, db, upload_id, upload_offset)


@router.put("/uploads/{upload_id}/file", status_code=204, openapi_extra=PIECES)
def put_upload(
    request: Request, db: Db, upload_id: str,
    content_range: Annotated[str, Header(description="bytes FIRST-LAST/SIZE", max_length=60)],
) -> Response:  # fmt: skip
    """The next piece, its place told by Content-Range."""
    told = _RANGE.fullmatch(content_range.strip())
    if told is None:
        raise Refused(
            f"{content_range!r} is no Content-Range: write it like bytes 0-1048575/5000000.", rule="range"
        )
    return _taken(request, db, upload_id, int(told[1]))


@router.post("/uploads/{upload_id}/finish", status_code=202)
def finish_upload(request: Request, db: Db, upload_id: str) -> RunView:
    """Makes the run of a file that is wholly there. Again: the same run."""
    run_id, _ = finish(db, settings_of(request), upload_id)
    return get_run(db, run_id)


@router.delete("/uploads/{upload_id}", status_code=204)
def drop_upload(request: Request, db: Db, upload_id: str) -> Response:
    """Gives an upload up; a run it became stays."""
    with db.unit_of_work() as uow:
        drop(uow, settings_of(request), upload_id)
    return Response(status_code=204)


def view_of(upload: Upload) -> UploadView:
    """An upload as an answer."""
    return UploadView.model_validate(upload, from_attributes=True)


def piece_of(request: Request, db: Database, settings: Settings, upload_id: str, offset: int) -> int:
    """Takes the body of a request as the next piece; how many bytes are there now."""
    return add(db, settings, upload_id, offset, io.BufferedReader(Body(request.stream()), 1 << 20))


def _taken(request: Request, db: Database, upload_id: str, offset: int) -> Response:
    there = piece_of(request, db, settings_of(request), upload_id, offset)
    return Response(status_code=204, headers={"Upload-Offset": str(there)})


def _tell(response: Response, view: UploadView) -> None:
    response.headers["Upload-Offset"], response.headers["Upload-Length"] = str(view.received), str(view.size)
    response.headers["Cache-Control"] = "no-store"
