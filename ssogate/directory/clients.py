"""Programs that speak to the gate: API credentials with their roles, and OAuth clients.

A secret is drawn here and given once; what is stored is its digest. A refusal is told in WHMCS's
own words where it has some, for the API repeats them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

from ssogate.config.net import network
from ssogate.crypto.random_secrets import digest
from ssogate.directory import fields
from ssogate.directory.activity import By
from ssogate.directory.client_rules import checked_client
from ssogate.directory.destinations import SCOPES
from ssogate.directory.records import Kind
from ssogate.errors import Conflict
from ssogate.model import ApiCredential, ApiRole, Client, ClientAuthentication
from ssogate.storage import Store

MAX_OVERLAP = 30 * 86_400  # seconds for which two secrets of one client hold

Random = Callable[[int], bytes]
"""Gives so many random bytes."""

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
    checked=checked_client,
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
    """Store a new client; give it and its secret, which is empty for one that proves itself in
    another way. What `drawn` names as its identifier and digest does not count. Raises
    `ValueError`, `Conflict`."""
    by_secret = drawn.authentication is ClientAuthentication.SECRET
    secret = _client_secret(random) if by_secret else ""
    identifier = f"{_slug(store, drawn)}.{random(16).hex()}"
    drawn = replace(drawn, identifier=identifier, secret_digest=digest(secret))
    return CLIENTS.add(store, drawn, by=by, now=now), secret


def reset_client_secret(
    store: Store, number: int, *, overlap: int = 0, random: Random, by: By, now: int
) -> tuple[Client, str]:
    """Give a client another secret. The old one is dead at once, or after `overlap` (seconds); the
    one before that is dead in any case. Raises `ValueError`, `Conflict`."""
    if not 0 <= overlap <= MAX_OVERLAP:
        raise ValueError(f"overlap: is from 0 to {MAX_OVERLAP // 86_400} days")
    secret = _client_secret(random)

    def reset(old: Client) -> Client:
        if old.authentication is not ClientAuthentication.SECRET:
            raise ValueError(f"{CLIENTS.name(old)} has no secret")
        return replace(
            old,
            secret_digest=digest(secret),
            old_secret_digest=old.secret_digest if overlap else "",
            old_secret_until=now + overlap if overlap else 0,
        )

    return CLIENTS.change(store, number, reset, by=by, now=now), secret


def _client_secret(random: Random) -> str:
    """As long as WHMCS's, and of the same characters."""
    return b64encode(random(64)).decode()


def _slug(store: Store, client: Client) -> str:
    """Whose it is, for people who read the identifier: the account's company, or its name."""
    service = store.services.get(client.service) if client.service else None
    account = store.accounts.get(service.account) if service else None
    words = re.findall("[A-Z0-9]+", (account.company if account else client.name).upper())
    return "-".join(words)[:32].strip("-") or "CLIENT"
