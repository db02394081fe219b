"""The authorization endpoint: a client sends a browser, which goes back with a code or with a
reason why not (RFC 6749 section 4.1, OpenID Connect Core section 3.1.2).

Strategy: the same questions in the same order for each visit, whether the browser comes from the
client, from our sign-in or from our page: what is asked, who is there, may they, do they agree. A
visit may bring a mark that one of them was answered before; nothing else is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssogate.errors import Conflict, Prefetched, SessionsUnavailable, StoreFailure
from ssogate.http.audience import is_prefetch
from ssogate.http.form import form_pairs, query_pairs
from ssogate.http.log import log, log_refusal
from ssogate.http.pages import redirect
from ssogate.http.redirects import HOME
from ssogate.model import Client, Endpoint, LocalPath, Reply, Visitor
from ssogate.oauth.authorization import (
    Asked,
    asked_for,
    client_named,
    verified_request,
)
from ssogate.oauth.errors import AuthorizationError, ErrorCode, ReplyTo, ResponseMode
from ssogate.oauth.response import Parameters, granted, refused
from ssogate.provider.addresses import AUTHORIZE, CONSENT
from ssogate.provider.authorization.answer import answer
from ssogate.provider.authorization.consent import acquainted, consent_page, unasked, wanted
from ssogate.provider.authorization.granting import Asking, begin
from ssogate.provider.authorization.interaction import (
    ANSWER,
    SEAL,
    SINCE,
    Marks,
    Visit,
    address,
    visit_of,
)
from ssogate.provider.authorization.meant import Meant, is_meant, meant
from ssogate.provider.authorization.pushed import resolved
from ssogate.provider.issuer import Issuer

if TYPE_CHECKING:
    from werkzeug.wrappers import Request


@dataclass(frozen=True, slots=True)
class AuthorizationEndpoint:
    """`/oauth/authorize.php`, and where its page is answered."""

    issuer: Issuer

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {AUTHORIZE: self.authorize, CONSENT: self.consent}

    def authorize(self, request: Request) -> Reply:
        """Raises `AuthorizationError` for what no client may be told, `SessionsUnavailable`, and
        `Prefetched`: nothing is granted to who may never come."""
        if is_prefetch(request.environ):
            raise Prefetched
        with _available():
            return self._reply(visit_of(request, _sent(request), SINCE))

    def consent(self, request: Request) -> Reply:
        """Take the form of our page. All of it is read anew, as if it came from the client.

        Raises what `authorize` and `Door.sender` raise.
        """
        if request.method != "POST":  # an address that somebody kept
            return redirect(HOME.text)
        with _available():
            self.issuer.door.sender(request)
            return self._reply(visit_of(request, form_pairs(request), SEAL, ANSWER))

    # --- What is asked ------------------------------------------------------------------------

    def _reply(self, visit: Visit) -> Reply:
        issuer = self.issuer
        pushed = resolved(issuer.store, asked_for(visit.pairs), issuer.now)
        client = self._client(pushed.asked)
        self._check_way(pushed.asked, client)
        try:
            request = verified_request(pushed.asked, client, issuer.terms(client))
            wants = wanted(request, client, issuer.by_scope)
            return self._judged(Asking(visit, pushed, client, request, wants))
        except AuthorizationError as error:
            if error.reply_to is None:
                raise
            return self._refused(visit, client, error, error.reply_to)

    def _client(self, asked: Asked) -> Client:
        client = self.issuer.store.clients.named(client_named(asked))
        if client is None:
            raise AuthorizationError(ErrorCode.INVALID_REQUEST, "There is no such client.")
        return client

    def _check_way(self, asked: Asked, client: Client) -> None:
        """Refuse to send forms where an app behind the gate would take them for its own site's: to
        a host of ours, or to a stranger's, which may send them on to one (307). A stranger, who has
        registered itself, has no business at our hosts at all."""
        by_form = ResponseMode.FORM_POST in asked.get("response_mode", ())
        to_us = any(map(self.issuer.serves, asked.get("redirect_uri", ())))
        stranger = bool(client.registration_digest)
        if by_form + to_us + stranger > 1:
            raise AuthorizationError(
                ErrorCode.INVALID_REQUEST,
                "form_post does not go to hosts of the gate, and no answer of a client that has "
                "registered itself does; for such a client there is no form_post.",
            )

    def _refused(
        self, visit: Visit, client: Client, error: AuthorizationError, reply_to: ReplyTo
    ) -> Reply:
        log_refusal(error, visit.request.environ, rule=f"client {client.identifier}")
        told = refused(error, issuer=self.issuer.name)
        return self._answer(visit, client, reply_to, told, by_itself=self._may_go(visit, client))

    def _may_go(self, visit: Visit, client: Client) -> bool:
        """Whether a refusal may redirect: to a client that an operator or the person knows. To
        strangers, links to this site would lead anywhere (RFC 9700, section 4.11.2)."""
        if not client.registration_digest or ANSWER in visit.own:  # who has answered our page
            return True
        visitor = self.issuer.door.visitor(visit.request)
        return visitor is not None and acquainted(self.issuer.store, client, visitor.user)

    def _answer(
        self,
        visit: Visit,
        client: Client,
        reply_to: ReplyTo,
        parameters: Parameters,
        *,
        by_itself: bool = True,
    ) -> Reply:
        return answer(
            visit.request.environ,
            reply_to,
            parameters,
            name=client.name or client.identifier,
            after_form=visit.comes_from_our_form,
            by_itself=by_itself,
        )

    def _judged(self, asking: Asking) -> Reply:
        visit, marks = asking.visit, self._marks
        _check_level(asking)
        subs = meant(self.issuer, asking.client, asking.request)
        visitor = self.issuer.door.visitor(visit.request)
        if visitor is None:
            return self._nobody(asking)
        if self._is_unknown(asking, visitor):
            return self._sign_in(asking)
        sealed = marks.sealed(visit, visitor.session, asking.wants)
        fresh = marks.fresh(visit, visitor.session)
        if self._must_sign_in(asking, visitor, subs, settled=sealed or fresh):
            return self._sign_in(asking)
        self._check_groups(asking, visitor)
        return self._agreed(asking, visitor, sealed=sealed, fresh=fresh)

    # --- Who is there -------------------------------------------------------------------------

    def _nobody(self, asking: Asking) -> Reply:
        """A form of another site comes without our cookies (SameSite), a link does not."""
        if asking.visit.request.method == "POST":
            return redirect(_told_shorter(asking, address(asking.visit.pairs)).text)
        return self._sign_in(asking)

    def _is_unknown(self, asking: Asking, visitor: Visitor) -> bool:
        """Whether nobody is there as far as the client may know: by prompt=none, one that the
        person never let in would learn who visits some page (Core, section 3.1.2.6)."""
        silently = "none" in asking.request.prompt
        return silently and not acquainted(self.issuer.store, asking.client, visitor.user)

    def _must_sign_in(
        self, asking: Asking, visitor: Visitor, subs: Meant, *, settled: bool
    ) -> bool:
        """Whether a session is not enough. `settled`: it has been opened for this request."""
        request, record = asking.request, visitor.session.record
        if not is_meant(self.issuer, asking.client, request, subs, visitor.user):
            if settled:
                raise asking.refusal(ErrorCode.LOGIN_REQUIRED, "Somebody else has signed in.")
            return True
        # Ages are rounded down: who is as old as the limit may be older.
        age, limit = self.issuer.now - record.opened_at, request.max_age
        too_old = limit is not None and age >= limit
        return not settled and (too_old or "login" in request.prompt)

    def _sign_in(self, asking: Asking) -> Reply:
        if "none" in asking.request.prompt:
            raise asking.refusal(
                ErrorCode.LOGIN_REQUIRED, "Nobody is signed in as the request wants it."
            )
        back = _told_shorter(asking, self._marks.way_back(asking.visit))
        return redirect(self.issuer.door.challenge_url(back))

    # --- May they, and do they agree ----------------------------------------------------------

    def _check_groups(self, asking: Asking, visitor: Visitor) -> None:
        allowed, user = asking.client.groups, visitor.user.identity
        if allowed and not allowed & user.groups:
            who = {"oauth_client": asking.client.identifier, "user": user.canonical}
            log.info("not in a group of the client", **who)
            raise asking.refusal(ErrorCode.ACCESS_DENIED, "The person may not use this client.")

    def _agreed(self, asking: Asking, visitor: Visitor, *, sealed: bool, fresh: bool) -> Reply:
        client, request, store = asking.client, asking.request, self.issuer.store
        ask = unasked(store, request, client, visitor.user, asking.wants)
        wish = asking.visit.own.get(ANSWER) if sealed else None
        if wish == "deny":
            raise asking.refusal(ErrorCode.ACCESS_DENIED, "The person does not want it.")
        if wish == "allow":
            return self._granted(asking, visitor, consents=ask)
        choose = "select_account" in request.prompt and not fresh
        if not (ask or choose):
            return self._granted(asking, visitor)
        if "none" in request.prompt:
            raise asking.refusal(ErrorCode.CONSENT_REQUIRED, "The person has not agreed to it yet.")
        return self._page(asking, visitor, ask)

    def _page(self, asking: Asking, visitor: Visitor, scopes: frozenset[str]) -> Reply:
        visit, back = asking.visit, self._marks.way_back(asking.visit)
        return consent_page(
            visit,
            asking.client,
            asking.request,
            visitor.user,
            scopes,
            seal=self._marks.seal(visit, visitor.session, asking.wants),
            other_account=self.issuer.door.challenge_url(back) if back else "",
        )

    def _granted(
        self, asking: Asking, visitor: Visitor, *, consents: frozenset[str] = frozenset()
    ) -> Reply:
        issuer, reply_to = self.issuer, asking.request.reply_to
        try:
            code = begin(issuer, asking, visitor, consents)
        except Conflict:  # the session has ended meanwhile, or the client is gone
            return self._sign_in(asking)
        parameters = granted(reply_to, issuer=issuer.name, code=code)
        return self._answer(asking.visit, asking.client, reply_to, parameters)

    @property
    def _marks(self) -> Marks:
        return Marks(self.issuer.secret, self.issuer.now)


@contextmanager
def _available() -> Iterator[None]:
    """Let a store that fails be a page of ours: it is no answer to the client's question."""
    try:
        yield
    except StoreFailure as failure:
        raise SessionsUnavailable(str(failure)) from failure


def _sent(request: Request) -> list[tuple[str, str]]:
    """Give the parameters: of the query, or of the form (Core, section 3.1.2.1). In both places,
    each of them would be there twice."""
    if request.method == "GET":
        return query_pairs(request)
    if request.method == "POST" and not request.query_string:
        return form_pairs(request)
    raise AuthorizationError(
        ErrorCode.INVALID_REQUEST, "Send the request by GET, or by POST with nothing in the query."
    )


def _check_level(asking: Asking) -> None:
    """Refuse what cannot be done without: the gate names no levels of a sign-in (Core, section
    5.5.1.1; OpenID Connect Core Error Code unmet_authentication_requirements)."""
    acr = asking.request.claims.id_token.get("acr")
    if acr and acr.essential and acr.values:
        raise asking.refusal(
            ErrorCode.UNMET_AUTHENTICATION_REQUIREMENTS, "The gate has no such acr to give."
        )


def _told_shorter(asking: Asking, path: LocalPath | None) -> LocalPath:
    """Give the path back. Raises `AuthorizationError` where there is none."""
    if path is None:
        raise asking.refusal(
            ErrorCode.INVALID_REQUEST,
            "The request is too long for a browser that must sign in first, or holds control "
            "characters: push it (pushed_authorization_request_endpoint).",
        )
    return path
