"""Feeds of every kind: mapping versions, what few records have, Google's taxonomy, undo and replay of runs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RUN_STATES = ("landed", "staged", "waiting", "approved", "applied", "refused", "unchanged", "superseded")

UNGUARDED = (
    ("offer", "supplier_id", "company"),
    ("offer", "feed_id", "feed"),
    ("offer", "feed_run_id", "feed_run"),
    ("offer", "variant_id", "variant"),
    ("variant", "product_id", "product"),
)


def upgrade() -> None:
    op.add_column("feed", sa.Column("mapping_version", sa.Integer(), nullable=True))
    op.add_column("feed", sa.Column("secret", sa.LargeBinary(), nullable=True))
    op.add_column(
        "feed",
        sa.Column(
            "source_state", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
    )
    op.create_table(
        "feed_mapping",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("author", sa.String(length=100), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feed.id"], name=op.f("fk_feed_mapping_feed_id_feed"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("feed_id", "version", name=op.f("pk_feed_mapping")),
    )
    op.add_column("feed_run", sa.Column("mapping_version", sa.Integer(), nullable=True))
    op.add_column("feed_run", sa.Column("replay_of", sa.Integer(), nullable=True))
    op.add_column("feed_run", sa.Column("mends", sa.Integer(), nullable=True))
    for column in ("replay_of", "mends"):
        op.create_foreign_key(
            op.f(f"fk_feed_run_{column}_feed_run"), "feed_run", "feed_run", [column], ["id"]
        )
    op.add_column(
        "feed_run",
        sa.Column("as_of", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.execute("UPDATE feed_run SET as_of = landed_at")
    _states((*RUN_STATES, "undone"))
    for table in ("staged_offer", "offer"):
        op.add_column(table, sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
        op.add_column(table, sa.Column("record_hash", sa.BigInteger(), nullable=True))
    _staged_by("place")
    op.alter_column("staged_offer", "title", nullable=True)
    op.create_table(
        "staged_unseen",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("record_hash", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "record_hash", name=op.f("pk_staged_unseen")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_shared",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_staged_shared")),
    )
    op.create_table(
        "staged_gone",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offer_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "place", name=op.f("pk_staged_gone")),
    )
    op.add_column("feed_run", sa.Column("taken", sa.Integer(), nullable=True))
    # Each of these cost every row of a large feed as much as the row itself, see models/catalogue.py.
    for table, column, to in UNGUARDED:
        op.drop_constraint(op.f(f"fk_{table}_{column}_{to}"), table, type_="foreignkey")
    op.drop_index("ix_offer_gtin", "offer")
    op.drop_index("ix_offer_unmatched", "offer")
    op.drop_constraint(op.f("uq_product_key"), "product", type_="unique")
    op.alter_column("product", "key", nullable=True)
    op.execute("UPDATE product SET key = NULL WHERE key NOT LIKE 'group:%'")
    op.create_index(
        "uq_product_key", "product", ["key"], unique=True, postgresql_where=sa.text("key IS NOT NULL")
    )
    op.add_column(
        "offer_change",
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("offer", sa.Column("first_run_id", sa.Integer(), nullable=True))
    op.create_table(
        "taxonomy_category",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taxonomy_category")),
    )
    op.create_index("ix_taxonomy_category_path", "taxonomy_category", [sa.text("lower(path)")])
    op.create_table(
        "taxonomy_choice",
        sa.Column("supplier_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("taxonomy_id", sa.Integer(), nullable=True),
        sa.Column("how", sa.String(length=8), nullable=False),
        sa.Column("confidence", sa.Numeric(4, 3), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "how IN ('exact', 'learned', 'person', 'proposal')", name=op.f("ck_taxonomy_choice_how")
        ),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["company.id"], name=op.f("fk_taxonomy_choice_supplier_id_company")
        ),
        sa.ForeignKeyConstraint(
            ["taxonomy_id"],
            ["taxonomy_category.id"],
            name=op.f("fk_taxonomy_choice_taxonomy_id_taxonomy_category"),
        ),
        sa.PrimaryKeyConstraint("supplier_id", "path", name=op.f("pk_taxonomy_choice")),
    )
    op.create_index("ix_taxonomy_choice_path", "taxonomy_choice", [sa.text("lower(path)")])
    op.add_column("product", sa.Column("taxonomy_id", sa.Integer(), nullable=True))
    op.create_table(
        "audit_record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_record")),
    )
    op.create_index(op.f("ix_audit_record_subject_id"), "audit_record", ["subject", "id"])
    op.create_table(
        "upload",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("received BETWEEN 0 AND size", name=op.f("ck_upload_received")),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feed.id"], name=op.f("fk_upload_feed_id_feed"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["feed_run.id"], name=op.f("fk_upload_run_id_feed_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_index("ix_upload_feed", "upload", ["feed_id"])
    op.create_index("ix_upload_touched", "upload", ["touched_at"])


def downgrade() -> None:
    op.drop_table("upload")
    op.drop_table("audit_record")
    op.drop_column("product", "taxonomy_id")
    op.drop_table("taxonomy_choice")
    op.drop_table("taxonomy_category")
    op.drop_column("offer", "first_run_id")
    op.drop_column("offer_change", "before")
    op.drop_table("staged_unseen")
    op.drop_table("staged_shared")
    op.drop_table("staged_gone")
    op.drop_column("feed_run", "taken")
    op.drop_index("uq_product_key", "product")
    op.execute(
        "UPDATE product p SET key = coalesce((SELECT v.key FROM variant v WHERE v.product_id = p.id ORDER BY v.id LIMIT 1), 'product:' || p.id) WHERE key IS NULL"
    )
    op.alter_column("product", "key", nullable=False)
    op.create_unique_constraint(op.f("uq_product_key"), "product", ["key"])
    op.create_index(
        "ix_offer_unmatched", "offer", ["supplier_id"], postgresql_where=sa.text("variant_id IS NULL")
    )
    op.create_index(
        "ix_offer_gtin", "offer", ["gtin"], postgresql_where=sa.text("gtin_verdict IN ('valid', 'repaired')")
    )
    for table, column, to in UNGUARDED:
        op.create_foreign_key(op.f(f"fk_{table}_{column}_{to}"), table, to, [column], ["id"])
    op.execute("DELETE FROM staged_offer WHERE title IS NULL")
    op.alter_column("staged_offer", "title", nullable=False)
    _staged_by("supplier_sku")
    for table in ("offer", "staged_offer"):
        op.drop_column(table, "record_hash")
        op.drop_column(table, "details")
    op.execute("UPDATE feed_run SET state = 'superseded' WHERE state = 'undone'")
    _states(RUN_STATES)
    for column in ("mends", "replay_of"):
        op.drop_constraint(op.f(f"fk_feed_run_{column}_feed_run"), "feed_run", type_="foreignkey")
    for column in ("as_of", "mends", "replay_of", "mapping_version"):
        op.drop_column("feed_run", column)
    op.drop_table("feed_mapping")
    for column in ("source_state", "secret", "mapping_version"):
        op.drop_column("feed", column)


def _states(states: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_feed_run_state"), "feed_run", type_="check")
    op.create_check_constraint(
        op.f("ck_feed_run_state"), "feed_run", "state IN ('" + "', '".join(states) + "')"
    )


def _staged_by(column: str) -> None:
    """A run's offers are written in the order of the file and taken in pieces of it."""
    op.drop_constraint(op.f("pk_staged_offer"), "staged_offer", type_="primary")
    op.create_primary_key(op.f("pk_staged_offer"), "staged_offer", ["run_id", column])
