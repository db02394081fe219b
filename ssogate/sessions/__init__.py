"""Server-side sessions: opened, found, ended.

Knows time limits and the store; not cookies' transport, nor who may sign in (that is handed in).
"""

from ssogate.sessions.keeper import Keeper, SessionSettings

__all__ = ["Keeper", "SessionSettings"]
