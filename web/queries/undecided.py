"""What waits for its shop's owner's word: how much there is of it, in which shops, and what could be sold of it."""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from models.catalogue import Offer
from models.shops import Listing, Shop
from pipelines.listings.settings import ShopSettings

UNDECIDED = Listing.undecided & Listing.external_id.is_(None) & Listing.wanted.is_not(None)
"""Whether a listing is left out of its shop until the owner says whose his own product is, as
pipelines.listings.undecided.WAITING counts it."""

_COMMAND = re.compile(r",? `entrepot [^`]*`")


def waits_for_word(listing: Listing) -> bool:
    """Pure: the same of a listing that was read."""
    return listing.undecided and listing.external_id is None and listing.wanted is not None


def undecided_of(session: Session, shop_id: int) -> int:
    """How many listings of a shop wait for its owner's word."""
    return session.scalar(select(func.count()).where(Listing.shop_id == shop_id, UNDECIDED)) or 0


def undecided_shops(session: Session, limit: int) -> list[Any]:
    """Shops with listings that wait so: id, name, when they were looked at, and how many; those looked at first come first."""
    return list(
        session.execute(
            select(Shop.id, Shop.name, Shop.looked_at, func.count().label("listings"))
            .join(Listing, Listing.shop_id == Shop.id)
            .where(UNDECIDED)
            .group_by(Shop.id)
            .order_by(Shop.looked_at, Shop.id)
            .limit(limit)
        )
    )


def free_behind(session: Session, listing_ids: Collection[int]) -> dict[int, int]:
    """Free pieces of the offers that price these listings, by listing; none where the offer is gone."""
    offer = cast(Listing.why["offer"].astext, Integer)
    found = select(Listing.id, Offer.free).join(Offer, Offer.id == offer).where(Listing.id.in_(listing_ids))
    return {row.id: row.free for row in session.execute(found)}


def could_show(settings: ShopSettings, free: int | None) -> int | None:
    """Pure: the most that a shop could show of `free` pieces once its owner said yes; None where nobody knows them."""
    if free is None:
        return None
    most = max(0, free - settings.buffer)
    return most if settings.show_at_most is None else min(most, settings.show_at_most)


def spoken(problem: str) -> str:
    """Pure: a listing's sentence without the command it ends with: a page has a button for that."""
    return _COMMAND.sub("", problem)
