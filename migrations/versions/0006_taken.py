"""What a shop has counted off its own stock for a line of an order, which is not always what its buyer wants."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("order_line", sa.Column("taken", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE order_line SET taken = wanted")


def downgrade() -> None:
    op.drop_column("order_line", "taken")
