"""The second step of a sign-in: a code of an authenticator app, or a recovery code.

The first step left a ticket, whose secret the browser holds in a cookie. Only the right code turns
it into a `SignIn`; five wrong ones end it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ssogate.crypto import SealBroken, Sealer
from ssogate.crypto.totp import DIGITS, matching_step, recovery_key
from ssogate.directory.second_factor import sealing_context, spend_step
from ssogate.errors import BadForm, DatabaseError, StepExpired, WrongCode
from ssogate.http.cookies import session_key, session_token
from ssogate.http.fields import fields
from ssogate.http.log import log_refusal
from ssogate.http.pages import form_page, redirect
from ssogate.http.redirects import HOME, local_path
from ssogate.http.same_origin import check_same_origin
from ssogate.http.site import OWN
from ssogate.login.chooser import SIGN_IN
from ssogate.login.throttle import CODES, Throttle
from ssogate.model import (
    STEP,
    Assertion,
    Clock,
    Endpoint,
    Enrolment,
    Reply,
    SignIn,
    Ticket,
    User,
)
from ssogate.sessions.keeper import STEP_SECONDS
from ssogate.storage import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.wrappers import Request, Response

SECOND_FACTOR = f"{OWN}second-factor"

MAX_CODE = 64  # characters; a recovery code has 19
GUESSES = 5  # at the codes of one ticket


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """`step_cookie` names the cookie with the ticket's secret; `new_token` gives 43 characters of
    base64url over 32 random bytes. Without a `sealer` only recovery codes can be judged."""

    store: Store
    sealer: Sealer | None
    throttle: Throttle
    clock: Clock
    new_token: Callable[[], str] = field(repr=False)
    step_cookie: str
    public_port: int | None = None

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {SECOND_FACTOR: self}

    def __call__(self, request: Request) -> Reply:
        posted = request.method == "POST"
        if posted:
            check_same_origin(request.environ, public_port=self.public_port)
        token = session_token(request.environ.get("HTTP_COOKIE", ""), self.step_cookie)
        ticket = self._ticket(token) if token else None
        user = self._user(ticket.subject) if ticket else None
        if token is None or ticket is None or user is None:
            return redirect(SIGN_IN)
        if not posted:
            return _form(request)
        try:
            self._check(ticket, user, request)
        except WrongCode as error:
            log_refusal(error, request.environ, rule=SECOND_FACTOR)
            return _form(request, error)
        return self._sign_in(ticket, user, token, self.throttle.device(user, request.environ))

    def _ticket(self, token: str) -> Ticket | None:
        ticket = self.store.tickets.get(session_key(token), STEP)
        return ticket if ticket and self.clock() < ticket.until else None

    def _user(self, subject: str) -> User | None:
        """Give who owes a code, if anybody still does."""
        user = self.store.users.of(subject)
        owes = user and user.welcome and self.store.secrets.second_factor(subject)
        return user if owes else None

    def _check(self, ticket: Ticket, user: User, request: Request) -> None:
        """Judge and spend a code. Raises `WrongCode` and `TooManyTries`."""
        (code,) = fields(request, "code")
        # Counted before it is judged: of any number of guesses at once, five are looked at.
        number = self.store.counters.count(
            f"ticket:{ticket.key}", now=int(self.clock()), window=STEP_SECONDS
        )
        if number > GUESSES:
            self.store.tickets.take(ticket.key, STEP)
            raise StepExpired("too many codes")
        self.confirm(user, code, request.environ)

    def confirm(self, user: User, code: str, environ: WSGIEnvironment) -> None:
        """Judge and spend a code of a user's. Raises `WrongCode`, `TooManyTries`, and
        `BadForm` for what is longer than any code."""
        if len(code) > MAX_CODE:
            raise BadForm("a code that is longer than any")
        guess = self.throttle.begin(CODES, user, environ)
        if not self._spent(user.identity.subject, code):
            guess.wrong()
            raise WrongCode(guess.about)
        guess.right()

    def _spent(self, subject: str, code: str) -> bool:
        """Whether `code` is right, and was never used before."""
        if len(code.replace(" ", "")) > DIGITS:
            return self.store.secrets.spend_recovery_code(subject, recovery_key(code))
        step = matching_step(self._secret(subject), code, self.clock())
        return step is not None and spend_step(self.store, subject, step)

    def _secret(self, subject: str) -> str:
        sealed = self.store.secrets.second_factor(subject)
        try:
            if self.sealer is None:
                raise SealBroken("gateway.yaml has no sealing_keys")
            return self.sealer.open(sealed, context=sealing_context(subject))
        except SealBroken as error:
            raise DatabaseError(f"the second factor of {subject}: {error}") from error

    def _sign_in(self, ticket: Ticket, user: User, token: str, device: str) -> SignIn:
        begun, identity = json.loads(ticket.data), user.identity
        return SignIn(
            method=begun["method"],
            assertion=Assertion(identity.username, identity.name, identity.email),
            enrolment=Enrolment(
                source=begun["source"],
                update=False,
                shared=True,
                administrators=begun["administrators"],
            ),
            return_to=local_path(begun["return_to"]) or HOME,
            complete=True,
            step=token,
            device=device or self.new_token(),
        )


def _form(request: Request, error: WrongCode | None = None) -> Response:
    return form_page(
        request.environ, "second_factor.html", error, action=SECOND_FACTOR, sign_in=SIGN_IN
    )
