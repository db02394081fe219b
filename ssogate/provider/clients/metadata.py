"""What a client says of itself when it registers, and what it is told that it is (RFC 7591 and
OpenID Connect Dynamic Client Registration, section 2 of both).

What is not known here is overlooked, as the RFC wants it; what is known, and cannot be had, is
refused. A stranger wrote it: addresses are held to more than those that an administrator types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from ssogate.directory.client_rules import LOOPBACK, MAX_URIS, redirect_uri
from ssogate.http.redirects import local_path, url_host
from ssogate.model import Client, ClientAuthentication
from ssogate.oauth.claims import sector
from ssogate.provider.authorization.answer import destination
from ssogate.provider.errors import OAuthError

METHODS = {
    "client_secret_basic": ClientAuthentication.SECRET,
    "client_secret_post": ClientAuthentication.SECRET,
    "private_key_jwt": ClientAuthentication.PRIVATE_KEY,
    "none": ClientAuthentication.NONE,
}
GRANT_TYPES = ("authorization_code", "refresh_token")
DEFAULT_SCOPES = ("openid", "profile", "email")

_MAX_TEXT = 2048  # characters, as of an address
_REFUSED = ("software_statement", "jwks_uri", "sector_identifier_uri", "request_uris")
# Browsers read a host whose last label is a number as an address (WHATWG URL, section 3.5).
_ADDRESS = re.compile(r"\[.*|(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")

Metadata = Mapping[str, Any]


class InvalidClientMetadata(OAuthError):
    """RFC 7591, section 3.2.2."""

    code = "invalid_client_metadata"
    public = "The client says of itself what cannot be."


class InvalidRedirectUri(InvalidClientMetadata):
    code = "invalid_redirect_uri"
    public = "A redirect URI is missing, or one that nobody may be sent to."


def described(client: Client, metadata: Metadata) -> Client:
    """Give a client as it describes itself; what it does not say of itself is the default, whatever
    it was. Raises `InvalidClientMetadata`."""
    for name in _REFUSED:
        if name in metadata:
            raise InvalidClientMetadata(f"{name} is not taken here.")
    native = _word(metadata, "application_type", ("web", "native")) == "native"
    uris = _redirect_uris(metadata, native=native)
    method = _word(metadata, "token_endpoint_auth_method", tuple(METHODS))
    grants = _subset(metadata, "grant_types", GRANT_TYPES)
    _subset(metadata, "response_types", ("code",))
    alg = _text(metadata, "id_token_signed_response_alg")
    return replace(
        client,
        name=_text(metadata, "client_name") or url_host(uris[0]) or "App",
        scopes=_scopes(metadata, refreshing="refresh_token" in grants),
        logo_uri=_logo(metadata),
        redirect_uris=uris,
        post_logout_redirect_uris=_post_logout_uris(metadata, native=native),
        backchannel_logout_uri=_backchannel(metadata, uris),
        authentication=METHODS[method],
        jwks=_jwks(metadata),
        native=native,
        pairwise=_word(metadata, "subject_type", ("public", "pairwise")) == "pairwise",
        algorithm=alg or "RS256",
        trusted=False,
    )


def redescribed(client: Client, metadata: Metadata) -> Client:
    """Give a registered client as it describes itself anew: by the names that it knows people by,
    and with no scope that it has not, since an operator may have taken it. Raises
    `InvalidClientMetadata`, and ValueError."""
    drawn = described(client, metadata)
    pairwise = (drawn.pairwise, client.pairwise)
    same_sector = not all(pairwise) or sector(drawn.redirect_uris) == sector(client.redirect_uris)
    if len({*pairwise}) > 1 or not same_sector:
        _refuse("subject_type", "stays what it was, and so does a pairwise client's host")
    return replace(drawn, scopes=drawn.scopes & client.scopes)


def is_another(before: Client, now: Client) -> bool:
    """Whether a client is not what people have agreed to: by its name, or as answers go to hosts
    that they were not told of."""
    known, hosts = ({*map(destination, it.redirect_uris)} for it in (before, now))
    return before.name != now.name or not hosts <= known


def description(client: Client, scopes: frozenset[str]) -> dict[str, object]:
    """Give what a client is, in the words that it would describe itself with. `scopes` is what it
    may ask for."""
    method = next(name for name, proof in METHODS.items() if proof is client.authentication)
    optional: dict[str, object] = {
        "logo_uri": client.logo_uri,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "backchannel_logout_uri": client.backchannel_logout_uri,
        "jwks": json.loads(client.jwks) if client.jwks else None,
    }
    return {
        "client_id": client.identifier,
        "client_id_issued_at": client.created_at,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": GRANT_TYPES,
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "scope": " ".join(sorted(client.scopes & scopes)),
        "application_type": "native" if client.native else "web",
        "subject_type": "pairwise" if client.pairwise else "public",
        "id_token_signed_response_alg": client.algorithm,
        **{name: value for name, value in optional.items() if value},
    }


def _redirect_uris(metadata: Metadata, *, native: bool) -> tuple[str, ...]:
    uris = _texts(metadata, "redirect_uris")
    if not uris:
        raise InvalidRedirectUri
    for uri in uris:
        _judge_uri(uri, native=native)
    return uris


def _post_logout_uris(metadata: Metadata, *, native: bool) -> tuple[str, ...]:
    uris = _texts(metadata, "post_logout_redirect_uris")
    for uri in uris:
        _judge_uri(uri, native=native)
    return uris


def _judge_uri(uri: str, *, native: bool) -> None:
    """A web client is reached by https at a name; a native one also at its own machine, or by a
    scheme that is the name of a domain (RFC 8252, section 7)."""
    try:
        redirect_uri(uri)
    except ValueError:
        raise InvalidRedirectUri from None
    scheme, host = uri.partition(":")[0].lower(), url_host(uri)
    if host is None:
        good = native and "." in scheme
    elif scheme == "https":
        good = not _is_address(host)
    else:
        good = native and host in LOOPBACK
    if not good:
        raise InvalidRedirectUri


def _is_address(host: str) -> bool:
    """Whether a host is no name in the public DNS, where a name belongs to somebody."""
    here = host == "localhost" or host.endswith(".localhost")
    return here or _ADDRESS.fullmatch(host) is not None


def _backchannel(metadata: Metadata, redirect_uris: tuple[str, ...]) -> str:
    """The gate itself sends requests there: to a host of the client's own, and never to this
    machine or to an address, which may be one of the gate's own network."""
    uri = _text(metadata, "backchannel_logout_uri")
    if not uri:
        return ""
    host = url_host(uri)
    own = {url_host(it) for it in redirect_uris}
    if not uri.lower().startswith("https:") or host not in own or host is None or _is_address(host):
        _refuse("backchannel_logout_uri", "must be https, at the host of a redirect URI")
    return uri


def _scopes(metadata: Metadata, *, refreshing: bool) -> frozenset[str]:
    named = frozenset(_text(metadata, "scope").split())
    return named or frozenset((*DEFAULT_SCOPES, *(["offline_access"] if refreshing else ())))


def _logo(metadata: Metadata) -> str:
    """A picture of this site, or none: another site would learn who signs in."""
    path = local_path(_text(metadata, "logo_uri"))
    return path.text if path else ""


def _jwks(metadata: Metadata) -> str:
    found = metadata.get("jwks")
    if found is None:
        return ""
    if not isinstance(found, dict):
        _refuse("jwks", "is no JWKS")
    return json.dumps(found)


def _word(metadata: Metadata, name: str, known: tuple[str, ...]) -> str:
    """Give one of `known`; the first is the default."""
    word = _text(metadata, name) or known[0]
    if word not in known:
        _refuse(name, f"is none of {', '.join(known)}")
    return word


def _subset(metadata: Metadata, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Give some of `known`, with the first, which is the default."""
    words = _texts(metadata, name) or known[:1]
    if not {known[0]} <= set(words) <= set(known):
        _refuse(name, f"must be among {', '.join(known)}, and name {known[0]}")
    return words


def _text(metadata: Metadata, name: str) -> str:
    value = metadata.get(name, "")
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        _refuse(name, "is no text, or too long")
    return value


def _texts(metadata: Metadata, name: str) -> tuple[str, ...]:
    values = metadata.get(name, [])
    if not isinstance(values, list) or len(values) > MAX_URIS:
        _refuse(name, "is no list, or too long")
    if not all(isinstance(value, str) for value in values):
        _refuse(name, "holds what is no text")
    return tuple(values)


def _refuse(name: str, why: str) -> NoReturn:
    raise InvalidClientMetadata(f"{name} {why}.")
