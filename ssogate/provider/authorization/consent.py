"""What a client has to ask a person for, and the page that asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from werkzeug.wrappers import Response

from ssogate.directory.consents import consented
from ssogate.http.pages import page
from ssogate.http.redirects import local_path
from ssogate.http.site import OWN
from ssogate.model import Client, ClientAuthentication, User
from ssogate.oauth.authorization import OPENID, AuthorizationRequest
from ssogate.provider.addresses import CONSENT
from ssogate.provider.authorization.answer import destination
from ssogate.provider.authorization.interaction import ANSWER, SEAL, Visit
from ssogate.provider.settings import RESOURCE
from ssogate.storage import Store

_THEME = f"{OWN}theme/"


def wanted(
    request: AuthorizationRequest, client: Client, by_scope: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Give what a request is worth: the scopes that it names, those that its `claims` parameter
    gets something out of without naming them, and the APIs, as `resources` names them."""
    opened = _claims(request.scopes, by_scope)
    named = {*request.claims.id_token, *request.claims.userinfo} - opened
    implied = {scope for scope in client.scopes if by_scope.get(scope, set()) & named}
    return request.scopes | implied | resources(request.resources)


def resources(uris: Iterable[str]) -> frozenset[str]:
    """Give what a consent calls APIs, beside its scopes."""
    return frozenset(f"{RESOURCE}{uri}" for uri in uris)


def acquainted(store: Store, client: Client, user: User) -> bool:
    """Whether the user has let the client know something before, or need not be asked."""
    return client.trusted or bool(store.consents.get(user.identity.subject, client.identifier))


def unasked(
    store: Store, request: AuthorizationRequest, client: Client, user: User, wants: frozenset[str]
) -> frozenset[str]:
    """Give those of the scopes that the user must be asked for now."""
    if "consent" in request.prompt:
        return wants
    if client.trusted:
        return frozenset()
    if _may_be_anybody(client, request.reply_to.redirect_uri):
        return wants
    return wants - consented(store, user.identity.subject, client.identifier)


def consent_page(
    visit: Visit,
    client: Client,
    request: AuthorizationRequest,
    user: User,
    scopes: frozenset[str],
    *,
    seal: str,
    other_account: str,
) -> Response:
    """Ask for `scopes`; for none, only whether it is this user. `other_account` is the address to
    sign in at as somebody else; empty if there is none."""
    return page(
        visit.request.environ,
        "consent.html",
        name=client.name or client.identifier,
        description=client.description,
        logo=_logo(client),
        host=destination(request.reply_to.redirect_uri),
        scopes=sorted(scopes, key=lambda scope: (scope != OPENID, scope)),
        user=user.identity,
        action=CONSENT,
        fields=(*visit.pairs, (SEAL, seal)),
        answer=ANSWER,
        other_account=other_account,
    )


def _may_be_anybody(client: Client, redirect_uri: str) -> bool:
    """Whether any program on a person's device could pass for the client, which has no secret, and
    take its answers (RFC 8252, section 8.6)."""
    public = client.authentication is ClientAuthentication.NONE
    return public and not redirect_uri.startswith("https://")


def _logo(client: Client) -> str:
    """Give the address of a logo that is one of the theme's images. No other one is loaded: another
    site would learn who signs in, and here an image may be any address that does something."""
    path = local_path(client.logo_uri)
    return path.text if path and path.text.startswith(_THEME) else ""


def _claims(scopes: Iterable[str], by_scope: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*(by_scope.get(scope, ()) for scope in scopes))
