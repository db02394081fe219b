"""My account: who I am, for whom I may act, where I am signed in, and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from ssogate.crypto import Sealer
from ssogate.http import environ as env
from ssogate.http.fields import fields
from ssogate.http.pages import page, redirect
from ssogate.http.same_origin import check_same_origin
from ssogate.model import (
    Account,
    Clock,
    Endpoint,
    Listed,
    PersonalPage,
    Reply,
    SessionRecord,
    SignOut,
    Visitor,
)
from ssogate.portal.door import (
    ACCOUNT,
    PASSWORD,
    SECOND_FACTOR,
    SESSIONS,
    SIGN_OUT,
    SWITCH,
    Passwords,
)
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response


@dataclass(frozen=True, slots=True)
class Row:
    """A session, as the page shows it."""

    key_id: str
    method_label: str
    opened: str
    seen: str
    current: bool


@dataclass(frozen=True, slots=True)
class AccountPage:
    """`labels` says what people read of a login method, by its name; `idle` is the seconds after
    which an unused session has ended."""

    store: Store
    clock: Clock
    idle: float
    labels: Mapping[str, str]
    passwords: Passwords | None
    sealer: Sealer | None
    services_url: str = ""
    """Where a visitor's services are listed; empty where there are none."""
    servers_url: str = ""
    """Where administrators find their servers."""
    applications_url: str = ""
    """Where the applications are listed that a visitor has let in; empty where there are none."""
    credentials_url: str = ""
    """Where administrators keep the credentials of applications."""

    def pages(self) -> Mapping[str, PersonalPage]:
        return {ACCOUNT: self.show, SESSIONS: self.end}

    def show(self, request: Request, visitor: Visitor) -> Response:
        subject = visitor.user.identity.subject
        administers = self.store.administrators.get(subject) is not None
        return page(
            request.environ,
            "account.html",
            user=visitor.user.identity,
            accounts=self._accounts(subject),
            switch_url=SWITCH,
            services_url=self.services_url,
            servers_url=self.servers_url if administers else "",
            applications_url=self.applications_url,
            credentials_url=self.credentials_url if administers else "",
            sessions=[self._row(record, visitor) for record in self._live(subject)],
            action_sessions=SESSIONS,
            can_change_password=bool(self.passwords and self.store.secrets.password(subject)),
            password_url=PASSWORD,
            totp_state=totp_state(self.store, self.passwords, self.sealer, visitor),
            totp_url=SECOND_FACTOR,
            recovery_left=self.store.secrets.recovery_codes(subject),
            sign_out_url=SIGN_OUT,
        )

    def end(self, request: Request, visitor: Visitor) -> Reply:
        """End one session, or all but this one."""
        if request.method != "POST":
            return redirect(ACCOUNT)
        (which,) = fields(request, "end")
        subject, own = visitor.user.identity.subject, visitor.session.record.key
        keys = frozenset(
            record.key
            for record, _ in self.store.sessions.listed(subject)
            if (record.key != own if which == "others" else key_id(record.key) == which)
        )
        return SignOut(redirect(ACCOUNT), Listed(subject, keys))

    def _accounts(self, subject: str) -> list[tuple[Account, bool]]:
        """Give those for whom somebody may act, each with whether it is his or her own."""
        members = self.store.memberships.listed(subject=subject)
        found = ((self.store.accounts.get(member.account), member.owner) for member in members)
        return [(account, owner) for account, owner in found if account]

    def _live(self, subject: str) -> list[SessionRecord]:
        now = self.clock()
        return [
            record
            for record, _ in self.store.sessions.listed(subject)
            if now < record.expires_at and now - record.seen_at < self.idle
        ]

    def _row(self, record: SessionRecord, visitor: Visitor) -> Row:
        return Row(
            key_id=key_id(record.key),
            method_label=self.labels.get(record.method, record.method),
            opened=_moment(record.opened_at),
            seen=_moment(record.seen_at),
            current=record.key == visitor.session.record.key,
        )


@dataclass(frozen=True, slots=True)
class SignOutPage:
    """The way out. `signed_out` is where a visitor goes then."""

    signed_out: str
    public_port: int | None = None

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {SIGN_OUT: self}

    def __call__(self, request: Request) -> Reply:
        if request.method != "POST":  # a link or an image must not sign anybody out
            return redirect(ACCOUNT if env.session(request.environ) else self.signed_out)
        check_same_origin(request.environ, public_port=self.public_port)
        return SignOut(redirect(self.signed_out))


def totp_state(
    store: Store, passwords: Passwords | None, sealer: Sealer | None, visitor: Visitor
) -> str:
    """Give "on", "off", or "unavailable": without sealing keys, and for people who have no
    password, for whom it would not be a second one."""
    if store.secrets.second_factor(visitor.user.identity.subject):
        return "on"
    return "off" if sealer and passwords and passwords.asks(visitor.user) else "unavailable"


def key_id(key: str) -> str:
    """Give a name of a session for forms, from which its key cannot be told."""
    return sha256(key.encode()).hexdigest()[:16]


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
