"""One-time tokens: made for one user of one account and one target, good once and for a minute
(seed 001, PROTOCOLS section 2).

What a token stands for is a ticket; the store holds only the token's hash. All that must be true
when it is made is judged again when it is redeemed, by the same function. A token remembers when
its account was changed last, and dies with the next change, be it only the switch off and on again.
A lost token makes somebody click once more, so making one need not be durable.
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
from ssogate.model import Account, AccountStatus, Domain, LocalPath, Service, Ticket, User
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
    SWITCHED_OFF = "single sign-on is switched off for the account"
    USER = "the user may not come in, or not for this account"
    SERVICE = "the service is not the account's"
    DOMAIN = "the domain is not the account's"
    STALE = "the token is too old, or the account was changed since"
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


def provision(
    store: Store,
    *,
    account: Account,
    user: User,
    scope: str,
    service: int | None,
    domain: int | None,
    target: LocalPath,
    new_token: Callable[[], str],
    by: By,
    now: int,
) -> str:
    """Make a token and give it; `new_token` gives 160 random bits as 40 hex digits.

    Raises `TokenRefused`.
    """
    who = user.identity
    grant = Grant(who.subject, account.number, account.updated_at, scope, service, domain, target)
    _judge(store, grant)  # before the lock that writers queue for: it is judged again at the end
    token, until = new_token(), now + LIFETIME
    key = digest(token)
    with store.transaction(durable=False):
        store.tickets.put(Ticket(key, KIND, who.subject, _written(grant), until))
        store.tickets.put(Ticket(digest(key), TRACE, "", str(account.number), until))
        text = f"{ACCOUNTS.name(account)}: user {who.canonical}, {scope or 'no scope'}"
        note(store, by, "sso-token.made", text, now)
    return token


def redemption_url(origin: str, token: str) -> str:
    """Give the address that redeems a token. `origin` is the site's: scheme, host and port."""
    return f"{origin}{REDEMPTION}?access_token={token}"


def redeemable(store: Store, key: str, *, now: float) -> tuple[Ticket, User] | None:
    """Give the ticket of a token, found by its digest, and the user whom it may sign in now; None
    if nobody made such a token, or long ago. Spends nothing. Raises `TokenRefused`."""
    ticket = store.tickets.get(key, KIND)
    known = ticket or store.tickets.get(digest(key), TRACE)
    if known is None:
        return None
    account = grant_of(ticket).account if ticket else int(known.data)
    if now >= known.until:
        raise TokenRefused(Reason.STALE, account)
    if ticket is None:
        _judge_account(store, account)
        raise TokenRefused(Reason.USER, account)
    if store.one_time.is_spent(proof_key(key)):
        raise TokenRefused(Reason.SPENT, account)
    return ticket, _judge(store, grant_of(ticket))


def proof_key(key: str) -> str:
    """Give what is spent when the token with this digest opens a session."""
    return f"sso:{key}"


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
        }
    )


def _judge(store: Store, grant: Grant) -> User:
    """In PROTOCOLS 2.4's order: what the activity log says of a token depends on it."""
    account = _judge_account(store, grant.account)
    if grant.service is not None and not _belongs(store.services.get(grant.service), grant):
        raise TokenRefused(Reason.SERVICE, grant.account)
    if grant.domain is not None and not _belongs(store.domains.get(grant.domain), grant):
        raise TokenRefused(Reason.DOMAIN, grant.account)
    user = store.users.of(grant.subject)
    member = store.memberships.get(grant.account, grant.subject)
    administrator = store.administrators.get(grant.subject)  # who comes by a password alone
    if user is None or not user.welcome or member is None or administrator:
        raise TokenRefused(Reason.USER, grant.account)
    if account is None or account.updated_at != grant.as_of:
        raise TokenRefused(Reason.STALE, grant.account)
    return user


def _judge_account(store: Store, number: int) -> Account | None:
    account = store.accounts.get(number)
    if account and account.status is AccountStatus.CLOSED:
        raise TokenRefused(Reason.CLOSED, number)
    if account and not account.allow_single_sign_on:
        raise TokenRefused(Reason.SWITCHED_OFF, number)
    return account


def _belongs(record: Service | Domain | None, grant: Grant) -> bool:
    return record is not None and record.account == grant.account


def owner_of(store: Store, account: Account) -> User | None:
    """Give the user who owns an account, if it has an owner."""
    members = store.memberships.listed(account=account.number)
    owners = (store.users.of(member.subject) for member in members if member.owner)
    return next(owners, None)


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
