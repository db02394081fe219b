"""Durable state behind small contracts: sessions, one-time values, the directory.

Knows rows and transactions, not what they mean. An engine translates its own errors into
`StoreFailure`; `tests/storage` holds the contract suite that every engine passes.
"""

from ssogate.storage.contract import (
    ActivityStore,
    Counters,
    OneTime,
    Records,
    SecretStore,
    SessionStore,
    Store,
    UserStore,
)
from ssogate.storage.store import PostgreSQLStore, SQLiteStore

__all__ = [
    "ActivityStore",
    "Counters",
    "OneTime",
    "PostgreSQLStore",
    "Records",
    "SQLiteStore",
    "SecretStore",
    "SessionStore",
    "Store",
    "UserStore",
]
