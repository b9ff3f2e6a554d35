"""Shops kept true: what a seller wants of a shop, price rules, adoption, the way back of a push, and how fast it may be asked."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "currency_rate",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("per_euro", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.PrimaryKeyConstraint("day", "currency", name=op.f("pk_currency_rate")),
    )
    op.create_table(
        "price_rule",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("seller_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="100", nullable=False),
        sa.Column("scope", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("formula", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["seller_id"], ["company.id"], name=op.f("fk_price_rule_seller_id_company")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_rule")),
    )
    op.create_index("ix_price_rule_seller", "price_rule", ["seller_id", "priority", "id"], unique=False)
    op.create_table(
        "adoption",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("product_external_id", sa.Text(), nullable=False),
        sa.Column("stock_id", sa.Text(), nullable=True),
        sa.Column("variant_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=4), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("seen", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'unclear', 'adopted', 'left')", name=op.f("ck_adoption_state")
        ),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shop.id"], name=op.f("fk_adoption_shop_id_shop"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("shop_id", "external_id", name=op.f("pk_adoption")),
    )
    op.create_index("ix_adoption_variant", "adoption", ["variant_id"], unique=False)
    op.create_table(
        "connection_request",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("seller_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("ca_file", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shop_id", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["company.id"], name=op.f("fk_connection_request_seller_id_company")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_connection_request_shop_id_shop")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_connection_request")),
    )
    op.create_table(
        "shop_meter",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("points", sa.Float(), nullable=False),
        sa.Column("most", sa.Float(), nullable=False),
        sa.Column("a_second", sa.Float(), nullable=False),
        sa.Column("out", sa.Float(), server_default="0", nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shop.id"], name=op.f("fk_shop_meter_shop_id_shop"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_shop_meter")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "push_change",
        sa.Column("push_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("page", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("sent", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name=op.f("fk_push_change_listing_id_listing")
        ),
        sa.ForeignKeyConstraint(
            ["push_id"], ["push.id"], name=op.f("fk_push_change_push_id_push"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("push_id", "listing_id", name=op.f("pk_push_change")),
    )
    op.add_column("listing", sa.Column("stock_id", sa.Text(), nullable=True))
    op.add_column("listing", sa.Column("sending", sa.Integer(), nullable=True))
    op.add_column("listing", sa.Column("lowered_from", sa.Integer(), nullable=True))
    op.add_column(
        "listing",
        sa.Column(
            "differs",
            sa.Boolean(),
            sa.Computed(
                "CASE WHEN wanted IS NULL THEN external_id IS NOT NULL AND state NOT IN ('withdrawn', 'refused')\n  ELSE state <> 'refused' AND (wanted IS DISTINCT FROM sent OR external_id IS NULL OR state IN ('drifted', 'waiting')) END",
                persisted=True,
            ),
            nullable=False,
        ),
    )
    op.add_column(
        "listing",
        sa.Column(
            "unsettled",
            sa.Boolean(),
            sa.Computed(
                "coalesce(sending IS NOT NULL OR lowered_from IS NOT NULL OR sent->'stock' = 'null'\n  OR seen_at >= sent_at AND (seen->>'stock')::int < (sent->>'stock')::int, false)",
                persisted=True,
            ),
            nullable=False,
        ),
    )
    op.create_index(
        "ix_listing_unsettled", "listing", ["shop_id"], unique=False, postgresql_where=sa.text("unsettled")
    )
    op.create_index(
        "ix_listing_differs",
        "listing",
        ["shop_id", "product_id"],
        unique=False,
        postgresql_where=sa.text("differs"),
    )
    op.add_column("push", sa.Column("undoes", sa.Integer(), nullable=True))
    op.create_foreign_key(op.f("fk_push_undoes_push"), "push", "push", ["undoes"], ["id"])
    op.add_column("shop", sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "shop",
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("shop", sa.Column("held_why", sa.Text(), nullable=True))
    op.add_column("shop", sa.Column("renews_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("shop", sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "shop_product", sa.Column("trade_only", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column(
        "shop_product",
        sa.Column(
            "differs",
            sa.Boolean(),
            sa.Computed("wanted IS DISTINCT FROM sent AND NOT trade_only", persisted=True),
            nullable=False,
        ),
    )
    op.create_index(
        "ix_shop_product_differs",
        "shop_product",
        ["shop_id", "product_id"],
        unique=False,
        postgresql_where=sa.text("differs"),
    )
    op.create_index("ix_shop_product_external", "shop_product", ["shop_id", "external_id"], unique=False)
    op.add_column("shop_order", sa.Column("buyer_forgotten_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("shop_order", "buyer_forgotten_at")
    op.drop_index("ix_shop_product_external", table_name="shop_product")
    op.drop_index("ix_shop_product_differs", table_name="shop_product", postgresql_where=sa.text("differs"))
    op.drop_column("shop_product", "differs")
    op.drop_column("shop_product", "trade_only")
    op.drop_column("shop", "looked_at")
    op.drop_column("shop", "renews_at")
    op.drop_column("shop", "held_why")
    op.drop_column("shop", "settings")
    op.drop_column("shop", "swept_at")
    op.drop_constraint(op.f("fk_push_undoes_push"), "push", type_="foreignkey")
    op.drop_column("push", "undoes")
    op.drop_index("ix_listing_differs", table_name="listing", postgresql_where=sa.text("differs"))
    op.drop_column("listing", "differs")
    op.drop_index("ix_listing_unsettled", table_name="listing", postgresql_where=sa.text("unsettled"))
    op.drop_column("listing", "unsettled")
    op.drop_column("listing", "lowered_from")
    op.drop_column("listing", "sending")
    op.drop_column("listing", "stock_id")
    op.drop_table("push_change")
    op.drop_table("shop_meter")
    op.drop_table("connection_request")
    op.drop_index("ix_adoption_variant", table_name="adoption")
    op.drop_table("adoption")
    op.drop_index("ix_price_rule_seller", table_name="price_rule")
    op.drop_table("price_rule")
    op.drop_table("currency_rate")
