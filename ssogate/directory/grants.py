"""The rules of grants: what a sign-in lets a client do, from the code to the last refresh token.

Strategy: whatever somebody presents is read and judged outside the lock that writers queue for;
then one conditional write, in one transaction with what follows from it, says who came first. A
code or refresh token that comes again ends its whole family (RFC 6749, section 4.1.2; RFC 9700,
sections 4.5 and 4.14).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from enum import StrEnum

from ssogate.crypto.random_secrets import digest
from ssogate.directory.activity import By, note
from ssogate.model import Code, Grant, Held, Identity, Token, TokenKind
from ssogate.storage import Store

CODE_LIFETIME = 60  # seconds
GRACE = 10  # seconds in which a refresh token may come again: lost answers, tabs, workers


class Reason(StrEnum):
    """Why a code or refresh token is refused, in words for an operator."""

    UNKNOWN = "nobody was given this, or long ago"
    CLIENT = "it is another client's"
    REDIRECT_URI = "the redirect URI is not the one of the request"
    VERIFIER = "the code verifier does not fit the challenge"
    STALE = "it is too old"
    REVOKED = "the grant was revoked"
    USER = "the user may not come in"
    REUSED = "it was used already"


class GrantRefused(Exception):
    """A code or refresh token that is not honoured: `invalid_grant` (RFC 6749, section 5.2)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Presented:
    """A code as it comes to the token endpoint."""

    key: str
    """See `code_key`."""
    client: str
    """The client that has proved to be it."""
    redirect_uri: str
    challenge: str
    """S256 of the verifier that came along; empty if none did."""


@dataclass(frozen=True, slots=True)
class Redeemable:
    """A code that may be redeemed now, by whoever is first. `owner` gave the grant."""

    code: Code
    grant: Grant
    owner: Identity


@dataclass(frozen=True, slots=True)
class Refreshable:
    """A refresh token that may be exchanged now. `owner` gave the grant."""

    token: Token
    grant: Grant
    owner: Identity


def begin_grant(store: Store, grant: Grant, code: Code) -> Grant:
    """Store a grant with its code; give it with its number. Raises `Conflict` if the client, the
    user or the session has gone meanwhile. A lost code makes somebody click once more."""
    with store.transaction(durable=False):
        begun = store.grants.add(grant)
        store.codes.put(replace(code, grant=begun.number))
    return begun


def redeemable(store: Store, presented: Presented, *, by: By, now: int) -> Redeemable:
    """Find the code that is presented. Spends nothing, so that who merely saw a code cannot waste
    it; ends the family of one that comes again. Raises `GrantRefused`."""
    held = store.codes.find(presented.key)
    if held is None or held.grant is None:
        raise GrantRefused(Reason.UNKNOWN)
    code, grant = held.of, held.grant
    if grant.client != presented.client:
        raise GrantRefused(Reason.CLIENT)
    if code.spent_at is not None:
        _end_family(store, grant, "code.reused", by, now)
        raise GrantRefused(Reason.REUSED)
    owner = _owner(held, grant, now)
    if code.redirect_uri != presented.redirect_uri:
        raise GrantRefused(Reason.REDIRECT_URI)
    # Without a challenge there must be no verifier either: a downgrade (RFC 9700, section 4.8.2).
    if not hmac.compare_digest(code.code_challenge.encode(), presented.challenge.encode()):
        raise GrantRefused(Reason.VERIFIER)
    return Redeemable(code, grant, owner)


def code_key(store: Store, code: str) -> str:
    """Give what a code is kept as. Where the store can tell boots of the machine apart, a code dies
    with its own: no power cut brings back one that was spent, and nobody waits for the disk."""
    return digest(store.boot + code)


def redeem(store: Store, found: Redeemable, tokens: list[Token], *, by: By, now: int) -> None:
    """Spend a code and store the tokens that it gives; of many who try, one succeeds.

    Raises `GrantRefused`.
    """
    grant = found.grant
    with store.transaction(durable=not store.boot):
        first = store.codes.spend(found.code.key, now)
        if first:
            store.tokens.put(*tokens)
            told = f"client {grant.client}, user {grant.subject}"
            note(store, by, "client.signed-in", told, now)
    if not first:
        _end_family(store, grant, "code.reused", by, now)
        raise GrantRefused(Reason.REUSED)


def family_token(
    grant: Grant,
    kind: TokenKind,
    key: str,
    *,
    scopes: frozenset[str],
    audience: tuple[str, ...],
    lifetime: int,
    now: int,
) -> Token:
    """Make a token's row: never wider, and never of longer life (seconds), than its grant."""
    until = min(now + lifetime, grant.until)
    allowed = scopes & grant.scopes
    return Token(key, kind, grant.number, grant.client, allowed, audience, now, until)


def successor_of(token: str, secret: bytes) -> str:
    """Give the one refresh token that may follow `token`. `secret` is the gate's own.

    It is reckoned, not drawn: who comes again within the grace is given the same one, by any
    worker, though only digests are stored. So a family never has two ends, and where a thief and
    the client hold the same token, one of them soon comes too late.
    """
    mac = hmac.digest(secret, b"successor of a refresh token\0" + token.encode(), "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


def refreshable(store: Store, key: str, *, client: str, by: By, now: int) -> Refreshable:
    """Find a refresh token by its digest; ends the family of one that comes again too late.

    Raises `GrantRefused`.
    """
    held = store.tokens.find(key)
    if held is None or held.grant is None or held.of.kind is not TokenKind.REFRESH:
        raise GrantRefused(Reason.UNKNOWN)
    token, grant = held.of, held.grant
    if grant.client != client:
        raise GrantRefused(Reason.CLIENT)
    if _comes_too_late(token, now):
        _end_family(store, grant, "token.reused", by, now)
        raise GrantRefused(Reason.REUSED)
    return Refreshable(token, grant, _owner(held, grant, now))


def rotate(
    store: Store, found: Refreshable, successor: Token, access: Token, *, by: By, now: int
) -> None:
    """Put `successor` in a refresh token's place and store `access`.

    Within the grace it may come again, with the same successor. Raises `GrantRefused`.
    """
    key = found.token.key
    with store.transaction():
        refused = None
        if store.tokens.succeed(key, successor.key, now):
            store.tokens.put(successor, access)
        elif _follows(store.tokens.find(key), successor, now):
            store.tokens.put(access)
        else:
            refused = Reason.REUSED
            _end_family(store, found.grant, "token.reused", by, now)
    if refused:  # not inside: the exception would undo the revocation
        raise GrantRefused(refused)


def introspect(store: Store, key: str, *, now: int) -> Held[Token] | None:
    """Give a token that counts now, with its grant and its user; None for any other."""
    held = store.tokens.find(key)
    if held is None or held.of.replaced_at is not None or now >= held.of.until:
        return None
    if held.of.grant is None:
        return held
    return held if held.grant and _fault(held, held.grant, now) is None else None


def live_grant(store: Store, number: int, *, now: int) -> tuple[Grant, Identity] | None:
    """Give a grant that counts now, and who gave it; None for any other."""
    grant, owner = store.grants.owned(number) or (None, None)
    return (grant, owner) if grant and owner and not _ended(grant, owner, now) else None


def revoke_token(store: Store, key: str, *, client: str, by: By, now: int) -> bool:
    """Take back a client's own token: an access token alone, a refresh token with its family
    (RFC 7009, section 2.1). False if it has no such token."""
    held = store.tokens.find(key)
    if held is None or held.of.client != client:
        return False
    if held.of.kind is TokenKind.REFRESH and held.grant:
        with store.transaction():
            _end_family(store, held.grant, "grant.revoked", by, now)
        return True
    return store.tokens.delete(key)


def revoke_all(
    store: Store, *, subject: str | None = None, client: str | None = None, by: By, now: int
) -> int:
    """End all families of a user, of a client, or of both together, and what a client has for
    itself; give the number of families. Raises `ValueError` for neither."""
    where = {"subject": subject, "client": client}
    wanted = {name: value for name, value in where.items() if value is not None}
    if not wanted:
        raise ValueError("whose grants?")
    with store.transaction():
        ended = store.grants.revoke(now=now, **wanted)
        own = store.tokens.delete_own(client) if client is not None and subject is None else 0
        if ended or own:
            whose = ", ".join(f"{name} {value}" for name, value in wanted.items())
            note(
                store,
                by,
                "grants.revoked",
                f"{whose}: {ended} grants, {own} tokens of its own",
                now,
            )
    return ended


def _owner(held: Held[Code] | Held[Token], grant: Grant, now: int) -> Identity:
    """Give who gave a grant of which this is a part that counts now. Raises `GrantRefused`."""
    fault = _fault(held, grant, now)
    if fault or not held.owner:
        raise GrantRefused(fault or Reason.USER)
    return held.owner


def _fault(held: Held[Code] | Held[Token], grant: Grant, now: int) -> Reason | None:
    """Say why a code or token of a grant does not count now; None if it does."""
    if fault := _ended(grant, held.owner, now):
        return fault
    return Reason.STALE if now >= held.of.until else None


def _ended(grant: Grant, owner: Identity | None, now: int) -> Reason | None:
    """Say why a grant gives nothing now; None if it does."""
    if grant.revoked_at is not None:
        return Reason.REVOKED
    if now >= grant.until:
        return Reason.STALE
    return None if owner else Reason.USER


def _comes_too_late(token: Token, now: int) -> bool:
    return token.replaced_at is not None and now - token.replaced_at > GRACE


def _follows(held: Held[Token] | None, successor: Token, now: int) -> bool:
    """Whether `successor` is what has taken the token's place, not long ago."""
    if held is None or held.grant is None:
        return False
    same = hmac.compare_digest(held.of.successor.encode(), successor.key.encode())
    return same and not _comes_too_late(held.of, now) and held.grant.revoked_at is None


def _end_family(store: Store, grant: Grant, why: str, by: By, now: int) -> bool:
    """Revoke a grant and say so, once: whoever comes with a dead token again fills no log."""
    with store.transaction():
        ended = store.grants.revoke(now=now, number=grant.number) == 1
        if ended:
            told = f"client {grant.client}, user {grant.subject}, grant {grant.number}"
            note(store, by, why, told, now)
    return ended
