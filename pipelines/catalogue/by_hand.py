"""Split and join by hand: a person gives an offer another variant, or one of its own, and no later run undoes it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor

from core.database import SET_SECONDS, Database, UnitOfWork
from core.errors import Refused, there_is
from core.tables import AuditRecord
from models.catalogue import Offer, Product, Variant
from models.companies import Company
from models.events import OfferMoved, ProductsMerged, RunUndone
from models.modes import target_of
from models.suppliers import Feed, FeedRun
from pipelines.catalogue.lock import lock_catalogue
from pipelines.catalogue.merge import merge_variants

REASON = "by_hand"

# The SKU is the old variant's with the offer's number behind it: a shop that took the first takes the second too.
OWN_VARIANT = """
INSERT INTO variant (product_id, key, sku, title, options, images)
SELECT %(product)s, %(key)s, CASE WHEN EXISTS (SELECT FROM variant v WHERE lower(v.sku) = lower(n.sku)) THEN n.sku || '-' || left(md5(%(key)s), 8) ELSE n.sku END,
  %(title)s, o.options, o.images
FROM offer o CROSS JOIN (SELECT left(%(sku)s, 80) || '-' || %(offer)s AS sku) n WHERE o.id = %(offer)s
ON CONFLICT (key) DO NOTHING"""

PIECE = 50_000
"""Variants of one unit of work."""
UNDONE = """
SELECT DISTINCT o.variant_id FROM offer o WHERE o.feed_id = %(feed)s AND o.variant_id > %(after)s AND (
  o.first_run_id = %(run)s OR o.supplier_sku IN (SELECT supplier_sku FROM offer_change WHERE run_id = %(run)s))
ORDER BY 1 LIMIT %(piece)s"""


@dataclass(frozen=True, slots=True)
class Moved:
    """An offer's variant before and after; the same where there was nothing to change."""

    offer_id: int
    before: int | None
    after: int


def move(uow: UnitOfWork, offer_id: int, variant_id: int, actor: str) -> Moved:
    """Joins an offer to a variant that there is; the catalogue and the shops follow by themselves.

    Raises Refused where one of them is not there.
    """
    offer = _locked(uow, offer_id)
    variant = there_is(uow.session.get(Variant, variant_id), f"Variant {variant_id}")
    return _moved(uow, offer, variant, actor)


def split(uow: UnitOfWork, offer_id: int, actor: str) -> Moved:
    """Gives an offer a variant of its own: in its group's product where its supplier groups it, else in a new product.

    Raises Refused where the offer is not there, was not matched yet, or has its variant for itself already.
    """
    offer = _locked(uow, offer_id)
    if offer.variant_id is None:
        raise Refused(
            f"Offer {offer_id} has no variant yet: its run is still on its way.", rule="wrong_state"
        )
    key = f"offer:{offer.id}"
    old = uow.session.get_one(Variant, offer.variant_id)
    others = uow.session.query(Offer.id).filter(Offer.variant_id == old.id, Offer.id != offer.id)
    if old.key != key and others.first() is None:
        raise Refused(f"Offer {offer_id} shares its variant {old.sku} with no other: there is nothing to split.", rule="alone")  # fmt: skip
    product = uow.session.get_one(Product, old.product_id)
    if not (product.key or "").startswith(f"group:{offer.supplier_id}:"):
        product = uow.session.query(Product).filter_by(key=key).first() or _product(uow, key, offer)
    uow.session.flush()
    facts = {"product": product.id, "key": key, "title": offer.title, "offer": offer.id, "sku": old.sku}
    uow.cursor().execute(OWN_VARIANT, facts)
    return _moved(uow, offer, uow.session.query(Variant).filter_by(key=key).one(), actor)


def rejoin(event: OfferMoved, db: Database) -> None:
    """Merges the variant that lost an offer and the one that got it."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        offer = uow.session.get_one(Offer, event.offer_id)
        cursor = uow.cursor()
        lock_catalogue(cursor)
        _touch(cursor, "SELECT unnest(%s::int[])", [[event.variant_id, offer.variant_id or 0]])
        merge_variants(cursor)
        uow.emit(ProductsMerged(tenant=event.tenant, lane=event.lane, run_id=offer.feed_run_id, whole=1))


def remerge(event: RunUndone, db: Database) -> None:
    """Merges the variants whose offers an undone run had changed, a piece at a time: others come in between."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        cursor = uow.cursor()
        lock_catalogue(cursor)
        target = target_of(uow.session.get_one(Feed, run.feed_id))
        _touch(cursor, UNDONE, {"feed": target, "run": run.id, "after": event.after, "piece": PIECE})
        merge_variants(cursor)
        row = cursor.execute("SELECT count(*), max(id) FROM touched").fetchone()
        if row is not None and row[0] == PIECE:
            uow.emit(dataclasses.replace(event, after=int(row[1])))
        else:
            uow.emit(ProductsMerged(tenant=event.tenant, lane=event.lane, run_id=run.id))


def _touch(cursor: Cursor[Any], variants: str, values: Any) -> None:
    cursor.execute(f"CREATE TEMP TABLE touched (id) ON COMMIT DROP AS {variants}", values)


def _locked(uow: UnitOfWork, offer_id: int) -> Offer:
    return there_is(uow.session.get(Offer, offer_id, with_for_update={"key_share": True}), f"Offer {offer_id}")  # fmt: skip


def _product(uow: UnitOfWork, key: str, offer: Offer) -> Product:
    made = Product(key=key, title=offer.title, kind=offer.kind, images=[])
    uow.session.add(made)
    return made


def _moved(uow: UnitOfWork, offer: Offer, variant: Variant, actor: str) -> Moved:
    before = offer.variant_id
    if before == variant.id and offer.match_reason == REASON:
        return Moved(offer.id, before, variant.id)
    reason, offer.variant_id, offer.match_reason = offer.match_reason, variant.id, REASON
    supplier = uow.session.get_one(Company, offer.supplier_id)
    was = uow.session.get_one(Variant, before).sku if before else None
    words = f"{supplier.name}'s {offer.supplier_sku} belongs to {variant.sku}" + (f", no longer to {was}." if was and before != variant.id else ".")  # fmt: skip
    uow.session.add(
        AuditRecord(
            actor=actor, act="offer moved", subject=f"offer:{offer.id}", words=words,
            facts={"from": before, "to": variant.id, "reason": reason},
        )
    )  # fmt: skip
    lane = uow.session.get_one(Feed, offer.feed_id).lane
    uow.emit(OfferMoved(tenant=offer.supplier_id, lane=lane, offer_id=offer.id, variant_id=before or 0))
    return Moved(offer.id, before, variant.id)
