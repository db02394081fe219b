"""A client of Acme's, and a program that speaks for it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO
from itertools import count
from typing import Any
from urllib.parse import quote_plus, urlencode

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from ssogate.crypto.random_secrets import digest
from ssogate.directory import SERVICES
from ssogate.directory.destinations import Destinations
from ssogate.model import Account, Client, GrantType, Service, ServiceStatus
from ssogate.provider import SingleSignOn, TokenEndpoint
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, customer, member, person
from tests.storage.making import NOW, Hands

SITE = "https://app.example"
PATH = "/oauth/token.php"
SECRET = "a+b/c" * 17 + "=="  # as base64 has it
SCOPES = frozenset({"clientarea:profile", "clientarea:product_details", "clientarea:upgrades"})


class Panel:
    """Acme has a service, Other another one; a client speaks for Acme's."""

    def __init__(self, store: SQLiteStore) -> None:
        self.store, self.clock = store, Hands()
        self.acme, self.other = customer(store), customer(store, "Other")
        self.joe = person(store, "joe")
        member(store, self.acme, self.joe, owner=True)
        self.service, self.others = self._service(self.acme), self._service(self.other)
        self.second = self._service(self.acme)
        self.client = self.add_client()
        numbers = count(1)
        grant = SingleSignOn(store, Destinations(), SITE, lambda: f"{next(numbers):040x}")
        self.endpoint = TokenEndpoint(store, self.clock, {"single_sign_on": grant}, SITE)

    def _service(self, account: Account) -> Service:
        drawn = Service(0, account.number, "Hosting", ServiceStatus.ACTIVE)
        return SERVICES.add(self.store, drawn, by=SUE, now=NOW)

    def add_client(
        self, identifier: str = "ACME.0123456789abcdef0123456789abcdef", **fields: Any
    ) -> Client:
        known: dict[str, Any] = {
            "secret_digest": digest(SECRET),
            "grant": GrantType.SINGLE_SIGN_ON,
            "service": self.service.number,
            "account": self.acme.number,
            "scopes": SCOPES,
            **fields,
        }
        drawn = Client(
            number=0,
            identifier=identifier,
            name="",
            description="",
            logo_uri="",
            redirect_uris=(),
            created_at=NOW,
            updated_at=NOW,
            **known,
        )
        return self.store.clients.add(drawn)

    @property
    def pair(self) -> dict[str, str]:
        return {"client_id": self.client.identifier, "client_secret": SECRET}

    def ask(self, **fields: str) -> Response:
        """Ask for a token by form, in the usual way but for `fields`."""
        return self.post({"grant_type": "single_sign_on", **self.pair, **fields})

    def post(
        self,
        form: Mapping[str, str] | bytes = b"",
        *,
        query: str = "",
        method: str = "POST",
        content_type: str = "application/x-www-form-urlencoded",
        authorization: str | None = None,
    ) -> Response:
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        builder = EnvironBuilder(
            path=PATH,
            base_url=SITE,
            query_string=query,
            method=method,
            content_type=content_type,
            input_stream=BytesIO(body),
            content_length=len(body),
            environ_base={"REMOTE_ADDR": "192.0.2.9"},
        )
        if authorization is not None:
            builder.headers["Authorization"] = authorization
        reply = self.endpoint.endpoints()[PATH](builder.get_request())
        assert isinstance(reply, Response)
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Pragma"] == "no-cache"
        assert reply.mimetype == "application/json"
        return reply


def basic(identifier: str, secret: str = SECRET, *, encoded: bool = True) -> str:
    """HTTP Basic, with its halves form-encoded as RFC 6749 wants them, or as curl sends them."""
    halves = [quote_plus(identifier), quote_plus(secret)] if encoded else [identifier, secret]
    return "Basic " + b64encode(":".join(halves).encode()).decode()


def refused(response: Response, error: str, status: int = 400) -> bool:
    """Whether it is this refusal, in the form of RFC 6749, and gives nothing."""
    told = response.get_json()
    assert (told["error"], response.status_code) == (error, status)
    assert told.keys() == {"error", "error_description"}
    assert told["error_description"].isascii()
    assert not {'"', "\\"} & set(told["error_description"])
    return True
