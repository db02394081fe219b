"""Sign-in by user name and password: the directory's, or an application's own.

May not know sessions: what was proven becomes a `SignIn`. A wrong password, an unknown name and a
closed account look, cost and count alike.
"""

from ssogate.login.password.method import Password
from ssogate.login.password.people import People
from ssogate.login.password.settings import PasswordSettings

__all__ = ["Password", "PasswordSettings", "People"]
