"""The number by which gates on several machines learn that something was taken from somebody."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column(
            "one", WHOLE, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("number", WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO changes (one, number) VALUES (1, 0)")
