"""People looked up in the gated app's own SQL database, so that nobody keeps two lists.

Reads, and never writes; hands out the stored password, and does not verify it. Knows neither how
anybody signs in nor what becomes of whom it found.
"""

from ssogate.directory.legacy.person import LegacyUser
from ssogate.directory.legacy.settings import LegacySettings
from ssogate.directory.legacy.source import LegacySource

__all__ = ["LegacySettings", "LegacySource", "LegacyUser"]
