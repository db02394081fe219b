"""Connections to control panels: to a server's own addresses, and to private ones only where the
operator has listed or written them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ssogate.http.outgoing import (
    MAX_ANSWER,
    ExchangeFailed,
    Outgoing,
    Peer,
    Resolve,
    is_public,
    system_addresses,
    trust,
)
from ssogate.launch.module import Answer, PanelError
from ssogate.model import Address, Server
from ssogate.policy.networks import Networks, unmapped

__all__ = ["MAX_ANSWER", "Connections"]


class Connections:
    """The connections to panels, kept open between the launches of a process. Thread-safe.

    `networks` are private ones in which panels may be; `ca_files` by a server's name: what to trust
    for that server in place of the system's authorities. `resolve` gives the addresses of a host.
    Raises `OSError` for a file that holds no certificate.
    """

    def __init__(
        self,
        *,
        networks: Networks,
        ca_files: Mapping[str, Path],
        resolve: Resolve = system_addresses,
    ) -> None:
        self._networks, self._outgoing = networks, Outgoing(resolve)
        self._system = trust()
        self._own = {name: trust(file) for name, file in ca_files.items()}

    def exchange(
        self,
        server: Server,
        port: int,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        until: float,
    ) -> Answer:
        """Send a request as it is, once, and give the answer, whatever its status.

        It is over at `until`, by `time.monotonic`; only the system's resolver keeps its own time.
        Raises `PanelError`, which quotes nothing of request or answer.
        """
        believed = self._own.get(server.name, self._system) if server.secure else None
        peer = Peer(server.hosts[0], port, believed, partial(self._allows, server))
        try:
            got = self._outgoing.exchange(
                peer, method, target, headers=headers, body=body, until=until
            )
        except ExchangeFailed as error:
            raise PanelError(str(error)) from None
        return Answer(got.status, got.headers, got.body)

    def _allows(self, server: Server, address: Address) -> bool:
        written = str(unmapped(address)) in server.hosts
        return written or address in self._networks or is_public(address)
