"""An API over a real store, and a program that calls it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from ssogate.api import ACTIONS, Api, ApiSettings
from ssogate.api.people import NewPasswords
from ssogate.config.net import network
from ssogate.crypto import hash_password
from ssogate.directory import ACCOUNTS, SERVERS, SERVICES
from ssogate.directory.client_rules import Offer
from ssogate.directory.clients import API_CREDENTIALS, API_ROLES, add_api_credential
from ssogate.directory.destinations import Destinations
from ssogate.model import (
    Account,
    AccountStatus,
    ApiCredential,
    ApiRole,
    Server,
    Service,
    ServiceStatus,
)
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, member, person
from tests.storage.making import NOW, Hands

HERE = "192.0.2.10"
API = "/includes/api.php"


class Office:
    """Acme, whose owner is joe, and a program that may do everything from `HERE`."""

    def __init__(self, folder: Path) -> None:
        self.clock = Hands()
        self.store = SQLiteStore(folder / "gate.db", clock=self.clock)
        self.random: Callable[[int], bytes] = Random(1).randbytes
        tokens = count(1)
        self.new_token = lambda: f"{next(tokens):040x}"
        self.settings = ApiSettings(networks=(network("192.0.2.0/24"),))
        self.check_password: Any = None
        self.offer: Offer | None = None
        self.hashed: Callable[[str], str] = hash_password
        role = ApiRole(0, "all", frozenset(ACTIONS))
        API_ROLES.add(self.store, role, by=SUE, now=NOW)
        self.credential, self.secret = self.program("all")
        self.joe = person(self.store, "joe", signed_in=False)
        self.joe = self.store.users.of(self.joe.identity.subject) or self.joe
        drawn = Account(0, "Acme Ltd", "office@acme.example", AccountStatus.ACTIVE, True, 0, 0)
        self.acme = ACCOUNTS.add(self.store, drawn, by=SUE, now=NOW)
        member(self.store, self.acme, self.joe, owner=True)

    def program(self, *roles: str, **fields: Any) -> tuple[ApiCredential, str]:
        """Another credential, and its secret."""
        drawn = ApiCredential(
            *(0, "", "", "", frozenset(roles)),
            networks=fields.get("networks", ()),
            scopes=frozenset(fields.get("scopes", ())),
            active=True,
            created_at=0,
        )
        return add_api_credential(self.store, drawn, random=self.random, by=SUE, now=NOW)

    def deactivate(self) -> None:
        number = self.credential.number
        API_CREDENTIALS.change(self.store, number, _inactive, by=SUE, now=NOW)

    def service(self, account: int = 0, **fields: Any) -> Service:
        fields = {"product": "Hosting L", "status": ServiceStatus.ACTIVE, **fields}
        drawn = Service(0, account or self.acme.number, **fields)
        return SERVICES.add(self.store, drawn, by=SUE, now=NOW)

    def server(self) -> Server:
        drawn = Server(0, "web1", "cpanel", ("web1.example",), sealed_password="s1.sealed")
        return SERVERS.add(self.store, drawn, by=SUE, now=NOW)

    @property
    def api(self) -> Api:
        return Api(
            self.store,
            self.clock,
            self.settings,
            destinations=Destinations(),
            origin="https://app.example",
            new_token=self.new_token,
            random=self.random,
            check_password=self.check_password,
            passwords=NewPasswords(12, self.hashed),
            offer=self.offer,
        )

    def post(
        self,
        fields: Mapping[str, str] | list[tuple[str, str]] | bytes,
        *,
        query: str = "",
        client: str = HERE,
        **environ: Any,
    ) -> Response:
        """Send these parameters and no others."""
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        builder = EnvironBuilder(
            API,
            method=environ.pop("method", "POST"),
            query_string=query,
            data=body,
            content_type=environ.pop("content_type", "application/x-www-form-urlencoded"),
            environ_overrides={"REMOTE_ADDR": client, **environ},
        )
        reply = self.api.endpoints()[API](Request(builder.get_environ()))
        assert isinstance(reply, Response)
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        return reply

    def send(self, action: str, **parameters: object) -> Response:
        """Call an action with the right secret."""
        return self.post({**self.login, "action": action, **_texts(parameters)})

    def call(self, action: str, **parameters: object) -> dict[str, Any]:
        """Call an action; give the answer."""
        return answer(self.send(action, **parameters))

    def good(self, action: str, **parameters: object) -> dict[str, Any]:
        """Call what must succeed; give what follows the result."""
        found = self.call(action, **parameters)
        assert found.pop("result") == "success", found
        return found

    def no(self, action: str, **parameters: object) -> str:
        """Call what is refused with status 200; give the message."""
        return refused(self.send(action, **parameters), 200)

    @property
    def login(self) -> dict[str, str]:
        return {"identifier": self.credential.identifier, "secret": self.secret}

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What the activity log says of calls and of what they did."""
        own = f"api:{self.credential.identifier}"
        return [(it.action, it.text) for it in self.store.activity.listed() if it.actor == own]


def answer(response: Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/json"
    found = json.loads(response.get_data(as_text=True))
    assert isinstance(found, dict)
    return found


def refused(response: Response, status: int) -> str:
    """Give the message of a refusal that says nothing else."""
    found = answer(response, status)
    assert found.keys() == {"result", "message"}
    assert found["result"] == "error"
    return str(found["message"])


def _texts(parameters: Mapping[str, object]) -> dict[str, str]:
    """As PHP's `http_build_query` writes them."""
    return {
        name: str(int(value)) if isinstance(value, bool) else str(value)
        for name, value in parameters.items()
    }


def _inactive(credential: ApiCredential) -> ApiCredential:
    return replace(credential, active=False)
