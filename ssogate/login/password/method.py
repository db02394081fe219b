"""The login method: a user name and a password.

The order of its checks is the order of the lines: who asks too often is refused before anything
is hashed, and one password is hashed for everybody, whether there is such a person or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ssogate.crypto import Verdict, hash_password, verify_nobody, verify_password
from ssogate.errors import AccountInactive, WrongPassword
from ssogate.http.site import OWN
from ssogate.login.form import Typed
from ssogate.login.password.pace import Pace
from ssogate.login.password.people import Holder, People
from ssogate.login.password.settings import PasswordSettings
from ssogate.login.throttle import PASSWORDS, Throttle
from ssogate.model import Clock, SignIn, User

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PASSWORD = f"{OWN}password"


@dataclass(frozen=True, slots=True)
class Password:
    """The sign-in by password, and the question for it of people who are signed in.

    `new_token` gives 43 characters of base64url over 32 random bytes.
    """

    settings: PasswordSettings
    people: People
    throttle: Throttle
    clock: Clock
    new_token: Callable[[], str] = field(repr=False)
    pace: Pace = field(default_factory=Pace)

    @property
    def label(self) -> str:
        return self.settings.label

    @property
    def path(self) -> str:
        return PASSWORD

    def sign_in(self, typed: Typed, environ: WSGIEnvironment) -> SignIn:
        """Judge a sign-in. Raises `TooManyTries`, `SignInBusy`, `WrongPassword`, `StoreFailure`,
        and, to who knows the password, `AccountInactive`."""
        user = self.people.user(typed.username)
        holder = self._judged(user, typed.username, typed.password, environ)
        if not holder.welcome:
            raise AccountInactive(f"user {holder.assertion.username!r}")
        return SignIn(
            method=holder.enrolment.source or self.settings.name,
            assertion=holder.assertion,
            enrolment=holder.enrolment,
            return_to=typed.return_to,
            device=self.new_token(),
        )

    def confirm(self, user: User, password: str, environ: WSGIEnvironment) -> None:
        """Ask a signed-in user for the password once more; as `sign_in`, and counted with it."""
        self._judged(user, user.identity.username, password, environ)

    def asks(self, user: User) -> bool:
        """Whether there is a password to ask this user for."""
        return self.people.have_password(user)

    def _judged(
        self, user: User | None, typed: str, password: str, environ: WSGIEnvironment
    ) -> Holder:
        guess = self.throttle.begin(PASSWORDS, user, environ, typed=typed)
        with self.pace.even():
            holder = self.people.holder(user, typed)
            with self.pace.hash():
                right = self._right(holder, password)
            if holder is None or not right:
                guess.wrong()
                raise WrongPassword(guess.about)
        guess.right()
        return holder

    def _right(self, holder: Holder | None, password: str) -> bool:
        if holder is None:
            verify_nobody(password)
            return False
        verdict = verify_password(password, holder.stored)
        if verdict is Verdict.OUTDATED and holder.subject:
            self._renew(holder, password)
        return bool(verdict)

    def _renew(self, holder: Holder, password: str) -> None:
        """Hash an imported password our way, now that it is known, unless it changed meanwhile."""
        secrets, now = self.people.store.secrets, int(self.clock())
        secrets.replace_password(holder.subject, holder.stored, hash_password(password), now)
