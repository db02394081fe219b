"""How users, members and administrators are compared and stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from ssogate.directory.imports.job import SOURCE, Change, Job, People
from ssogate.directory.imports.staging import Staged
from ssogate.model import Account, AccountStatus, Administrator, Identity, Membership, User
from ssogate.names import canonical_name

_IDENTITY = ("username", "name", "email", "groups")


@dataclass(frozen=True, slots=True)
class Users:
    """A name never moves from one user to another: whoever exports a list might have let its
    people choose the operator's name."""

    job: Job

    def compare(self, chunk: Sequence[Staged]) -> list[Change]:
        users = self.job.store.users
        known = users.known(SOURCE, [staged.id for staged in chunk])
        names = {staged.number: _canonical(staged) for staged in chunk}
        named = users.named({*names.values()} - {""})
        return [
            change
            for staged in chunk
            for name in [names[staged.number]]
            if (change := self._change(staged, known.get(staged.id), name, named.get(name)))
        ]

    def _change(
        self, staged: Staged, old: User | None, canonical: str, holder: User | None
    ) -> Change | None:
        if self.job.lacks(staged, old) or not self._may_have(canonical, staged, old, holder):
            return None
        values = {name: staged.fields[name] for name in _IDENTITY if name in staged.fields}
        secrets, now = self._password(staged, old), self.job.now
        if old is None:
            identity = Identity(str(uuid4()), canonical=canonical, **values)
            active = staged.fields.get("active", True)
            return Change(
                staged, None, User(identity, active, SOURCE, now, now, staged.id), secrets
            )
        active = staged.fields.get("active", old.active)
        new = replace(old, identity=replace(old.identity, **values), active=active)
        if new == old and not secrets:
            return None
        return Change(staged, old, replace(new, updated_at=now), secrets)

    def _may_have(
        self, canonical: str, staged: Staged, old: User | None, holder: User | None
    ) -> bool:
        """Whether the user of a row may have its name, which `holder` has now; if not, it is
        told."""
        if old and canonical not in ("", old.identity.canonical):
            message = "the user of this id has another name, and names do not change"
        elif holder and (old is None or holder.identity.subject != old.identity.subject):
            message = f"belongs to a user {_origin(holder)}"
        else:
            return True
        self.job.wrong(staged, "username", message)
        return False

    def _password(self, staged: Staged, old: User | None) -> dict[str, str]:
        """Give the hash to store. One that is there already may be newer than the import: it is
        changed at the first sign-in, and whenever the user wants."""
        hashed = staged.fields.get("password_hash")
        if not hashed:
            return {}
        stored = self.job.store.secrets.password(old.identity.subject) if old else ""
        if stored in ("", hashed) or self.job.replace_passwords:
            return {} if stored == hashed else {"password_hash": hashed}
        self.job.kept_passwords += 1
        return {}

    def write(self, changes: Sequence[Change]) -> None:
        store, now = self.job.store, self.job.now
        store.users.add_all([change.new for change in changes if change.old is None])
        store.users.update_all([change.new for change in changes if change.old is not None])
        hashes = {
            change.new.identity.subject: change.secrets["password_hash"]
            for change in changes
            if change.secrets
        }
        store.secrets.set_passwords(hashes, now)
        for change in changes:
            if change.old is not None and (change.secrets or not change.new.active):
                store.sessions.delete_subject(change.new.identity.subject)


def _origin(user: User) -> str:
    if user.source:
        return f"that came by {user.source!r}: only that source changes it"
    if user.external_id:
        return f"whose id is {user.external_id!r}"
    return "that an operator added: rename or delete one of them"


def _canonical(staged: Staged) -> str:
    return canonical_name(staged.fields["username"]) if "username" in staged.fields else ""


@dataclass(frozen=True, slots=True)
class Members:
    job: Job

    def compare(self, chunk: Sequence[Staged]) -> list[Change]:
        accounts = self.job.store.accounts.known({staged.fields["account"] for staged in chunk})
        people = People(self.job, (staged.fields["user"] for staged in chunk))
        changes = [
            change
            for staged in chunk
            for change in self._changes(staged, accounts.get(staged.fields["account"]), people)
        ]
        closed = {one.number for one in accounts.values() if one.status is AccountStatus.CLOSED}
        self.job.closed |= closed & {change.new.account for change in changes if change.new}
        return changes

    def _changes(self, staged: Staged, account: Account | None, people: People) -> Iterator[Change]:
        external_id = staged.fields["account"]
        if account is None and self.job.staging.claimed("accounts", external_id) is None:
            self.job.wrong(staged, "account", "there is no account of this id")
            return
        try:
            key, user = people.find(staged.fields["user"])
        except ValueError as error:
            self.job.wrong(staged, "user", str(error))
            return
        self._claim(staged, external_id, key)
        if account is None or user is None:
            yield Change(staged)
            return
        subject = user.identity.subject
        old = self.job.store.memberships.get(account.number, subject)
        new = replace(old or Membership(account.number, subject), **_rest(staged))
        if new != old:
            yield Change(staged, old, new)

    def _claim(self, staged: Staged, account: str, user: str) -> None:
        # No id holds a line break.
        place = self.job.staging.claim("members", f"{account}\n{user}", staged.number)
        if place:
            self.job.wrong(staged, "user", f"is told to be the account's member at {place} already")
        if staged.fields.get("owner"):
            place = self.job.staging.claim("owners", account, staged.number)
            if place:
                self.job.wrong(staged, "owner", f"the account has another owner at {place}")

    def write(self, changes: Sequence[Change]) -> None:
        # The new owner last: a member of whom only permissions are told may be the old one.
        for change in sorted(changes, key=lambda change: bool(change.staged.fields.get("owner"))):
            self.job.store.memberships.put(change.new)


def _rest(staged: Staged) -> dict[str, Any]:
    return {name: staged.fields[name] for name in ("owner", "permissions") if name in staged.fields}


@dataclass(frozen=True, slots=True)
class Administrators:
    job: Job

    def compare(self, chunk: Sequence[Staged]) -> list[Change]:
        people = People(self.job, (staged.fields["user"] for staged in chunk))
        return [change for staged in chunk if (change := self._change(staged, people))]

    def _change(self, staged: Staged, people: People) -> Change | None:
        try:
            key, user = people.find(staged.fields["user"])
        except ValueError as error:
            self.job.wrong(staged, "user", str(error))
            return None
        place = self.job.staging.claim("administrators", key, staged.number)
        if place:
            self.job.wrong(staged, "user", f"is told to be an administrator at {place} already")
        if user is None:
            return Change(staged)
        subject = user.identity.subject
        old = self.job.store.administrators.get(subject)
        known = old or Administrator(subject, frozenset(), self.job.now)
        new = replace(known, role_groups=staged.fields.get("role_groups", known.role_groups))
        return None if new == old else Change(staged, old, new)

    def write(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.job.store.administrators.put(change.new)
            if change.old is None:  # another method than the password may have opened them
                self.job.store.sessions.delete_subject(change.new.subject)
