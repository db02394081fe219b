"""What the OpenID provider keeps: signing keys, grants, codes, tokens, consents, and whom to tell
that a session has ended."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer, "sqlite")
STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}
NUMBERED = {"sqlite_strict": True, "sqlite_autoincrement": True}


def upgrade() -> None:
    _clients()
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
    _logouts()


def _clients() -> None:
    """What was a client before proves itself by its secret, and must bring a code challenge."""
    for name in (
        *("old_secret_digest", "jwks", "groups", "resources", "post_logout_redirect_uris"),
        *("backchannel_logout_uri", "algorithm", "registration_digest"),
    ):
        _add("clients", name, sa.Text(), "")
    _add("clients", "old_secret_until", WHOLE, "0")
    _add("clients", "authentication", sa.Text(), "client_secret")
    for name in ("native", "pairwise", "trusted"):
        _add("clients", name, FLAG, sa.false())
    _add("clients", "pkce", FLAG, sa.true())


def _add(table: str, name: str, kind: Any, default: Any) -> None:
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))


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
        _text("agreed"),
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
        _text("jkt"),
        _maybe_moment("spent_at"),
        **STRICT,
    )
    _index("codes", "grant")
    op.create_index("codes_spent_at", "codes", ["spent_at", "until"])


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
        *map(_text, ("successor", "jkt")),
        **STRICT,
    )
    _index("tokens", "grant", "client", "until")


def _logouts() -> None:
    op.create_table(
        "participants",
        _of("session", "sessions.key", primary_key=True),
        _of("client", "clients.identifier", primary_key=True),
        *map(_text, ("subject", "sid")),
        **STRICT,
    )
    _index("participants", "client")
    op.create_table(
        "logouts",
        sa.Column("number", WHOLE, primary_key=True),
        _of("client", "clients.identifier"),
        *map(_text, ("subject", "sid")),
        *map(_moment, ("attempts", "due_at")),
        **NUMBERED,
    )
    _index("logouts", "client", "due_at")
    for statement in _ON_LEAVING[op.get_bind().dialect.name]:
        op.execute(statement)


# By the database itself, so that no way in which a session ends can forget it. A client that goes
# is no longer found here, and is told nothing.
_LEAVE = (
    "INSERT INTO logouts (client, subject, sid, attempts, due_at)"
    " SELECT OLD.client, OLD.subject, OLD.sid, 0, 0 FROM clients"
    " WHERE identifier = OLD.client AND backchannel_logout_uri <> '';"
)
_ON_LEAVING = {
    "sqlite": [
        f"CREATE TRIGGER participants_leave AFTER DELETE ON participants BEGIN {_LEAVE} END"
    ],
    "postgresql": [
        "CREATE FUNCTION participants_leave() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {_LEAVE} RETURN NULL; END $$",
        "CREATE TRIGGER participants_leave AFTER DELETE ON participants"
        " FOR EACH ROW EXECUTE FUNCTION participants_leave()",
    ],
}


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
