"""The tables, once for both engines. `migrations` makes them; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text

from ssogate.model import Access as ServerAccess
from ssogate.model import (
    AccountStatus,
    ClientAuthentication,
    DomainStatus,
    GrantType,
    Permission,
    ServiceStatus,
    TokenKind,
)
from ssogate.storage import columns
from ssogate.storage.columns import (
    WHOLE,
    Flag,
    Joined,
    Lines,
    Word,
    account,
    client,
    grant,
    indexed,
    maybe_moment,
    moment,
    number,
    numbered,
    plain,
    subject,
    unique_unless_empty,
    words,
)

metadata = columns.metadata

users = plain(
    "users",
    Column("subject", Text, primary_key=True),
    words("canonical", unique=True),
    words("username"),
    words("name"),
    words("email"),
    Column("groups", Joined(frozenset), nullable=False),
    Column("active", Flag, nullable=False),
    words("source"),
    moment("created_at"),
    moment("updated_at"),
    words("email_canonical", server_default=""),
    words("external_id", server_default=""),
    Column("number", WHOLE, nullable=False, server_default="0"),
)
Index("users_number", users.c.number, unique=True)
indexed(users, "email_canonical")
unique_unless_empty("users_external_id", users.c.source, users.c.external_id)

sessions = plain(
    "sessions",
    Column("key", Text, primary_key=True),
    subject(),
    words("method"),
    words("proof"),
    moment("opened_at"),
    moment("seen_at"),
    moment("expires_at"),
)
indexed(sessions, "subject", "expires_at", "seen_at")

spent = plain("spent", Column("key", Text, primary_key=True), moment("until"))
indexed(spent, "until")

tickets = plain(
    "tickets",
    Column("key", Text, primary_key=True),
    words("kind"),
    words("subject"),
    words("data"),
    moment("until"),
)
indexed(tickets, "until", "subject")

counters = plain(
    "counters", Column("key", Text, primary_key=True), moment("number"), moment("until")
)
indexed(counters, "until")

passwords = plain("passwords", subject(primary_key=True), words("hash"), moment("changed_at"))
second_factors = plain(
    "second_factors", subject(primary_key=True), words("sealed"), moment("changed_at")
)
recovery_codes = plain(
    "recovery_codes", subject(primary_key=True), Column("key", Text, primary_key=True)
)
devices = plain(
    "devices", subject(primary_key=True), Column("key", Text, primary_key=True), moment("seen_at")
)
administrators = plain(
    "administrators",
    subject(primary_key=True),
    Column("role_groups", Joined(frozenset), nullable=False),
    moment("created_at"),
)

accounts = numbered(
    "accounts",
    words("company"),
    words("email"),
    Column("status", Word(AccountStatus), nullable=False),
    Column("allow_single_sign_on", Flag, nullable=False),
    moment("created_at"),
    moment("updated_at"),
)

memberships = plain(
    "memberships",
    account(primary_key=True),
    subject(primary_key=True),
    Column("owner", Flag, nullable=False),
    Column("permissions", Joined(frozenset, Permission), nullable=False),
)
indexed(memberships, "subject")
Index(
    "memberships_owner",
    memberships.c.account,
    unique=True,
    sqlite_where=text("owner"),
    postgresql_where=text("owner"),
)

servers = numbered(
    "servers",
    words("name", unique=True),
    words("module"),
    Column("hosts", Joined(tuple), nullable=False),
    Column("port", Integer),
    Column("secure", Flag, nullable=False),
    words("username"),
    words("sealed_password"),
    words("sealed_access_hash"),
    words("owner"),
    Column("access", Word(ServerAccess), nullable=False),
    Column("role_groups", Joined(frozenset), nullable=False),
)

services = numbered(
    "services",
    account(index=True),
    words("product"),
    Column("status", Word(ServiceStatus), nullable=False),
    words("module"),
    Column("server", WHOLE, ForeignKey("servers.number", ondelete="RESTRICT"), index=True),
    words("domain"),
    words("username"),
    words("sealed_password"),
    words("owner"),
)

domains = numbered(
    "domains",
    account(index=True),
    words("name"),
    Column("status", Word(DomainStatus), nullable=False),
)

# The last number that was given to a user: an id of WHMCS's must not come twice, and a table that
# is found by subject has no numbers of its own.
numbers = plain("numbers", Column("key", Text, primary_key=True), Column("last", WHOLE))

api_roles = numbered(
    "api_roles", words("name", unique=True), Column("actions", Joined(frozenset), nullable=False)
)
api_credentials = numbered(
    "api_credentials",
    words("identifier", unique=True),
    words("secret_digest"),
    words("description"),
    Column("roles", Joined(frozenset), nullable=False),
    Column("networks", Joined(tuple), nullable=False),
    Column("scopes", Joined(frozenset), nullable=False),
    Column("active", Flag, nullable=False),
    moment("created_at"),
)
clients = numbered(
    "clients",
    words("identifier", unique=True),
    words("secret_digest"),
    Column("grant", Word(GrantType), nullable=False),
    words("name"),
    Column("service", WHOLE, ForeignKey("services.number", ondelete="CASCADE"), index=True),
    Column("scopes", Joined(frozenset), nullable=False),
    words("description"),
    words("logo_uri"),
    Column("redirect_uris", Lines, nullable=False),
    moment("created_at"),
    moment("updated_at"),
    Column("account", WHOLE),  # it may be gone: no number is given twice
    words("old_secret_digest"),
    moment("old_secret_until"),
    Column("authentication", Word(ClientAuthentication), nullable=False),
    words("jwks"),
    *(Column(name, Flag, nullable=False) for name in ("native", "pkce", "pairwise", "trusted")),
    Column("groups", Joined(frozenset), nullable=False),
    Column("resources", Lines, nullable=False),
    Column("post_logout_redirect_uris", Lines, nullable=False),
    words("backchannel_logout_uri"),
    words("algorithm"),
    words("registration_digest"),
)

signing_keys = plain(
    "signing_keys",
    Column("kid", Text, primary_key=True),
    words("alg"),
    words("sealed"),
    moment("created_at"),
    maybe_moment("retires_at"),
)

grants = Table(
    "grants",
    metadata,
    number(),
    client(),
    subject(),
    Column("session", Text, ForeignKey("sessions.key", ondelete="CASCADE")),
    Column("scopes", Joined(frozenset), nullable=False),
    Column("resources", Lines, nullable=False),
    moment("auth_time"),
    words("nonce"),
    words("sid"),
    words("claims"),
    moment("created_at"),
    moment("until"),
    maybe_moment("revoked_at"),
    Column("agreed", Joined(frozenset), nullable=False),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)
indexed(grants, "client", "subject", "session", "sid", "until")

codes = plain(
    "codes",
    Column("key", Text, primary_key=True),
    grant(nullable=False),
    words("redirect_uri"),
    words("code_challenge"),
    moment("until"),
    words("jkt"),
    maybe_moment("spent_at"),
)
indexed(codes, "grant")
Index("codes_spent_at", codes.c.spent_at, codes.c.until)  # one sort is purged by each column

tokens = plain(
    "tokens",
    Column("key", Text, primary_key=True),
    Column("kind", Word(TokenKind), nullable=False),
    grant(),
    client(),
    Column("scopes", Joined(frozenset), nullable=False),
    Column("audience", Lines, nullable=False),
    moment("issued_at"),
    moment("until"),
    maybe_moment("replaced_at"),
    words("successor"),
    words("jkt"),
)
indexed(tokens, "grant", "client", "until")

consents = plain(
    "consents",
    subject(primary_key=True),
    client(primary_key=True),
    Column("scopes", Joined(frozenset), nullable=False),
    moment("updated_at"),
)
indexed(consents, "client")

participants = plain(
    "participants",
    Column("session", Text, ForeignKey("sessions.key", ondelete="CASCADE"), primary_key=True),
    client(primary_key=True),
    words("subject"),
    words("sid"),
)
indexed(participants, "client")

# A trigger fills it with the participants of sessions that end, in whatever way they do. The user
# may be gone by then.
logouts = Table(
    "logouts",
    metadata,
    number(),
    client(),
    words("subject"),
    words("sid"),
    moment("attempts"),
    moment("due_at"),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)
indexed(logouts, "client", "due_at")

activity = Table(
    "activity",
    metadata,
    Column("number", WHOLE, CheckConstraint("number > 0"), primary_key=True, autoincrement=False),
    moment("at"),
    words("actor"),
    words("client"),
    words("action"),
    words("text"),
    words("digest"),
    sqlite_strict=True,
)

# One row, which PostgreSQL's writers raise: see `PolledChanges`.
changes = Table(
    "changes",
    metadata,
    Column("one", WHOLE, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    moment("number"),
    sqlite_strict=True,
)
