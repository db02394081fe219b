"""WHMCS's addresses of single sign-on, in front of any app (PROTOCOLS section 4, seed 000):

GET  clientarea.php?action=productdetails&id=3&dosinglesignon=1[&app=Email_Accounts]
POST of the same, by a page's script: {"redirect": "window|URL"} or {"error": "…"}
POST clientarea/service/3/custom-action/Email_Accounts: {"success": true, "redirectTo": "URL"}

Whatever else comes to these addresses is the app's, untouched. No other site makes a browser launch
anything: a link from elsewhere opens the service's page here, which has the button.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from ssogate.directory.activity import by_visitor
from ssogate.errors import (
    ActionFailed,
    CrossSite,
    GateError,
    InvalidParameter,
    LaunchRefused,
    Prefetched,
    UnknownShortcut,
)
from ssogate.http import environ as env
from ssogate.http.audience import is_embedded, is_prefetch
from ssogate.http.form import peeked_pairs, query_pairs
from ssogate.http.log import log_refusal
from ssogate.http.pages import redirect, refusal, reply_object
from ssogate.http.redirects import return_path
from ssogate.http.same_origin import comes_from_here
from ssogate.http.site import OWN
from ssogate.launch.launcher import Launcher
from ssogate.model import Endpoint, LocalPath, Reply, Visitor

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

SERVICES = f"{OWN}services"

NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
"""Of a service or server, in its one spelling."""
_ACTION = re.compile(rf"({NUMBER.pattern})/custom-action/([^/]+)", re.ASCII)
_KEYS = ("action", "id", "dosinglesignon", "app")
LOGIN = "login"
"""The custom action that is no shortcut but the front page of the panel."""


class Door(Protocol):
    """What knows who is there."""

    def visitor(self, request: Request) -> Visitor | None:
        """Give who is signed in."""

    def sender(self, request: Request) -> Visitor:
        """Give who has sent a form from a page of this site. Raises `CrossSite`,
        `SignInRequired`."""

    def challenge_url(self, return_to: LocalPath) -> str:
        """Give the address to sign in at."""


@dataclass(frozen=True, slots=True)
class ClientArea:
    """The addresses, below `base`. `public_port` is the port in `public_url`."""

    launcher: Launcher
    door: Door
    base: str
    public_port: int | None = None

    def endpoints(self) -> Mapping[str, Endpoint]:
        folder = self.base.rstrip("/")
        return {
            f"{folder}/clientarea.php": self.launch,
            f"{folder}/clientarea/service/": self.custom_action,
        }

    def landing(self, to: LocalPath) -> LocalPath:
        """Give where a sign-in that was to end in a launch ends instead: who asked for it is not
        known any more, so it is at the page with the button."""
        path, _, query = to.text.partition("?")
        asked = dict(parse_qsl(query))
        ours = path == f"{self.base.rstrip('/')}/clientarea.php" and "dosinglesignon" in asked
        number = asked.get("id", "")
        return LocalPath(f"{SERVICES}/{number}") if ours and NUMBER.fullmatch(number) else to

    def launch(self, request: Request) -> Reply | None:
        asked = _asked(request)
        if asked is None:
            return None
        if request.method == "POST":
            return self._told(request, asked)
        return self._sent(request, asked)

    def custom_action(self, request: Request) -> Reply | None:
        below = request.path.partition("/clientarea/service/")[2]
        found = _ACTION.fullmatch(below)
        if request.method != "POST" or not found:
            return None
        app = "" if found[2] == LOGIN else found[2]
        try:
            url = self._launched(request, self.door.sender(request), found[1], app)
        except (LaunchRefused, UnknownShortcut, ActionFailed) as error:
            log_refusal(error, request.environ, rule=SERVICES)
            page = f"{self.base.rstrip('/')}/clientarea.php?action=productdetails"
            back = f"{page}&id={found[1]}&customaction_error=1"
            return reply_object({"success": False, "redirectTo": back})
        return reply_object({"success": True, "redirectTo": url})

    def _sent(self, request: Request, asked: Mapping[str, str]) -> Reply:
        environ = request.environ
        if is_prefetch(environ):
            raise Prefetched
        if is_embedded(environ):
            raise CrossSite("by an image, a frame or a script")
        visitor = self.door.visitor(request)
        if visitor is None:
            target = env.target(environ)
            return redirect(self.door.challenge_url(return_path(target.path, target.query)))
        try:
            if not comes_from_here(environ, public_port=self.public_port):
                return redirect(f"{SERVICES}/{_number(asked['id'])}")
            return redirect(self._launched(request, visitor, asked["id"], asked.get("app", "")))
        except (LaunchRefused, UnknownShortcut, ActionFailed) as error:
            return refused(error, request)

    def _told(self, request: Request, asked: Mapping[str, str]) -> Response:
        visitor = self.door.sender(request)
        try:
            url = self._launched(request, visitor, asked["id"], asked.get("app", ""))
        except (LaunchRefused, UnknownShortcut, ActionFailed) as error:
            log_refusal(error, request.environ, rule=SERVICES)
            return reply_object({"error": reason(error) or error.public})
        return reply_object({"redirect": f"window|{url}"})

    def _launched(self, request: Request, visitor: Visitor, number: str, app: str) -> str:
        subject, who = visitor.user.identity.subject, by_visitor(visitor, request)
        return self.launcher.service(_number(number), subject, app=app, by=who)


def reason(error: GateError) -> str:
    """Give what may be said of an error beyond its class."""
    if isinstance(error, ActionFailed):
        return error.said
    return error.detail if isinstance(error, LaunchRefused) else ""


def refused(error: GateError, request: Request) -> Response:
    """Give the page of a launch that did not come about."""
    return refusal(error, request.environ, rule=SERVICES, reason=reason(error))


def _asked(request: Request) -> Mapping[str, str] | None:
    """Give what is asked for, if it is a launch. Raises `InvalidParameter` for one that names
    something twice: the app behind may read another of the two."""
    if request.method not in ("GET", "POST"):
        return None
    try:
        pairs = query_pairs(request)
        pairs += peeked_pairs(request) if request.method == "POST" else []
    except InvalidParameter:  # the app may know what it means
        return None
    ours = [(name, value) for name, value in pairs if name in _KEYS]
    if not {("dosinglesignon", "1"), ("action", "productdetails")} <= set(ours):
        return None
    asked = dict(ours)
    if len(asked) != len(ours) or "id" not in asked:
        raise InvalidParameter("a launch names a service once, and nothing twice")
    return asked


def _number(text: str) -> int:
    """Give the number of a service. Raises `LaunchRefused` for what is none: nobody has such."""
    if not NUMBER.fullmatch(text):
        raise LaunchRefused("You have no such service.")
    return int(text)
