"""Clients that register themselves (RFC 7591), and look after themselves by the token that they are
given (RFC 7592). Whoever has the initial token of the settings may register, so many a minute."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from ssogate.crypto.random_secrets import NOBODYS, digest, matches
from ssogate.directory.activity import By, by_client
from ssogate.directory.clients import CLIENTS, Random, add_client, reset_client_secret
from ssogate.directory.consents import withdraw_all
from ssogate.errors import BodyTooLarge, Conflict
from ssogate.http import environ as env
from ssogate.http.form import body, query_pairs
from ssogate.http.json_object import json_object
from ssogate.http.pages import PRIVATE_HEADERS
from ssogate.model import Client, ClientAuthentication, Endpoint, GrantType
from ssogate.provider.addresses import REGISTRATION
from ssogate.provider.clients.metadata import (
    InvalidClientMetadata,
    InvalidRedirectUri,
    Metadata,
    described,
    description,
    is_another,
    redescribed,
)
from ssogate.provider.errors import OAuthError
from ssogate.provider.issuer import Issuer
from ssogate.provider.transport import answered, authorization, reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

MAX_BODY = 16_384  # bytes: ten keys, twenty addresses
MAX_CLIENTS = 10_000  # that have registered themselves: each costs the disk a few hundred bytes
A_MINUTE = 60  # registrations

# What the gate says of a client, and a client not of itself (RFC 7592, section 2.2).
_OURS = (
    *("registration_access_token", "registration_client_uri"),
    *("client_secret_expires_at", "client_id_issued_at"),
)


class InvalidRegistrationToken(OAuthError):
    """RFC 6750, section 3.1. The same, whether there is such a client or not."""

    code, status = "invalid_token", 401
    public = "The token does not count here."
    headers = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)


class MethodRefused(OAuthError):
    code, status = "invalid_request", 405
    public = "This address takes POST; that of a client takes GET, PUT and DELETE."
    headers = (("Allow", "GET, POST, PUT, DELETE"),)


class TooManyRegistrations(OAuthError):
    code, status = "temporarily_unavailable", 429
    public = "Too many clients register now."
    headers = (("Retry-After", "60"),)


class NoMoreClients(OAuthError):
    code, status = "temporarily_unavailable", 503
    public = "Too many clients have registered."


@dataclass(frozen=True, slots=True)
class Registration:
    """The endpoint: `POST` to it registers; a client's own address has its identifier in the
    query."""

    issuer: Issuer
    random: Random = field(default=secrets.token_bytes, repr=False)

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {REGISTRATION: self} if self.issuer.settings.registration else {}

    def __call__(self, request: Request) -> Response:
        return answered(request, REGISTRATION, partial(self._answer, request))

    def _answer(self, request: Request) -> Response:
        scheme, credentials = authorization(request)
        token = credentials if scheme == "bearer" else ""
        acts: Mapping[str, Callable[[Request, Client, str], Response]] = {
            "GET": self._read,
            "PUT": self._update,
            "DELETE": self._delete,
        }
        if request.method == "POST":
            return self._register(request, token)
        if request.method not in acts:
            raise MethodRefused
        return acts[request.method](request, self._client(request, token), token)

    # --- RFC 7591 ---------------------------------------------------------------------------------

    def _register(self, request: Request, token: str) -> Response:
        settings = self.issuer.settings.registration
        sent = token.encode("latin-1", "replace")  # as a server gives the bytes of a header
        if not (settings and hmac.compare_digest(sent, settings.initial_token.bytes)):
            raise InvalidRegistrationToken(detail="not the initial token")
        store, now = self.issuer.store, self.issuer.now
        if store.counters.count("registrations", now=now, window=60) > A_MINUTE:
            raise TooManyRegistrations
        registered = (it for it in store.clients.listed() if it.registration_digest)
        if next(islice(registered, MAX_CLIENTS - 1, None), None):
            raise NoMoreClients
        own = self.issuer.new_token()
        blank = Client(
            *(0, "", "", GrantType.AUTHORIZATION_CODE, "", None),
            *(frozenset[str](), "", "", (), 0, 0),
            registration_digest=digest(own),
        )
        by = By("registration", env.address(request.environ))
        with _refusals():
            drawn = self._judged(described(blank, _metadata(request)), blank)
            added, secret = add_client(store, drawn, random=self.random, by=by, now=now)
        return self._reply(added, own, secret, status=201)

    # --- RFC 7592 ---------------------------------------------------------------------------------

    def _client(self, request: Request, token: str) -> Client:
        """Give the client whose token it is."""
        named = [value for name, value in query_pairs(request) if name == "client_id"]
        known = self.issuer.store.clients.named(named[0]) if len(named) == 1 else None
        if not matches(token, known.registration_digest if known else NOBODYS) or known is None:
            raise InvalidRegistrationToken(detail="not the client's token")
        return known

    def _read(self, request: Request, client: Client, token: str) -> Response:
        return self._reply(client, token)

    def _update(self, request: Request, client: Client, token: str) -> Response:
        """Put all that a client says of itself in the place of all that it said."""
        metadata = _metadata(request)
        if metadata.get("client_id") != client.identifier or any(it in metadata for it in _OURS):
            raise InvalidClientMetadata("client_id is not the client's, or what is ours is sent.")
        secret = metadata.get("client_secret")
        if secret is not None and not self._is_secret(client, secret):
            raise InvalidClientMetadata("client_secret is not the client's.")
        with _refusals():
            changed, drawn = self._changed(client, metadata, by_client(client, request))
        return self._reply(changed, token, drawn)

    def _changed(self, client: Client, metadata: Metadata, by: By) -> tuple[Client, str]:
        """Give the client as it is now, and a secret if it needs one that it had not."""
        store, now = self.issuer.store, self.issuer.now
        with store.transaction():
            before = CLIENTS.known(store, client.number)
            changed = CLIENTS.change(
                store,
                client.number,
                lambda old: self._judged(redescribed(old, metadata), old),
                by=by,
                now=now,
            )
            if is_another(before, changed):
                withdraw_all(store, changed.identifier, by=by, now=now)
            by_secret = changed.authentication is ClientAuthentication.SECRET
            if changed.secret_digest or not by_secret:
                return changed, ""
            return reset_client_secret(store, client.number, random=self.random, by=by, now=now)

    def _delete(self, request: Request, client: Client, token: str) -> Response:
        by = by_client(client, request)
        with _refusals():
            CLIENTS.delete(self.issuer.store, client.number, by=by, now=self.issuer.now)
        return Response(b"", 204, PRIVATE_HEADERS)

    def _is_secret(self, client: Client, secret: object) -> bool:
        if not isinstance(secret, str):
            return False
        old = client.old_secret_digest if self.issuer.now < client.old_secret_until else NOBODYS
        return matches(secret, client.secret_digest) or matches(secret, old)

    def _judged(self, drawn: Client, before: Client) -> Client:
        """Give a client that there may be. To hosts of ours nobody is sent by a stranger: an app
        behind the gate would take that for its own site's."""
        uris = (*drawn.redirect_uris, *drawn.post_logout_redirect_uris)
        if any(map(self.issuer.serves, uris)):
            raise InvalidRedirectUri
        return self.issuer.settings.offer.checked(drawn, before)

    def _reply(
        self, client: Client, token: str, secret: str = "", *, status: int = 200
    ) -> Response:
        uri = f"{self.issuer.origin}{REGISTRATION}?{urlencode({'client_id': client.identifier})}"
        proof = {"client_secret": secret, "client_secret_expires_at": 0} if secret else {}
        own = {"registration_client_uri": uri, "registration_access_token": token}
        told = description(client, frozenset(self.issuer.by_scope))
        return reply({**told, **proof, **own}, status=status)


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell what the directory refuses in OAuth's form: in ASCII without quotes (RFC 6749, section
    5.2)."""
    try:
        yield
    except (ValueError, Conflict) as error:
        told = re.sub(r"[^ -~]|[\"\\]", "'", str(error))
        raise InvalidClientMetadata(told) from None


def _metadata(request: Request) -> Metadata:
    if request.mimetype != "application/json":
        raise InvalidClientMetadata("Send a JSON object as application/json.")
    try:
        raw = body(request, most=MAX_BODY)
    except BodyTooLarge:
        raise InvalidClientMetadata(f"More than {MAX_BODY} bytes.") from None
    try:
        return json_object(raw)
    except ValueError:
        raise InvalidClientMetadata("Send a JSON object, each name once.") from None
