"""Sessions, users and spent links: what the first release made without Alembic."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer, "sqlite")
STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("users"):  # a file of the first release
        return
    op.create_table(
        "users",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("canonical", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("username", "name", "email")),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("active", FLAG, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("updated_at", WHOLE, nullable=False),
        **STRICT,
    )
    op.create_table(
        "sessions",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column(
            "subject",
            sa.Text,
            sa.ForeignKey("users.subject", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("proof", sa.Text, nullable=False),
        *(
            sa.Column(name, WHOLE, nullable=False)
            for name in ("opened_at", "seen_at", "expires_at")
        ),
        **STRICT,
    )
    for column in ("subject", "expires_at", "seen_at"):
        op.create_index(f"sessions_{column}", "sessions", [column])
    op.create_table(
        "spent",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("until", WHOLE, nullable=False),
        **STRICT,
    )
    op.create_index("spent_until", "spent", ["until"])
