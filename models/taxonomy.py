"""Categories that every shop can understand: Google's product taxonomy, and what suppliers' own paths mean in it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from core.tables import Base


class TaxonomyCategory(Base):
    """One category as Google publishes it ("2271 - Apparel & Accessories > Clothing > Dresses"); loaded by the operator."""

    __tablename__ = "taxonomy_category"
    __table_args__ = (Index("ix_taxonomy_category_path", text("lower(path)")),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(Text)


class TaxonomyChoice(Base):
    """What one supplier's own category path means. `how` it is known: "exact", "learned", "person", or a "proposal" that waits.

    Only what is no proposal is used. `taxonomy_id` is None where nothing is near enough to propose.
    """

    __tablename__ = "taxonomy_choice"
    __table_args__ = (
        CheckConstraint("how IN ('exact', 'learned', 'person', 'proposal')", name="how"),
        Index("ix_taxonomy_choice_path", text("lower(path)")),
    )

    supplier_id: Mapped[int] = mapped_column(ForeignKey("company.id"), primary_key=True)
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    taxonomy_id: Mapped[int | None] = mapped_column(ForeignKey("taxonomy_category.id"))
    how: Mapped[str] = mapped_column(String(8))
    confidence: Mapped[float] = mapped_column(Numeric(4, 3))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
