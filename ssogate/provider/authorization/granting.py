"""A request that is granted: a code for the client, and what the code will be worth."""

from __future__ import annotations

from dataclasses import dataclass

from ssogate.directory.activity import by_visitor
from ssogate.directory.consents import give_consent
from ssogate.directory.grants import CODE_LIFETIME, begin_grant, code_key
from ssogate.directory.logouts import join_session
from ssogate.http import environ as env
from ssogate.http.log import log
from ssogate.model import Client, Code, Grant, Visitor
from ssogate.oauth.authorization import AuthorizationRequest
from ssogate.oauth.errors import AuthorizationError, ErrorCode
from ssogate.provider.authorization.interaction import Visit
from ssogate.provider.authorization.pushed import Pushed
from ssogate.provider.issuer import Issuer, sid_of
from ssogate.provider.settings import OFFLINE_ACCESS


@dataclass(frozen=True, slots=True)
class Asking:
    """A request that has been verified, as one visit brings it."""

    visit: Visit
    pushed: Pushed
    client: Client
    request: AuthorizationRequest
    wants: frozenset[str]
    """The scopes that the person must agree to."""

    def refusal(self, error: ErrorCode, description: str) -> AuthorizationError:
        return self.request.refusal(error, description)


def begin(issuer: Issuer, asking: Asking, visitor: Visitor, consents: frozenset[str]) -> str:
    """Give a code for the client, and remember what the person has agreed to now and that the
    client takes part in the session, in one transaction.

    Raises `Conflict` if the client, the user or the session has gone meanwhile, and
    `AuthorizationError` if the request was granted before and may be only once.
    """
    store, code = issuer.store, issuer.new_token()
    user, client = visitor.user.identity, asking.client.identifier
    request = asking.visit.request
    with store.transaction(durable=bool(consents)):
        asking.pushed.spend(store)
        if consents:
            who = by_visitor(visitor, request)
            give_consent(store, user.subject, client, consents, by=who, now=issuer.now)
        given = _code(asking, code_key(store, code), issuer.now)
        grant = begin_grant(store, _grant(issuer, asking, visitor), given)
        join_session(store, visitor.session.record.key, grant)
    log.info(
        "authorized",
        oauth_client=client,
        user=user.canonical,
        client=env.address(request.environ),
        request_id=env.request_id(request.environ),
    )
    return code


def _grant(issuer: Issuer, asking: Asking, visitor: Visitor) -> Grant:
    """A grant ends with its session, unless the person lets the client go on without one."""
    request, record, now = asking.request, visitor.session.record, issuer.now
    offline = OFFLINE_ACCESS in request.scopes
    return Grant(
        0,
        asking.client.identifier,
        visitor.user.identity.subject,
        None if offline else record.key,
        request.scopes,
        request.resources,
        auth_time=record.opened_at,
        nonce=request.nonce,
        sid=sid_of(record.key),
        claims=asking.pushed.asked.get("claims", ("",))[0],
        created_at=now,
        until=now + int(issuer.settings.refresh_token_lifetime) if offline else record.expires_at,
        agreed=asking.wants,
    )


def _code(asking: Asking, key: str, now: int) -> Code:
    request = asking.request
    return Code(
        key,
        0,
        request.reply_to.redirect_uri,
        request.code_challenge,
        now + CODE_LIFETIME,
        jkt=request.dpop_jkt,
    )
