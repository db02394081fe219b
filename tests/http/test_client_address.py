"""The visitor's address, behind the proxies that were listed and nobody else."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.http.client_address import MAX_HOPS, client_address
from ssogate.http.environ import parse_address
from ssogate.model import Address

PROXIES = ip_network("10.0.0.0/8")


def listed(address: Address | None) -> bool:
    return address is not None and address in PROXIES


def nobody(address: Address | None) -> bool:
    return False


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("1.2.3.4", "", "1.2.3.4", id="no proxy"),
        pytest.param("1.2.3.4", "6.6.6.6", "1.2.3.4", id="a stranger's claim"),
        pytest.param("10.0.0.1", "1.2.3.4", "1.2.3.4", id="one proxy"),
        pytest.param("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4", id="the proxy as mapped IPv6"),
        pytest.param("10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4", id="the visitor as mapped IPv6"),
        pytest.param("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4", id="a forged entry in front"),
        pytest.param("10.0.0.1", "6.6.6.6, 1.2.3.4,10.0.0.2", "1.2.3.4", id="two proxies"),
        pytest.param("10.0.0.1", "2001:DB8:0::1", "2001:db8::1", id="IPv6"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="empty"),
        pytest.param("10.0.0.1", "garbage", "10.0.0.1", id="garbage"),
        pytest.param("10.0.0.1", "unknown", "10.0.0.1", id="unknown"),
        pytest.param("10.0.0.1", "1.2.3.4:99", "1.2.3.4", id="with a port"),
        pytest.param("10.0.0.1", "[2001:db8::1]", "2001:db8::1", id="in brackets"),
        pytest.param("10.0.0.1", "01.2.3.4", "10.0.0.1", id="octal"),
        pytest.param("10.0.0.1", "１.2.3.4", "10.0.0.1", id="other digits"),
        pytest.param("10.0.0.1", "16909060", "10.0.0.1", id="one number"),
        pytest.param("10.0.0.1", "1.2.3.4,", "10.0.0.1", id="empty last entry"),
        pytest.param("10.0.0.1", "1.2.3.4, bad, 10.0.0.3", "10.0.0.3", id="garbage on the way"),
        pytest.param("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2", id="proxies all the way"),
        pytest.param("10.0.0.1", "1.2.3.4," * 500 + "5.6.7.8", "5.6.7.8", id="500 hops"),
        pytest.param("", "1.2.3.4", None, id="unix socket that nobody listed"),
        pytest.param("garbage", "1.2.3.4", None, id="a peer that is no address"),
    ],
)
def test_only_listed_proxies_are_believed(peer: str, forwarded: str, client: str | None) -> None:
    expected = None if client is None else ip_address(client)

    assert client_address(peer, forwarded, listed).address == expected


@given(peer=st.ip_addresses().map(str), forwarded=st.text() | st.ip_addresses().map(str))
def test_an_empty_list_of_proxies_trusts_nobody(peer: str, forwarded: str) -> None:
    assert client_address(peer, forwarded, nobody) == (parse_address(peer), True)


def test_a_listed_unix_socket_is_believed() -> None:
    def unix(address: Address | None) -> bool:
        return address is None

    assert client_address("", "6.6.6.6, 1.2.3.4", unix).address == ip_address("1.2.3.4")


def test_the_walk_is_bounded() -> None:
    asked: list[Address | None] = []

    def everybody(address: Address | None) -> bool:
        asked.append(address)
        return True

    client_address("10.0.0.1", "1.2.3.4," * 10_000 + "1.2.3.4", everybody)

    assert len(asked) == MAX_HOPS


@pytest.mark.parametrize(
    ("entry", "address", "certain"),
    [
        pytest.param("1.2.3.4", "1.2.3.4", True, id="an address"),
        pytest.param("1.2.3.4:4711", "1.2.3.4", True, id="with a port"),
        pytest.param("[2001:db8::1]:443", "2001:db8::1", True, id="IPv6 with a port"),
        pytest.param("[::ffff:1.2.3.4]:443", "1.2.3.4", True, id="mapped, with a port"),
        pytest.param("unknown", "10.0.0.1", False, id="no address"),
        pytest.param("1.2.3.4, unix:", "10.0.0.1", False, id="no address of the last proxy's"),
        pytest.param("1.2.3.4,", "10.0.0.1", False, id="nothing"),
        pytest.param("1.2.3.4:x", "10.0.0.1", False, id="a port that is none"),
        pytest.param("1.2.3.4:123456", "10.0.0.1", False, id="a port too long"),
        pytest.param("2001:db8::1]:443", "10.0.0.1", False, id="half a bracket"),
        pytest.param("[1.2.3.4", "10.0.0.1", False, id="the other half"),
        pytest.param("unknown, 1.2.3.4", "1.2.3.4", True, id="what a visitor wrote in front"),
    ],
)
def test_what_a_proxy_says_is_an_address_or_is_known_to_be_none(
    entry: str, address: str, certain: bool
) -> None:
    assert client_address("10.0.0.1", entry, listed) == (ip_address(address), certain)
