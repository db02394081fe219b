"""Devices without a browser (RFC 8628): a device shows a short code, a person types it where they
are signed in, and the device, which has a long one, learns of it when it asks again.

Strategy: one ticket by the device's code, one by the person's that leads to it. Whoever answers
takes the person's, whoever redeems takes the device's; each can be taken once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ssogate.crypto.random_secrets import digest
from ssogate.directory.activity import By, note
from ssogate.directory.grants import live_grant
from ssogate.model import Grant, Identity, Ticket
from ssogate.storage import Store

LIFETIME = 600  # seconds that a person has
INTERVAL = 5  # seconds between two questions of a device

# RFC 8628, section 6.1: twenty consonants, so that no words arise and nothing looks like another.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH = 8  # 34 bits: enough where a person may guess only a few times

_DEVICE, _PERSON = "device", "device_user"
# An ended one is known for a while, so that the device hears "expired" and not "no such code".
_KNOWN = 300  # seconds


class Answer(StrEnum):
    """What a device is told instead of a token (RFC 8628, section 3.5)."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"
    UNKNOWN = "invalid_grant"


class NotYet(Exception):
    """No token now, and why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer))
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Wish:
    """What a device asks for."""

    key: str
    """The digest of the device's code."""
    client: str
    scopes: frozenset[str]
    resources: tuple[str, ...]
    until: int


def user_code(choose: Callable[[str], str]) -> str:
    """Draw a code for people to type; `choose` picks a letter as `secrets.choice` does."""
    return "".join(choose(LETTERS) for _ in range(LENGTH))


def typed_code(text: str) -> str:
    """Give the code in what somebody typed: case and what is no letter of ours do not count
    (RFC 8628, section 6.1). Empty if it cannot be one."""
    code = "".join(letter for letter in text[:100].upper() if letter in LETTERS)
    return code if len(code) == LENGTH else ""


def shown(code: str) -> str:
    """Give a code as it is shown: in two halves."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def begin(store: Store, wish: Wish, code: str) -> None:
    """Store a wish, to be found by what the person types. Nothing is lost with it."""
    person = Ticket(_person_key(code), _PERSON, "", wish.key, wish.until)
    with store.transaction(durable=False):
        store.tickets.put(_ticket(wish), person)


def wished(store: Store, typed: str, *, now: int) -> Wish | None:
    """Find what waits for this code, however it is spelt; None if nothing does."""
    person = store.tickets.get(_person_key(typed), _PERSON)
    ticket = store.tickets.get(person.data, _DEVICE) if person else None
    wish = _wish(ticket) if ticket else None
    return wish if wish and now < wish.until else None


def approve(store: Store, typed: str, grant: Grant, *, by: By, now: int) -> bool:
    """Let the device have what it wished for, as `grant` says; False if it waits no more."""
    with store.transaction():
        wish = _answered(store, typed, now)
        if wish is None:
            return False
        given = store.grants.add(grant)
        store.tickets.put(_ticket(wish, grant=given.number))
        note(store, by, "device.approved", f"client {wish.client}", now)
    return True


def deny(store: Store, typed: str, *, by: By, now: int) -> bool:
    """Let the device have nothing; False if it waits no more."""
    with store.transaction():
        wish = _answered(store, typed, now)
        if wish is None:
            return False
        store.tickets.put(_ticket(wish, denied=True))
        note(store, by, "device.denied", f"client {wish.client}", now)
    return True


def poll(store: Store, key: str, *, client: str, now: int) -> tuple[Grant, Identity]:
    """Give what was granted to the device with the code of this digest, if it counts now, and by
    whom. Spends nothing: see `spend`. Raises `NotYet`."""
    ticket = store.tickets.get(key, _DEVICE)
    wish = _wish(ticket) if ticket else None
    if ticket is None or wish is None or wish.client != client:
        raise NotYet(Answer.UNKNOWN)
    if now >= wish.until:
        raise NotYet(Answer.EXPIRED)
    if store.counters.count(f"device:{key}", now=now, window=INTERVAL) > 1:
        raise NotYet(Answer.SLOW_DOWN)
    state = json.loads(ticket.data)
    if state["denied"]:
        raise NotYet(Answer.DENIED)
    if not state["grant"]:
        raise NotYet(Answer.PENDING)
    granted = live_grant(store, state["grant"], now=now)
    if granted is None:
        raise NotYet(Answer.UNKNOWN)
    return granted


def spend(store: Store, key: str, grant: Grant, *, now: int) -> bool:
    """Use up a device's code; True exactly once, and only if what was granted by it counts still.
    Call it in the transaction that stores the tokens."""
    taken = store.tickets.take(key, _DEVICE)
    return taken is not None and live_grant(store, grant.number, now=now) is not None


def _answered(store: Store, typed: str, now: int) -> Wish | None:
    """Take the person's code and the device's wish, to be stored anew."""
    person = store.tickets.take(_person_key(typed), _PERSON)
    ticket = store.tickets.take(person.data, _DEVICE) if person else None
    wish = _wish(ticket) if ticket else None
    return wish if wish and now < wish.until else None


def _person_key(typed: str) -> str:
    return digest(f"device code {typed_code(typed)}")


def _ticket(wish: Wish, *, grant: int = 0, denied: bool = False) -> Ticket:
    data = {
        "client": wish.client,
        "scopes": sorted(wish.scopes),
        "resources": wish.resources,
        "until": wish.until,
        "grant": grant,
        "denied": denied,
    }
    return Ticket(wish.key, _DEVICE, "", json.dumps(data), wish.until + _KNOWN)


def _wish(ticket: Ticket) -> Wish:
    data = json.loads(ticket.data)
    scopes, resources = frozenset(data["scopes"]), tuple(data["resources"])
    return Wish(ticket.key, data["client"], scopes, resources, data["until"])
