"""Pages for people who are signed in: my account, my sessions, my password, my second factor.

May not know how anybody signs in: who asks for a password again is handed what judges it. It ends
and opens no session itself; it says which, and `Endpoints` does it.
"""

from ssogate.portal.account import AccountPage, SignOutPage
from ssogate.portal.applications import APPLICATIONS, ApplicationsPage
from ssogate.portal.door import ACCOUNT, SIGN_OUT, Door, Passwords
from ssogate.portal.password import PasswordPage
from ssogate.portal.second_factor import SecondFactorPage
from ssogate.portal.switch import SwitchForm, SwitchPage

__all__ = [
    "ACCOUNT",
    "APPLICATIONS",
    "SIGN_OUT",
    "AccountPage",
    "ApplicationsPage",
    "Door",
    "PasswordPage",
    "Passwords",
    "SecondFactorPage",
    "SignOutPage",
    "SwitchForm",
    "SwitchPage",
]
