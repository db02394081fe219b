"""Authorization requests that a client pushes by itself (RFC 9126): the browser carries only where
the request is kept, so it may be long, is seen by nobody on its way, and cannot be changed.

Strategy: a request is verified when it is pushed, so that its author hears what is wrong, and again
when the browser comes with it, exactly as one that came by the browser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.crypto.random_secrets import digest
from ssogate.model import Client, Endpoint, Ticket
from ssogate.oauth.authorization import PARAMETERS, Asked, verified_request
from ssogate.oauth.errors import AuthorizationError, ErrorCode
from ssogate.provider.addresses import PUSHED_AUTHORIZATION
from ssogate.provider.clients.authentication import calling
from ssogate.provider.clients.pace import check_pace
from ssogate.provider.errors import InvalidDpopProof, InvalidRequest
from ssogate.provider.issuer import Issuer
from ssogate.provider.token.possession import possession
from ssogate.provider.transport import Sent, answered, reply, sent_in_body
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

LIFETIME = 600  # seconds: somebody may have to sign in first
MOST = 600  # a minute
MAX_KEPT = 32_768  # characters
URN = "urn:ietf:params:oauth:request_uri:"

_KIND = "pushed_request"


@dataclass(frozen=True, slots=True)
class PushedAuthorization:
    """`/oauth/par.php`."""

    issuer: Issuer

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {PUSHED_AUTHORIZATION: self}

    def __call__(self, request: Request) -> Response:
        return answered(request, PUSHED_AUTHORIZATION, lambda: self._kept(request))

    def _kept(self, request: Request) -> Response:
        issuer, form = self.issuer, sent_in_body(request)
        client = calling(issuer, form, request)
        shown = possession(request, url=f"{issuer.origin}{PUSHED_AUTHORIZATION}", now=issuer.now)
        asked = _asked(form, client, shown.jkt)
        verified_request(asked, client, issuer.terms(client))
        store, now, secret, kept = issuer.store, issuer.now, issuer.new_token(), json.dumps(asked)
        if len(kept) > MAX_KEPT:
            raise InvalidRequest("The request is too long.")
        check_pace(store, "pushed", client, request, most=MOST, now=now)
        shown.spend(store)
        with store.transaction(durable=False):  # a lost one is asked for again
            store.tickets.put(Ticket(digest(secret), _KIND, "", kept, now + LIFETIME))
        return reply({"request_uri": f"{URN}{secret}", "expires_in": LIFETIME}, status=201)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a browser asks for, and what is spent once it is granted: empty if it brought the
    request itself."""

    asked: Asked
    key: str = ""

    def spend(self, store: Store) -> None:
        """Use the request up. Call it in the transaction that grants it, with a person's consent to
        this one request. Raises `AuthorizationError` if it was used before."""
        if self.key and store.tickets.take(self.key, _KIND) is None:
            raise _gone()


def resolved(store: Store, asked: Asked, now: int) -> Pushed:
    """Give the request that a browser brings, or brings the address of. Then nothing counts but
    what was pushed (RFC 9126, section 4; RFC 9101, section 5).

    Raises `AuthorizationError` for an address that leads nowhere, or to another client's.
    """
    uri = asked.get("request_uri", ())
    if len(uri) != 1 or not uri[0].startswith(URN):
        return Pushed(asked)
    key = digest(uri[0].removeprefix(URN))
    ticket = store.tickets.get(key, _KIND)
    if ticket is None or ticket.until <= now:
        raise _gone()
    pushed = {name: tuple(values) for name, values in json.loads(ticket.data).items()}
    if asked.get("client_id") != pushed["client_id"]:
        raise _gone()
    return Pushed(pushed, key)


def _asked(form: Sent, client: Client, jkt: str) -> Asked:
    """Give what the client asks for, of all that it has sent. A key that it has proven to have is
    the one that the code is for (RFC 9449, section 10.1)."""
    if jkt and form.parameters.get("dpop_jkt", jkt) != jkt:
        raise InvalidDpopProof(detail="dpop_jkt names another key")
    if "request_uri" in form.parameters:
        raise InvalidRequest("Push the request itself, not the address of one.")
    once = {name: (value,) for name, value in form.parameters.items() if name in PARAMETERS}
    many = {"resource": form.resources} if form.resources else {}
    bound = {"dpop_jkt": (jkt,)} if jkt else {}
    return {**once, **many, **bound, "client_id": (client.identifier,)}


def _gone() -> AuthorizationError:
    return AuthorizationError(
        ErrorCode.INVALID_REQUEST, "The pushed request is unknown, was used, or is too old."
    )
