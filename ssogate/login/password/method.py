"""The login method: a user name and a password.

The order of its checks is the order of the lines: who asks too often is refused before anything
is hashed, and one password is hashed for everybody, whether there is such a person or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ssogate.crypto import Verdict, hash_password, verify_nobody, verify_password
from ssogate.directory.users import judge_unchanged
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

    def sign_in(self, typed: Typed, environ: WSGIEnvironment | None) -> SignIn:
        """Judge a sign-in; without `environ`, for a program that asks for somebody.

        Raises `TooManyTries`, `SignInBusy`, `WrongPassword`, `StoreFailure`, and, to who knows the
        password, `AccountInactive`."""
        user = self.people.user(typed.username)
        holder = self._judged(user, typed.username, typed.password, environ)
        if not holder.welcome:
            raise AccountInactive(f"user {holder.assertion.username!r}")
        return SignIn(
            method=holder.enrolment.source or self.settings.name,
            assertion=holder.assertion,
            enrolment=holder.enrolment,
            return_to=typed.return_to,
            device=self.throttle.device(user, environ) or self.new_token(),
            still=self._still(holder),
        )

    def _still(self, holder: Holder) -> Callable[[], None] | None:
        """What looks once more at a password that the directory keeps: it may be changed while it
        is being judged, and whoever knew the old one must not come in then."""
        if not holder.subject:
            return None
        return partial(judge_unchanged, self.people.store, holder.subject, holder.stored)

    def confirm(self, user: User, password: str, environ: WSGIEnvironment) -> str:
        """Ask a signed-in user for the password once more; as `sign_in`, and counted with it. Give
        the hash that it was found right by; empty where the directory does not keep it."""
        holder = self._judged(user, user.identity.username, password, environ)
        return holder.stored if holder.subject else ""

    def asks(self, user: User) -> bool:
        """Whether there is a password to ask this user for."""
        return self.people.have_password(user)

    def _judged(
        self, user: User | None, typed: str, password: str, environ: WSGIEnvironment | None
    ) -> Holder:
        with self.pace.even(
            by_program=environ is None
        ):  # first: who is not looked at, since we are busy, is not counted
            guess = self.throttle.begin(PASSWORDS, user, environ, typed=typed)
            try:
                holder = self.people.holder(user, typed)
                with self.pace.hash():
                    found = self._verified(holder, password)
            except BaseException:
                guess.withdraw()  # it was not looked at
                raise
            if found is None:
                guess.wrong()
                raise WrongPassword(guess.about)
        guess.right()
        return found

    def _verified(self, holder: Holder | None, password: str) -> Holder | None:
        """Give the holder whose password it is, with the hash that stands now."""
        if holder is None:
            verify_nobody(password)
            return None
        verdict = verify_password(password, holder.stored)
        if verdict is Verdict.OUTDATED and holder.subject:
            return self._renewed(holder, password)
        return holder if verdict else None

    def _renewed(self, holder: Holder, password: str) -> Holder:
        """Hash an imported password our way, now that it is known, unless it changed meanwhile."""
        secrets, now = self.people.store.secrets, int(self.clock())
        new = hash_password(password)
        stored = secrets.replace_password(holder.subject, holder.stored, new, now)
        return replace(holder, stored=new) if stored else holder
