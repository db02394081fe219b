"""Durable state behind small contracts: sessions, one-time values, users.

Knows rows and transactions, not what they mean. An engine translates its own errors into
`StoreFailure`; `tests/storage` holds the contract suite that every engine passes.
"""

from ssogate.storage.contract import OneTime, SessionStore, Store, UserStore
from ssogate.storage.sqlite import SQLiteStore

__all__ = ["OneTime", "SQLiteStore", "SessionStore", "Store", "UserStore"]
