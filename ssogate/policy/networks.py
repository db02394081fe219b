"""Sets of networks: membership by one look-up for each prefix length in use, however many they are.

An IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`, RFC 4291 section 2.5.5.2) is the IPv4
address, on both sides: a dual-stack socket reports visitors that way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from ssogate.model import Address

Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Networks:
    """Some networks. An empty set holds nobody."""

    texts: tuple[str, ...]
    """For explanations to the operator; never shown to a visitor."""
    _v4: tuple[tuple[int, frozenset[int]], ...]
    _v6: tuple[tuple[int, frozenset[int]], ...]

    def __contains__(self, address: Address | None) -> bool:
        """Tell whether the address is in one of them. An unknown address (None) is in none."""
        if address is None:
            return False
        address = unmapped(address)
        table = self._v4 if isinstance(address, IPv4Address) else self._v6
        number = int(address)
        return any(number >> host_bits in prefixes for host_bits, prefixes in table)


def networks(members: Iterable[Network]) -> Networks:
    """Group networks by prefix length."""
    tables: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
    texts = []
    for member in members:
        texts.append(str(member))
        network = _unmapped_network(member)
        host_bits = network.max_prefixlen - network.prefixlen
        prefix = int(network.network_address) >> host_bits
        tables[network.version].setdefault(host_bits, set()).add(prefix)
    v4, v6 = (
        tuple((bits, frozenset(prefixes)) for bits, prefixes in sorted(tables[version].items()))
        for version in (4, 6)
    )
    return Networks(tuple(texts), v4, v6)


def unmapped(address: Address) -> Address:
    """Give the IPv4 address behind an IPv4-mapped one; any other as it is."""
    return (not isinstance(address, IPv4Address) and address.ipv4_mapped) or address


def _unmapped_network(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        low = int(network.network_address) & 0xFFFFFFFF
        return IPv4Network((low, network.prefixlen - 96))
    return network
