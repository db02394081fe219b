"""OAuth credentials: create, list, update, delete. A secret is in one answer only, the one that
made it: what is stored is its digest. A program that is held to some destinations makes, changes
and forgets no credential that reaches beyond them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ssogate.api.answers import moment
from ssogate.api.call import LONGEST_PAGE, Answer, Call, Function, Parameters, Refused
from ssogate.directory.client_rules import Offer
from ssogate.directory.clients import CLIENTS, Random, add_client, reset_client_secret
from ssogate.directory.destinations import BASE_SCOPE
from ssogate.model import Client, GrantType
from ssogate.storage import Store

MASKED = "********"

_SORTED_BY = {
    "name": "name",
    "clientidentifier": "identifier",
    "createdat": "created_at",
    "updatedat": "updated_at",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    store: Store
    offer: Offer
    random: Random = field(repr=False)

    def functions(self) -> Mapping[str, Function]:
        return {
            "CreateOAuthCredential": self.create,
            "ListOAuthCredentials": self.list_all,
            "UpdateOAuthCredential": self.update,
            "DeleteOAuthCredential": self.delete,
        }

    def create(self, call: Call) -> Answer:
        asked = call.parameters
        if "granttype" not in asked:
            raise Refused("A valid grant type is required.")
        blank = Client(0, "", "", _grant(asked), "", None, frozenset(), "", "", (), 0, 0)
        drawn = self.offer.checked(replace(blank, **_given(call)))
        added, secret = add_client(self.store, drawn, random=self.random, by=call.by, now=call.now)
        return {
            "credentialId": added.number,
            "clientIdentifier": added.identifier,
            "clientSecret": secret,
        }

    def list_all(self, call: Call) -> Answer:
        asked = call.parameters
        where = {"grant": _grant(asked)} if asked.text("granttype") else {}
        key = _SORTED_BY.get(asked.text("sortfield").lower(), "number")
        backwards = asked.text("sortorder").upper() == "DESC"
        found = sorted(
            self.store.clients.listed(**where),
            key=lambda client: getattr(client, key),
            reverse=backwards,
        )
        most = min(asked.number("limit") or LONGEST_PAGE, LONGEST_PAGE)
        return {"clients": [_shown(client) for client in found[:most]]}

    def update(self, call: Call) -> Answer:
        asked = call.parameters
        answer: dict[str, object] = {}
        with self.store.transaction():
            number = self._found(call).number
            given = _given(call)
            if asked.text("granttype"):
                given["grant"] = _grant(asked)

            def changed(old: Client) -> Client:
                return self.offer.checked(replace(old, **given), old)

            CLIENTS.change(self.store, number, changed, by=call.by, now=call.now)
            if asked.flag("resetsecret"):
                _, answer["newClientSecret"] = reset_client_secret(
                    self.store, number, random=self.random, by=call.by, now=call.now
                )
        return {"credentialId": number, **answer}

    def delete(self, call: Call) -> Answer:
        number = call.parameters.number("credentialid") or 0
        with self.store.transaction():
            client = self.store.clients.get(number)
            if client is None:
                raise Refused("Invalid Credential ID provided.")
            _refuse_beyond(call, client)
            CLIENTS.delete(self.store, number, by=call.by, now=call.now)
        return {"credentialId": number}

    def _found(self, call: Call) -> Client:
        asked = call.parameters
        number, identifier = asked.number("credentialid"), asked.text("clientapiidentifier")
        if number is None and not identifier:
            raise Refused("A Credential ID or Client Identifier is required.")
        if number is not None:
            client = self.store.clients.get(number)
            wrong = "Invalid Credential ID provided."
        else:
            client = self.store.clients.named(identifier)
            wrong = "Invalid Client Identifier provided."
        if client is None:
            raise Refused(wrong)
        _refuse_beyond(call, client)
        return client


def _grant(asked: Parameters) -> GrantType:
    text = asked.text("granttype")
    try:
        return GrantType(text)
    except ValueError:
        raise Refused(f'The requested grant type "{text[:80]}" is invalid.') from None


def _beyond(call: Call, scopes: frozenset[str]) -> list[str]:
    """Give the scopes that the caller could make no token for."""
    allowed = call.credential.scopes
    return sorted(scopes - allowed - {BASE_SCOPE}) if allowed else []


def _refuse_beyond(call: Call, client: Client) -> None:
    if _beyond(call, client.scopes):
        raise Refused("Invalid Permissions: the credential has scopes beyond the caller's", 403)


def _given(call: Call) -> dict[str, Any]:
    """Give the fields of a client that a call names."""
    asked = call.parameters
    given: dict[str, Any] = {
        field: asked.text(name)
        for name, field in (
            ("name", "name"),
            ("description", "description"),
            ("logouri", "logo_uri"),
        )
        if name in asked
    }
    if "scope" in asked:
        given["scopes"] = frozenset(asked.text("scope").split())
        for scope in _beyond(call, given["scopes"]):
            raise Refused(f'The requested scope "{scope[:80]}" is invalid.')
    if (service := asked.number("serviceid")) is not None:
        given["service"] = service
    if (uris := asked.several("redirecturi")) is not None:
        given["redirect_uris"] = tuple(uri for value in uris for uri in value.split())
    return given


def _shown(client: Client) -> Answer:
    return {
        "credentialId": client.number,
        "name": client.name,
        "description": client.description,
        "grantTypes": str(client.grant),
        "scope": " ".join(sorted(client.scopes)),
        "clientIdentifier": client.identifier,
        "clientSecret": MASKED,
        "uuid": None,
        "serviceId": client.service or 0,
        "logoUri": client.logo_uri,
        "redirectUri": list(client.redirect_uris),
        "rsaKeyPairId": 0,
        "createdAt": moment(client.created_at),
        "updatedAt": moment(client.updated_at),
    }
