"""An import from its files to the store: all of it or nothing.

Strategy: read everything to a staging place; compare it with the store while others go on writing,
and drop what is the same already; then, in one transaction, compare the rest again and write it.
All that is wrong is told after the first two steps. In the third, only what somebody else did
meanwhile can be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ssogate.crypto import Sealer
from ssogate.directory.activity import By, note
from ssogate.directory.imports import records
from ssogate.directory.imports.job import Change, Job, Writer
from ssogate.directory.imports.people import Administrators, Members, Users
from ssogate.directory.imports.readers import Advance
from ssogate.directory.imports.records import RecordWriter
from ssogate.directory.imports.rows import KINDS
from ssogate.directory.imports.staging import Staged, Staging
from ssogate.directory.users import end_unwelcome
from ssogate.errors import Conflict
from ssogate.storage import Store


@dataclass(slots=True)
class Tally:
    """What becomes of the rows of one kind."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import did, or would do."""

    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """By kind, those of which there were rows."""
    kept_passwords: int = 0
    """Users who have another password than the import gives, and keep it."""

    def __bool__(self) -> bool:
        """Whether anything was stored."""
        return any(tally.new or tally.changed for tally in self.tallies.values())

    def __str__(self) -> str:
        return "; ".join(
            f"{kind}: {tally.new} new, {tally.changed} changed"
            for kind, tally in self.tallies.items()
            if tally.new or tally.changed
        )


class _DryRun(Exception):
    """Takes the transaction back."""


class Import:
    """Rows that were read, on their way into a store. `compare`, then `write`, once each."""

    def __init__(
        self,
        staging: Staging,
        store: Store,
        *,
        sealer: Sealer | None,
        replace_passwords: bool = False,
        now: int,
    ) -> None:
        job = self._job = Job(staging, store, sealer, replace_passwords, now)
        self._writers: dict[str, Writer] = {
            "users": Users(job),
            "accounts": RecordWriter(job, "accounts", store.accounts, records.accounts),
            "members": Members(job),
            "servers": RecordWriter(job, "servers", store.servers, records.servers),
            "services": RecordWriter(job, "services", store.services, records.services),
            "domains": RecordWriter(job, "domains", store.domains, records.domains),
            "administrators": Administrators(job),
        }
        self._tallies = {kind: Tally() for kind in KINDS}

    def compare(self, advance: Advance) -> None:
        """Drop the rows that say nothing new; tell `advance` how many more were compared.

        Raises `staging.Refused` with everything that is wrong with the data, and `StoreFailure`.
        """
        staging = self._job.staging
        for kind, writer in self._writers.items():
            for chunk in staging.waiting(kind):
                changes = writer.compare(chunk)
                staging.drop(self._unchanged(kind, chunk, changes))
                advance(len(chunk))
        staging.problems.check()

    def write(self, advance: Advance, *, dry_run: bool = False, by: By) -> Outcome:
        """Store what differs, and a line in the activity log; a dry run takes all of it back.

        Raises `staging.Refused` if the store has changed meanwhile, and `StoreFailure`; nothing
        is written then.
        """
        outcome = Outcome(
            {kind: tally for kind, tally in self._tallies.items() if self._job.staging.has(kind)},
            self._job.kept_passwords,
        )
        if self._job.staging.count():
            with suppress(_DryRun), self._job.store.transaction():
                self._write(advance)
                note(self._job.store, by, "import.done", str(outcome), self._job.now)
                if dry_run:
                    raise _DryRun
        return outcome

    def _write(self, advance: Advance) -> None:
        staging, store = self._job.staging, self._job.store
        for kind, writer in self._writers.items():
            for chunk in staging.waiting(kind):
                changes = writer.compare(chunk)
                self._check(changes)
                try:
                    writer.write(changes)
                except Conflict as error:
                    self._job.wrong(chunk[0], "", f"in this row or one soon after: {error}")
                    staging.problems.check()
                self._unchanged(kind, chunk, changes)
                self._count(kind, changes)
                advance(len(chunk))
        for number in self._job.closed:
            members = store.memberships.listed(account=number)
            end_unwelcome(store, [member.subject for member in members])

    def _check(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.new is None:
                gone = "what it refers to was deleted a moment ago: try again"
                self._job.wrong(change.staged, "", gone)
        self._job.staging.problems.check()

    def _unchanged(
        self, kind: str, chunk: Sequence[Staged], changes: Sequence[Change]
    ) -> list[Staged]:
        differing = {change.staged.number for change in changes}
        same = [staged for staged in chunk if staged.number not in differing]
        self._tallies[kind].unchanged += len(same)
        return same

    def _count(self, kind: str, changes: Sequence[Change]) -> None:
        tally = self._tallies[kind]
        new = sum(change.old is None for change in changes)
        tally.new += new
        tally.changed += len(changes) - new
