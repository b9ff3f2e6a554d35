"""What the adoption page, the API and the command line show of what a shop has already."""

from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models.catalogue import Variant
from models.shops import ADOPTION_STATES, Adoption, Listing
from web.tables import ROWS, Ask, Column, Rows, Statement, paged, tally

MOST = 1000
"""Matches the command line shows: they are decided in sets, not one by one."""
ORDER = ("unclear", "proposed", "adopted", "left")
_place = case({state: place for place, state in enumerate(ORDER)}, value=Adoption.state, else_=len(ORDER))
ADOPTION_COLUMNS = {"state": Column(_place)}


def adoption_states(session: Session, shop_id: int) -> dict[str, int]:
    """How many matches are in each state."""
    counted = tally(
        session,
        select(Adoption.state, func.count()).where(Adoption.shop_id == shop_id).group_by(Adoption.state),
    )
    return {state: counted.get(state, 0) for state in ADOPTION_STATES}


def still_open(states: dict[str, int]) -> int:
    """Pure: how many matches nobody has decided yet, the clear ones and the unclear."""
    return states["proposed"] + states["unclear"]


def adoption_rows(session: Session, shop_id: int, ask: Ask, limit: int = ROWS) -> Rows:
    """A page of matches with the SKU, title and wanted state of ours; those that need a look first."""
    statement = _rows(shop_id)
    if ask["state"]:
        statement = statement.where(Adoption.state == ask["state"])
    return paged(session, statement, ADOPTION_COLUMNS, Adoption.external_id, ask, limit)


def first_matches(session: Session, shop_id: int, state: str | None) -> list[dict[str, Any]]:
    """The first MOST of them."""
    statement = _rows(shop_id).order_by(_place, Adoption.external_id).limit(MOST)
    if state:
        statement = statement.where(Adoption.state == state)
    return [dict(row) for row in session.execute(statement).mappings()]


def not_found(session: Session, shop_id: int, external_ids: list[str]) -> list[str]:
    """Which of these ids of the shop's are no match at all."""
    there = set(
        session.scalars(
            select(Adoption.external_id).where(
                Adoption.shop_id == shop_id, Adoption.external_id.in_(external_ids)
            )
        )
    )
    return [each for each in external_ids if each not in there]


def _rows(shop_id: int) -> Statement:
    ours = (Listing.shop_id == Adoption.shop_id) & (Listing.variant_id == Adoption.variant_id)
    return (
        select(
            Adoption.external_id, Adoption.product_external_id, Adoption.state, Adoption.reason, Adoption.problem, Adoption.seen,
            Adoption.variant_id, Variant.sku, Variant.title, Listing.id.label("listing_id"), Listing.wanted,
            Listing.undecided,
        )
        .outerjoin(Variant, Variant.id == Adoption.variant_id)
        .outerjoin(Listing, ours)
        .where(Adoption.shop_id == shop_id)
    )  # fmt: skip
