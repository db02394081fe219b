"""My applications: those that I have let know something about me, and how to take it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ssogate.directory.activity import by_visitor
from ssogate.directory.consents import allowed, withdraw_consent
from ssogate.http.fields import fields
from ssogate.http.pages import page, redirect
from ssogate.model import Clock, Consent, PersonalPage, Visitor
from ssogate.portal.door import ACCOUNT
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

APPLICATIONS = f"{ACCOUNT}/applications"


@dataclass(frozen=True, slots=True)
class Application:
    """What a client is allowed, as the page shows it."""

    identifier: str
    name: str
    scopes: tuple[str, ...]
    since: str


@dataclass(frozen=True, slots=True)
class ApplicationsPage:
    """Lists what a visitor lets clients do, by a consent or without; a form withdraws it."""

    store: Store
    clock: Clock

    def pages(self) -> Mapping[str, PersonalPage]:
        return {APPLICATIONS: self}

    def __call__(self, request: Request, visitor: Visitor) -> Response:
        subject, now = visitor.user.identity.subject, int(self.clock())
        if request.method == "POST":
            (client,) = fields(request, "client")
            withdraw_consent(self.store, subject, client, by=by_visitor(visitor, request), now=now)
            return redirect(APPLICATIONS)
        found = map(self._application, allowed(self.store, subject, now=now))
        return page(
            request.environ,
            "applications.html",
            applications=sorted(found, key=lambda it: it.name.casefold()),
            action=APPLICATIONS,
        )

    def _application(self, consent: Consent) -> Application:
        client = self.store.clients.named(consent.client)
        return Application(
            consent.client,
            client.name if client else consent.client,
            tuple(sorted(consent.scopes)),
            datetime.fromtimestamp(consent.updated_at, UTC).isoformat(),
        )
