"""One-time tokens: made for one user of one account and one target, good once and for a minute
(seed 001, PROTOCOLS section 2).

What a token stands for is a ticket; the store holds only the token's hash. All that must be true
when it is made is judged again when it is redeemed, by the same function. A token remembers when
its account was changed last, and dies with the next change, be it only the switch off and on again.
A lost token makes somebody click once more, so making one need not be durable. A doubled one is a
hole, so redeeming is; except that a token dies with the boot of the machine where the store can
tell boots apart: no power cut then brings back one that was spent, and nobody waits for the disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from ssogate.crypto.random_secrets import digest
from ssogate.directory.accounts import ACCOUNTS
from ssogate.directory.activity import By, note
from ssogate.http.redirects import HOME, local_path
from ssogate.model import (
    Account,
    AccountStatus,
    Domain,
    LocalPath,
    Service,
    Standing,
    Ticket,
    User,
)
from ssogate.storage import Store

KIND = "sso"
TRACE = "sso_trace"
"""The kind of the tickets that only know a token's account. A token dies with its user's sessions;
its trace stays for the minute, so that the activity log can tell of who comes with it."""
LIFETIME = 60  # seconds; WHMCS's own
REDEMPTION = "/oauth/singlesignon.php"


class Reason(StrEnum):
    """Why a token is refused, in words for an operator."""

    CLOSED = "the account is Closed"
    SWITCHED_OFF = "single sign-on is switched off for an account of the user's"
    USER = "the user may not come in, or not for this account"
    SERVICE = "the service is not the account's"
    DOMAIN = "the domain is not the account's"
    STALE = "the token is too old, or the account was changed or the machine restarted since"
    SPENT = "the token was used already"


class TokenRefused(Exception):
    """A token that is not made, or not redeemed, for the account of this number."""

    def __init__(self, reason: Reason, account: int) -> None:
        super().__init__(str(reason))
        self.reason, self.account = reason, account


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for."""

    subject: str
    account: int
    as_of: int
    """The account's `updated_at` when the token was asked for."""
    scope: str
    service: int | None
    domain: int | None
    target: LocalPath
    boot: str = ""
    """The store's when the token was made; empty if the token outlives it."""


def provision(
    store: Store,
    standing: Standing,
    *,
    scope: str,
    service: int | None,
    domain: int | None,
    target: LocalPath,
    new_token: Callable[[], str],
    by: By,
    now: int,
) -> str:
    """Make a token for who stands so to an account, and give it; `new_token` gives 160 random bits
    as 40 hex digits.

    Raises `TokenRefused`.
    """
    account, subject = standing.account, standing.user.identity.subject if standing.user else ""
    grant = Grant(
        subject, account.number, account.updated_at, scope, service, domain, target, store.boot
    )
    # Outside the lock that writers queue for: all is read and judged again when it is redeemed.
    who = _judge(store, grant, standing).identity
    token, until = new_token(), now + LIFETIME
    key = digest(token)
    with store.transaction(durable=False):
        store.tickets.put(
            Ticket(key, KIND, who.subject, _written(grant), until),
            Ticket(digest(key), TRACE, "", str(account.number), until),
        )
        text = f"{ACCOUNTS.name(account)}: user {who.canonical}, {scope or 'no scope'}"
        note(store, by, "sso-token.made", text, now)
    return token


def redemption_url(origin: str, token: str) -> str:
    """Give the address that redeems a token. `origin` is the site's: scheme, host and port."""
    return f"{origin}{REDEMPTION}?access_token={token}"


@dataclass(frozen=True, slots=True)
class Redeemable:
    """A token that may sign in `user` now."""

    ticket: Ticket
    grant: Grant
    user: User


def redeemable(store: Store, key: str, *, now: float) -> Redeemable | None:
    """Find a token by its digest; None if nobody made such a token, or long ago. Spends nothing.
    Raises `TokenRefused`."""
    ticket = store.tickets.get(key, KIND)
    if ticket is None:
        _refuse_trace(store, key, now)
        return None
    grant = grant_of(ticket)
    if now >= ticket.until or grant.boot not in ("", store.boot):
        raise TokenRefused(Reason.STALE, grant.account)
    if ticket.spent:
        raise TokenRefused(Reason.SPENT, grant.account)
    standing = store.memberships.standing(grant.account, grant.subject)
    return Redeemable(ticket, grant, _judge(store, grant, standing))


def _refuse_trace(store: Store, key: str, now: float) -> None:
    """Raise `TokenRefused` for a token of which only the trace is left."""
    trace = store.tickets.get(digest(key), TRACE)
    if trace is None:
        return
    account = int(trace.data)
    if now >= trace.until:
        raise TokenRefused(Reason.STALE, account)
    _judge_account(store.accounts.get(account))
    raise TokenRefused(Reason.USER, account)


def proof_key(key: str) -> str:
    """Give the `proof` of the ticket of the token with this digest; the ticket may be gone."""
    return f"{KIND}:{key}"


def grant_of(ticket: Ticket) -> Grant:
    """Read what a token stands for."""
    data = json.loads(ticket.data)
    target = local_path(data.pop("target")) or HOME
    return Grant(subject=ticket.subject, target=target, **data)


def _written(grant: Grant) -> str:
    """All but the subject, which the ticket has."""
    return json.dumps(
        {
            "account": grant.account,
            "as_of": grant.as_of,
            "scope": grant.scope,
            "service": grant.service,
            "domain": grant.domain,
            "target": grant.target.text,
            "boot": grant.boot,
        }
    )


def _judge(store: Store, grant: Grant, standing: Standing | None) -> User:
    """In PROTOCOLS 2.4's order: what the activity log says of a token depends on it."""
    _judge_account(standing.account if standing else None)
    # A session is a user's, and whoever owns accounts comes in for all of them at once.
    if standing and standing.switched_off:
        raise TokenRefused(Reason.SWITCHED_OFF, grant.account)
    if grant.service is not None and not _belongs(store.services.get(grant.service), grant):
        raise TokenRefused(Reason.SERVICE, grant.account)
    if grant.domain is not None and not _belongs(store.domains.get(grant.domain), grant):
        raise TokenRefused(Reason.DOMAIN, grant.account)
    # Administrators come by a password alone.
    if standing is None or standing.membership is None or standing.administrator:
        raise TokenRefused(Reason.USER, grant.account)
    if standing.user is None or not standing.user.welcome:
        raise TokenRefused(Reason.USER, grant.account)
    if standing.account.updated_at != grant.as_of:
        raise TokenRefused(Reason.STALE, grant.account)
    return standing.user


def _judge_account(account: Account | None) -> None:
    if account and account.status is AccountStatus.CLOSED:
        raise TokenRefused(Reason.CLOSED, account.number)
    if account and not account.allow_single_sign_on:
        raise TokenRefused(Reason.SWITCHED_OFF, account.number)


def _belongs(record: Service | Domain | None, grant: Grant) -> bool:
    return record is not None and record.account == grant.account


def owner_of(store: Store, account: Account) -> User | None:
    """Give the user who owns an account, if it has an owner."""
    standing = store.memberships.owner(account.number)
    return standing.user if standing else None


def set_single_sign_on(store: Store, number: int, allowed: bool, *, by: By, now: int) -> Account:
    """Turn an account's own switch. Tokens that were made before are dead, however soon it is
    turned back. Raises `Conflict` for an unknown account."""
    return ACCOUNTS.change(
        store,
        number,
        lambda account: replace(account, allow_single_sign_on=allowed),
        by=by,
        now=now,
    )
