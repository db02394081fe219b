"""Users as WHMCS sees them: a first name, a last name, and an e-mail address to sign in with.

A user here has one name: what stands behind its last space is the last name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ssogate.api.call import Parameters, Refused
from ssogate.crypto import hash_password
from ssogate.directory import By, add_user, note
from ssogate.directory.users import judge_password
from ssogate.model import Identity, User
from ssogate.names import canonical_email, canonical_name
from ssogate.storage import Store

TAKEN = "A user already exists with that email address"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who may become a user."""

    name: str
    email: str
    hashed: str = field(repr=False)
    """The password's hash; empty for none."""

    def add(self, store: Store, *, by: By, now: int) -> User:
        """Make the user; the e-mail address is the user name. To be called in a transaction."""
        if store.users.get(canonical_name(self.email)) or store.users.by_email(self.email):
            raise Refused(TAKEN)
        added = add_user(store, self.email, name=self.name, email=self.email, by=by, now=now)
        subject = added.identity.subject
        if self.hashed:
            store.secrets.set_password(subject, self.hashed, now)
            note(store, by, "user.password-set", f"user {added.identity.canonical}", now)
        return store.users.of(subject) or added  # with the number that it was given


def newcomer(
    asked: Parameters, needed: Mapping[str, str], bad_email: str, *, minimum: int
) -> Newcomer:
    """Read who is to be added. `needed` are parameters, with what is said where one lacks.

    Raises `Refused`, and `ValueError` for a password that must not be taken. Hashes the password,
    which takes a tenth of a second: call it outside of a transaction.
    """
    for name, message in needed.items():
        if not asked.text(name).strip():
            raise Refused(message)
    email, password = asked.text("email").strip(), asked.text("password2")
    name = f"{asked.text('firstname').strip()} {asked.text('lastname').strip()}".strip()
    judge_email(email, bad_email)
    if not password:
        return Newcomer(name, email, "")
    judge_password(Identity("", email, email, name, email), password, minimum=minimum)
    return Newcomer(name, email, hash_password(password))


def judge_email(text: str, message: str) -> None:
    """Raise `Refused` with this message for what is no e-mail address."""
    try:
        canonical_email(text)
    except ValueError:
        raise Refused(message) from None


def names(user: User | None) -> tuple[str, str]:
    """Give the first name and the last name."""
    if user is None:
        return "", ""
    first, _, last = user.identity.name.rpartition(" ")
    return (first, last) if first else (last, "")


def begins(search: str, *texts: str) -> bool:
    """Whether one of the texts begins with what is searched, in any case; nothing is in all."""
    return any(text.casefold().startswith(search.casefold()) for text in texts)
