"""CreateSsoToken, and ValidateLogin for programs that have a sign-in form of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ssogate.api.call import Answer, Call, Function, Parameters, Refused
from ssogate.directory.destinations import BASE_SCOPE, SCOPES, BadDestination, Destinations
from ssogate.directory.sso_tokens import Reason, TokenRefused, provision, redemption_url
from ssogate.errors import AccountInactive, WrongPassword
from ssogate.model import Account, AccountStatus, LocalPath, Standing, User
from ssogate.names import canonical_name
from ssogate.storage import Store

CheckPassword = Callable[[str, str], str]
"""Judges a name or e-mail address and a password as the sign-in page does, counted by person; gives
the user name. Raises `WrongPassword`, `AccountInactive`, `TooManyTries`, `SignInBusy`."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """`origin` is the site's scheme, host and port; `new_token` gives 40 random hex digits."""

    store: Store
    destinations: Destinations
    origin: str
    new_token: Callable[[], str] = field(repr=False)
    check_password: CheckPassword | None
    """None where nobody has a password here."""

    def functions(self) -> Mapping[str, Function]:
        return {"CreateSsoToken": self.create, "ValidateLogin": self.validate_login}

    def create(self, call: Call) -> Answer:
        standing = self._whom(call.parameters)
        scope, service, domain, target = self._where(call)
        try:
            token = provision(
                self.store,
                standing,
                scope=scope,
                service=service,
                domain=domain,
                target=target,
                new_token=self.new_token,
                by=call.by,
                now=call.now,
            )
        except TokenRefused as error:
            if error.reason is Reason.SWITCHED_OFF:
                raise Refused(f"SSO authentication blocked for client {error.account}") from error
            raise _unprovisioned(error) from error
        return {"access_token": token, "redirect_url": redemption_url(self.origin, token)}

    def validate_login(self, call: Call) -> Answer:
        wrong = Refused("Email or Password Invalid")
        email, password = call.parameters.text("email"), call.parameters.text("password2")
        if self.check_password is None or not email:
            raise wrong
        try:
            name = self.check_password(email, password)
        except (WrongPassword, AccountInactive) as error:
            raise wrong from error
        user = self.store.users.get(canonical_name(name))
        if user is None:  # somebody of a legacy source, who has not been here yet: without a number
            raise wrong
        second = self.store.secrets.second_factor(user.identity.subject)
        return {"userid": user.number, "twoFactorEnabled": second != ""}

    def _whom(self, asked: Parameters) -> Standing:
        client, number = asked.number("client_id"), asked.number("user_id")
        if client is None and number is None:
            raise Refused("A valid client_id or user_id is required")
        owner = self.store.memberships.owner(client) if client is not None else None
        if client is not None and owner is None:
            raise Refused("Invalid client_id")
        if number is not None:
            return self._user(number, owner.account if owner else None)
        if owner is None or owner.user is None:
            raise _unprovisioned("the client has no owner")
        return owner

    def _user(self, number: int, account: Account | None) -> Standing:
        user = self.store.users.numbered(number)
        if user is None:
            raise Refused("Invalid user_id")
        account, subject = account or self._account_of(user), user.identity.subject
        standing = self.store.memberships.standing(account.number, subject) if account else None
        if standing is None or standing.membership is None:
            raise Refused("Invalid user_id for client")
        return standing

    def _account_of(self, user: User) -> Account | None:
        """One that is open, and the user's own, if there is such a one."""
        members = self.store.memberships.listed(subject=user.identity.subject)
        members.sort(key=lambda member: not member.owner)
        accounts = [it for member in members if (it := self.store.accounts.get(member.account))]
        return min(accounts, key=lambda it: it.status is AccountStatus.CLOSED, default=None)

    def _where(self, call: Call) -> tuple[str, int | None, int | None, LocalPath]:
        asked, allowed = call.parameters, call.credential.scopes
        scope = asked.text("destination")
        chosen = scope or BASE_SCOPE
        if chosen not in SCOPES or (allowed and chosen not in {*allowed, BASE_SCOPE}):
            raise Refused("Invalid destination")
        service, domain = asked.number("service_id"), asked.number("domain_id")
        path = asked.text("sso_redirect_path")
        try:
            target = self.destinations.target(
                scope, service=service, domain=domain, redirect_path=path
            )
        except BadDestination as error:
            raise _unprovisioned(error) from error
        return scope, service, domain, target


def _unprovisioned(why: object) -> Refused:
    return Refused(f"Token could not be provisioned: {why}")
