"""How accounts, servers, services and domains are compared and stored: one writer for the four,
and for each a function that makes a record of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from ssogate.crypto import SealBroken
from ssogate.directory import sealing
from ssogate.directory.imports.job import Change, Job
from ssogate.directory.imports.rows import KINDS
from ssogate.directory.imports.staging import Staged
from ssogate.directory.servers import SERVERS
from ssogate.errors import Conflict
from ssogate.model import (
    Access,
    Account,
    AccountStatus,
    Domain,
    DomainStatus,
    Server,
    Service,
    ServiceStatus,
)
from ssogate.storage import Records

R = TypeVar("R", Account, Server, Service, Domain)
F = TypeVar("F", Account, Server)

Make = Callable[[Staged, R | None], R | None]
"""Makes the record that a row asks for, of what is stored; None: what it refers to is to come."""


class Wrong(Exception):
    """A field that contradicts another record."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


class RecordWriter(Generic[R]):
    """Compares and stores the rows of one kind."""

    def __init__(
        self,
        job: Job,
        kind: str,
        table: Records[R],
        maker: Callable[[Job, Sequence[Staged]], Make[R]],
    ) -> None:
        self._job, self._kind = job, kind
        self._table: Records[R] = table
        self._maker: Callable[[Job, Sequence[Staged]], Make[R]] = maker

    def compare(self, chunk: Sequence[Staged]) -> list[Change]:
        known = self._table.known([staged.id for staged in chunk])
        make = self._maker(self._job, chunk)
        changes = []
        for staged in chunk:
            old = known.get(staged.id)
            if self._job.lacks(staged, old):
                continue
            try:
                new, secrets = make(staged, old), self._secrets(staged, old)
            except Wrong as error:
                self._job.wrong(staged, error.where, str(error))
                continue
            if new is None or new != old or secrets:
                changes.append(Change(staged, old, new, secrets))
        return changes

    def _secrets(self, staged: Staged, old: R | None) -> dict[str, str]:
        """Give the secrets that are not the stored ones."""
        names = KINDS[self._kind].secrets
        given = {name: text for name in names if (text := staged.fields.get(name))}
        if given and self._job.sealer is None:
            advice = "gateway.yaml has no sealing_keys: add one, since this is kept sealed"
            raise Wrong(next(iter(given)), advice)
        return {name: text for name, text in given.items() if self._opened(old, name) != text}

    def _opened(self, record: R | None, name: str) -> str | None:
        sealed = getattr(record, f"sealed_{name}", "")
        if not (sealed and record and self._job.sealer):
            return None
        try:
            return self._job.sealer.open(sealed, context=self._context(record, name))
        except SealBroken:
            return None

    def _context(self, record: R, name: str) -> str:
        return sealing.context(self._kind.removesuffix("s"), record.number, name)

    def write(self, changes: Sequence[Change]) -> None:
        added = [change for change in changes if change.old is None]
        self._table.add_all([change.new for change in added])
        updated = [self._sealed(change, change.new) for change in changes if change.old is not None]
        # What is sealed is bound to the record's number, which the store has just given.
        late = [change for change in added if change.secrets]
        numbered = self._table.known([change.staged.id for change in late]) if late else {}
        updated += [self._sealed(change, numbered[change.staged.id]) for change in late]
        self._table.update_all(updated)
        self._job.closed |= {change.new.number for change in changes if _closes(change)}

    def _sealed(self, change: Change, record: R) -> R:
        if self._job.sealer is None:
            return record
        seal = self._job.sealer.seal
        sealed: dict[str, Any] = {
            f"sealed_{name}": seal(text, context=self._context(record, name))
            for name, text in change.secrets.items()
        }
        return replace(record, **sealed)


def _closes(change: Change) -> bool:
    closed = AccountStatus.CLOSED
    both = isinstance(change.new, Account) and isinstance(change.old, Account)
    return both and change.new.status is closed and change.old.status is not closed


def _given(staged: Staged, *apart: str) -> dict[str, Any]:
    """The fields that are the record's own."""
    apart = ("id", *apart, *KINDS[staged.row.kind].secrets)
    return {name: value for name, value in staged.fields.items() if name not in apart}


def _referred(staged: Staged, where: str, known: Mapping[str, F], job: Job) -> F | None:
    """Find what a row refers to; None if the same import brings it."""
    word = staged.fields[where]
    found = known.get(word)
    if found is None and job.staging.claimed(f"{where}s", word) is None:
        raise Wrong(where, f"there is no {where} of this id")
    return found


def _words(chunk: Iterable[Staged], name: str) -> set[str]:
    return {word for staged in chunk if (word := staged.fields.get(name))}


def accounts(job: Job, _: Sequence[Staged]) -> Make[Account]:
    def make(staged: Staged, old: Account | None) -> Account:
        blank = Account(0, "", "", AccountStatus.ACTIVE, True, job.now, job.now, staged.id)
        new = replace(old or blank, **_given(staged))
        return new if new == old else replace(new, updated_at=job.now)

    return make


def servers(job: Job, _: Sequence[Staged]) -> Make[Server]:
    def make(staged: Staged, old: Server | None) -> Server:
        blank = Server(0, "", "", (), external_id=staged.id)
        new = replace(old or blank, **_given(staged), **_access(staged))
        _check_name(job, staged, new)
        try:
            return SERVERS.checked(job.store, new, job.now)
        except (ValueError, Conflict) as error:
            raise Wrong("", str(error)) from None

    return make


def _access(staged: Staged) -> dict[str, Any]:
    """What is said of role groups must not stay without effect."""
    access, groups = staged.fields.get("access"), staged.fields.get("role_groups")
    if access is Access.UNRESTRICTED and groups:
        raise Wrong("access", "the server has role groups: write restricted, or leave them out")
    if access is Access.UNRESTRICTED:
        return {"role_groups": frozenset()}
    return {"access": Access.RESTRICTED} if groups and access is None else {}


def _check_name(job: Job, staged: Staged, new: Server) -> None:
    place = job.staging.claim("server names", new.name, staged.number)
    if place:
        raise Wrong("name", f"stands at {place} already")
    holder = next(iter(job.store.servers.listed(name=new.name)), None)
    if holder is None or holder.external_id == staged.id:
        return
    # Where the same import may rename the holder, the store says whether it fits.
    if not holder.external_id or job.staging.claimed("servers", holder.external_id) is None:
        raise Wrong("name", f"is the name of server {holder.number}")


def services(job: Job, chunk: Sequence[Staged]) -> Make[Service]:
    known_accounts = job.store.accounts.known(_words(chunk, "account"))
    known_servers = job.store.servers.known(_words(chunk, "server"))

    def make(staged: Staged, old: Service | None) -> Service | None:
        new = old or Service(0, 0, "", ServiceStatus.PENDING, external_id=staged.id)
        new = replace(new, **_given(staged, "account", "server"))
        if "account" in staged.fields:
            account = _referred(staged, "account", known_accounts, job)
            if account is None:
                return None
            new = replace(new, account=account.number)
        if staged.fields.get("server"):
            server = _referred(staged, "server", known_servers, job)
            if server is None:
                return None
            return _on(server, replace(new, server=server.number))
        if "server" in staged.fields:
            return replace(new, server=None)
        stored = job.store.servers.get(new.server) if new.server else None
        return _on(stored, new) if stored else new

    return make


def _on(server: Server, service: Service) -> Service:
    """A service on a server is run by the server's module: another would be given its secrets."""
    if service.module not in ("", server.module):
        raise Wrong("module", f"its server has the module {server.module}")
    return replace(service, module=server.module)


def domains(job: Job, chunk: Sequence[Staged]) -> Make[Domain]:
    known = job.store.accounts.known(_words(chunk, "account"))

    def make(staged: Staged, old: Domain | None) -> Domain | None:
        new = old or Domain(0, 0, "", DomainStatus.PENDING, staged.id)
        new = replace(new, **_given(staged, "account"))
        if "account" not in staged.fields:
            return new
        account = _referred(staged, "account", known, job)
        return replace(new, account=account.number) if account else None

    return make
