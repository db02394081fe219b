"""Users, and what they may do for clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ssogate.api.answers import moment
from ssogate.api.call import Answer, Call, Function, Parameters, Refused, page
from ssogate.api.people import (
    NewPasswords,
    begins,
    is_changeable,
    judge_email,
    judge_free,
    names,
    newcomer,
)
from ssogate.directory import change_user
from ssogate.directory.accounts import set_member
from ssogate.model import Membership, Permission, User
from ssogate.storage import Store

_WANTED = {
    "firstname": "You did not enter a first name",
    "lastname": "You did not enter a last name",
    "email": "You did not enter an email address",
    "password2": "You did not enter a password",
}
_BAD_EMAIL = "The email address entered is not valid"
_NOTHING = "One of `email`, `firstname`, `lastname`, or `language` is required"


@dataclass(frozen=True, slots=True)
class Users:
    store: Store
    passwords: NewPasswords

    def functions(self) -> Mapping[str, Function]:
        return {
            "AddUser": self.add,
            "GetUsers": self.list_all,
            "UpdateUser": self.update,
            "GetPermissionsList": self.list_permissions,
            "GetUserPermissions": self.permissions,
            "UpdateUserPermissions": self.set_permissions,
        }

    def add(self, call: Call) -> Answer:
        person = newcomer(call.parameters, _WANTED, _BAD_EMAIL, self.passwords)
        with self.store.transaction():
            added = person.add(self.store, by=call.by, now=call.now)
        return {"user_id": added.number}

    def list_all(self, call: Call) -> Answer:
        search = call.parameters.text("search")

        found = page(
            call.parameters,
            lambda: (
                user
                for user in self.store.users.listed()
                if begins(search, user.identity.email, user.identity.name, names(user)[1])
            ),
            self._shown,
        )
        return {**found.counts, "users": found.records}

    def update(self, call: Call) -> Answer:
        asked = call.parameters
        named = [name for name in ("firstname", "lastname", "email") if asked.text(name).strip()]
        if not named and not asked.text("language"):
            raise Refused(_NOTHING)
        with self.store.transaction():
            user = self._changeable(asked.number("user_id"))
            first, last = names(user)
            first, last = asked.text("firstname").strip() or first, asked.text("lastname") or last
            change_user(
                self.store,
                user.identity.canonical,
                name=f"{first} {last.strip()}".strip(),
                email=self._free(asked, user) if "email" in named else None,
                by=call.by,
                now=call.now,
            )
        return {"user_id": user.number}

    def list_permissions(self, call: Call) -> Answer:
        return {"permissions": {"permission": [*Permission]}}

    def permissions(self, call: Call) -> Answer:
        membership = self._membership(call.parameters)
        may = [permission for permission in Permission if membership.may(permission)]
        return {"permissions": {"permission": may}}

    def set_permissions(self, call: Call) -> Answer:
        asked = call.parameters
        with self.store.transaction():
            membership = self._membership(asked)
            if membership.owner:
                raise Refused("Permissions cannot be set on a client owner")
            if "permissions" not in asked:
                raise Refused("Missing permissions definition")
            chosen = frozenset(map(_permission, filter(None, asked.text("permissions").split(","))))
            changed = replace(membership, permissions=chosen)
            set_member(self.store, changed, by=call.by, now=call.now)
        return {}

    def _changeable(self, number: int | None) -> User:
        user = self.store.users.numbered(number or 0)
        if user is None or not is_changeable(self.store, user):
            raise Refused("Invalid User ID requested")
        return user

    def _free(self, asked: Parameters, user: User) -> str:
        email = asked.text("email").strip()
        judge_email(email, _BAD_EMAIL)
        judge_free(self.store, email, user.identity.subject)
        return email

    def _membership(self, asked: Parameters) -> Membership:
        user = self.store.users.numbered(asked.number("user_id") or 0)
        if user is None:
            raise Refused("Invalid user id")
        client = asked.number("client_id") or 0
        if self.store.accounts.get(client) is None:
            raise Refused("Invalid client id")
        membership = self.store.memberships.get(client, user.identity.subject)
        if membership is None:
            raise Refused("User is not associated with client")
        return membership

    def _shown(self, user: User) -> Answer:
        first, last = names(user)
        members = self.store.memberships.listed(subject=user.identity.subject)
        return {
            "id": user.number,
            "firstname": first,
            "lastname": last,
            "email": user.identity.email,
            "datecreated": moment(user.created_at),
            "validationdata": "",
            "clients": [{"id": member.account, "isOwner": member.owner} for member in members],
        }


def _permission(text: str) -> Permission:
    try:
        return Permission(text.strip())
    except ValueError:
        raise Refused(f'Invalid permission "{text[:80]}"') from None
