"""Users as WHMCS sees them: a first name, a last name, and an e-mail address to sign in with.

A user here has one name: what stands behind its last space is the last name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ssogate.api.call import Parameters, Refused
from ssogate.directory import By, add_user, note
from ssogate.directory.users import API_SOURCE, judge_password
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
        judge_free(store, self.email)
        added = add_user(
            store,
            self.email,
            name=self.name,
            email=self.email,
            source=API_SOURCE,
            by=by,
            now=now,
        )
        subject = added.identity.subject
        if self.hashed:
            store.secrets.set_password(subject, self.hashed, now)
            note(store, by, "user.password-set", f"user {added.identity.canonical}", now)
        return store.users.of(subject) or added  # with the number that it was given


@dataclass(frozen=True, slots=True)
class NewPasswords:
    """How new passwords are taken: of so many characters at least, and hashed in turn, for a hash
    takes a tenth of a second and 64 MiB. `hashed` raises `SignInBusy`."""

    minimum: int
    hashed: Callable[[str], str]


def newcomer(
    asked: Parameters, needed: Mapping[str, str], bad_email: str, passwords: NewPasswords
) -> Newcomer:
    """Read who is to be added. `needed` are parameters, with what is said where one lacks.

    Raises `Refused`, `SignInBusy`, and `ValueError` for a password that must not be taken. To be
    called outside of a transaction: it hashes the password.
    """
    for name, message in needed.items():
        if not asked.text(name).strip():
            raise Refused(message)
    email, password = asked.text("email").strip(), asked.text("password2")
    name = f"{asked.text('firstname').strip()} {asked.text('lastname').strip()}".strip()
    judge_email(email, bad_email)
    if not password:
        return Newcomer(name, email, "")
    judge_password(Identity("", email, email, name, email), password, minimum=passwords.minimum)
    return Newcomer(name, email, passwords.hashed(password))


def judge_free(store: Store, email: str, subject: str = "") -> None:
    """Raise `Refused` if anybody but the user with this subject has an address already, or a user
    name that reads like it: sign-in finds people by both."""
    holders = [*store.users.with_email(email)]
    if (named := store.users.get(canonical_name(email))) is not None:
        holders.append(named)
    if any(holder.identity.subject != subject for holder in holders):
        raise Refused(TAKEN)


def is_changeable(store: Store, user: User) -> bool:
    """Whether a program may change a user: an operator's, or one that a program made; but nobody
    who runs the gate."""
    known_here = user.source in ("", API_SOURCE)
    return known_here and store.administrators.get(user.identity.subject) is None


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
