"""A gate with senders of signed links, a browser before it and a clock beside it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

from ssogate.http import environ as env
from ssogate.http.cookies import cookies
from ssogate.login.chooser import Chooser
from ssogate.login.signed_link import SignedLink, SignedLinkSettings
from ssogate.login.signed_link.link import digest
from ssogate.middleware.endpoints import Endpoints
from ssogate.middleware.sessions import Sessions
from ssogate.sessions import Keeper
from tests.sessions.making import make_keeper
from tests.storage.making import NOW, Hands

SECRET = b"the-first-secret-of-the-crm-0123"
OTHER_SECRET = b"another-secret-of-a-shop-4567890"
SITE = "https://app.example"
JOE = {"username": "joe", "name": "Joe Doe", "email": "joe@example.com", "t": str(NOW)}
ANN = {**JOE, "username": "ann", "name": "Ann", "email": "ann@example.com"}
POLICY_GROUPS = frozenset({"staff", "members"})


def settings(**given: Any) -> SignedLinkSettings:
    """Settings of a sender, as code gives them; `secrets` are texts."""
    secrets = given.pop("secrets", [SECRET.decode()])
    environ = {f"SECRET_{number}": secret for number, secret in enumerate(secrets)}
    fields = {"kind": "signed_link", "name": "crm", "auto_create": True, **given}
    return SignedLinkSettings.model_validate(
        {**fields, "secrets": tuple({"env": name} for name in environ)},
        context={"environ": environ, "base": "."},
    )


def fields_of(inner: Mapping[str, str] | str, **changes: str) -> dict[str, str]:
    """The URL parameters of a link: `inner` as fields or as the raw inner text."""
    text = inner if isinstance(inner, str) else urlencode(inner)
    query = make_raw(text.encode("utf-8", "surrogateescape"))
    return {"mode": "login", "query": query, "hash": digest(query, SECRET), **changes}


def make_raw(inner: bytes) -> str:
    return b64encode(inner).decode()


class Gate:
    """Senders before a real store. `page` is what lies behind the gate: it tells who came."""

    def __init__(self, folder: Path, *senders: SignedLinkSettings) -> None:
        self.clock = Hands()
        self.keeper: Keeper = make_keeper(folder, self.clock)
        methods = [
            SignedLink(sender, POLICY_GROUPS, self.clock, "/_sso/signed-out") for sender in senders
        ]
        chooser = Chooser(methods)
        own = cookies(secure=True)
        self.app = Sessions(
            Endpoints(
                _page,
                table=chooser.endpoints(),
                keeper=self.keeper,
                cookies=own,
                second_factor="/_sso/second-factor",
            ),
            cookie=own.session.name,
            find=self.keeper.find,
        )
        self.chooser, self.methods = chooser, methods

    def browser(self) -> Browser:
        return Browser(self.app)

    @property
    def names(self) -> list[str]:
        """Who is signed in, a name a session."""
        return sorted(who.canonical for _, who in self.keeper.store.sessions.listed())


class Browser(Client):
    """A visitor with cookies of their own."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        options.setdefault("base_url", SITE)
        return super().open(*args, **options)

    def follow(
        self,
        fields: Mapping[str, str] | Iterable[tuple[str, str]],
        *,
        path: str = "/sso.php",
        **more: Any,
    ) -> TestResponse:
        """Click a link with these URL parameters."""
        pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        return self.get(path, query_string=urlencode(pairs), **more)

    @property
    def who(self) -> str:
        """As whom the page behind the gate sees this browser; empty if as nobody."""
        return self.get("/page").get_data(as_text=True)


def _page(environ: Any, start_response: Any) -> Any:
    session = env.session(Request(environ).environ)
    return Response(session.identity.canonical if session else "")(environ, start_response)


def code(response: TestResponse) -> str | None:
    return response.headers.get("X-SSOGate-Error")


def refused(response: TestResponse, with_code: str) -> bool:
    """Whether it is this refusal, and nothing was given besides."""
    assert code(response) == with_code
    assert response.status_code == int(with_code[:3]) or not with_code[0].isdigit()
    assert "Set-Cookie" not in response.headers
    assert "Location" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    return True


def hidden_fields(response: TestResponse) -> dict[str, str]:
    """What a page's form would send."""
    found = re.findall(
        r'<input type="hidden" name="([^"]*)" value="([^"]*)">', response.get_data(as_text=True)
    )
    return {unescape(name): unescape(value) for name, value in found}
