"""What a scene's catalogue is beside its offers: a taxonomy, paths that wait for it, offers that share a variant, moves."""

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.tables import AuditRecord
from models.catalogue import Offer, Product, Variant
from models.taxonomy import TaxonomyCategory, TaxonomyChoice


def catalogue(session: Session, words: str = "") -> None:
    """Adds them to what there is; `words` makes every text longer."""
    session.add_all([
        TaxonomyCategory(id=4636, path=f"Home & Garden > Lighting > Lamps{words}"),
        TaxonomyCategory(id=3185, path=f"Home & Garden > Lighting Accessories > Lamp Shades{words}"),
    ])  # fmt: skip
    session.flush()
    first = session.scalars(select(Offer).order_by(Offer.id).limit(1)).one()
    paths = session.scalars(select(Product.category).distinct().where(Product.category.is_not(None)).order_by(Product.category))  # fmt: skip
    for number, path in enumerate([*paths, f"Licht{words} > Schirme{words}", "Sonstiges"]):
        how = ("proposal", "person", "proposal")[number % 3]
        session.add(
            TaxonomyChoice(
                supplier_id=first.supplier_id, path=path[:500], how=how, taxonomy_id=4636 if number % 2 == 0 else None,
                confidence=Decimal("0.62") if number % 2 == 0 else Decimal(0),
            )
        )  # fmt: skip
    variant = session.get_one(Variant, first.variant_id)
    session.get_one(Product, variant.product_id).taxonomy_id = 4636
    for offer in session.scalars(select(Offer).order_by(Offer.id).offset(1).limit(2)):
        offer.variant_id, offer.match_reason = variant.id, "by_hand"
        session.add(
            AuditRecord(
                actor="the operator", act="offer moved", subject=f"offer:{offer.id}", facts={},
                words=f"Nordlicht's {offer.supplier_sku} belongs to {variant.sku}, no longer to another.{words}",
            )
        )  # fmt: skip
    session.flush()
