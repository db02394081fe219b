"""How accounts, services, servers, clients and their like are kept: one way for all of them.

Each write checks the record, stores it, ends the sessions of whoever is not welcome any more and
writes a line of the activity log, all in one transaction. Raises `ValueError` for a bad field,
`Conflict` for a record that contradicts another one, both in words for an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ssogate.directory.activity import By, difference, note
from ssogate.directory.users import end_unwelcome, shutting_out
from ssogate.errors import Conflict
from ssogate.model import Account, ApiCredential, ApiRole, Client, Domain, Server, Service
from ssogate.storage import Records, Store

R = TypeVar("R", Account, ApiCredential, ApiRole, Client, Domain, Server, Service)


def _nobody(store: Store, number: int) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Kind(Generic[R]):
    """What there is to know of a kind of record. Read and write records of it by these methods."""

    noun: str
    table: Callable[[Store], Records[R]]
    called: Callable[[R], str]
    """What a record is called beside its number."""
    checked: Callable[[Store, R, int], R]
    """Give a record as it may be stored at a time. Raises `ValueError` or `Conflict`."""
    verb: Callable[[R, R], str] = lambda old, new: "changed"
    """What a change is to be called in the activity log."""
    people: Callable[[Store, int], Iterable[str]] = _nobody
    """The users whose welcome may hang on a record."""

    def known(self, store: Store, number: int) -> R:
        """Give a record. Raises `Conflict` if there is none."""
        record = self.table(store).get(number)
        if record is None:
            raise Conflict(f"there is no {self.noun} {number}")
        return record

    def name(self, record: R) -> str:
        """What a record is called in messages."""
        return f"{self.noun} {record.number} ({self.called(record)})"

    def add(self, store: Store, record: R, *, by: By, now: int) -> R:
        """Store a new record and give it with its number; the one it comes with does not count."""
        with store.transaction():
            drawn = self.checked(store, replace(record, number=0), now)
            added = self.table(store).add(drawn)
            note(store, by, f"{self.noun}.added", self.name(added), now)
        return added

    def change(self, store: Store, number: int, how: Callable[[R], R], *, by: By, now: int) -> R:
        """Give and store what `how` makes of a record, as nobody else can change it meanwhile."""
        with store.transaction():
            old = self.known(store, number)
            new = self.checked(store, replace(how(old), number=number), now)
            told = difference(old, new)
            if not told:
                return old
            self.table(store).update(new)
            end_unwelcome(store, self.people(store, number))
            action = f"{self.noun}.{self.verb(old, new)}"
            note(store, by, action, f"{self.name(new)}: {told}", now)
        return new

    def delete(self, store: Store, number: int, *, by: By, now: int) -> R:
        """Forget a record and what belongs to it; give what it was."""
        with store.transaction():
            record = self.known(store, number)
            with shutting_out(store, [*self.people(store, number)], by=by, now=now):
                self.table(store).delete(number)
            note(store, by, f"{self.noun}.deleted", self.name(record), now)
        return record
