"""The store: every table on one database."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import URL, Connection

from ssogate.model import Account, ApiCredential, ApiRole, Client, Clock, Domain, Server, Service
from ssogate.storage import schema
from ssogate.storage.activity import ActivityLog
from ssogate.storage.database import Database
from ssogate.storage.grants import Codes, Consents, Grants, SealedKeys, Tokens
from ssogate.storage.logouts import Logouts, Participants
from ssogate.storage.people import Administrators, Memberships, Users
from ssogate.storage.records import Records, RememberedRecords
from ssogate.storage.secrets import Secrets
from ssogate.storage.sqlite import SQLiteDatabase
from ssogate.storage.state import Counters, OneTime, Sessions, Tickets


class SQLStore:
    """All of the contract on one database; `clock` says which spent marks are old enough to go."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database, self.boot = database, database.boot
        self.one_time = OneTime(database, clock)
        self.tickets = Tickets(database, clock)
        self.counters = Counters(database)
        self.sessions = Sessions(database)
        self.users = Users(database)
        self.secrets = Secrets(database)
        self.accounts = Records(database, schema.accounts, Account, changes=True)
        self.memberships = Memberships(database)
        # A client may go with its service, and is remembered.
        self.services = Records(database, schema.services, Service, changes=True)
        self.domains = Records(database, schema.domains, Domain)
        self.servers = Records(database, schema.servers, Server)
        self.api_roles = Records(database, schema.api_roles, ApiRole)
        self.api_credentials = Records(database, schema.api_credentials, ApiCredential)
        self.clients = RememberedRecords(database, schema.clients, Client)
        self.sealed_keys = SealedKeys(database, clock)
        self.grants = Grants(database, clock)
        self.codes = Codes(database, clock)
        self.tokens = Tokens(database, clock)
        self.consents = Consents(database)
        self.participants = Participants(database)
        self.logouts = Logouts(database)
        self.administrators = Administrators(database)
        self.activity = ActivityLog(database)

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[Connection]:
        return self.database.transaction(durable=durable)

    def close(self) -> None:
        self.database.close()


class SQLiteStore(SQLStore):
    """A file on this machine. Raises `StoreFailure` if it cannot be opened or is not ours."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        super().__init__(SQLiteDatabase(path), clock=clock)


class PostgreSQLStore(SQLStore):
    """A database of a PostgreSQL server. Raises `StoreFailure` if it cannot be opened or is not
    ours."""

    def __init__(self, url: URL, *, clock: Clock) -> None:
        # The driver is an extra: who keeps all in a file need not install it.
        from ssogate.storage.postgresql import PostgreSQLDatabase  # noqa: PLC0415

        super().__init__(PostgreSQLDatabase(url), clock=clock)
