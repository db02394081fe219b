"""Wrong guesses are counted, so that nobody can try out passwords, or lock their owner out.

Of each person from each network, of each network (of IPv6: the /64 and the /48), and of each
person: the last one stops many networks that guess together. A browser in which the person signed
in before is counted by itself alone, so strangers' guesses never stop it (OWASP, "Slow Down Online
Guessing Attacks with Device Cookies"). Of a program that asks for somebody nobody knows where that
one is: such guesses count by person alone. Right guesses count, too, up to a high number. The store
counts, so all processes share the numbers; keys are hashes, without names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING

from ssogate.directory.activity import By, note
from ssogate.errors import TooManyTries
from ssogate.http import environ as env
from ssogate.http.cookies import session_key, session_token
from ssogate.model import Address, Clock, User
from ssogate.names import canonical_email, canonical_name
from ssogate.storage import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many wrong guesses in so many seconds."""

    by: str
    most: int
    window: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Of guesses of one kind."""

    what: str
    device: Limit
    pair: Limit
    programs: Limit
    network: Limit
    wide_network: Limit
    person: Limit
    right: Limit
    """Of right guesses: whoever has one account must not keep everybody else waiting with it."""


_QUARTER, _HOUR = 15 * 60, 60 * 60
_DEVICE = Limit("person and device", 10, _QUARTER)
_PAIR = Limit("person and network", 10, _QUARTER)
_PROGRAMS = Limit("person, by programs", 10, _QUARTER)
_NETWORK = Limit("network", 50, _QUARTER)
_WIDE = Limit("IPv6 /48", 500, _QUARTER)
_RIGHT = Limit("person, right", 60, _QUARTER)

_OF_A_PERSON = Limit("person", 50, _HOUR)
PASSWORDS = Limits("password", _DEVICE, _PAIR, _PROGRAMS, _NETWORK, _WIDE, _OF_A_PERSON, _RIGHT)
# Three codes of a million are right at any time: with fifty an hour, one guess a year would be.
_A_PERSONS_CODES = Limit("person", 10, _HOUR)
CODES = Limits("code", _DEVICE, _PAIR, _PROGRAMS, _NETWORK, _WIDE, _A_PERSONS_CODES, _RIGHT)


@dataclass(frozen=True, slots=True)
class Counter:
    """A limit of somebody: its key in the store."""

    limit: Limit
    key: str


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess that may be made. It counts as a wrong one of its own counter until it is `right`,
    so that many at once are not more than one after another."""

    store: Store = field(repr=False)
    clock: Clock
    own: Counter
    number: int
    """Which guess of `own` it is."""
    shared: tuple[Counter, ...]
    passed: Counter
    """Of right guesses."""
    about: str
    """What is guessed, for the log."""
    client: str

    def wrong(self) -> None:
        """Count it. What reaches a limit by it is noted in the activity log, once a window.

        Those who wait for their turn at hashing meanwhile were let in already: a shared limit may
        be passed by as many as `Pace` lets wait.
        """
        now = int(self.clock())
        counters = self.store.counters
        with self.store.transaction():
            numbers = [(self.own.limit, self.number)]
            for counter in self.shared:
                limit = counter.limit
                numbers.append((limit, counters.count(counter.key, now=now, window=limit.window)))
            for limit, number in numbers:
                if number == limit.most:
                    self._note(limit, now)

    def right(self) -> None:
        """Forget the wrong guesses before it, those of this browser or network at this person."""
        self.store.counters.reset(self.own.key)
        window = self.passed.limit.window
        self.store.counters.count(self.passed.key, now=int(self.clock()), window=window)

    def withdraw(self) -> None:
        """Do not count it: nobody has looked at it."""
        self.store.counters.take_back(self.own.key)

    def _note(self, limit: Limit, now: int) -> None:
        text = f"{limit.most} wrong guesses in {limit.window // 60} minutes, by {limit.by}"
        by = By("gate", self.client)
        note(self.store, by, "sign-in.throttled", f"{text}; the last: {self.about}", now)


@dataclass(frozen=True, slots=True)
class Throttle:
    """Lets guesses begin. `device_cookie` names the cookie by which a browser is known again."""

    store: Store
    clock: Clock
    device_cookie: str

    def begin(
        self, limits: Limits, user: User | None, environ: WSGIEnvironment | None, *, typed: str = ""
    ) -> Guess:
        """Let a guess be made, or raise `TooManyTries`. `environ` is the guesser's request; None
        for a program that asks for somebody.

        `user` is whose secret is guessed; None for nobody known, called as `typed`. All spellings
        of a user share a count, a name nobody has counts like one, and the right guess is refused
        as a wrong one is: who guesses learns nothing from it.
        """
        now = int(self.clock())
        # Not what was typed: people type passwords into the wrong field.
        about = f"{limits.what} of {user.identity.canonical if user else 'nobody known'}"
        person = f"user {user.identity.subject}" if user else f"name {_folded(typed)}"
        own, *shared = self._counters(limits, user, person, environ)
        passed = _counter(limits.what, limits.right, person)
        # Read first, so that a refused guess writes nothing; counted after, so that many at once
        # are no more.
        for counter in (own, *shared, passed):
            if self.store.counters.read(counter.key, now=now) >= counter.limit.most:
                raise TooManyTries(f"{about}, by {counter.limit.by}")
        number = self.store.counters.count(own.key, now=now, window=own.limit.window)
        if number > own.limit.most:
            raise TooManyTries(f"{about}, by {own.limit.by}")
        client = env.address(environ) if environ else ""
        return Guess(self.store, self.clock, own, number, tuple(shared), passed, about, client)

    def device(self, user: User | None, environ: WSGIEnvironment | None) -> str:
        """Give the token by which the visitor's browser is known as one of the user's; empty for
        any other browser, whatever it sends, and for programs."""
        if environ is None:
            return ""
        token = session_token(environ.get("HTTP_COOKIE", ""), self.device_cookie)
        if token is None or user is None:
            return ""
        known = self.store.secrets.knows_device(user.identity.subject, session_key(token))
        return token if known else ""

    def _counters(
        self, limits: Limits, user: User | None, person: str, environ: WSGIEnvironment | None
    ) -> tuple[Counter, ...]:
        """Give what a guess counts for, its own counter first."""
        of_person = _counter(limits.what, limits.person, person)
        if environ is None:
            return (_counter(limits.what, limits.programs, person), of_person)
        device = self.device(user, environ)
        if device:
            return (_counter(limits.what, limits.device, person, session_key(device)),)
        client = env.client(environ)
        network = network_of(client)
        return (
            _counter(limits.what, limits.pair, person, network),
            _counter(limits.what, limits.network, network),
            *_wide_networks(limits, client),
            of_person,
        )


def network_of(client: Address | None) -> str:
    """Give what one guesser can easily have: an IPv4 address, or the /64 of an IPv6 address.

    A wider IPv4 network would punish neighbours; every IPv6 line has at least a /64 to itself.
    """
    if isinstance(client, IPv6Address):
        return str(ip_network((client, 64), strict=False))
    return str(client or "no address")


def _wide_networks(limits: Limits, client: Address | None) -> tuple[Counter, ...]:
    """Give the counter of an IPv6 visitor's /48, which many providers give to a single customer."""
    if not isinstance(client, IPv6Address):
        return ()
    return (
        _counter(limits.what, limits.wide_network, str(ip_network((client, 48), strict=False))),
    )


def _counter(what: str, limit: Limit, *whose: str) -> Counter:
    text = "\n".join(("guesses", what, limit.by, *whose))
    return Counter(limit, sha256(text.encode(errors="replace")).hexdigest())


def _folded(typed: str) -> str:
    try:
        return canonical_email(typed) if "@" in typed else canonical_name(typed)
    except ValueError:  # nobody can have such a name
        return typed
