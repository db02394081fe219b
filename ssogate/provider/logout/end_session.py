"""The way out that starts at a client (OpenID Connect RP-Initiated Logout 1.0).

Who comes with an ID token of the very session is signed out at once; anybody else is asked, since a
link on some page must not sign people out. Back to a client leads only an address that it has
registered, and whatever is wrong with it, the visitor stays here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from ssogate.crypto.jwk import BadToken
from ssogate.errors import GateError, Prefetched
from ssogate.http.audience import is_prefetch
from ssogate.http.form import form_pairs, query_pairs
from ssogate.http.languages import msgid
from ssogate.http.log import log
from ssogate.http.pages import page, redirect
from ssogate.http.redirects import MAX_LOCATION, with_query
from ssogate.http.same_origin import check_same_origin
from ssogate.http.site import OWN
from ssogate.model import Client, Endpoint, Reply, SignOut, Visitor
from ssogate.oauth.redirect_uri import redirect_uri_matches
from ssogate.provider.addresses import END_SESSION
from ssogate.provider.authorization.answer import way_on
from ssogate.provider.errors import NoPairwiseSub
from ssogate.provider.issuer import Issuer, sid_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

CONFIRM = f"{OWN}end-session"
"""Where the form of our own page goes."""

MAX_ADDRESS = 7_000  # characters, below what servers and browsers take for an address

_ONWARD = ("post_logout_redirect_uri", "state")
_REPEATED = ("id_token_hint", "client_id", *_ONWARD)


class LogoutRefused(GateError):
    """A request that contradicts itself."""

    code, status = "logout_refused", 400
    title = msgid("The application asked for something impossible")
    public = msgid("You came from an application whose sign-out request the gate cannot accept.")
    hint = msgid("You are still signed in here. You can sign out at your account's page.")


@dataclass(frozen=True, slots=True)
class Hint:
    """An ID token that was verified: to which client it was given, about whom, in which session."""

    client: Client
    sub: str
    sid: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to sign out. Built by `EndSession.read`."""

    client: Client | None
    """Who asks, proven by a hint or merely named."""
    hint: Hint | None
    onward: str
    """A verified address to go to afterwards, with the client's state; empty: a page of ours."""


@dataclass(frozen=True, slots=True)
class EndSession:
    """What `issuer`'s clients send people to, to sign out."""

    issuer: Issuer

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {END_SESSION: self, CONFIRM: self.confirm}

    def __call__(self, request: Request) -> Reply:
        environ = request.environ
        if request.method == "POST":
            return self._again(_once(query_pairs(request) + form_pairs(request)))
        if request.method != "GET":
            raise LogoutRefused(f"method {request.method[:20]!a}")
        if is_prefetch(environ):
            raise Prefetched
        asked = _once(query_pairs(request))
        wish = self.read(asked)
        visitor = self.issuer.door.visitor(request)
        if visitor is None:
            return self._away(request, wish)
        if self._is_of(wish.hint, visitor):
            return SignOut(redirect(wish.onward) if wish.onward else _signed_out(request))
        return self._ask(request, visitor, wish, asked)

    def confirm(self, request: Request) -> Reply:
        """Take the form of our page. The whole request is verified anew."""
        if request.method != "POST":
            return redirect(END_SESSION)
        check_same_origin(request.environ, public_port=self.issuer.public_port)
        wish = self.read(_once(form_pairs(request)))
        if not wish.client or not wish.onward:
            return SignOut(_signed_out(request))
        # No redirect: what a form leads to, its page's Content-Security-Policy must name.
        name = wish.client.name or wish.client.identifier
        return SignOut(way_on(request.environ, wish.onward, name=name))

    def read(self, asked: Mapping[str, str]) -> Wish:
        """Verify what is asked. Raises `LogoutRefused` if two clients are named."""
        hint, named = self._hint(asked), asked.get("client_id", "")
        if hint and named not in ("", hint.client.identifier):
            raise LogoutRefused("client_id is not who the hint was given to")
        client = hint.client if hint else self.issuer.store.clients.named(named)
        # With a hint that is none, nobody can say who sent the visitor.
        believed = client if hint or not asked.get("id_token_hint") else None
        return Wish(client, hint, self._onward(believed, asked))

    def _onward(self, client: Client | None, asked: Mapping[str, str]) -> str:
        """Give where the client may have the visitor sent; empty for anywhere else."""
        uri, state = asked.get("post_logout_redirect_uri", ""), asked.get("state", "")
        if not (uri and client):
            return ""
        known = any(
            redirect_uri_matches(one, uri, native=client.native)
            for one in client.post_logout_redirect_uris
        )
        ours = bool(client.registration_digest) and self.issuer.serves(uri)
        if not known or ours or len(state) > MAX_LOCATION:
            log.info("logout leads nowhere", client=client.identifier)
            return ""
        return with_query(uri, {"state": state} if state else {})

    def _away(self, request: Request, wish: Wish) -> Response:
        """Send on who is not signed in: to a client that has registered itself only by a link, as
        it could make links to this site lead anywhere (RFC 9700, section 4.11.2)."""
        if not (wish.onward and wish.client):
            return _signed_out(request)
        if not wish.client.registration_digest:
            return redirect(wish.onward)
        name = wish.client.name or wish.client.identifier
        return way_on(request.environ, wish.onward, name=name, by_itself=False)

    def _hint(self, asked: Mapping[str, str]) -> Hint | None:
        token = asked.get("id_token_hint", "")
        if not token:
            return None
        try:
            claims = self.issuer.hinted(token)  # its audience says which client this is about
        except BadToken as error:
            log.info("logout without a hint that counts", fault=str(error))
            return None
        aud, sub, sid = (claims.get(name) for name in ("aud", "sub", "sid"))
        client = self.issuer.store.clients.named(aud) if isinstance(aud, str) else None
        if client is None or not (isinstance(sub, str) and isinstance(sid, str)):
            return None
        return Hint(client, sub, sid)

    def _is_of(self, hint: Hint | None, visitor: Visitor) -> bool:
        """Whether the hint is about this person, in this session."""
        if hint is None or hint.sid != sid_of(visitor.session.record.key):
            return False
        try:
            return hint.sub == self.issuer.sub(hint.client, visitor.user.identity.subject)
        except NoPairwiseSub:
            return False

    def _ask(
        self, request: Request, visitor: Visitor, wish: Wish, asked: Mapping[str, str]
    ) -> Response:
        """Show who is signed in, and ask. Of a hint, only who has it goes into the page."""
        fields = {"client_id": wish.client.identifier} if wish.client and wish.onward else {}
        fields |= {name: asked[name] for name in _ONWARD if fields and asked.get(name)}
        return page(
            request.environ,
            "end_session.html",
            user=visitor.user.identity.username,
            name=(wish.client.name or wish.client.identifier) if wish.client else "",
            action=CONFIRM,
            fields=fields.items(),
        )

    def _again(self, asked: Mapping[str, str]) -> Response:
        """Have the browser ask once more, by GET: with a form of another site it sends no cookie
        (SameSite=Lax), and so nobody would seem to be signed in."""
        query = {name: asked[name] for name in _REPEATED if asked.get(name)}
        if len(urlencode(query)) > MAX_ADDRESS:
            hint = self._hint(asked)
            query = {"client_id": hint.client.identifier if hint else "", **query}
            query.pop("id_token_hint", None)
        if len(urlencode(query)) > MAX_ADDRESS:
            raise LogoutRefused("longer than an address may be")
        return redirect(with_query(END_SESSION, query))


def _once(pairs: list[tuple[str, str]]) -> Mapping[str, str]:
    """Give the parameters. Raises `LogoutRefused` for one that comes twice: who reads the first and
    who the last would do different things."""
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise LogoutRefused("a parameter is there twice")
    return asked


def _signed_out(request: Request) -> Response:
    return page(request.environ, "signed_out.html", user="")
