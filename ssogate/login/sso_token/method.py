"""The login method: `/oauth/singlesignon.php?access_token=…`. The token is spent by the keeper, in
the transaction that opens the session; nothing that is refused or asked here spends it.

The activity log says why a token did not work, in the words of seed 001 and once a token and reason
(whoever holds a token must not fill the log); of tokens that nobody made, only the ordinary log.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ssogate.crypto.random_secrets import digest
from ssogate.directory.activity import By, note
from ssogate.directory.sso_tokens import (
    KIND,
    LIFETIME,
    REDEMPTION,
    Reason,
    Redeemable,
    TokenRefused,
    grant_of,
    proof_key,
    redeemable,
)
from ssogate.errors import Prefetched, SsoTokenRefused
from ssogate.http import environ as env
from ssogate.http.audience import is_embedded, is_prefetch, prefers_json
from ssogate.http.form import query_pairs
from ssogate.http.pages import page, refusal
from ssogate.login.chooser import SIGN_IN
from ssogate.login.sso_token.settings import SsoTokenSettings
from ssogate.model import (
    Assertion,
    Clock,
    Endpoint,
    Enrolment,
    LocalPath,
    Proof,
    Reply,
    Session,
    SignIn,
    Ticket,
    User,
)
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

_TOKEN = re.compile(r"[0-9a-f]{40}")

_DENIED = "Single Sign-On authentication denied"
_FAILED = "Unable to authenticate with Single Sign-On token for User ID: {}"
_WORDS = {
    Reason.CLOSED: _DENIED + ' for "Closed" User ID: {}',
    Reason.SWITCHED_OFF: _DENIED + " per configuration for User ID: {}",
}
_SIGNED_IN_TO_CLOSED = (
    "OAuth authorization request denied due to unexpected active login session"
    ' for "Closed" User ID: {}'
)


@dataclass(frozen=True, slots=True)
class SsoToken:
    """The way in by one-time token. It has no place to ask for one: programs do that.

    `vouched` gives a user as the user's source has it by now; None if it lets the user in no more.
    """

    settings: SsoTokenSettings
    store: Store
    clock: Clock
    vouched: Callable[[User], User | None]

    @property
    def label(self) -> str:
        return self.settings.label

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {REDEMPTION: self}

    def challenge_url(self, return_to: LocalPath) -> str | None:
        return None

    def __call__(self, request: Request) -> Reply:
        try:
            return self._answer(request)
        except SsoTokenRefused as error:
            # Who follows a link is a person, whatever the program calls itself.
            as_page = not prefers_json(request.environ)
            return refusal(
                error, request.environ, rule=self.settings.name, sign_in=SIGN_IN, as_page=as_page
            )

    def _answer(self, request: Request) -> Reply:
        token, confirmed = _asked(request)
        key, session = digest(token), env.session(request.environ)
        if session and session.record.proof == proof_key(key):
            return self._again(key)
        found = self._judged(key, session, request)
        if session and not _may_replace(session, found.ticket, confirmed):
            return self._ask_first(request, session, found, token)
        return self._sign_in(found)

    def _again(self, key: str) -> LocalPath:
        """Where the browser goes that this very token let in: it was reloaded, or went back."""
        ticket = self.store.tickets.get(key, KIND)  # a minute later it may be swept away
        return grant_of(ticket).target if ticket else LocalPath(self.settings.base)

    def _judged(self, key: str, session: Session | None, request: Request) -> Redeemable:
        try:
            found = self._redeemable(key)
            user = self.vouched(found.user)
            if user is None or not user.welcome:
                raise TokenRefused(Reason.USER, found.grant.account)
        except TokenRefused as refused:
            self._tell(refused, key, session, request)
            raise SsoTokenRefused(str(refused)) from refused
        return replace(found, user=user)

    def _redeemable(self, key: str) -> Redeemable:
        found = redeemable(self.store, key, now=self.clock())
        if found is None:
            raise SsoTokenRefused("no such token, or one of long ago")
        return found

    def _look_again(self, key: str) -> None:
        """Something may have changed since, above all: another browser was quicker."""
        try:
            self._redeemable(key)
        except TokenRefused as refused:
            raise SsoTokenRefused(str(refused)) from refused

    def _tell(
        self, refused: TokenRefused, key: str, session: Session | None, request: Request
    ) -> None:
        """Write the line of the activity log, if it is not there."""
        words, now = _WORDS.get(refused.reason, _FAILED), int(self.clock())
        if refused.reason is Reason.CLOSED and session:
            member = self.store.memberships.get(refused.account, session.identity.subject)
            words = _SIGNED_IN_TO_CLOSED if member else words
        with self.store.transaction():
            mark = f"told:{proof_key(key)}:{refused.reason.name}"
            if self.store.one_time.spend(mark, until=now + LIFETIME):
                by = By("gate", env.address(request.environ))
                note(self.store, by, "sso-token.refused", words.format(refused.account), now)

    def _sign_in(self, found: Redeemable) -> SignIn:
        who, ticket = found.user.identity, found.ticket
        return SignIn(
            method=self.settings.name,
            assertion=Assertion(who.username, who.name, who.email),
            enrolment=Enrolment(source="", update=False, shared=True),
            return_to=found.grant.target,
            proof=Proof(ticket.proof, ticket.until, dies_with_boot=found.grant.boot != ""),
            complete=self.settings.satisfies_second_factor,
            still=partial(self._look_again, ticket.key),
        )

    def _ask_first(
        self, request: Request, session: Session, found: Redeemable, token: str
    ) -> Response:
        fields = {"access_token": token, "confirm": _confirmation(session, found.ticket)}
        return page(
            request.environ,
            "confirm.html",
            current=session.identity.username,
            other=found.user.identity.username,
            action=REDEMPTION,
            fields=fields.items(),
            stay=self.settings.base,
        )


def _asked(request: Request) -> tuple[str, str]:
    """Give the token, and the visitor's word that somebody else's session may give way to it.

    Raises `SsoTokenRefused`, `Prefetched`, and what `query_pairs` raises.
    """
    if request.method != "GET":
        raise SsoTokenRefused(f"by {request.method[:32]}")
    if is_prefetch(request.environ):
        raise Prefetched
    if is_embedded(request.environ):
        raise SsoTokenRefused("by an image, a frame or a script")
    pairs = query_pairs(request)
    tokens = [value for name, value in pairs if name == "access_token"]
    if len(tokens) != 1 or not _TOKEN.fullmatch(tokens[0]):
        raise SsoTokenRefused(f"{len(tokens)} tokens, or one that is not 40 lower-case hex digits")
    return tokens[0], dict(pairs).get("confirm", "")


def _may_replace(session: Session, ticket: Ticket, confirmed: str) -> bool:
    """Whether the session may give way to the token's user: the same one, or the visitor said so.

    Otherwise a stranger's link would silently move a visitor into the stranger's account.
    """
    if session.identity.subject == ticket.subject:
        return True
    expected = _confirmation(session, ticket)
    return hmac.compare_digest(expected.encode(), confirmed.encode())


def _confirmation(session: Session, ticket: Ticket) -> str:
    """What only a page of ours, shown in this very session about this very token, can carry."""
    message = f"confirm:{ticket.proof}".encode()
    return hmac.new(session.token.encode(), message, "sha256").hexdigest()
