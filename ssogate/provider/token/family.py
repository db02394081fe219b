"""The first tokens that a grant gives, whichever way it was given."""

from __future__ import annotations

from collections.abc import Mapping

from ssogate.model import Client, Grant, Identity, Token
from ssogate.provider.issuer import Issuer
from ssogate.provider.settings import OFFLINE_ACCESS
from ssogate.provider.token.id_tokens import check_may_sign_in, id_token
from ssogate.provider.token.minting import OPENID, audience, family_access, family_refresh


def first_tokens(
    issuer: Issuer,
    client: Client,
    grant: Grant,
    person: Identity,
    *,
    resources: tuple[str, ...],
    jkt: str,
    now: int,
) -> tuple[Mapping[str, object], list[Token]]:
    """Make what a client is answered, and the rows to be stored with it. `person` gave the grant;
    `resources` are those of its APIs that the access token is for; none means all. They are bound
    to the key of the thumbprint `jkt`, if that is not empty.

    Raises `InvalidGrant` if the person may not sign in to the client, and `InvalidTarget`.
    """
    check_may_sign_in(client, person)
    scopes = grant.scopes & client.scopes  # some may have been taken from the client since
    for_whom = audience(issuer, client, resources, grant.resources)
    access = family_access(
        issuer, client, grant, scopes=scopes, audience=for_whom, jkt=jkt, now=now
    )
    answer, rows = dict(access.answer), [access.row]
    if OPENID in scopes:
        answer["id_token"] = id_token(
            issuer,
            client,
            grant,
            person,
            scopes=scopes,
            access_token=access.text,
            nonce=grant.nonce,
            now=now,
        )
    if OFFLINE_ACCESS in scopes:
        refresh = family_refresh(issuer, client, grant, issuer.new_token(), jkt=jkt, now=now)
        answer["refresh_token"] = refresh.text
        rows.append(refresh.row)
    return answer, rows
