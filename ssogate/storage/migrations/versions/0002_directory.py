"""The directory: accounts, services, servers, what users prove themselves by, the activity log."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from ssogate.names import canonical_email

revision = "0002"
down_revision = "0001"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer, "sqlite")
STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}
NUMBERED = {"sqlite_strict": True, "sqlite_autoincrement": True}


def upgrade() -> None:
    _users()
    _proofs()
    _directory()
    _activity()


def _users() -> None:
    for name in ("email_canonical", "external_id"):
        op.add_column("users", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.create_index("users_email_canonical", "users", ["email_canonical"])
    _unique("users_external_id", "users", ["source", "external_id"], "external_id <> ''")
    table = sa.table("users", *map(sa.column, ("subject", "email", "email_canonical")))
    connection = op.get_bind()
    for page in _pages(connection, table):
        connection.execute(
            sa.update(table)
            .where(table.c.subject == sa.bindparam("of"))
            .values(email_canonical=sa.bindparam("found")),
            [{"of": subject, "found": _canonical(email)} for subject, email in page],
        )


def _pages(connection: sa.Connection, table: sa.TableClause) -> Iterator[list[tuple[str, str]]]:
    last = ""
    while True:
        columns = sa.select(table.c.subject, table.c.email)
        page = connection.execute(
            columns.where(table.c.subject > last).order_by(table.c.subject).limit(1000)
        ).all()
        if not page:
            return
        last = page[-1].subject
        yield [(row.subject, row.email) for row in page]


def _canonical(email: str) -> str:
    try:
        return canonical_email(email)
    except ValueError:  # nobody can sign in by such an address
        return ""


def _proofs() -> None:
    op.create_table(
        "tickets", _key(), *_texts("kind", "subject", "data"), *_wholes("until"), **STRICT
    )
    op.create_table("counters", _key(), *_wholes("number", "until"), **STRICT)
    for name in ("tickets", "counters"):
        op.create_index(f"{name}_until", name, ["until"])
    op.create_index("tickets_subject", "tickets", ["subject"])
    op.create_table("passwords", _subject(), *_texts("hash"), *_wholes("changed_at"), **STRICT)
    op.create_table(
        "second_factors", _subject(), *_texts("sealed"), *_wholes("changed_at"), **STRICT
    )
    op.create_table("recovery_codes", _subject(), _key(), **STRICT)
    op.create_table("devices", _subject(), _key(), *_wholes("seen_at"), **STRICT)
    op.create_table(
        "administrators", _subject(), *_texts("role_groups"), *_wholes("created_at"), **STRICT
    )


def _directory() -> None:
    op.create_table(
        "accounts",
        _number(),
        *_texts("company", "email", "status"),
        sa.Column("allow_single_sign_on", FLAG, nullable=False),
        *_wholes("created_at", "updated_at"),
        _external_id(),
        **NUMBERED,
    )
    op.create_table(
        "memberships",
        _account(primary_key=True),
        _subject(),
        sa.Column("owner", FLAG, nullable=False),
        *_texts("permissions"),
        **STRICT,
    )
    op.create_index("memberships_subject", "memberships", ["subject"])
    _unique("memberships_owner", "memberships", ["account"], "owner")
    op.create_table(
        "servers",
        _number(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        *_texts("module", "hosts"),
        sa.Column("port", sa.Integer),
        sa.Column("secure", FLAG, nullable=False),
        *_texts("username", "sealed_password", "sealed_access_hash", "owner", "access"),
        *_texts("role_groups"),
        _external_id(),
        **NUMBERED,
    )
    server = sa.ForeignKey("servers.number", ondelete="RESTRICT")
    op.create_table(
        "services",
        _number(),
        _account(),
        *_texts("product", "status", "module"),
        sa.Column("server", WHOLE, server),
        *_texts("domain", "username", "sealed_password", "owner"),
        _external_id(),
        **NUMBERED,
    )
    op.create_index("ix_services_server", "services", ["server"])
    op.create_table(
        "domains", _number(), _account(), *_texts("name", "status"), _external_id(), **NUMBERED
    )
    for name in ("services", "domains"):
        op.create_index(f"ix_{name}_account", name, ["account"])
    for name in ("accounts", "servers", "services", "domains"):
        _unique(f"{name}_external_id", name, ["external_id"], "external_id <> ''")


def _activity() -> None:
    op.create_table(
        "activity",
        sa.Column(
            "number", WHOLE, sa.CheckConstraint("number > 0"), primary_key=True, autoincrement=False
        ),
        *_wholes("at"),
        *_texts("actor", "client", "action", "text", "digest"),
        sqlite_strict=True,
    )
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER activity_no_{event.lower()} BEFORE {event} ON activity"
        " BEGIN SELECT raise(ABORT, 'the activity log is append only'); END"
        for event in ("UPDATE", "DELETE")
    ]
    # INSERT OR REPLACE deletes without asking the trigger above.
    + [
        "CREATE TRIGGER activity_no_replace BEFORE INSERT ON activity"
        " WHEN NEW.number <= (SELECT coalesce(max(number), 0) FROM activity)"
        " BEGIN SELECT raise(ABORT, 'the activity log is append only'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION activity_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the activity log is append only'; END $$",
        "CREATE TRIGGER activity_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON activity"
        " FOR EACH STATEMENT EXECUTE FUNCTION activity_append_only()",
    ],
}


def _unique(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, columns, unique=True, sqlite_where=condition, postgresql_where=condition
    )


def _key() -> sa.Column[str]:
    return sa.Column("key", sa.Text, primary_key=True)


def _number() -> sa.Column[int]:
    return sa.Column("number", WHOLE, primary_key=True)


def _external_id() -> sa.Column[str]:
    return sa.Column("external_id", sa.Text, nullable=False, server_default="")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _wholes(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, WHOLE, nullable=False) for name in names]


def _subject() -> sa.Column[str]:
    owner = sa.ForeignKey("users.subject", ondelete="CASCADE")
    return sa.Column("subject", sa.Text, owner, primary_key=True)


def _account(*, primary_key: bool = False) -> sa.Column[int]:
    owner = sa.ForeignKey("accounts.number", ondelete="CASCADE")
    return sa.Column("account", WHOLE, owner, primary_key=primary_key, nullable=False)
