"""Bringing data in: files of users, accounts, servers and the rest become the directory's records,
all of them or none. Knows files and the directory's rules; not how anybody signs in.
"""

from ssogate.directory.imports.apply import Import, Outcome, Tally
from ssogate.directory.imports.rows import KINDS
from ssogate.directory.imports.sources import sources
from ssogate.directory.imports.staging import Refused, Staging

__all__ = ["KINDS", "Import", "Outcome", "Refused", "Staging", "Tally", "sources"]
