"""/api/v1: what buyers and shops asked of their data, the data itself, and that it was sent."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from pipelines.privacy import answered
from web.api.keys import After, Limit, Page
from web.deps import Db
from web.queries.privacy import kept_of, one_request, privacy_counts, privacy_rows
from web.tables import Ask

router = APIRouter(tags=["Privacy"])


class PrivacyView(BaseModel):
    """A request: "data_request" waits for a person until `due_at`; "redact" and "shop_redact" were done when they came."""

    id: int
    shop_id: int
    shop: str
    seller: str
    kind: Literal["data_request", "redact", "shop_redact"]
    orders: list[str]
    received_at: datetime
    due_at: datetime
    answered_at: datetime | None
    answered_by: str | None


class PrivacyRequests(Page):
    """A page of requests, those that wait first, and how many are open and done."""

    counts: dict[str, int]
    requests: list[PrivacyView]


class KeptData(BaseModel):
    """All that is kept of a buyer; `not_kept` are orders of the shop of which the hub has nothing."""

    request: int
    kind: str
    shop: str
    shop_url: str
    seller: str
    asked_at: datetime
    due_at: datetime
    orders: list[dict[str, Any]]
    not_kept: list[str]


@router.get("/privacy")
def list_requests(
    request: Request, db: Db, state: Literal["open", "done"] | None = None, shop: int | None = None, limit: Limit = 50, after: After = None,
) -> PrivacyRequests:  # fmt: skip
    """What buyers and shops asked of their data."""
    ask = Ask(request, ("state", "shop"), default="urgent")
    with db.unit_of_work() as uow:
        rows, counts = privacy_rows(uow.session, ask, limit), privacy_counts(uow.session)
    found = [PrivacyView.model_validate(dict(row)) for row in rows.rows]
    return PrivacyRequests(counts=counts, requests=found, after=rows.after)


@router.get("/privacy/{request_id}/data")
def get_data(db: Db, request_id: int) -> KeptData:
    """All that is kept of the buyer who asks, to be passed on to the shop's owner."""
    with db.unit_of_work() as uow:
        return KeptData.model_validate(kept_of(uow.session, request_id))


@router.post("/privacy/{request_id}/answered")
def mark(db: Db, request_id: int) -> PrivacyView:
    """Notes that the data was sent to the shop's owner."""
    with db.unit_of_work() as uow:
        answered(uow, request_id, "operator")
        uow.session.flush()
        return PrivacyView.model_validate(one_request(uow.session, request_id))
