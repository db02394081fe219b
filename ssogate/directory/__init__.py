"""Who is known: how an assertion becomes a user, and what operators do with users.

Knows users and their names; not how anybody signs in, and nothing of requests.
"""

from ssogate.directory.enrol import admit, owns
from ssogate.directory.users import add_user, change_user

__all__ = ["add_user", "admit", "change_user", "owns"]
