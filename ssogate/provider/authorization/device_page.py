"""Where a person types the code that a device shows, sees who wants what, and answers
(RFC 8628, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssogate.directory.activity import by_visitor
from ssogate.directory.device_codes import Wish, approve, deny, shown, typed_code, wished
from ssogate.errors import BadForm, TooManyTries
from ssogate.http.fields import fields
from ssogate.http.form import query_pairs
from ssogate.http.pages import page
from ssogate.model import Client, Grant, PersonalPage, Reply, Visitor
from ssogate.provider.addresses import DEVICE
from ssogate.provider.authorization.consent import resources
from ssogate.provider.issuer import Issuer, sid_of
from ssogate.provider.settings import OFFLINE_ACCESS
from ssogate.provider.token.id_tokens import may_sign_in

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

# RFC 8628, section 5.1: a code has 34 bits, and nobody may try many.
TRIES, WINDOW = 20, 600  # of one person, in seconds


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Nothing is granted by an address alone: who follows a link that holds a code must compare it
    with the device's and say so."""

    issuer: Issuer

    def pages(self) -> Mapping[str, PersonalPage]:
        return {DEVICE: self}

    def __call__(self, request: Request, visitor: Visitor) -> Reply:
        if request.method != "POST":
            given = dict(query_pairs(request)).get("user_code", "")
            return self._ask(request, typed_code(given))
        code, answer = fields(request, "user_code", "answer")
        wish = self._wished(code, visitor)
        client = self.issuer.store.clients.named(wish.client) if wish else None
        if wish is None or client is None or not may_sign_in(client, visitor.user.identity):
            return self._ask(request, typed_code(code), unknown=True)
        if answer == "":
            return self._confirm(request, visitor, wish, client, typed_code(code))
        return self._answered(request, visitor, wish, code, answer)

    def _wished(self, code: str, visitor: Visitor) -> Wish | None:
        store, now = self.issuer.store, self.issuer.now
        key = f"device-code:{visitor.user.identity.subject}"
        if store.counters.count(key, now=now, window=WINDOW) > TRIES:
            raise TooManyTries
        return wished(store, code, now=now)

    def _ask(self, request: Request, code: str, *, unknown: bool = False) -> Reply:
        return page(
            request.environ,
            "device.html",
            status=400 if unknown else 200,
            code=shown(code) if code else "",
            action=DEVICE,
            unknown=unknown,
        )

    def _confirm(
        self, request: Request, visitor: Visitor, wish: Wish, client: Client, code: str
    ) -> Reply:
        return page(
            request.environ,
            "device_confirm.html",
            code=shown(code),
            action=DEVICE,
            name=client.name or client.identifier,
            description=client.description,
            scopes=sorted(wish.scopes | resources(wish.resources)),
            user=visitor.user.identity,
        )

    def _answered(
        self, request: Request, visitor: Visitor, wish: Wish, code: str, answer: str
    ) -> Reply:
        if answer not in ("allow", "deny"):
            raise BadForm("an answer that the page has not")
        store, now = self.issuer.store, self.issuer.now
        who = by_visitor(visitor, request)
        if answer == "allow":
            done = approve(store, code, self._grant(visitor, wish, now), by=who, now=now)
        else:
            done = deny(store, code, by=who, now=now)
        if not done:
            return self._ask(request, "", unknown=True)
        return page(request.environ, "device_done.html", allowed=answer == "allow")

    def _grant(self, visitor: Visitor, wish: Wish, now: int) -> Grant:
        """It outlives the session, which is another machine's; how long depends on whether the
        person let the device go on for itself."""
        record, settings = visitor.session.record, self.issuer.settings
        offline = OFFLINE_ACCESS in wish.scopes
        lifetime = settings.refresh_token_lifetime if offline else settings.access_token_lifetime
        return Grant(
            0,
            wish.client,
            visitor.user.identity.subject,
            None,
            wish.scopes,
            wish.resources,
            auth_time=record.opened_at,
            nonce="",
            sid=sid_of(record.key),
            claims="",
            created_at=now,
            until=now + int(lifetime),
            agreed=wish.scopes,
        )
