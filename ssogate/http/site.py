"""What is served: which hosts, and which ambiguous spellings below which routes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ssogate.errors import UnknownHost
from ssogate.http.target import parse_host, parse_target
from ssogate.model import Target

OWN = "/_sso/"
"""Addresses below it are the gate's, whether or not there is anything."""


def host_matches(pattern: str, host: str) -> bool:
    """`*.example.com` means every host below example.com, at any depth, but not itself."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


@dataclass(frozen=True, slots=True)
class Opening:
    """Which ambiguous spellings a route lets through, because its app needs them."""

    host: str
    """A host pattern; empty for any."""
    prefix: str
    """The path below which it counts, without a slash at the end."""
    encoded_slash: bool = False
    double_slash: bool = False


def _specific(opening: Opening) -> tuple[bool, bool, int, int]:
    host = opening.host
    return (host != "", not host.startswith("*."), len(host), len(opening.prefix))


class Site:
    """The hosts that are served, as patterns, and the openings of its routes."""

    def __init__(self, hosts: Iterable[str], openings: Iterable[Opening] = ()) -> None:
        self._hosts = frozenset(hosts)
        # As routes are chosen: the most specific host, then the longest path.
        self._openings = tuple(sorted(openings, key=_specific, reverse=True))
        # Visitors choose the Host header, so what is remembered of them is bounded.
        self._host = lru_cache(maxsize=256)(self._judge)

    def target(self, method: str, raw_target: str, host_header: str) -> Target:
        """Give the target of a request to this site.

        Raises `UnknownHost`, and what `parse_target` raises.
        """
        host = self._host(host_header)
        for opening in self._openings:
            if raw_target.startswith(f"{opening.prefix}/") and (
                not opening.host or host_matches(opening.host, host)
            ):
                return parse_target(
                    method,
                    raw_target,
                    host,
                    encoded_slash=opening.encoded_slash,
                    double_slash=opening.double_slash,
                )
        return parse_target(method, raw_target, host)

    def _judge(self, host_header: str) -> str:
        host, _ = parse_host(host_header)
        if not any(host_matches(pattern, host) for pattern in self._hosts):
            raise UnknownHost(host)
        return host
