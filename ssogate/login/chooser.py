"""The page of all ways in, and where a visitor who must sign in is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssogate.http import environ as env
from ssogate.http.form import query_pairs
from ssogate.http.pages import page
from ssogate.http.redirects import HOME, local_path, with_query
from ssogate.http.site import OWN
from ssogate.model import Endpoint, LocalPath, LoginMethod

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

SIGN_IN = f"{OWN}sign-in"
SIGNED_OUT = f"{OWN}signed-out"


@dataclass(frozen=True, slots=True)
class Chooser:
    """The login methods of a site, in the order in which it offers them."""

    methods: Sequence[LoginMethod]

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {SIGN_IN: self.sign_in, SIGNED_OUT: self.signed_out}

    def challenge_url(self, return_to: LocalPath) -> str:
        """Where to send a visitor: straight to the only way in, else to the page of all."""
        choices = self._choices(return_to)
        if len(choices) == 1:
            return choices[0][1]
        return with_query(SIGN_IN, {"return_to": return_to.text})

    def sign_in(self, request: Request) -> Response:
        """Show all ways in. `return_to` is the path to come back to."""
        wanted = dict(query_pairs(request)).get("return_to", "")
        return page("sign_in.html", choices=self._choices(local_path(wanted) or HOME))

    def signed_out(self, request: Request) -> Response:
        """Say that the session has ended; it ends nothing itself."""
        session = env.session(request.environ)
        return page("signed_out.html", user=session.identity.username if session else "")

    def _choices(self, return_to: LocalPath) -> list[tuple[str, str]]:
        urls = ((method.label, method.challenge_url(return_to)) for method in self.methods)
        return [(label, url) for label, url in urls if url]
