"""What the writers of all kinds work with, and the changes that they hand over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ssogate.crypto import Sealer
from ssogate.directory.imports.rows import KINDS
from ssogate.directory.imports.staging import Staged, Staging
from ssogate.model import User
from ssogate.names import canonical_name
from ssogate.storage import Store

SOURCE = ""  # imported users are an operator's own


@dataclass(slots=True)
class Job:
    """One import: where its rows wait, and where they go."""

    staging: Staging
    store: Store
    sealer: Sealer | None
    replace_passwords: bool
    now: int
    kept_passwords: int = 0
    """Users whose stored password differs from the import's and stays."""
    closed: set[int] = field(default_factory=set)
    """Accounts whose members may have become unwelcome."""

    def wrong(self, staged: Staged, where: str, message: str) -> None:
        self.staging.problems.add(staged.row.problem(where, message))

    def lacks(self, staged: Staged, old: object) -> bool:
        """Whether a row of something new says too little of it; that is told."""
        kind = KINDS[staged.row.kind]
        missing = [name for name in kind.new if old is None and name not in staged.fields]
        for name in missing:
            self.wrong(staged, name, "is missing, and nothing of this id is known yet")
        return bool(missing)


@dataclass(frozen=True, slots=True)
class Change:
    """A row that differs from what is stored."""

    staged: Staged
    old: Any = None
    """None: it is new."""
    new: Any = None
    """None: it refers to what the same import brings, and cannot be made yet."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What is kept apart from the record: password hashes, texts to be sealed."""


class Writer(Protocol):
    """How one kind of row is compared and stored; some 1000 rows at a time."""

    def compare(self, chunk: Sequence[Staged]) -> list[Change]:
        """Give what differs from the store; what is wrong goes to the job's problems."""

    def write(self, changes: Sequence[Change]) -> None:
        """Store it. Raises `Conflict`."""


class People:
    """Finds the users whom rows name, by the id of an import or by user name."""

    def __init__(self, job: Job, words: Iterable[str]) -> None:
        self._staging = job.staging
        self._names = {word: _comparable(word) for word in words}
        self._by_id = job.store.users.known(SOURCE, [*self._names])
        self._by_name = job.store.users.named({*self._names.values()} - {""})

    def find(self, word: str) -> tuple[str, User | None]:
        """Give a key that is the same for every way to name the user, and the user; None if the
        same import brings him. Raises `ValueError`, in words, for nobody and for two."""
        keys = {*self._keys_by_id(word), *self._keys_by_name(self._names[word])}
        if not keys:
            raise ValueError("there is no user of this id or name")
        if len(keys) > 1:
            raise ValueError("this is the id of one user and the name of another")
        return keys.pop(), self._by_id.get(word) or self._by_name.get(self._names[word])

    def _keys_by_id(self, word: str) -> Iterable[str]:
        if word in self._by_id or self._staging.claimed("users", word) is not None:
            yield f"id {word}"

    def _keys_by_name(self, name: str) -> Iterable[str]:
        staged, user = self._staging.claimed("usernames", name), self._by_name.get(name)
        if staged is not None:
            yield f"id {staged}"
        elif user is not None:
            imported = user.source == SOURCE and user.external_id
            yield f"id {imported}" if imported else f"subject {user.identity.subject}"


def _comparable(word: str) -> str:
    try:
        return canonical_name(word)
    except ValueError:
        return ""
