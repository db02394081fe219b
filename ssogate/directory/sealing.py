"""Sealed values and their keys: which are sealed by an older key, and sealing them anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ssogate.crypto import SealBroken, Sealer
from ssogate.directory.activity import By, note
from ssogate.directory.second_factor import sealing_context
from ssogate.directory.signing_keys import sealing_context as signing_key_context
from ssogate.storage import Records, Store


def context(noun: str, number: int, what: str) -> str:
    """Give what a record's sealed secret is bound to, such as `server:3:password`."""
    return f"{noun}:{number}:{what}"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value as it is stored, and how to store it anew."""

    context: str
    """What it is bound to, such as `server:3:password`."""
    sealed: str
    keep: Callable[[str], object]


def sealed_values(store: Store) -> Iterator[Sealed]:
    """Give every sealed value there is."""
    for server in store.servers.listed():
        for what in ("password", "access_hash"):
            name = f"sealed_{what}"
            keep = partial(_keep, store.servers, server.number, name)
            yield Sealed(context("server", server.number, what), getattr(server, name), keep)
    for service in store.services.listed():
        keep = partial(_keep, store.services, service.number, "sealed_password")
        yield Sealed(context("service", service.number, "password"), service.sealed_password, keep)
    for subject, sealed in store.secrets.second_factors().items():
        keep_factor = partial(store.secrets.reseal_second_factor, subject)
        yield Sealed(sealing_context(subject), sealed, keep_factor)
    for key in store.sealed_keys.published(0):
        keep_key = partial(store.sealed_keys.reseal, key.kid)
        yield Sealed(signing_key_context(key.kid), key.sealed, keep_key)


def _keep(records: Records[Any], number: int, field: str, sealed: str) -> None:
    record = records.get(number)
    if record is not None:
        records.update(replace(record, **{field: sealed}))


@dataclass(frozen=True, slots=True)
class Census:
    """How many values are sealed by the newest key, how many by an older one, and the contexts of
    those that no key opens."""

    current: int = 0
    older: int = 0
    broken: tuple[str, ...] = ()


def census(store: Store, sealer: Sealer) -> Census:
    """Count the sealed values."""
    found = Census()
    for value in sealed_values(store):
        if not value.sealed:
            continue
        try:
            sealer.open(value.sealed, context=value.context)
        except SealBroken:
            found = replace(found, broken=(*found.broken, value.context))
            continue
        if sealer.is_current(value.sealed):
            found = replace(found, current=found.current + 1)
        else:
            found = replace(found, older=found.older + 1)
    return found


def reseal(store: Store, sealer: Sealer, *, by: By, now: int) -> int:
    """Seal everything with the newest key; give how many values that were sealed by another one.

    Raises `SealBroken`, and changes nothing, if a value cannot be opened.
    """
    renewed = 0
    with store.transaction():
        for value in list(sealed_values(store)):
            if value.sealed and not sealer.is_current(value.sealed):
                text = sealer.open(value.sealed, context=value.context)
                value.keep(sealer.seal(text, context=value.context))
                renewed += 1
        note(store, by, "keys.resealed", f"{renewed} values sealed with the newest key", now)
    return renewed
