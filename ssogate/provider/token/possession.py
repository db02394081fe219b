"""Proofs of possession as requests bring them (RFC 9449): each is good for one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssogate.crypto.jwk import BadToken
from ssogate.oauth.dpop import Proof, proven
from ssogate.provider.errors import InvalidDpopProof
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request


@dataclass(frozen=True, slots=True)
class Possession:
    """What a request proves: that its sender has the key with the thumbprint `jkt`; empty: none."""

    jkt: str = ""
    proof: Proof | None = None

    def spend(self, store: Store) -> None:
        """Use the proof up, before anything is told that it earns; and not before the rest of the
        request is known to be right, so that nobody fills the store with proofs.

        Raises `InvalidDpopProof` if it was used already.
        """
        if self.proof and not store.one_time.spend(self.proof.once, until=self.proof.until):
            raise InvalidDpopProof(detail="the proof was used already")


def possession(
    request: Request, *, url: str, now: int, access_token: str | None = None
) -> Possession:
    """Judge the request's header `DPoP`, if it has one. `url` is the address as clients know it.

    Raises `InvalidDpopProof`.
    """
    proof = request.environ.get("HTTP_DPOP", "")
    if not proof:
        return Possession()
    try:
        found = proven(proof, method=request.method, url=url, now=now, access_token=access_token)
    except BadToken as error:
        raise InvalidDpopProof(detail=str(error)) from error
    return Possession(found.jkt, found)
