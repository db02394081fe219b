"""Programs that speak to the gate: API credentials with their roles, and OAuth clients.

A secret is drawn here and given once; what is stored is its digest. A refusal is told in WHMCS's
own words where it has some, for the API repeats them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import replace

from ssogate.config.net import network
from ssogate.crypto.random_secrets import digest
from ssogate.directory import fields
from ssogate.directory.activity import By
from ssogate.directory.destinations import BASE_SCOPE, CUSTOM_REDIRECT, SCOPES
from ssogate.directory.records import Kind
from ssogate.errors import Conflict
from ssogate.http.redirects import url_host
from ssogate.model import AccountStatus, ApiCredential, ApiRole, Client, GrantType
from ssogate.oauth.redirect_uri import is_redirect_uri
from ssogate.storage import Store

MAX_REDIRECT_URIS = 20  # of one client

Random = Callable[[int], bytes]
"""Gives so many random bytes."""

# A single_sign_on client belongs to one service, so no path of its own choosing is for it.
_SCOPES = {
    GrantType.SINGLE_SIGN_ON: frozenset(SCOPES) - {CUSTOM_REDIRECT},
    GrantType.AUTHORIZATION_CODE: frozenset({"openid", "profile", "email"}),
}
_ACTION = re.compile(r"[a-z0-9]{1,64}")


def _checked_role(store: Store, role: ApiRole, now: int) -> ApiRole:
    (name,) = fields.groups([role.name])
    actions = frozenset(action.lower() for action in role.actions)
    if not actions:
        raise ValueError("actions: a role allows one at least")
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise ValueError(f"actions: {action[:80]!a} is not the name of an action")
    return replace(role, name=name, actions=actions)


def _checked_credential(store: Store, credential: ApiCredential, now: int) -> ApiCredential:
    for role in sorted(credential.roles):
        if store.api_roles.named(role) is None:
            raise Conflict(f"there is no API role {role!r}")
    for scope in sorted(credential.scopes - SCOPES.keys()):
        raise ValueError(f"scopes: {scope[:80]!a} is no destination")
    return replace(
        credential,
        description=fields.text("description", credential.description),
        networks=tuple(dict.fromkeys(str(network(text)) for text in credential.networks)),
        created_at=credential.created_at or now,
    )


def _checked_client(store: Store, client: Client, now: int) -> Client:
    name = fields.text("name", client.name)
    account = None
    if client.grant is GrantType.SINGLE_SIGN_ON:
        account = _account(store, client)
    elif not name:
        raise ValueError("A name for the Client Credential is required.")
    return replace(
        client,
        name=name,
        service=client.service if client.grant is GrantType.SINGLE_SIGN_ON else None,
        scopes=_scopes(client),
        description=fields.text("description", client.description),
        logo_uri=_logo(client.logo_uri),
        redirect_uris=_redirect_uris(client.redirect_uris),
        created_at=client.created_at or now,
        updated_at=now,
        account=account,
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
    for scope in sorted(client.scopes - _SCOPES[client.grant]):
        raise ValueError(f'The requested scope "{scope[:80]}" is invalid.')
    implied = {BASE_SCOPE} if client.grant is GrantType.SINGLE_SIGN_ON else set()
    return client.scopes | implied


def _logo(uri: str) -> str:
    """A picture's URL, or its path on the site."""
    plain = fields.exact("logo URI", uri)
    path = not re.search(r"[:\\]|^//", plain)
    if not (path or url_host(plain)):
        raise ValueError("logo URI: is neither a URL nor a path")
    return plain


def _redirect_uris(uris: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(uris))
    if len(found) > MAX_REDIRECT_URIS:
        raise ValueError(f"redirect URIs: a client has {MAX_REDIRECT_URIS} at most")
    for uri in found:
        if not is_redirect_uri(uri):
            raise ValueError(f"redirect URIs: {uri[:80]!a} is no absolute URI without a fragment")
    return found


def _verb(old: ApiCredential | Client, new: ApiCredential | Client) -> str:
    return "changed" if old.secret_digest == new.secret_digest else "secret-reset"


API_ROLES: Kind[ApiRole] = Kind(
    noun="api-role",
    table=lambda store: store.api_roles,
    called=lambda role: role.name,
    checked=_checked_role,
)
API_CREDENTIALS: Kind[ApiCredential] = Kind(
    noun="api-credential",
    table=lambda store: store.api_credentials,
    called=lambda credential: credential.identifier,
    checked=_checked_credential,
    verb=_verb,
)
CLIENTS: Kind[Client] = Kind(
    noun="client",
    table=lambda store: store.clients,
    called=lambda client: client.identifier,
    checked=_checked_client,
    verb=_verb,
)


def delete_api_role(store: Store, number: int, *, by: By, now: int) -> ApiRole:
    """Forget a role. Raises `Conflict` while a credential has it."""
    with store.transaction():
        role = API_ROLES.known(store, number)
        having = [it.identifier for it in store.api_credentials.listed() if role.name in it.roles]
        if having:
            raise Conflict(f"{API_ROLES.name(role)} is a role of {', '.join(having)}")
        return API_ROLES.delete(store, number, by=by, now=now)


def add_api_credential(
    store: Store, drawn: ApiCredential, *, random: Random, by: By, now: int
) -> tuple[ApiCredential, str]:
    """Store a new credential; give it and its secret. What `drawn` names as its identifier and
    digest does not count. Raises `ValueError`, `Conflict`."""
    secret = random(32).hex()
    drawn = replace(drawn, identifier=random(16).hex(), secret_digest=digest(secret))
    return API_CREDENTIALS.add(store, drawn, by=by, now=now), secret


def reset_api_secret(
    store: Store, number: int, *, random: Random, by: By, now: int
) -> tuple[ApiCredential, str]:
    """Give a credential another secret: the old one is dead at once. Raises `Conflict`."""
    secret = random(32).hex()
    changed = API_CREDENTIALS.change(
        store, number, lambda old: replace(old, secret_digest=digest(secret)), by=by, now=now
    )
    return changed, secret


def add_client(
    store: Store, drawn: Client, *, random: Random, by: By, now: int
) -> tuple[Client, str]:
    """Store a new client; give it and its secret. What `drawn` names as its identifier and digest
    does not count. Raises `ValueError`, `Conflict`."""
    secret = _client_secret(random)
    identifier = f"{_slug(store, drawn)}.{random(16).hex()}"
    drawn = replace(drawn, identifier=identifier, secret_digest=digest(secret))
    return CLIENTS.add(store, drawn, by=by, now=now), secret


def reset_client_secret(
    store: Store, number: int, *, random: Random, by: By, now: int
) -> tuple[Client, str]:
    """Give a client another secret: the old one is dead at once. Raises `Conflict`."""
    secret = _client_secret(random)
    changed = CLIENTS.change(
        store, number, lambda old: replace(old, secret_digest=digest(secret)), by=by, now=now
    )
    return changed, secret


def _client_secret(random: Random) -> str:
    """As long as WHMCS's, and of the same characters."""
    return b64encode(random(64)).decode()


def _slug(store: Store, client: Client) -> str:
    """Whose it is, for people who read the identifier: the account's company, or its name."""
    service = store.services.get(client.service) if client.service else None
    account = store.accounts.get(service.account) if service else None
    words = re.findall("[A-Z0-9]+", (account.company if account else client.name).upper())
    return "-".join(words)[:32].strip("-") or "CLIENT"
