"""The tables of the second way: orders, purchases, the ledger, settlement."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What PostgreSQL itself enforces of the ledger, whoever writes: nothing of the journal is changed or taken away, and at
# COMMIT every entry has postings, each posting goes on from its accounts' state before it, and each account is where its
# last posting left it.
GUARDS = """
CREATE FUNCTION journal_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what is in the journal stays. Post a reversal instead.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION account_balance_at(account_id int, version_ bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    -- NULL where no posting, or more than one, has this version of the account.
    SELECT CASE WHEN version_ = 0 THEN 0 ELSE (
        SELECT CASE WHEN count(*) = 1 THEN min(balance) END FROM (
            SELECT source_balance AS balance FROM posting WHERE source_id = account_id AND source_version = version_
            UNION ALL
            SELECT destination_balance FROM posting WHERE destination_id = account_id AND destination_version = version_
        ) AS at_version
    ) END
$$;

CREATE FUNCTION entry_has_postings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM posting WHERE entry_id = NEW.id) THEN
        RAISE EXCEPTION 'Journal entry % (%) has no posting: an entry moves something.', NEW.id, NEW.key
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION posting_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    source account;
    destination account;
BEGIN
    SELECT * INTO source FROM account WHERE id = NEW.source_id;
    SELECT * INTO destination FROM account WHERE id = NEW.destination_id;
    IF source.currency <> destination.currency THEN
        RAISE EXCEPTION 'Posting % moves from % to %: an entry balances in each currency.',
            NEW.id, source.currency, destination.currency USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF source.version < NEW.source_version OR destination.version < NEW.destination_version
        OR account_balance_at(source.id, NEW.source_version) IS DISTINCT FROM NEW.source_balance
        OR account_balance_at(destination.id, NEW.destination_version) IS DISTINCT FROM NEW.destination_balance
        OR account_balance_at(source.id, NEW.source_version - 1) IS DISTINCT FROM NEW.source_balance + NEW.amount
        OR account_balance_at(destination.id, NEW.destination_version - 1)
            IS DISTINCT FROM NEW.destination_balance - NEW.amount
    THEN
        RAISE EXCEPTION 'Posting % does not go on from its accounts (%, %): only ledger/posting.py writes postings.',
            NEW.id, source.name, destination.name USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION account_is_its_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present account;
BEGIN
    SELECT * INTO present FROM account WHERE id = NEW.id;
    IF FOUND AND account_balance_at(present.id, present.version) IS DISTINCT FROM present.balance THEN
        RAISE EXCEPTION 'Account % is not what its postings made it: only ledger/posting.py changes balances.', present.name
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entry EXECUTE FUNCTION journal_stays();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON posting EXECUTE FUNCTION journal_stays();
CREATE CONSTRAINT TRIGGER has_postings AFTER INSERT ON journal_entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION entry_has_postings();
CREATE CONSTRAINT TRIGGER goes_on AFTER INSERT ON posting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION posting_goes_on();
CREATE CONSTRAINT TRIGGER is_its_postings AFTER INSERT OR UPDATE OF balance, version ON account
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION account_is_its_postings();
"""
GUARDING = (
    "journal_stays()", "entry_has_postings()", "posting_goes_on()", "account_is_its_postings()",
    "account_balance_at(int, bigint)",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "bank_statement",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("opening_minor", sa.BigInteger(), nullable=False),
        sa.Column("closing_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_statement")),
        sa.UniqueConstraint("iban", "external_id", name=op.f("uq_bank_statement_iban_external_id")),
    )
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=30), nullable=False),
        sa.Column("refs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reverses", sa.BigInteger(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["reverses"], ["journal_entry.id"], name=op.f("fk_journal_entry_reverses_journal_entry")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entry")),
        sa.UniqueConstraint("key", name=op.f("uq_journal_entry_key")),
        sa.UniqueConstraint("reverses", name=op.f("uq_journal_entry_reverses")),
    )
    op.create_index(op.f("ix_journal_entry_happened_at"), "journal_entry", ["happened_at"], unique=False)
    op.create_table(
        "settlement_run",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cut_off", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.String(length=35), nullable=True),
        sa.Column("file", sa.LargeBinary(), nullable=True),
        sa.Column("file_sha256", sa.String(length=64), nullable=True),
        sa.Column("approved_by", sa.String(length=100), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'locked', 'approved', 'exported', 'confirmed', 'partly', 'closed', 'cancelled')",
            name=op.f("ck_settlement_run_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_run")),
        sa.UniqueConstraint("message_id", name=op.f("uq_settlement_run_message_id")),
    )
    op.create_index(
        "uq_settlement_run_open",
        "settlement_run",
        [sa.literal_column("(true)")],
        unique=True,
        postgresql_where=sa.text("state IN ('draft', 'locked', 'approved')"),
    )
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("company_id", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("guarded", sa.Boolean(), nullable=False),
        sa.Column("balance", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("kind IN ('asset', 'liability', 'profit')", name=op.f("ck_account_kind")),
        sa.CheckConstraint("NOT guarded OR balance >= 0", name=op.f("ck_account_guarded")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_account_company_id_company")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", "currency", name=op.f("uq_account_name_currency")),
    )
    op.create_index(op.f("ix_account_company_id"), "account", ["company_id"], unique=False)
    op.create_table(
        "bank_details",
        sa.Column("company_id", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=70), nullable=False),
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("bic", sa.String(length=11), server_default="", nullable=False),
        sa.Column("town", sa.String(length=35), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["company_id"], ["company.id"], name=op.f("fk_bank_details_company_id_company")
        ),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_bank_details")),
    )
    op.create_table(
        "bank_line",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("bank_statement_id", sa.Integer(), nullable=False),
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("line_id", sa.String(length=100), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("end_to_end_id", sa.String(length=35), nullable=False),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), server_default="new", nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('credit', 'debit', 'return', 'fee') AND amount_minor > 0",
            name=op.f("ck_bank_line_kind"),
        ),
        sa.CheckConstraint("state IN ('new', 'matched', 'unallocated')", name=op.f("ck_bank_line_state")),
        sa.ForeignKeyConstraint(
            ["bank_statement_id"],
            ["bank_statement.id"],
            name=op.f("fk_bank_line_bank_statement_id_bank_statement"),
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name=op.f("fk_bank_line_entry_id_journal_entry")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_line")),
        sa.UniqueConstraint("iban", "line_id", name=op.f("uq_bank_line_iban_line_id")),
    )
    op.create_index(op.f("ix_bank_line_bank_statement_id"), "bank_line", ["bank_statement_id"], unique=False)
    op.create_table(
        "statement",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("opening_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("closing_minor", sa.BigInteger(), nullable=False),
        sa.Column("payout_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_statement_company_id_company")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["settlement_run.id"], name=op.f("fk_statement_run_id_settlement_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement")),
        sa.UniqueConstraint("run_id", "company_id", name=op.f("uq_statement_run_id_company_id")),
    )
    op.create_table(
        "supplier_terms",
        sa.Column("supplier_id", sa.Integer(), nullable=False),
        sa.Column("commission_percent", sa.Numeric(precision=5, scale=2), server_default="0", nullable=False),
        sa.Column("shipping_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("transport", sa.String(length=20), server_default="portal", nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("credentials", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "commission_percent >= 0 AND commission_percent <= 100 AND shipping_minor >= 0",
            name=op.f("ck_supplier_terms_terms"),
        ),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["company.id"], name=op.f("fk_supplier_terms_supplier_id_company")
        ),
        sa.PrimaryKeyConstraint("supplier_id", name=op.f("pk_supplier_terms")),
    )
    op.create_table(
        "payout",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("company_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("statement_id", sa.Integer(), nullable=True),
        sa.Column("end_to_end_id", sa.String(length=35), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("to", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('statement', 'withdrawal') AND amount_minor > 0", name=op.f("ck_payout_kind")
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'pending', 'exported', 'paid', 'rejected', 'returned', 'cancelled')",
            name=op.f("ck_payout_state"),
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_payout_company_id_company")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["settlement_run.id"], name=op.f("fk_payout_run_id_settlement_run")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["statement.id"], name=op.f("fk_payout_statement_id_statement")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout")),
        sa.UniqueConstraint("end_to_end_id", name=op.f("uq_payout_end_to_end_id")),
        sa.UniqueConstraint("statement_id", name=op.f("uq_payout_statement_id")),
    )
    op.create_index(op.f("ix_payout_run_id"), "payout", ["run_id"], unique=False)
    op.create_table(
        "posting",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("destination_id", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.String(length=12), server_default="", nullable=False),
        sa.Column("source_version", sa.BigInteger(), nullable=False),
        sa.Column("source_balance", sa.BigInteger(), nullable=False),
        sa.Column("destination_version", sa.BigInteger(), nullable=False),
        sa.Column("destination_balance", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0 AND source_id <> destination_id", name=op.f("ck_posting_moves")),
        sa.ForeignKeyConstraint(
            ["destination_id"], ["account.id"], name=op.f("fk_posting_destination_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name=op.f("fk_posting_entry_id_journal_entry")
        ),
        sa.ForeignKeyConstraint(["source_id"], ["account.id"], name=op.f("fk_posting_source_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting")),
        sa.UniqueConstraint(
            "destination_id",
            "destination_version",
            name=op.f("uq_posting_destination_id_destination_version"),
        ),
        sa.UniqueConstraint("entry_id", "place", name=op.f("uq_posting_entry_id_place")),
        sa.UniqueConstraint("source_id", "source_version", name=op.f("uq_posting_source_id_source_version")),
    )
    op.create_table(
        "shop_order",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("seller_id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("standing", sa.String(length=10), nullable=False),
        sa.Column("test", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("external_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "standing IN ('unpaid', 'open', 'cancelled')", name=op.f("ck_shop_order_standing")
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["company.id"], name=op.f("fk_shop_order_seller_id_company")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_order_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop_order")),
        sa.UniqueConstraint("shop_id", "external_id", name=op.f("uq_shop_order_shop_id_external_id")),
    )
    op.create_index(op.f("ix_shop_order_seller_id_id"), "shop_order", ["seller_id", "id"], unique=False)
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.String(length=200), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_webhook_delivery_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("shop_id", "delivery_id", name=op.f("uq_webhook_delivery_shop_id_delivery_id")),
    )
    op.create_index(
        op.f("ix_webhook_delivery_received_at"), "webhook_delivery", ["received_at"], unique=False
    )
    op.create_table(
        "order_buyer",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_order_buyer_order_id_shop_order")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_buyer")),
    )
    op.create_table(
        "purchase_order",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("supplier_id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=35), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("external_number", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("shipping_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('submitting', 'unknown', 'placed', 'accepted', 'rejected', 'cancel_requested', 'cancelled', 'shipped')",
            name=op.f("ck_purchase_order_state"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_purchase_order_order_id_shop_order")
        ),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["company.id"], name=op.f("fk_purchase_order_supplier_id_company")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_order")),
        sa.UniqueConstraint("reference", name=op.f("uq_purchase_order_reference")),
    )
    op.create_index(op.f("ix_purchase_order_order_id"), "purchase_order", ["order_id"], unique=False)
    op.create_index(
        op.f("ix_purchase_order_supplier_id_state"), "purchase_order", ["supplier_id", "state"], unique=False
    )
    op.create_table(
        "statement_line",
        sa.Column("posting_id", sa.BigInteger(), nullable=False),
        sa.Column("statement_id", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["posting_id"], ["posting.id"], name=op.f("fk_statement_line_posting_id_posting")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["statement.id"], name=op.f("fk_statement_line_statement_id_statement")
        ),
        sa.PrimaryKeyConstraint("posting_id", name=op.f("pk_statement_line")),
    )
    op.create_index(op.f("ix_statement_line_statement_id"), "statement_line", ["statement_id"], unique=False)
    op.create_table(
        "order_line",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("variant_id", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("ordered", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("covered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("shipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refunded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("overruled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("offer_id", sa.Integer(), nullable=True),
        sa.Column("unit_cost", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('unpaid', 'received', 'awaiting_stock', 'awaiting_deposit', 'funded', 'submitting', 'submit_unknown', 'accepted', 'rejected', 'cancel_requested', 'shipped', 'cancelled', 'refunded')",
            name=op.f("ck_order_line_state"),
        ),
        sa.CheckConstraint(
            "0 <= refunded AND refunded <= shipped AND shipped <= covered AND 0 <= wanted AND wanted <= ordered AND 0 <= overruled",
            name=op.f("ck_order_line_quantities"),
        ),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_order_line_offer_id_offer")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_order_line_order_id_shop_order")
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_order_line_variant_id_variant")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
        sa.UniqueConstraint("order_id", "external_id", name=op.f("uq_order_line_order_id_external_id")),
    )
    op.create_index(op.f("ix_order_line_variant_id"), "order_line", ["variant_id"], unique=False)
    op.create_index(
        "ix_order_line_waiting",
        "order_line",
        ["state"],
        unique=False,
        postgresql_where=sa.text("state IN ('awaiting_stock', 'awaiting_deposit')"),
    )
    op.create_table(
        "shipment",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("purchase_order_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("carrier", sa.String(length=100), server_default="", nullable=False),
        sa.Column("number", sa.String(length=100), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["purchase_order_id"],
            ["purchase_order.id"],
            name=op.f("fk_shipment_purchase_order_id_purchase_order"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipment")),
        sa.UniqueConstraint("purchase_order_id", "key", name=op.f("uq_shipment_purchase_order_id_key")),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("seller_id", sa.Integer(), nullable=False),
        sa.Column("supplier_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("captured", sa.Integer(), server_default="0", nullable=False),
        sa.Column("released", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refunded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unit_cost", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("commission_percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("vat_percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("terms_version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND captured >= 0 AND released >= 0 AND captured + released <= quantity AND refunded >= 0 AND refunded <= captured",
            name=op.f("ck_hold_quantity"),
        ),
        sa.ForeignKeyConstraint(["line_id"], ["order_line.id"], name=op.f("fk_hold_line_id_order_line")),
        sa.ForeignKeyConstraint(["order_id"], ["shop_order.id"], name=op.f("fk_hold_order_id_shop_order")),
        sa.ForeignKeyConstraint(["seller_id"], ["company.id"], name=op.f("fk_hold_seller_id_company")),
        sa.ForeignKeyConstraint(["supplier_id"], ["company.id"], name=op.f("fk_hold_supplier_id_company")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sa.UniqueConstraint("line_id", "number", name=op.f("uq_hold_line_id_number")),
    )
    op.create_index(op.f("ix_hold_seller_id"), "hold", ["seller_id"], unique=False)
    op.create_table(
        "order_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Integer(), nullable=True),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["order_line.id"], name=op.f("fk_order_event_line_id_order_line")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["shop_order.id"], name=op.f("fk_order_event_order_id_shop_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_event")),
    )
    op.create_index(op.f("ix_order_event_order_id_id"), "order_event", ["order_id", "id"], unique=False)
    op.create_table(
        "purchase_order_line",
        sa.Column("purchase_order_id", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("supplier_sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("shipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unit_cost", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.CheckConstraint(
            "quantity >= 0 AND shipped >= 0 AND shipped <= quantity",
            name=op.f("ck_purchase_order_line_quantity"),
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["order_line.id"], name=op.f("fk_purchase_order_line_line_id_order_line")
        ),
        sa.ForeignKeyConstraint(
            ["purchase_order_id"],
            ["purchase_order.id"],
            name=op.f("fk_purchase_order_line_purchase_order_id_purchase_order"),
        ),
        sa.PrimaryKeyConstraint("purchase_order_id", "line_id", name=op.f("pk_purchase_order_line")),
    )
    op.create_index(op.f("ix_purchase_order_line_line_id"), "purchase_order_line", ["line_id"], unique=False)
    op.create_table(
        "reservation",
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("offer_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("sold", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sold_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity >= 0 AND sold >= 0", name=op.f("ck_reservation_quantity")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["order_line.id"], name=op.f("fk_reservation_line_id_order_line")
        ),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_reservation_offer_id_offer")),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_reservation")),
    )
    op.create_index(op.f("ix_reservation_offer_id"), "reservation", ["offer_id"], unique=False)
    op.create_table(
        "shipment_line",
        sa.Column("shipment_id", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_shipment_line_quantity")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["order_line.id"], name=op.f("fk_shipment_line_line_id_order_line")
        ),
        sa.ForeignKeyConstraint(
            ["shipment_id"], ["shipment.id"], name=op.f("fk_shipment_line_shipment_id_shipment")
        ),
        sa.PrimaryKeyConstraint("shipment_id", "line_id", name=op.f("pk_shipment_line")),
    )
    op.create_table(
        "capture",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("hold_id", sa.Integer(), nullable=False),
        sa.Column("shipment_id", sa.Integer(), nullable=False),
        sa.Column("supplier_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("pending_minor", sa.BigInteger(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matures_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matured_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("pending_minor >= 0 AND quantity > 0", name=op.f("ck_capture_amounts")),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_capture_hold_id_hold")),
        sa.ForeignKeyConstraint(
            ["shipment_id"], ["shipment.id"], name=op.f("fk_capture_shipment_id_shipment")
        ),
        sa.ForeignKeyConstraint(["supplier_id"], ["company.id"], name=op.f("fk_capture_supplier_id_company")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capture")),
        sa.UniqueConstraint("hold_id", "shipment_id", name=op.f("uq_capture_hold_id_shipment_id")),
    )
    op.create_index(
        "ix_capture_due",
        "capture",
        ["matures_at"],
        unique=False,
        postgresql_where=sa.text("matured_at IS NULL"),
    )
    op.create_table(
        "hold_part",
        sa.Column("hold_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=12), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("released", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "part IN ('goods', 'shipping', 'commission', 'vat')", name=op.f("ck_hold_part_part")
        ),
        sa.CheckConstraint(
            "captured >= 0 AND released >= 0 AND captured + released <= total AND refunded >= 0 AND refunded <= captured",
            name=op.f("ck_hold_part_amounts"),
        ),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_hold_part_hold_id_hold")),
        sa.PrimaryKeyConstraint("hold_id", "part", name=op.f("pk_hold_part")),
    )
    op.create_table(
        "hold_change",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('release', 'capture', 'refund') AND quantity > 0", name=op.f("ck_hold_change_kind")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name=op.f("fk_hold_change_entry_id_journal_entry")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["order_line.id"], name=op.f("fk_hold_change_line_id_order_line")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_hold_change")),
    )
    op.create_index(op.f("ix_hold_change_line_id"), "hold_change", ["line_id"], unique=False)
    op.create_index("ix_listing_external", "listing", ["shop_id", "external_id"], unique=False)
    op.add_column("shop", sa.Column("orders_watermark", sa.DateTime(timezone=True), nullable=True))
    op.execute(GUARDS)


def downgrade() -> None:
    for table in (
        "hold_change", "capture", "hold_part", "hold", "shipment_line", "shipment", "purchase_order_line", "purchase_order",
        "supplier_terms", "bank_details", "statement_line", "payout", "statement", "settlement_run", "bank_line",
        "bank_statement", "posting", "journal_entry", "account", "reservation", "order_event", "order_line",
        "order_buyer", "shop_order", "webhook_delivery",
    ):  # fmt: skip
        op.drop_table(table)
    for function in GUARDING:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_column("shop", "orders_watermark")
    op.drop_index("ix_listing_external", table_name="listing")
