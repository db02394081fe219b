"""Who is known and who owns what: how an assertion becomes a user, and the rules of accounts,
services, domains, servers and administrators. Each change leaves its line in the activity log.

Knows users and their names; not how anybody signs in, and nothing of requests.
"""

from ssogate.directory.accounts import ACCOUNTS
from ssogate.directory.activity import By, note, verify
from ssogate.directory.enrol import admit, may_sign_out, owns
from ssogate.directory.servers import SERVERS, may_open_server
from ssogate.directory.services import DOMAINS, SERVICES, usable_service
from ssogate.directory.users import add_user, change_user, set_password

__all__ = [
    "ACCOUNTS",
    "DOMAINS",
    "SERVERS",
    "SERVICES",
    "By",
    "add_user",
    "admit",
    "change_user",
    "may_open_server",
    "may_sign_out",
    "note",
    "owns",
    "set_password",
    "usable_service",
    "verify",
]
