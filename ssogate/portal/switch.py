"""An account's own switch: whether anybody may come in, or go out to a panel, for it by single
sign-on (seed 001). Its owner turns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssogate.directory.sso_tokens import set_single_sign_on
from ssogate.errors import BadForm
from ssogate.http.fields import fields
from ssogate.http.pages import redirect
from ssogate.model import Clock, Membership, Reply
from ssogate.portal.door import ACCOUNT, SWITCH, PersonalPage, Visitor, by
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
        membership = self._owned(account, visitor.user.identity.subject)
        if membership is None or wish not in _WISHES:
            raise BadForm("an account of somebody else, or a wish that the page has not")
        who, now = by(visitor, request), int(self.clock())
        set_single_sign_on(self.store, membership.account, _WISHES[wish], by=who, now=now)
        return redirect(ACCOUNT)

    def _owned(self, account: str, subject: str) -> Membership | None:
        """Find it among the visitor's own: what was sent is compared, and never looked up."""
        listed = self.store.memberships.listed(subject=subject)
        owned = (member for member in listed if member.owner and str(member.account) == account)
        return next(owned, None)
