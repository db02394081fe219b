"""Files that are brought into a store, in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ssogate.crypto import Sealer
from ssogate.directory import By
from ssogate.directory.imports import Import, Outcome, Refused, Staging, Tally, sources
from ssogate.storage import Store
from tests.storage.making import NOW

SEALER = Sealer([b"0123456789abcdef0123456789abcdef"])
BY = By("cli:tests")


@dataclass
class Desk:
    """A folder whose files go into a store."""

    folder: Path
    store: Store
    sealer: Sealer | None = SEALER
    now: int = NOW
    steps: list[int] = field(default_factory=list)
    """What each step of the import was told to have advanced, added up."""

    def bring(
        self,
        files: Mapping[str, str | bytes],
        *,
        kind: str = "",
        dry_run: bool = False,
        replace_passwords: bool = False,
    ) -> Outcome:
        """Write the files, in place of earlier ones, and import the folder."""
        for old in self.folder.iterdir():
            old.unlink()
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (self.folder / name).write_bytes(data)
        self.steps = [0, 0, 0]
        with Staging() as staging:
            staging.read(sources([self.folder], kind), self._advance(0))
            task = Import(
                staging,
                self.store,
                sealer=self.sealer,
                replace_passwords=replace_passwords,
                now=self.now,
            )
            task.compare(self._advance(1))
            return task.write(self._advance(2), dry_run=dry_run, by=BY)

    def counts(self, files: Mapping[str, str | bytes]) -> dict[str, tuple[int, int, int]]:
        """Import; give what was new, changed and unchanged."""
        return counts(self.bring(files))

    def refused(self, files: Mapping[str, str | bytes], kind: str = "") -> list[str]:
        """Import what must be refused; give the problems. Nothing may be written."""
        before = everything(self.store)
        try:
            self.bring(files, kind=kind)
        except Refused as refused:
            assert everything(self.store) == before
            return [str(p).removeprefix(f"{self.folder}/") for p in refused.problems]
        raise AssertionError("it was taken")

    def _advance(self, step: int) -> Callable[[int], None]:
        def advance(more: int) -> None:
            self.steps[step] += more

        return advance


def counts(outcome: Outcome) -> dict[str, tuple[int, int, int]]:
    return {kind: _counted(tally) for kind, tally in outcome.tallies.items()}


def _counted(tally: Tally) -> tuple[int, int, int]:
    return tally.new, tally.changed, tally.unchanged


def everything(store: Store) -> list[object]:
    """All that an import could write, as it stands."""
    users = [*store.users.listed()]
    return [
        users,
        [store.secrets.password(user.identity.subject) for user in users],
        [*store.accounts.listed()],
        store.memberships.listed(),
        [*store.servers.listed()],
        [*store.services.listed()],
        [*store.domains.listed()],
        store.administrators.listed(),
        [*store.activity.listed()],
        [record.key for record, _ in store.sessions.listed()],
    ]
