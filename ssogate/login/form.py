"""The form of the sign-in page, and what takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ssogate.crypto.passwords import MAX_PASSWORD
from ssogate.errors import BadForm
from ssogate.http.fields import fields
from ssogate.http.redirects import HOME, local_path
from ssogate.model import LocalPath, SignIn
from ssogate.names import MAX_USERNAME

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.wrappers import Request


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed."""

    username: str
    password: str = field(repr=False)
    return_to: LocalPath


@runtime_checkable
class FormMethod(Protocol):
    """A way in by a user name and a password, which the sign-in page asks for."""

    @property
    def label(self) -> str:
        """What a visitor reads above the form."""

    @property
    def path(self) -> str:
        """Where the form is sent to, an address of the gate."""

    def sign_in(self, typed: Typed, environ: WSGIEnvironment) -> SignIn:
        """Judge what was typed. Raises `GateError`; the page then says so and asks again."""


def typed(request: Request) -> Typed:
    """Read the form. Raises `BadForm` for what no browser sends by it."""
    username, password, wanted = fields(request, "username", "password", "return_to")
    if len(username) > MAX_USERNAME or len(password.encode(errors="replace")) > MAX_PASSWORD:
        raise BadForm("a user name or a password that is too long for anybody's")
    return Typed(username.strip(), password, local_path(wanted) or HOME)
