"""Credentials of programs, and WHMCS's numbers for users."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer, "sqlite")
STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}
NUMBERED = {"sqlite_strict": True, "sqlite_autoincrement": True}


def upgrade() -> None:
    _numbers()
    op.create_table(
        "api_roles", _number(), _name("name"), *_texts("actions"), _external_id(), **NUMBERED
    )
    op.create_table(
        "api_credentials",
        _number(),
        _name("identifier"),
        *_texts("secret_digest", "description", "roles", "networks", "scopes"),
        sa.Column("active", FLAG, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        _external_id(),
        **NUMBERED,
    )
    service = sa.ForeignKey("services.number", ondelete="CASCADE")
    op.create_table(
        "clients",
        _number(),
        _name("identifier"),
        *_texts("secret_digest", "grant", "name"),
        sa.Column("service", WHOLE, service),
        *_texts("scopes", "description", "logo_uri", "redirect_uris"),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("updated_at", WHOLE, nullable=False),
        sa.Column("account", WHOLE),
        _external_id(),
        **NUMBERED,
    )
    op.create_index("ix_clients_service", "clients", ["service"])
    condition = sa.text("external_id <> ''")
    for name in ("api_roles", "api_credentials", "clients"):
        op.create_index(
            f"{name}_external_id",
            name,
            ["external_id"],
            unique=True,
            sqlite_where=condition,
            postgresql_where=condition,
        )


def _numbers() -> None:
    """Number the users there are by their age, and remember the last number."""
    op.add_column("users", sa.Column("number", WHOLE, nullable=False, server_default="0"))
    op.execute(
        "UPDATE users SET number = ranked.place FROM (SELECT subject, row_number() OVER"
        " (ORDER BY created_at, subject) AS place FROM users) AS ranked"
        " WHERE ranked.subject = users.subject"
    )
    op.create_index("users_number", "users", ["number"], unique=True)
    op.create_table(
        "numbers", sa.Column("key", sa.Text, primary_key=True), sa.Column("last", WHOLE), **STRICT
    )
    op.execute("INSERT INTO numbers (key, last) SELECT 'users', count(*) FROM users")


def _number() -> sa.Column[int]:
    return sa.Column("number", WHOLE, primary_key=True)


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, unique=True)


def _external_id() -> sa.Column[str]:
    return sa.Column("external_id", sa.Text, nullable=False, server_default="")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
