"""An account's own switch: whether anybody may come in, or go out to a panel, for it by single
sign-on (seed 001). Its owner turns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssogate.directory.activity import by_visitor
from ssogate.directory.sso_tokens import set_single_sign_on
from ssogate.errors import BadForm, InvalidParameter
from ssogate.http.fields import fields
from ssogate.http.form import peeked_pairs, query_pairs
from ssogate.http.pages import redirect
from ssogate.model import Clock, Endpoint, LocalPath, PersonalPage, Reply, Visitor
from ssogate.portal.door import ACCOUNT, SWITCH, Door
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_WISHES = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class SwitchPage:
    """Takes the form of the account page; tokens that were made before are dead then."""

    store: Store
    clock: Clock

    def pages(self) -> Mapping[str, PersonalPage]:
        return {SWITCH: self}

    def __call__(self, request: Request, visitor: Visitor) -> Reply:
        if request.method != "POST":
            return redirect(ACCOUNT)
        account, wish = fields(request, "account", "single_sign_on")
        # What was sent is compared, and never looked up.
        own = [number for number in self.owned(visitor) if str(number) == account]
        if not own or wish not in _WISHES:
            raise BadForm("an account of somebody else, or a wish that the page has not")
        self.turn(own[0], _WISHES[wish], visitor, request)
        return redirect(ACCOUNT)

    def owned(self, visitor: Visitor) -> list[int]:
        """Give the numbers of the visitor's own accounts."""
        listed = self.store.memberships.listed(subject=visitor.user.identity.subject)
        return [member.account for member in listed if member.owner]

    def turn(self, account: int, allowed: bool, visitor: Visitor, request: Request) -> None:
        """Turn one of them."""
        who, now = by_visitor(visitor, request), int(self.clock())
        set_single_sign_on(self.store, account, allowed, by=who, now=now)


@dataclass(frozen=True, slots=True)
class SwitchForm:
    """The same by WHMCS's own form (PROTOCOLS 2.5), which a page of the gated app may hold: posted
    to `clientarea.php` below `base`. Whatever else comes there is the app's.

    Its CSRF token is the app's own affair: where a form comes from, browsers tell us themselves.
    """

    page: SwitchPage
    door: Door
    base: str

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {self._address: self}

    @property
    def _address(self) -> str:
        return f"{self.base.rstrip('/')}/clientarea.php"

    def __call__(self, request: Request) -> Reply | None:
        allowed = _wish(request)
        if allowed is None:
            return None
        visitor = self.door.sender(request)
        owned = self.page.owned(visitor)
        if len(owned) != 1:  # which one is meant? There, each has a switch of its own.
            return redirect(ACCOUNT)
        self.page.turn(owned[0], allowed, visitor, request)
        return LocalPath(f"{self._address}?action=security")


def _wish(request: Request) -> bool | None:
    """Give what the form says; None for another request."""
    if request.method != "POST":
        return None
    try:
        pairs = query_pairs(request) + peeked_pairs(request)
    except InvalidParameter:  # the app may know what it means
        return None
    sent = dict(pairs)
    if sent.get("toggle_sso") != "1" or sent.get("action") != "security":
        return None
    if len(pairs) != len(sent):
        raise BadForm("a field is there twice")
    return sent.get("allow_sso", "") not in ("", "0")
