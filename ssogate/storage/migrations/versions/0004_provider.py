"""What the OpenID provider keeps: signing keys, grants, codes, tokens, consents."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}
NUMBERED = {"sqlite_strict": True, "sqlite_autoincrement": True}


def upgrade() -> None:
    _keys()
    _grants()
    _codes()
    _tokens()
    op.create_table(
        "consents",
        _of("subject", "users.subject", primary_key=True),
        _of("client", "clients.identifier", primary_key=True),
        _text("scopes"),
        _moment("updated_at"),
        **STRICT,
    )
    _index("consents", "client")


def _keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text, primary_key=True),
        *map(_text, ("alg", "sealed")),
        _moment("created_at"),
        _maybe_moment("retires_at"),
        **STRICT,
    )


def _grants() -> None:
    op.create_table(
        "grants",
        sa.Column("number", WHOLE, primary_key=True),
        _of("client", "clients.identifier"),
        _of("subject", "users.subject"),
        _of("session", "sessions.key", nullable=True),
        *map(_text, ("scopes", "resources")),
        _moment("auth_time"),
        *map(_text, ("nonce", "sid", "claims")),
        *map(_moment, ("created_at", "until")),
        _maybe_moment("revoked_at"),
        **NUMBERED,
    )
    _index("grants", "client", "subject", "session", "sid", "until")


def _codes() -> None:
    op.create_table(
        "codes",
        sa.Column("key", sa.Text, primary_key=True),
        _of("grant", "grants.number", WHOLE),
        *map(_text, ("redirect_uri", "code_challenge")),
        _moment("until"),
        _maybe_moment("spent_at"),
        **STRICT,
    )
    _index("codes", "grant", "until")


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("key", sa.Text, primary_key=True),
        _text("kind"),
        _of("grant", "grants.number", WHOLE, nullable=True),
        _of("client", "clients.identifier"),
        *map(_text, ("scopes", "audience")),
        *map(_moment, ("issued_at", "until")),
        _maybe_moment("replaced_at"),
        _text("successor"),
        **STRICT,
    )
    _index("tokens", "grant", "client", "until")


def _of(
    name: str,
    target: str,
    kind: Any = sa.Text,
    *,
    nullable: bool = False,
    primary_key: bool = False,
) -> sa.Column[object]:
    """Name a row that takes this one along when it goes."""
    there = sa.ForeignKey(target, ondelete="CASCADE")
    return sa.Column(name, kind, there, nullable=nullable, primary_key=primary_key)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _moment(name: str) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=False)


def _maybe_moment(name: str) -> sa.Column[int]:
    return sa.Column(name, WHOLE)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"{table}_{column}", table, [column])
