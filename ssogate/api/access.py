"""Who may call, from where, and what.

Where from is judged before the secret: whoever is elsewhere cannot even try one. A secret holds 256
random bits, so tries need not be counted.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from ipaddress import ip_network

from ssogate.api.call import Parameters, Refused
from ssogate.config import Secret
from ssogate.crypto.random_secrets import NOBODYS, matches
from ssogate.model import Address, ApiCredential
from ssogate.policy.networks import Networks, networks
from ssogate.storage import Store

# WHMCS took the credentials of administrators first, and takes the newer ones in their place, too.
_PAIRS = (("identifier", "secret"), ("username", "password"))
CREDENTIALS = frozenset((*sum(_PAIRS, ()), "accesskey"))
"""The names of parameters that say who calls."""

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Access:
    """Reads credentials anew for each call, so that what is taken away is gone at once."""

    store: Store
    networks: Networks
    """Where any credential may call from."""
    access_key: Secret | None

    def credential(self, sent: Parameters, client: Address | None) -> ApiCredential:
        """Give the credential that a call was made with, from this address.

        Raises `Refused` (403): `Invalid IP …`, `Authentication Failed` for none and a wrong secret,
        `Invalid or missing credentials` for an identifier that nobody has, or nobody any more.
        """
        identifier, secret = _pair(sent)
        known = self._known(identifier)
        if not (self._near(known, client) or self._holds_key(sent)):
            raise Refused(f"Invalid IP {client or 'unknown'}", 403)
        genuine = matches(secret, known.secret_digest if known else NOBODYS)
        if identifier and secret and known is None:
            raise Refused("Invalid or missing credentials", 403)
        if known is None or not genuine:
            raise Refused("Authentication Failed", 403)
        return known

    def judge_action(self, credential: ApiCredential, action: str) -> None:
        """Raise `Refused` (403) if no role of the credential allows the action."""
        roles = filter(None, map(self.store.api_roles.named, credential.roles))
        if not any(action in role.actions for role in roles):
            raise Refused(f'Invalid Permissions: API action "{action}" is not allowed', 403)

    def _known(self, identifier: str) -> ApiCredential | None:
        if not _IDENTIFIER.fullmatch(identifier):
            return None
        found = self.store.api_credentials.named(identifier)
        return found if found and found.active else None

    def _near(self, known: ApiCredential | None, client: Address | None) -> bool:
        own = known.networks if known else ()
        return client in self.networks or client in networks(map(ip_network, own))

    def _holds_key(self, sent: Parameters) -> bool:
        key = self.access_key
        return key is not None and hmac.compare_digest(sent.text("accesskey").encode(), key.bytes)


def _pair(sent: Parameters) -> tuple[str, str]:
    """Give identifier and secret. An empty name means that the pair is not there."""
    for name, secret in _PAIRS:
        if sent.text(name):
            return sent.text(name), sent.text(secret)
    return "", ""
