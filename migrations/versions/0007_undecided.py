"""Listings that an owner's product in the shop holds back until he says whose it is; refused ones whose stock goes on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DIFFERS = """CASE WHEN wanted IS NULL THEN external_id IS NOT NULL AND state NOT IN ('withdrawn', 'refused')
  WHEN state = 'refused' THEN coalesce(external_id IS NOT NULL AND jsonb_typeof(sent->'stock') = 'number' AND wanted->'stock' <> sent->'stock', false)
  ELSE wanted IS DISTINCT FROM sent OR external_id IS NULL OR state IN ('drifted', 'waiting') END"""
DIFFERED = """CASE WHEN wanted IS NULL THEN external_id IS NOT NULL AND state NOT IN ('withdrawn', 'refused')
  ELSE state <> 'refused' AND (wanted IS DISTINCT FROM sent OR external_id IS NULL OR state IN ('drifted', 'waiting')) END"""


def computed(expression: str) -> None:
    """The column anew: PostgreSQL 16 cannot change what a stored one is computed from."""
    op.drop_index("ix_listing_differs", "listing")
    op.drop_column("listing", "differs")
    differs = sa.Column("differs", sa.Boolean(), sa.Computed(expression, persisted=True), nullable=False)
    op.add_column("listing", differs)
    op.create_index(
        "ix_listing_differs", "listing", ["shop_id", "product_id"], postgresql_where=sa.text("differs")
    )


def upgrade() -> None:
    computed(DIFFERS)
    op.add_column("adoption", sa.Column("fits", ARRAY(sa.Integer()), server_default="{}", nullable=False))
    op.execute("UPDATE adoption SET fits = ARRAY[variant_id] WHERE variant_id IS NOT NULL")
    op.add_column("listing", sa.Column("undecided", sa.Boolean(), server_default="false", nullable=False))
    op.create_index("ix_listing_undecided", "listing", ["shop_id"], postgresql_where=sa.text("undecided"))


def downgrade() -> None:
    computed(DIFFERED)
    op.drop_index("ix_listing_undecided", "listing")
    op.drop_column("listing", "undecided")
    op.drop_column("adoption", "fits")
