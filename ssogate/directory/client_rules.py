"""What an OAuth client may be: the rules of its fields, and of what a gate has for clients.

A refusal is told in WHMCS's own words where it has some, for the API repeats them. The directory
does not know gateway.yaml: whoever does, holds a client to what it has there, an `Offer`, first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from ssogate.crypto.jwk import ALGORITHMS, PublicKey, jwks, public_key
from ssogate.directory import fields
from ssogate.directory.destinations import BASE_SCOPE, CUSTOM_REDIRECT, SCOPES
from ssogate.http.json_object import json_object
from ssogate.http.redirects import url_host
from ssogate.model import AccountStatus, Client, ClientAuthentication, GrantType
from ssogate.oauth.claims import BY_SCOPE, sector
from ssogate.oauth.redirect_uri import is_redirect_uri
from ssogate.storage import Store

MAX_URIS = 20  # of one kind, of one client
MAX_JWKS = 16_384  # bytes: ten RSA keys of 4096 bits are 8 KiB
MAX_KEYS = 10

Judge = Callable[[str], None]
"""Raises ValueError, in words, for a text that must not be."""

LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})

# A single_sign_on client belongs to one service, so no path of its own choosing is for it.
_DESTINATIONS = frozenset(SCOPES) - {CUSTOM_REDIRECT}
_ABOUT_PEOPLE = BY_SCOPE.keys() | {"offline_access"}
_SCOPE = re.compile(r"[!#-+\--\[\]-~]{1,100}")  # RFC 6749, section 3.3, without the comma
_URI = re.compile(r"[a-z][a-z0-9+.\-]*:[!-\"$-~]{1,2000}", re.IGNORECASE)

# How a client may prove itself, by what it asks tokens by.
_PROOFS: Mapping[GrantType, Collection[ClientAuthentication]] = {
    GrantType.AUTHORIZATION_CODE: (*ClientAuthentication,),
    GrantType.DEVICE_CODE: (*ClientAuthentication,),
    GrantType.CLIENT_CREDENTIALS: (ClientAuthentication.SECRET, ClientAuthentication.PRIVATE_KEY),
    GrantType.SINGLE_SIGN_ON: (ClientAuthentication.SECRET,),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a gate has for clients: scopes, with the claims that each opens; the URIs of APIs; what
    it signs by; whether it can call people by other names (`pairwise`)."""

    scopes: Mapping[str, frozenset[str]] = field(
        default_factory=lambda: {**BY_SCOPE, "offline_access": frozenset()}
    )
    resources: Collection[str] = ()
    algorithms: Collection[str] = ALGORITHMS
    pairwise: bool = False

    def checked(self, client: Client, before: Client | None = None) -> Client:
        """Give a client back if there is all that it asks for. What it had `before` is not asked
        for again. Raises ValueError."""
        if client.grant is GrantType.SINGLE_SIGN_ON:
            return client
        had = before if before and before.grant is client.grant else _modest(client)
        known = self._scopes(client.grant)
        for scope in sorted(client.scopes - had.scopes):
            if scope not in known:
                told = f'The requested scope "{scope[:80]}" is invalid.'
                raise ValueError(told + _guess(scope, known))
        for uri in client.resources:
            if uri not in {*self.resources, *had.resources}:
                told = f"resources: gateway.yaml has no {uri[:80]!a}."
                raise ValueError(told + _guess(uri, self.resources))
        if client.algorithm not in {"", had.algorithm, *self.algorithms}:
            raise ValueError(f"algorithm: is none of {', '.join(self.algorithms)}")
        if client.pairwise and not (had.pairwise or self.pairwise):
            raise ValueError("pairwise: needs provider.pairwise_salt in gateway.yaml")
        return client

    def _scopes(self, grant: GrantType) -> Collection[str]:
        if grant is not GrantType.CLIENT_CREDENTIALS:
            return self.scopes
        return [scope for scope, claims in self.scopes.items() if not claims]


def _modest(client: Client) -> Client:
    """Give a client that asks for nothing."""
    return replace(client, scopes=frozenset(), resources=(), algorithm="", pairwise=False)


def checked_client(store: Store, client: Client, now: int) -> Client:
    """Give a client as it may be stored at a time. Raises ValueError."""
    name = fields.text("name", client.name)
    for_service = client.grant is GrantType.SINGLE_SIGN_ON
    if not (for_service or name):
        raise ValueError("A name for the Client Credential is required.")
    return replace(
        _proving(client),
        name=name,
        service=client.service if for_service else None,
        account=_account(store, client) if for_service else None,
        scopes=_scopes(client),
        description=fields.text("description", client.description),
        logo_uri=_logo(client.logo_uri),
        redirect_uris=_uris("redirect URIs", client.redirect_uris, redirect_uri),
        post_logout_redirect_uris=_uris(
            "post-logout redirect URIs", client.post_logout_redirect_uris, post_logout_uri
        ),
        backchannel_logout_uri=_backchannel(client.backchannel_logout_uri),
        resources=_uris("resources", client.resources, _resource),
        groups=fields.groups(client.groups),
        algorithm=_algorithm(client),
        pairwise=client.pairwise and bool(sector(client.redirect_uris)),
        created_at=client.created_at or now,
        updated_at=now,
    )


def client_keys(text: str) -> tuple[PublicKey, ...]:
    """Read the JWKS of a client. Raises ValueError."""
    if len(text) > MAX_JWKS:
        raise ValueError(f"jwks: more than {MAX_JWKS} bytes")
    try:
        listed = json_object(text.encode()).get("keys")
        if not isinstance(listed, list) or not 0 < len(listed) <= MAX_KEYS:
            raise ValueError(f"is no JWKS with 1 to {MAX_KEYS} keys")
        if not all(isinstance(key, dict) for key in listed):
            raise ValueError("holds what is no key")
        keys = tuple(map(public_key, listed))
    except ValueError as error:
        raise ValueError(f"jwks: {error}") from None
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("jwks: two keys have the same kid")
    return keys


def redirect_uri(uri: str) -> None:
    """Raises ValueError for where no code may be sent to."""
    if not is_redirect_uri(uri):
        raise ValueError(
            f"{uri[:80]!a} is no absolute URI without a fragment, or one of a browser's own"
        )


def post_logout_uri(uri: str) -> None:
    """Raises ValueError for where nobody may be sent to after a logout: by http only to the
    visitor's own machine."""
    redirect_uri(uri)
    if uri.lower().startswith("http:") and url_host(uri) not in LOOPBACK:
        raise ValueError(f"{uri[:80]!a} is not https")


def _resource(uri: str) -> None:
    if not _URI.fullmatch(uri):
        raise ValueError(f"{uri[:80]!a} is no absolute URI without a fragment")


def _backchannel(uri: str) -> str:
    """A gate's own requests go there (OpenID Connect Back-Channel Logout, section 2.2)."""
    if uri:
        _judge("back-channel logout URI", uri, post_logout_uri)
        if url_host(uri) is None:
            raise ValueError("back-channel logout URI: is no URL")
    return uri


def _proving(client: Client) -> Client:
    """Give a client with what it proves itself by, and nothing that it does not."""
    proof = client.authentication
    if proof not in _PROOFS[client.grant]:
        raise ValueError(f"authentication: {proof} is not for the grant type {client.grant}")
    if bool(client.jwks) != (proof is ClientAuthentication.PRIVATE_KEY):
        raise ValueError("jwks: keys are for private_key_jwt, and needed there")
    if proof is ClientAuthentication.SECRET:
        return client
    return replace(
        client,
        secret_digest="",
        old_secret_digest="",
        old_secret_until=0,
        jwks=jwks(client_keys(client.jwks)).decode() if client.jwks else "",
        pkce=client.pkce or proof is ClientAuthentication.NONE,
    )


def _account(store: Store, client: Client) -> int | None:
    """Give the account that a client speaks for: what it has, it keeps with its service."""
    if client.service is None:
        raise ValueError("A service ID is required for the single sign-on grant type.")
    old, service = store.clients.get(client.number), store.services.get(client.service)
    if service is None:
        raise ValueError("A valid Service ID is required.")
    if old and old.service == client.service:
        return old.account
    account = store.accounts.get(service.account)
    if account is None or account.status is AccountStatus.CLOSED:
        raise ValueError("Service ID not associated with valid Client.")
    return account.number


def _scopes(client: Client) -> frozenset[str]:
    if not client.scopes:
        raise ValueError("At least one valid scope is required.")
    for scope in sorted(client.scopes):
        if not _may_have(client.grant, scope):
            raise ValueError(f'The requested scope "{scope[:80]}" is invalid.')
    if client.grant is GrantType.AUTHORIZATION_CODE and "openid" not in client.scopes:
        raise ValueError('The scope "openid" is required for the authorization code grant type.')
    implied = {BASE_SCOPE} if client.grant is GrantType.SINGLE_SIGN_ON else set()
    return client.scopes | implied


def _may_have(grant: GrantType, scope: str) -> bool:
    if grant is GrantType.SINGLE_SIGN_ON:
        return scope in _DESTINATIONS
    about_nobody = grant is GrantType.CLIENT_CREDENTIALS
    return bool(_SCOPE.fullmatch(scope)) and not (about_nobody and scope in _ABOUT_PEOPLE)


def _logo(uri: str) -> str:
    """A picture's URL, or its path on the site."""
    plain = fields.exact("logo URI", uri)
    path = not re.search(r"[:\\]|^//", plain)
    if not (path or url_host(plain)):
        raise ValueError("logo URI: is neither a URL nor a path")
    return plain


def _algorithm(client: Client) -> str:
    if client.algorithm and client.algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm: is none of {', '.join(ALGORITHMS)}")
    return client.algorithm


def _uris(name: str, uris: Iterable[str], judge: Judge) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(uris))
    if len(found) > MAX_URIS:
        raise ValueError(f"{name}: a client has {MAX_URIS} at most")
    for uri in found:
        _judge(name, uri, judge)
    return found


def _judge(name: str, uri: str, judge: Judge) -> None:
    try:
        judge(uri)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _guess(text: str, known: Iterable[str]) -> str:
    close = get_close_matches(text, known, n=1)
    return f' Did you mean "{close[0]}"?' if close else ""
