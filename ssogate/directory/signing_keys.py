"""The keys that sign tokens: made when there is none, followed by another with age, sealed at rest.

Strategy: a new key is published for a while before it signs, and stays published for a while after
the next one does, so that neither another worker nor a client that keeps a copy of the published
keys meets a token whose key it cannot know. So who rotates keys need not tell anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

from ssogate.crypto import Sealer
from ssogate.crypto.jwk import Algorithm, PublicKey, SigningKey, generate, jwks, load, pem
from ssogate.directory.activity import By, note
from ssogate.errors import Conflict
from ssogate.model import Clock, SealedKey
from ssogate.storage import Store

REREAD = 5  # seconds for which a worker believes what it read
RIPENS = 60  # seconds for which a key is published before it signs

GATE = By("gate", "")


class KeyState(StrEnum):
    """What a published key is there for."""

    SIGNING = "signing"
    NEXT = "next"
    RETIRING = "retiring"
    """Tokens that it signed may still be out."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What one reading of the store found."""

    read_at: float
    sealed: Sequence[SealedKey] = ()
    keys: Sequence[SigningKey] = field(default=(), repr=False)
    jwks: bytes = b""


@dataclass(slots=True)
class SigningKeys:
    """The keys for `algorithms`. Another one is made after `lifetime` seconds; the one before it is
    published for `overlap` seconds more. Raises `StoreFailure`, and `SealBroken` where the store
    has a key that no sealing key opens. Threads may share it."""

    store: Store
    sealer: Sealer
    clock: Clock
    algorithms: tuple[Algorithm, ...]
    lifetime: float
    overlap: float
    _known: _Known = field(default=_Known(-REREAD), init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def signing(self, alg: Algorithm) -> SigningKey:
        """Give the key that signs by this algorithm now."""
        known = self._fresh()
        kid = signing_kid(known.sealed, alg, self.overlap, self.clock())
        return next(key for key in known.keys if key.kid == kid)

    def public(self) -> tuple[PublicKey, ...]:
        """Give the keys that tokens of ours may be signed by."""
        return tuple(key.public for key in self._fresh().keys)

    def jwks(self) -> bytes:
        """Give the document that publishes them."""
        return self._fresh().jwks

    def _fresh(self) -> _Known:
        """Give what is known: all of it of one reading, whatever other threads do."""
        known = self._known
        # A clock that was set back makes it stale, too.
        if 0 <= self.clock() - known.read_at < REREAD:
            return known
        with self._lock:
            if self._known is known:  # nobody has been faster
                self._known = self._read()
            return self._known

    def _read(self) -> _Known:
        now = self.clock()
        sealed = self.store.sealed_keys.published(int(now))
        for alg in self.algorithms:
            made = _made(sealed, alg)
            if made is None or now - made >= self.lifetime:
                rotate(
                    self.store, self.sealer, alg, self.overlap, by=GATE, now=int(now), after=made
                )
                sealed = self.store.sealed_keys.published(int(now))
        loaded = {key.kid: key for key in self._known.keys}  # to load a key takes 40 ms
        keys = [loaded.get(it.kid) or _opened(self.sealer, it) for it in sealed]
        return _Known(now, sealed, keys, jwks(key.public for key in keys))


ALWAYS = -1
"""Whenever the newest key was made."""


def rotate(
    store: Store,
    sealer: Sealer,
    alg: Algorithm,
    overlap: float,
    *,
    by: By,
    now: int,
    after: int | None = ALWAYS,
) -> SigningKey | None:
    """Make another key of an algorithm, and let those before it be published no longer than
    `overlap` seconds after it signs. None, and nothing is done, if the one before was not made
    `after` this time (None: if there is one): another worker has been faster.
    """
    drawn = generate(alg)  # outside the lock that writers queue for: it takes a tenth of a second
    with store.transaction():
        before = store.sealed_keys.published(now)
        if after not in (ALWAYS, _made(before, alg)):
            return None
        for old in _lasting(before, alg):
            store.sealed_keys.retire(old.kid, now + RIPENS + int(overlap))
        sealed = sealer.seal(pem(drawn), context=sealing_context(drawn.kid))
        store.sealed_keys.put(SealedKey(drawn.kid, alg, sealed, now))
        note(store, by, "signing-key.made", f"{alg} {drawn.kid}", now)
    return drawn


def drop(
    store: Store,
    sealer: Sealer,
    kid: str,
    algorithms: Collection[Algorithm],
    overlap: float,
    *,
    by: By,
    now: int,
) -> None:
    """Forget a key that somebody has stolen, and let another one of its algorithm sign, if that is
    one of `algorithms`: workers follow within `REREAD` seconds, and whatever the key has signed is
    no longer believed. Raises `Conflict` if there is no such key."""
    with store.transaction():
        found = [key for key in store.sealed_keys.published(now) if key.kid == kid]
        if not (found and store.sealed_keys.delete(kid)):
            raise Conflict(f"there is no signing key {kid[:80]!a}")
        note(store, by, "signing-key.dropped", f"{found[0].alg} {kid}", now)
        left = store.sealed_keys.published(now)
        for alg in algorithms:
            if alg == found[0].alg and not _lasting(left, alg):
                rotate(store, sealer, alg, overlap, by=by, now=now)


def states(
    keys: Sequence[SealedKey], overlap: float, now: float
) -> list[tuple[SealedKey, KeyState]]:
    """Say what each published key is there for."""
    signing = {signing_kid(keys, alg, overlap, now) for alg in {key.alg for key in keys}}

    def state(key: SealedKey) -> KeyState:
        if key.kid in signing:
            return KeyState.SIGNING
        return KeyState.NEXT if key.retires_at is None else KeyState.RETIRING

    return [(key, state(key)) for key in keys]


def signing_kid(keys: Iterable[SealedKey], alg: str, overlap: float, now: float) -> str:
    """Give the newest that everybody can know by now, and that stays published for as long as its
    tokens count; where there is none, the oldest that stays. There must be one of the kind."""
    of_kind = sorted((it for it in keys if it.alg == alg), key=_age)
    staying = [it for it in of_kind if it.retires_at is None or it.retires_at >= now + overlap]
    ripe = [it for it in staying if it.created_at + RIPENS <= now]
    return (ripe[-1:] or staying or of_kind)[0].kid


def sealing_context(kid: str) -> str:
    """Give what a sealed key is bound to."""
    return f"signing-key:{kid}"


def _age(key: SealedKey) -> tuple[int, bool]:
    """Of two that were made in the same second, the one that is to retire was first."""
    return key.created_at, key.retires_at is None


def _lasting(keys: Iterable[SealedKey], alg: str) -> list[SealedKey]:
    """Give those that are not to retire: one, once there is any."""
    return [it for it in keys if it.alg == alg and it.retires_at is None]


def _made(keys: Iterable[SealedKey], alg: str) -> int | None:
    """Give when the newest one was made that is not to retire."""
    return max((it.created_at for it in _lasting(keys, alg)), default=None)


def _opened(sealer: Sealer, sealed: SealedKey) -> SigningKey:
    return load(sealer.open(sealed.sealed, context=sealing_context(sealed.kid)))
