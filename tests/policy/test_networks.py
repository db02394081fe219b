from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.policy.networks import networks


@pytest.mark.parametrize(
    ("members", "address", "held"),
    [
        pytest.param(["10.0.0.0/8"], "10.255.255.255", True, id="last of the network"),
        pytest.param(["10.0.0.0/8"], "11.0.0.0", False, id="first after the network"),
        pytest.param(["10.0.0.0/8"], "9.255.255.255", False, id="last before the network"),
        pytest.param(["192.0.2.7"], "192.0.2.7", True, id="one address"),
        pytest.param(["192.0.2.7"], "192.0.2.8", False, id="its neighbour"),
        pytest.param(["10.0.0.0/8"], "::ffff:10.0.0.1", True, id="mapped visitor"),
        pytest.param(["::ffff:10.0.0.0/104"], "10.0.0.1", True, id="mapped network"),
        pytest.param(["::ffff:10.0.0.0/104"], "::ffff:10.9.9.9", True, id="both mapped"),
        pytest.param(["::ffff:10.0.0.0/104"], "11.0.0.1", False, id="mapped network, neighbour"),
        pytest.param(["::/0"], "10.0.0.1", False, id="all of IPv6 is no IPv4"),
        pytest.param(["::/0"], "::ffff:10.0.0.1", False, id="all of IPv6 is no mapped IPv4"),
        pytest.param(["0.0.0.0/0"], "::1", False, id="all of IPv4 is no IPv6"),
        pytest.param(["0.0.0.0/0"], "::ffff:1.2.3.4", True, id="all of IPv4 holds mapped"),
        pytest.param(["10.0.0.0/8"], "::10.0.0.1", False, id="compatible is not mapped"),
        pytest.param(["::1"], "::1", True, id="IPv6 loopback"),
        pytest.param(["::1"], "127.0.0.1", False, id="the loopbacks differ"),
        pytest.param(["fe80::/10"], "fe80::1%eth0", True, id="with a scope"),
        pytest.param(["10.0.0.0/8", "10.1.0.0/16", "::1"], "10.2.0.1", True, id="overlapping"),
        pytest.param([], "10.0.0.1", False, id="no network holds nobody"),
    ],
)
def test_a_network_holds_its_addresses(members: list[str], address: str, held: bool) -> None:
    assert (ip_address(address) in networks(map(ip_network, members))) is held


def test_an_unknown_address_is_nowhere() -> None:
    assert None not in networks([ip_network("0.0.0.0/0"), ip_network("::/0")])


def near(number: int, width: int, data: st.DataObject) -> int:
    """Give the number, or one that differs from it in one bit."""
    return number ^ data.draw(st.just(0) | st.integers(0, width - 1).map(lambda bit: 1 << bit))


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), min_size=1, max_size=6),
    st.lists(
        st.tuples(st.integers(2**64, 2**128 - 1), st.integers(0, 128)), min_size=1, max_size=6
    ),
    st.data(),
)
def test_membership_is_that_of_the_standard_library(
    four: list[tuple[int, int]], six: list[tuple[int, int]], data: st.DataObject
) -> None:
    members = [
        *(ip_network((IPv4Address(n), bits), strict=False) for n, bits in four),
        *(ip_network((IPv6Address(n), bits), strict=False) for n, bits in six),
    ]
    low, _ = data.draw(st.sampled_from(four))
    high, _ = data.draw(st.sampled_from(six))

    for address in (IPv4Address(near(low, 32, data)), IPv6Address(near(high, 128, data))):
        assert (address in networks(members)) is any(address in member for member in members)


def test_many_networks_cost_one_look_up_for_each_prefix_length() -> None:
    many = networks(ip_network((n << 8, 24)) for n in range(10_000))

    assert len(many._v4) == 1
    assert ip_address("0.39.15.1") in many
    assert ip_address("0.39.16.1") not in many
