"""`/oauth/userinfo.php`: what the bearer of an access token may know of whoever gave it (OpenID
Connect Core, section 5.3; RFC 6750)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.crypto.jwk import ALGORITHMS
from ssogate.crypto.random_secrets import digest
from ssogate.directory.grants import introspect
from ssogate.errors import GateError, StoreFailure
from ssogate.http.form import form_pairs, query_pairs
from ssogate.http.log import log_refusal
from ssogate.model import Endpoint, Grant, Held, Identity, Token, TokenKind
from ssogate.oauth.claims import Claims
from ssogate.provider.addresses import USERINFO
from ssogate.provider.errors import (
    InsufficientScope,
    InvalidDpopProof,
    InvalidRequest,
    InvalidToken,
    NoToken,
    NotRead,
    OAuthError,
    Unavailable,
)
from ssogate.provider.issuer import Issuer
from ssogate.provider.token.id_tokens import about, may_sign_in, wanted
from ssogate.provider.token.minting import OPENID
from ssogate.provider.token.possession import Possession, possession
from ssogate.provider.transport import authorization, reply, told

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_BEARER, _DPOP = "bearer", "dpop"


@dataclass(frozen=True, slots=True)
class Presented:
    """A token, and in which way it came."""

    scheme: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A token that was made for some API is not taken: the API could ask in the client's name."""

    issuer: Issuer

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {USERINFO: self}

    def __call__(self, request: Request) -> Response:
        try:
            return reply(self._claims(request))
        except StoreFailure as failure:
            error: GateError = Unavailable(detail=str(failure))
        except GateError as refused:
            error = refused
        log_refusal(error, request.environ, rule=USERINFO)
        return _challenged(error)

    def _presented(self, request: Request) -> Presented:
        """Give the token, which comes in one way (RFC 6750, section 2; RFC 9449, section 7)."""
        if request.method not in ("GET", "HEAD", "POST"):
            raise NotRead
        found = [_header(request)]
        found += _bearers(form_pairs(request))
        in_query = _bearers(query_pairs(request))
        if in_query and not self.issuer.settings.userinfo_query_token:
            raise InvalidRequest("Send the token in the Authorization header, not in the URL.")
        tokens = [one for one in found + in_query if one.token]
        if len(tokens) > 1:
            raise InvalidRequest("There is more than one token.")
        if not tokens:
            raise NoToken
        return tokens[0]

    def _claims(self, request: Request) -> Claims:
        issuer, given = self.issuer, self._presented(request)
        held = introspect(issuer.store, digest(given.token), now=issuer.now)
        token, grant, person = _of_person(held)
        self._check_key(request, given, token)
        client = issuer.store.clients.named(grant.client)
        if client is None or not may_sign_in(client, person):
            raise InvalidToken(detail="the user may not sign in to this client")
        if OPENID not in token.scopes & client.scopes:
            raise InsufficientScope
        named = wanted(grant).userinfo
        claims = about(issuer, client, grant, person, scopes=token.scopes, named=named)
        return {**claims, "sub": issuer.sub(client, grant.subject)}

    def _check_key(self, request: Request, given: Presented, token: Token) -> None:
        """A token that is bound to a key needs a proof of it, and only such a token takes one."""
        issuer, shown = self.issuer, Possession()
        if given.scheme == _DPOP:
            url = f"{issuer.origin}{USERINFO}"
            shown = possession(request, url=url, now=issuer.now, access_token=given.token)
        if token.jkt != shown.jkt or (given.scheme == _DPOP and not shown.jkt):
            raise InvalidToken(detail="bound to another key, or to none")
        shown.spend(issuer.store)


def _of_person(held: Held[Token] | None) -> tuple[Token, Grant, Identity]:
    """Give an access token for us alone, with whoever gave it."""
    if held is None or held.grant is None or held.owner is None:
        raise InvalidToken(detail="not a token of a person's that counts")
    token = held.of
    if token.kind is not TokenKind.ACCESS or token.audience:
        raise InvalidToken(detail="a refresh token, or one for an API")
    return token, held.grant, held.owner


def _header(request: Request) -> Presented:
    scheme, token = authorization(request)
    return Presented(scheme, token if scheme in (_BEARER, _DPOP) else "")


def _bearers(pairs: Iterable[tuple[str, str]]) -> list[Presented]:
    return [Presented(_BEARER, value) for name, value in pairs if name == "access_token"]


def _challenged(error: GateError) -> Response:
    """RFC 6750, section 3: what is wrong stands in a header; nothing is said to who sent none."""
    if isinstance(error, NoToken):
        response = Response(b"", error.status)
        response.headers.extend({"Cache-Control": "no-store"})
    else:
        response = told(error)
    if isinstance(error, OAuthError) and error.status < 500:
        if isinstance(error, InvalidDpopProof):
            response.status_code = 401  # RFC 9449, section 7.1; at the token endpoint it is 400
        response.headers["WWW-Authenticate"] = ", ".join(_challenge(error))
        response.headers.add("WWW-Authenticate", f'DPoP algs="{" ".join(ALGORITHMS)}"')
    return response


def _challenge(error: OAuthError) -> list[str]:
    parts = ['Bearer realm="oauth"']
    if not isinstance(error, NoToken):
        parts += [f'error="{error.code}"', f'error_description="{error.described}"']
    if isinstance(error, InsufficientScope):
        parts.append(f'scope="{OPENID}"')
    return parts
