"""Clients, which are accounts here. Addresses, currencies and the like are not kept; a call that
brings them is answered as if they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from ssogate.api.answers import moment
from ssogate.api.call import Answer, Call, Function, Parameters, Refused, page
from ssogate.api.people import NewPasswords, begins, judge_email, names, newcomer
from ssogate.directory import ACCOUNTS, SERVICES
from ssogate.directory.accounts import set_member
from ssogate.directory.sso_tokens import owner_of, set_single_sign_on
from ssogate.directory.users import API_SOURCE
from ssogate.model import Account, AccountStatus, Membership, ServiceStatus, User
from ssogate.storage import Store

_WANTED = {
    "firstname": "You did not enter your first name",
    "lastname": "You did not enter your last name",
    "email": "You did not enter your email address",
}
_BAD_EMAIL = "The email address you entered was not valid"
_NO_OWNER = "Invalid owner_user_id"
_OF_ADMINISTRATOR = "The client has an administrator among its users: only an operator may end it"
_STATUSES = {status.lower(): status for status in AccountStatus}
# What becomes of a closed client's services; the others are over already.
_ENDED = {
    ServiceStatus.PENDING: ServiceStatus.CANCELLED,
    ServiceStatus.ACTIVE: ServiceStatus.TERMINATED,
    ServiceStatus.SUSPENDED: ServiceStatus.TERMINATED,
}


@dataclass(frozen=True, slots=True)
class Clients:
    store: Store
    passwords: NewPasswords

    def functions(self) -> Mapping[str, Function]:
        return {
            "AddClient": self.add,
            "GetClients": self.list_all,
            "GetClientsDetails": self.details,
            "UpdateClient": self.update,
            "CloseClient": self.close,
            "DeleteClient": self.delete,
        }

    def add(self, call: Call) -> Answer:
        """With `owner_user_id` the client is that user's, else a new one's."""
        asked, by, now = call.parameters, call.by, call.now
        wanted = {"email": _WANTED["email"]} if asked.flag("skipvalidation") else _WANTED
        owner = asked.number("owner_user_id")
        person = newcomer(asked, wanted, _BAD_EMAIL, self.passwords)
        company = asked.text("companyname").strip() or person.name or person.email
        drawn = Account(0, company, person.email, AccountStatus.ACTIVE, True, 0, 0)
        with self.store.transaction():
            user = (
                self._owner(owner) if owner is not None else person.add(self.store, by=by, now=now)
            )
            account = ACCOUNTS.add(self.store, drawn, by=by, now=now)
            owning = Membership(account.number, user.identity.subject, owner=True)
            set_member(self.store, owning, by=by, now=now)
        return {"clientid": account.number, "owner_user_id": user.number}

    def list_all(self, call: Call) -> Answer:
        asked = call.parameters
        where = {"status": _status(asked)} if asked.text("status") else {}
        search = asked.text("search")

        found = page(
            asked,
            lambda: (
                account
                for account in self.store.accounts.listed(**where)
                if begins(search, account.email, account.company)
            ),
            self._shown,
        )
        return {**found.counts, "clients": {"client": found.records}}

    def details(self, call: Call) -> Answer:
        asked = call.parameters
        if not (asked.text("clientid") or asked.text("email")):
            raise Refused("Either clientid Or email Is Required")
        account = self._found(asked, "email", "Client Not Found")
        owner, members = owner_of(self.store, account), self._members(account)
        first, last = names(owner)
        client = {
            **self._shown(account),
            "client_id": account.number,
            "userid": account.number,
            "owner_user_id": owner.number if owner else 0,
            "fullname": f"{first} {last}".strip(),
            "phonenumber": "",
            "twofaenabled": bool(
                owner and self.store.secrets.second_factor(owner.identity.subject)
            ),
            "allowSingleSignOn": int(account.allow_single_sign_on),
            "users": {"user": members},
        }
        return {**client, "client": client}  # WHMCS has them at the top, too, for old callers

    def update(self, call: Call) -> Answer:
        """Change company name, e-mail address, status and the switch `allowSingleSignOn`."""
        asked, by, now = call.parameters, call.by, call.now
        if asked.text("password2"):
            raise Refused("A password is its user's, and is not changed by this action")
        new, switch = _changes(asked), asked.flag("allowsinglesignon")
        with self.store.transaction():
            number = self._found(asked, "clientemail").number
            if new.get("status") is AccountStatus.CLOSED:
                self._refuse_administrators(number)
            ACCOUNTS.change(self.store, number, lambda old: replace(old, **new), by=by, now=now)
            if switch is not None:
                set_single_sign_on(self.store, number, switch, by=by, now=now)
        return {"clientid": str(number)}

    def close(self, call: Call) -> Answer:
        """Close the client: nobody comes in for it any more, and its services are over."""
        by, now = call.by, call.now
        with self.store.transaction():
            number = self._found(call.parameters).number
            self._refuse_administrators(number)
            closed = partial(replace, status=AccountStatus.CLOSED)
            ACCOUNTS.change(self.store, number, closed, by=by, now=now)
            for service in [*self.store.services.listed(account=number)]:
                if status := _ENDED.get(service.status):
                    ended = partial(replace, status=status)
                    SERVICES.change(self.store, service.number, ended, by=by, now=now)
        return {"clientid": number}

    def delete(self, call: Call) -> Answer:
        with self.store.transaction():
            number = self._found(call.parameters).number
            self._refuse_administrators(number)
            ACCOUNTS.delete(self.store, number, by=call.by, now=call.now)
        return {"clientid": number}

    def _found(
        self, asked: Parameters, email: str = "", message: str = "Client ID Not Found"
    ) -> Account:
        """Find by number, or else by an e-mail address that one client alone has."""
        number = asked.number("clientid")
        if number is not None:
            account = self.store.accounts.get(number)
        else:
            address = asked.text(email) if email else ""
            having = [*islice(self.store.accounts.listed(email=address), 2)] if address else []
            account = having[0] if len(having) == 1 else None
        if account is None:
            raise Refused(message)
        return account

    def _owner(self, number: int) -> User:
        """Give a user who may own a further client.

        Tokens are made for owners, so nobody is made one who had no account to do with, or who is
        kept out: an administrator, somebody not welcome, or the owner of a switch that is off.
        """
        user = self.store.users.numbered(number)
        if user is None or not user.welcome:
            raise Refused(_NO_OWNER)
        subject = user.identity.subject
        theirs = self.store.memberships.listed(subject=subject)
        owned = [self.store.accounts.get(member.account) for member in theirs if member.owner]
        switched_off = any(account and not account.allow_single_sign_on for account in owned)
        unknown = not theirs and user.source != API_SOURCE
        if unknown or switched_off or self.store.administrators.get(subject):
            raise Refused(_NO_OWNER)
        return user

    def _refuse_administrators(self, number: int) -> None:
        """Raise `Refused` if closing a client could shut out who runs the gate."""
        members = self.store.memberships.listed(account=number)
        if any(self.store.administrators.get(member.subject) for member in members):
            raise Refused(_OF_ADMINISTRATOR)

    def _shown(self, account: Account) -> dict[str, object]:
        first, last = names(owner_of(self.store, account))
        return {
            "id": account.number,
            "firstname": first,
            "lastname": last,
            "companyname": account.company,
            "email": account.email,
            "datecreated": moment(account.created_at).partition(" ")[0],
            "groupid": 0,
            "status": str(account.status),
        }

    def _members(self, account: Account) -> list[Answer]:
        members = self.store.memberships.listed(account=account.number)
        users = ((member, self.store.users.of(member.subject)) for member in members)
        return [
            {
                "id": user.number,
                "name": user.identity.name,
                "email": user.identity.email,
                "is_owner": member.owner,
            }
            for member, user in users
            if user
        ]


def _changes(asked: Parameters) -> dict[str, Any]:
    new: dict[str, Any] = {}
    if asked.text("companyname").strip():
        new["company"] = asked.text("companyname")
    if asked.text("email"):
        new["email"] = asked.text("email").strip()
        judge_email(new["email"], _BAD_EMAIL)
    if asked.text("status"):
        new["status"] = _status(asked)
    return new


def _status(asked: Parameters) -> AccountStatus:
    try:
        return _STATUSES[asked.text("status").lower()]
    except KeyError:
        raise Refused("Invalid Status") from None
