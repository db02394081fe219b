"""The page of all ways in, and the shortest way to the only one.

The page holds the form of every way in that has one, so what comes of a form is shown here too:
who typed a wrong password sees the page again, with all the other ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ssogate.errors import GateError
from ssogate.http import environ as env
from ssogate.http.audience import wants_page
from ssogate.http.form import query_pairs
from ssogate.http.log import log_refusal
from ssogate.http.pages import form_page, page, redirect
from ssogate.http.redirects import HOME, local_path, with_query
from ssogate.http.same_origin import check_same_origin
from ssogate.http.site import OWN
from ssogate.login.form import FormMethod, typed
from ssogate.model import Endpoint, LocalPath, LoginMethod, Reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

SIGN_IN = f"{OWN}sign-in"
SIGNED_OUT = f"{OWN}signed-out"


@dataclass(frozen=True, slots=True)
class Choice:
    """One way in, as the page offers it."""

    label: str
    url: str
    form: bool = False
    """Whether `url` takes a user name and a password, rather than leading to a page that does."""


@dataclass(frozen=True, slots=True)
class Chooser:
    """The login methods of a site, in the order in which it offers them.

    `public_port` is the port in `public_url`; None: the scheme's own.
    """

    methods: Sequence[LoginMethod | FormMethod]
    public_port: int | None = None

    def endpoints(self) -> Mapping[str, Endpoint]:
        """Give the addresses of the page and of all methods."""
        table: dict[str, Endpoint] = {SIGN_IN: self.sign_in, SIGNED_OUT: self.signed_out}
        for method in self.methods:
            if isinstance(method, FormMethod):
                table[method.path] = partial(self._take_form, method)
            else:
                table |= method.endpoints()
        return table

    def challenge_url(self, return_to: LocalPath) -> str:
        """Where to send a visitor: straight to the only way in, else to the page of all."""
        choices = self._choices(return_to)
        if len(choices) == 1 and not choices[0].form:
            return choices[0].url
        return with_query(SIGN_IN, {"return_to": return_to.text})

    def sign_in(self, request: Request) -> Response:
        """Show all ways in. `return_to` is the path to come back to."""
        wanted = dict(query_pairs(request)).get("return_to", "")
        return self._page(request, local_path(wanted) or HOME)

    def signed_out(self, request: Request) -> Response:
        """Say that the session has ended; it ends nothing itself."""
        session = env.session(request.environ)
        user = session.identity.username if session else ""
        return page(request.environ, "signed_out.html", user=user)

    def _take_form(self, method: FormMethod, request: Request) -> Reply:
        if request.method != "POST":  # an address that somebody kept
            return redirect(SIGN_IN)
        check_same_origin(request.environ, public_port=self.public_port)
        form = typed(request)
        try:
            return method.sign_in(form, request.environ)
        except GateError as error:
            if not wants_page(request.environ):
                raise
            log_refusal(error, request.environ, rule=method.path)
            return self._page(request, form.return_to, form.username, error)

    def _page(
        self,
        request: Request,
        return_to: LocalPath,
        username: str = "",
        error: GateError | None = None,
    ) -> Response:
        return form_page(
            request.environ,
            "sign_in.html",
            error,
            choices=self._choices(return_to),
            return_to=return_to.text,
            username=username,
        )

    def _choices(self, return_to: LocalPath) -> list[Choice]:
        choices = (_choice(method, return_to) for method in self.methods)
        return [choice for choice in choices if choice.url]


def _choice(method: LoginMethod | FormMethod, return_to: LocalPath) -> Choice:
    if isinstance(method, FormMethod):
        return Choice(method.label, method.path, form=True)
    return Choice(method.label, method.challenge_url(return_to) or "")
