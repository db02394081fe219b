"""Change my password: the current one is asked for, and all sessions but this one end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ssogate.directory.activity import by_visitor
from ssogate.directory.users import judge_password, judge_unchanged, set_password
from ssogate.errors import BadForm, GateError, WrongPassword
from ssogate.http.fields import fields
from ssogate.http.languages import msgid
from ssogate.http.log import log_refusal
from ssogate.http.pages import form_page, redirect
from ssogate.model import (
    Assertion,
    Clock,
    Enrolment,
    Identity,
    LocalPath,
    PersonalPage,
    Reply,
    SignIn,
    Visitor,
)
from ssogate.portal.door import ACCOUNT, PASSWORD, Passwords
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

_UNLIKE = msgid("The new password and its repetition are not the same.")
_UNFIT = msgid("The new password is too short or too long, or it is your own name or address.")
_SAME = msgid("The new password is the current one.")
_WRONG = msgid("The current password is wrong.")


@dataclass(frozen=True, slots=True)
class PasswordPage:
    """`minimum` is how many characters a new password has at least."""

    store: Store
    clock: Clock
    passwords: Passwords
    minimum: int

    def pages(self) -> Mapping[str, PersonalPage]:
        return {PASSWORD: self}

    def __call__(self, request: Request, visitor: Visitor) -> Reply:
        if not self.store.secrets.password(visitor.user.identity.subject):
            return redirect(ACCOUNT)  # it is kept elsewhere, if there is one
        if request.method != "POST":
            return self._form(request)
        current, new, again = fields(request, "current", "new", "again")
        problem = self._problem(visitor.user.identity, current, new, again)
        if problem:
            return self._form(request, BadForm(problem), problem=problem)
        try:
            verified = self.passwords.confirm(visitor.user, current, request.environ)
            return self._change(request, visitor, new, verified)
        except GateError as error:
            log_refusal(error, request.environ, rule=PASSWORD)
            wrong = isinstance(error, WrongPassword)
            return self._form(request, error, **({"problem": _WRONG} if wrong else {}))

    def _problem(self, identity: Identity, current: str, new: str, again: str) -> str:
        if new != again:
            return _UNLIKE
        if new == current:
            return _SAME
        try:
            judge_password(identity, new, minimum=self.minimum)
        except ValueError:
            return _UNFIT
        return ""

    def _change(self, request: Request, visitor: Visitor, new: str, verified: str) -> SignIn:
        """Store it, which ends all sessions, and let this browser go on in a new one."""
        identity = visitor.user.identity
        hashed = set_password(
            self.store,
            identity.subject,
            new,
            minimum=self.minimum,
            replacing=verified,
            by=by_visitor(visitor, request),
            now=int(self.clock()),
        )
        return SignIn(
            method=visitor.session.record.method,
            assertion=Assertion(identity.username, identity.name, identity.email),
            enrolment=Enrolment(
                source=visitor.user.source, update=False, shared=True, administrators=True
            ),
            return_to=LocalPath(ACCOUNT),
            complete=True,
            still=partial(judge_unchanged, self.store, identity.subject, hashed),
        )

    def _form(self, request: Request, error: GateError | None = None, **problem: str) -> Response:
        return form_page(
            request.environ,
            "password.html",
            error,
            action=PASSWORD,
            minimum=self.minimum,
            **problem,
        )
