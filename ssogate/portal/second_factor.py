"""My second factor: switch it on with an app, make new recovery codes, switch it off.

All of it needs the password and a right code: on, so that nobody locks themselves out; off and new
recovery codes, so that who knows the password alone cannot take the second factor away.
The secret waits in a ticket meanwhile, sealed as it will be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from markupsafe import Markup

from ssogate.crypto import Sealer
from ssogate.crypto.totp import (
    Random,
    matching_step,
    new_secret,
    provisioning_uri,
    qr_svg,
    recovery_codes,
    recovery_key,
)
from ssogate.directory.activity import By, by_visitor, note
from ssogate.directory.second_factor import sealing_context, spend_step
from ssogate.errors import BadForm, GateError, WrongCode, WrongPassword
from ssogate.http.cookies import TOKEN_BYTES, session_key
from ssogate.http.fields import fields
from ssogate.http.languages import msgid
from ssogate.http.log import log_refusal
from ssogate.http.pages import form_page, page, redirect, translated
from ssogate.model import Clock, PersonalPage, Reply, Ticket, Visitor
from ssogate.portal.account import totp_state
from ssogate.portal.door import ACCOUNT, SECOND_FACTOR, Codes, Passwords
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

KIND = "totp-setup"
SETUP_SECONDS = 600
MAX_CODE = 64  # characters

_WRONG_CODE = msgid("This code is wrong. Is the clock of the device that shows it right?")
_WRONG_PASSWORD = msgid("The password is wrong.")
_QR_TITLE = msgid("The key as a picture to scan")


@dataclass(frozen=True, slots=True)
class SecondFactorPage:
    """`issuer` is what an authenticator app calls this site; `random` gives so many bytes."""

    store: Store
    clock: Clock
    passwords: Passwords
    codes: Codes
    sealer: Sealer
    issuer: str
    random: Random
    new_token: Callable[[], str] = field(default=partial(token_urlsafe, TOKEN_BYTES), repr=False)

    def pages(self) -> Mapping[str, PersonalPage]:
        return {SECOND_FACTOR: self}

    def __call__(self, request: Request, visitor: Visitor) -> Reply:
        state = totp_state(self.store, self.passwords, self.sealer, visitor)
        if state == "unavailable":
            return redirect(ACCOUNT)
        posted = request.method == "POST"
        if state == "on":
            return self._change(request, visitor) if posted else _change_form(request)
        return self._switch_on(request, visitor) if posted else self._begin(request, visitor)

    # --- Off: switch it on -----------------------------------------------------------------------

    def _begin(self, request: Request, visitor: Visitor) -> Response:
        subject, token = visitor.user.identity.subject, self.new_token()
        secret = new_secret(self.random)
        sealed = self.sealer.seal(secret, context=sealing_context(subject))
        until = int(self.clock()) + SETUP_SECONDS
        self.store.tickets.put(Ticket(session_key(token), KIND, subject, sealed, until))
        return self._setup_form(request, visitor, token, secret)

    def _switch_on(self, request: Request, visitor: Visitor) -> Reply:
        token, code, password = fields(request, "ticket", "code", "password")
        if len(token) > MAX_CODE or not token.isascii() or len(code) > MAX_CODE:
            raise BadForm("a ticket or a code that is longer than any")
        subject, now = visitor.user.identity.subject, self.clock()
        ticket = self.store.tickets.get(session_key(token), KIND)
        if ticket is None or ticket.subject != subject or now >= ticket.until:
            return redirect(SECOND_FACTOR)  # to begin anew
        secret = self.sealer.open(ticket.data, context=sealing_context(subject))
        step = matching_step(secret, code, now)
        refused = self._refused(request, visitor, password)
        if refused or step is None:
            problem = _told(refused) if refused else _WRONG_CODE
            refused = refused or WrongCode()
            return self._setup_form(request, visitor, token, secret, refused, problem=problem)
        codes = recovery_codes(self.random)
        with self.store.transaction():
            # The ticket goes with the sessions when the password is set anew.
            if self.store.tickets.take(ticket.key, KIND) is None:
                return redirect(SECOND_FACTOR)  # or the form was sent twice
            # This very code must not open a sign-in as well.
            spend_step(self.store, subject, step)
            by = by_visitor(visitor, request)
            self._store(visitor, ticket.data, codes, by, "second-factor-set")
            self._end_other_sessions(visitor)
        return _codes_page(request, codes)

    def _setup_form(
        self,
        request: Request,
        visitor: Visitor,
        token: str,
        secret: str,
        error: GateError | None = None,
        *,
        problem: str = "",
    ) -> Response:
        account = visitor.user.identity.username
        uri = provisioning_uri(secret, account=account, issuer=self.issuer)
        svg = qr_svg(uri, title=translated(request.environ, _QR_TITLE))
        return form_page(
            request.environ,
            "totp.html",
            error,
            svg=Markup(svg),  # noqa: S704  (drawn by us; the title is escaped there)
            secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
            action=SECOND_FACTOR,
            problem=problem,
            ticket=token,
        )

    def _refused(
        self, request: Request, visitor: Visitor, password: str, code: str | None = None
    ) -> GateError | None:
        """Judge the password, and the code if there is one; None: both are right."""
        try:
            self.passwords.confirm(visitor.user, password, request.environ)
            if code is not None:
                self.codes.confirm(visitor.user, code, request.environ)
        except GateError as error:
            log_refusal(error, request.environ, rule=SECOND_FACTOR)
            return error
        return None

    def _end_other_sessions(self, visitor: Visitor) -> None:
        """They were opened by the password alone."""
        sessions = self.store.sessions
        for record, _ in sessions.listed(visitor.user.identity.subject):
            if record.key != visitor.session.record.key:
                sessions.delete(record.key)

    # --- On: new codes, or off -------------------------------------------------------------------

    def _change(self, request: Request, visitor: Visitor) -> Reply:
        wish, password, code = fields(request, "do", "password", "code")
        if wish not in ("renew", "off"):
            raise BadForm("a button that the page has not")
        if refused := self._refused(request, visitor, password, code):
            return _change_form(request, refused)
        codes = recovery_codes(self.random) if wish == "renew" else ()
        action = "recovery-codes-renewed" if codes else "second-factor-dropped"
        with self.store.transaction():
            sealed = self.store.secrets.second_factor(visitor.user.identity.subject)
            live = self.store.sessions.get(visitor.session.record.key)
            if not sealed or live is None:
                return redirect(SECOND_FACTOR)  # switched off, or signed out, meanwhile
            self._store(
                visitor, sealed if codes else "", codes, by_visitor(visitor, request), action
            )
        return _codes_page(request, codes) if codes else redirect(ACCOUNT)

    def _store(
        self, visitor: Visitor, sealed: str, codes: tuple[str, ...], who: By, action: str
    ) -> None:
        """To be called in a transaction."""
        identity, now = visitor.user.identity, int(self.clock())
        keys = map(recovery_key, codes)
        self.store.secrets.set_second_factor(identity.subject, sealed, keys, now)
        note(self.store, who, f"user.{action}", f"user {identity.canonical}", now)


def _change_form(request: Request, error: GateError | None = None) -> Response:
    problem = _told(error) if error else ""
    return form_page(request.environ, "totp_off.html", error, action=SECOND_FACTOR, problem=problem)


def _told(error: GateError) -> str:
    return _WRONG_PASSWORD if isinstance(error, WrongPassword) else error.public


def _codes_page(request: Request, codes: tuple[str, ...]) -> Response:
    """Not after a redirect: they are shown once, and kept nowhere."""
    return page(request.environ, "recovery_codes.html", codes=codes, url=ACCOUNT)
