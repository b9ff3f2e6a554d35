"""Lineage: from what a shop lists back to the supplier's own record, each step with its reason."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from connectors.sources.archive import archived
from core.database import Database
from core.errors import Refused, there_is
from core.settings import Settings
from core.tables import AuditRecord
from models.catalogue import Offer, Product, Variant
from models.companies import Company
from models.shops import Listing, Shop
from models.suppliers import Feed, FeedRun
from pipelines.feeds.mapping.evaluate import columns_of
from pipelines.feeds.raw_record import raw_record
from pipelines.feeds.staging import COLUMNS, DETAILS

ORDER = ("supplier_sku", "gtin", "mpn", "brand", "title", "cost", "price", "rrp", "currency", "stock", "availability", "category")  # fmt: skip
"""The fields that a person looks for first; the others follow by name."""


def find_variant(session: Session, asked: str) -> Variant:
    """The variant with this SKU or GTIN, or the one that a supplier's own number belongs to.

    Raises Refused where there is none, or several.
    """
    word = asked.strip()
    found = session.scalars(select(Variant).where(func.lower(Variant.sku) == word.lower())).first()
    if found is not None:
        return found
    offered = select(Offer.variant_id).where(Offer.supplier_sku == word, Offer.variant_id.is_not(None))
    matches = session.scalars(
        select(Variant)
        .where(or_(Variant.gtin == word, Variant.id.in_(offered)))
        .order_by(Variant.id)
        .limit(2)
    ).all()
    if len(matches) > 1:
        raise Refused(f"Several variants have {asked!r}, {matches[0].sku} and {matches[1].sku} among them: name one by its SKU.", rule="ambiguous")  # fmt: skip
    return there_is(matches[0] if matches else None, f"A variant with the SKU, GTIN or supplier's number {asked!r}")  # fmt: skip


def lineage(session: Session, variant: Variant) -> dict[str, Any]:
    """{"variant", "product", "listings", "offers"}: the offers with the best first, each with its reasons in words."""
    product = session.get_one(Product, variant.product_id)
    listings = session.execute(
        select(Listing.id, Listing.shop_id, Shop.name.label("shop"), Listing.state, Listing.wanted["price"].astext.label("price"), Listing.wanted["currency"].astext.label("currency"), Listing.why["offer"].astext.label("offer_id"), Listing.why)
        .join(Shop, Shop.id == Listing.shop_id).where(Listing.variant_id == variant.id).order_by(Listing.id)
    ).mappings()  # fmt: skip
    return {
        "variant": {"id": variant.id, "sku": variant.sku, "gtin": variant.gtin, "title": variant.title, "key": variant.key, "options": variant.options},
        "product": {"id": product.id, "title": product.title, "category": product.category, "taxonomy_id": product.taxonomy_id},
        "listings": [dict(row) for row in listings],
        "offers": offers_of(session, [variant]),
    }  # fmt: skip


def offers_of(session: Session, variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """Every offer of these variants, each variant's best first, with the words that say why."""
    rows = session.execute(
        select(
            Offer.id, Offer.variant_id, Offer.supplier_id, Company.name.label("supplier"), Offer.feed_id, Feed.name.label("feed"), Offer.supplier_sku, Offer.state,
            Offer.title, Offer.cost, Offer.currency, Offer.stock, Offer.free, Offer.availability, Offer.gtin, Offer.brand, Offer.mpn, Offer.match_reason,
            Offer.feed_run_id.label("run"), FeedRun.file_name.label("file"), FeedRun.mapping_version, Offer.locator, Offer.changed_at,
        )
        .join(Company, Company.id == Offer.supplier_id).join(Feed, Feed.id == Offer.feed_id).join(FeedRun, FeedRun.id == Offer.feed_run_id)
        .where(Offer.variant_id.in_([variant.id for variant in variants])).order_by(Offer.id)
    ).mappings().all()  # fmt: skip
    hand = _by_hand(session, [row["id"] for row in rows])
    told = []
    for variant in variants:
        own = [dict(row) for row in rows if row["variant_id"] == variant.id]
        best = next((row for row in own if row["id"] == variant.best_offer_id), None)
        others = [row for row in own if row is not best]
        for row in [best, *others] if best else others:
            row["best"] = row is best
            row["why"] = why_best(row, others) if row is best else why_not(row, best)
            row["match"] = match_words(row, hand.get(row["id"]))
            told.append(row)
    return told


def why_best(best: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    """The sentence for the offer that speaks for its variant: can be sold, then has a cost, cheapest, oldest."""
    if not others:
        return "It is the only offer."
    if best["state"] != "offered":
        return "None is offered any more; it is the last of them."
    rivals = [row for row in others if row["state"] == "offered"]
    if not rivals:
        return "It is the only one that is still offered."
    if best["free"] > 0 and not any(row["free"] > 0 for row in rivals):
        return "It is the only one of which something can be sold."
    equal = [row for row in rivals if (row["free"] > 0) == (best["free"] > 0)]
    if best["cost"] is None:
        return "None of them has a cost; it is the oldest."
    if all(row["cost"] is None or row["cost"] > best["cost"] for row in equal):
        return "It is the cheapest of those that can be sold." if best["free"] > 0 else "It is the cheapest."
    return "It is as cheap as any other, and the oldest."


def why_not(row: Mapping[str, Any], best: Mapping[str, Any] | None) -> str:
    """Why the best offer comes before this one."""
    if row["state"] != "offered":
        return "It is no longer offered."
    if best is None:
        return "The variant has no best offer yet: it is being merged."
    if best["free"] > 0 and row["free"] <= 0:
        return "Nothing of it can be sold now."
    if best["cost"] is not None and row["cost"] is None:
        return "It has no cost."
    if best["cost"] is not None and row["cost"] > best["cost"]:
        return f"It asks {_plain(row['cost'])} {row['currency'] or ''}, more than {_plain(best['cost'])}.".replace(" ,", ",")  # fmt: skip
    return "It asks the same and is the younger one."


def match_words(offer: Mapping[str, Any], by_hand: str | None) -> str:
    """Why the offer belongs to its variant."""
    return {
        "gtin": f"Its GTIN is {offer['gtin']}.",
        "brand_mpn": f"Its brand is {offer['brand']} and the maker's number {offer['mpn']}.",
        "supplier_sku": f"It has the supplier's own number {offer['supplier_sku']}, and nothing that others share.",
        "by_hand": by_hand or "A person said so.",
    }.get(offer["match_reason"] or "", "It is not matched yet.")


def record_of(db: Database, settings: Settings, offer_id: int) -> dict[str, Any]:
    """{"offer", "run", "file", "locator", "mapping_version", "fields", "raw", "problem"} of one offer.

    `fields`: {"field", "columns", "raw", "value"} of each field of the mapping that the run was read with; `raw` is
    the record as received, None with a `problem` in words where it cannot be read any more.
    """
    with db.unit_of_work() as uow:
        offer = there_is(uow.session.get(Offer, offer_id), f"Offer {offer_id}")
        run = uow.session.get_one(FeedRun, offer.feed_run_id)
        values = {name: getattr(offer, name) for name in COLUMNS if name not in ("content_hash", "details")}
        values.update(offer.details or {})
        document, name, sha256, locator = run.document or {}, run.file_name, run.file_sha256, offer.locator
        told = {"offer": offer.id, "run": run.id, "file": name, "sha256": sha256, "locator": locator, "mapping_version": run.mapping_version}  # fmt: skip
    raw, problem = None, None
    try:
        if not document:
            raise Refused(f"Run {told['run']} kept no mapping to read its file with.", rule="no_mapping")
        raw = raw_record(archived(settings.archive, sha256), name, document, locator)
    except Refused as error:
        problem = str(error)
    return {**told, "fields": fields_of(document, values, raw or {}), "raw": raw, "problem": problem}


def fields_of(document: Mapping[str, Any], values: Mapping[str, Any], raw: Mapping[str, str]) -> list[dict[str, Any]]:  # fmt: skip
    """Each mapped field: its columns, what stood in them, and what the hub made of it."""
    product = (document.get("grouping") or {}).get("product", {})
    rows = []
    for field, spec in document.get("fields", {}).items():
        columns = list(dict.fromkeys(product.get(name, name) for name in columns_of(spec)))
        said = {name: raw[name] for name in columns if name in raw}
        rows.append({"field": field, "columns": columns, "raw": said, "value": values.get(field)})
    cost = (document.get("policy") or {}).get("cost")
    if cost and values.get("cost") is not None and not any(row["field"] == "cost" and row["raw"] for row in rows):  # fmt: skip
        less = f", less {cost['minus_percent']} %" if cost.get("minus_percent") else ""
        rows = [row for row in rows if row["field"] != "cost"]
        rows.append({"field": "cost", "columns": [], "raw": {f"the feed's policy: its {cost['from']}{less}": ""}, "value": values["cost"]})  # fmt: skip
    known = [row for row in rows if row["raw"] or row["value"] not in (None, {}, []) or row["field"] in DETAILS]  # fmt: skip
    place = {name: number for number, name in enumerate(ORDER)}
    return sorted(known, key=lambda row: (place.get(row["field"], len(place)), row["field"]))


def _by_hand(session: Session, offers: Sequence[int]) -> dict[int, str]:
    """offer -> who moved it last, in words."""
    rows = session.scalars(
        select(AuditRecord).where(AuditRecord.subject.in_([f"offer:{number}" for number in offers]))
        .where(AuditRecord.act == "offer moved").order_by(AuditRecord.id)
    )  # fmt: skip
    return {
        int(row.subject.removeprefix("offer:")): f"Said by {row.actor} on {row.at:%Y-%m-%d %H:%M} UTC."
        for row in rows
    }


def _plain(amount: Decimal) -> str:
    exact = amount.normalize()
    exponent = exact.as_tuple().exponent
    return f"{exact:f}" if isinstance(exponent, int) and exponent < -2 else f"{amount:.2f}"
