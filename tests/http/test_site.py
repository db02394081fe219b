"""Which hosts are served, and where an ambiguous spelling is let through."""

from __future__ import annotations

import pytest

from ssogate.errors import BadHost, BadTarget, UnknownHost
from ssogate.http.site import Opening, Site, host_matches

SITE = Site(
    ["app.example", "*.shops.example"],
    [
        Opening("", "/wiki", encoded_slash=True),
        Opening("*.shops.example", "/dav", double_slash=True),
        Opening("", "", double_slash=False),
    ],
)


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        pytest.param("a.example", "a.example", True, id="itself"),
        pytest.param("a.example", "b.a.example", False, id="below"),
        pytest.param("*.a.example", "b.a.example", True, id="below, for *."),
        pytest.param("*.a.example", "c.b.a.example", True, id="far below, for *."),
        pytest.param("*.a.example", "a.example", False, id="itself, for *."),
        pytest.param("*.a.example", "evil-a.example", False, id="suffix without a dot"),
        pytest.param("*.a.example", "b.a.example.evil", False, id="a host that goes on"),
        pytest.param("a.example", "aXexample", False, id="a dot is a dot"),
    ],
)
def test_a_pattern_means_a_host_or_what_is_below(pattern: str, host: str, matches: bool) -> None:
    assert host_matches(pattern, host) is matches


@pytest.mark.parametrize("header", ["app.example", "APP.example.:443", "x.shops.example"])
def test_a_host_that_is_served_is_judged(header: str) -> None:
    assert SITE.target("GET", "/a", header).path == "/a"


@pytest.mark.parametrize("header", ["evil.example", "shops.example", "evilapp.example", "[::1]"])
def test_another_host_is_refused(header: str) -> None:
    with pytest.raises(UnknownHost):
        SITE.target("GET", "/a", header)


def test_a_site_without_hosts_serves_nobody() -> None:
    with pytest.raises(UnknownHost):
        Site([]).target("GET", "/", "app.example")
    with pytest.raises(BadHost):
        Site([""]).target("GET", "/", "")


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        pytest.param("/wiki/a%2fb", "app.example", id="any host"),
        pytest.param("/wiki/a%2fb", "x.shops.example", id="any host, another"),
        pytest.param("/dav//a", "x.shops.example", id="its own hosts"),
    ],
)
def test_a_spelling_is_let_through_where_a_route_needs_it(raw: str, host: str) -> None:
    assert len(SITE.target("GET", raw, host).readings) > 1


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        pytest.param("/a%2fb", "app.example", id="elsewhere"),
        pytest.param("/wikis/a%2fb", "app.example", id="a longer name"),
        pytest.param("/wiki%2fa", "app.example", id="the slash of the prefix"),
        pytest.param("/Wiki/a%2fb", "app.example", id="another case"),
        pytest.param("/%77iki/a%2fb", "app.example", id="the prefix escaped"),
        pytest.param("/wiki/../a%2fb", "app.example", id="dots back out"),
        pytest.param("/wiki/..%2fa%2fb", "app.example", id="encoded dots back out"),
        pytest.param("/wiki//a", "app.example", id="another spelling"),
        pytest.param("/dav//a", "app.example", id="another host"),
        pytest.param("//dav//a", "x.shops.example", id="outside the prefix"),
    ],
)
def test_no_spelling_is_let_through_elsewhere(raw: str, host: str) -> None:
    with pytest.raises(BadTarget):
        SITE.target("GET", raw, host)


def test_the_memory_of_hosts_that_visitors_choose_is_bounded() -> None:
    site = Site(["*.example"])
    for number in range(1000):
        site.target("GET", "/", f"h{number}.example")

    info = site._host.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize < 1000


@pytest.mark.parametrize(
    ("host", "path", "opened"),
    [
        pytest.param("app.example", "/a//b", True, id="the site"),
        pytest.param("app.example", "/strict//b", False, id="a route below that is strict"),
        pytest.param("app.example", "/strict/loose//b", True, id="one below that"),
        pytest.param("other.example", "/a//b", False, id="a host of its own"),
        pytest.param("x.shops.example", "/a//b", False, id="hosts below one"),
        pytest.param("my.shops.example", "/a//b", True, id="one of these by name"),
    ],
)
def test_the_route_that_serves_a_path_decides(host: str, path: str, opened: bool) -> None:
    site = Site(
        ["app.example", "other.example", "*.shops.example"],
        [
            Opening("*.shops.example", ""),
            Opening("", "", double_slash=True),
            Opening("", "/strict"),
            Opening("", "/strict/loose", double_slash=True),
            Opening("other.example", ""),
            Opening("my.shops.example", "", double_slash=True),
        ],
    )
    if opened:
        assert site.target("GET", path, host).path == path
    else:
        with pytest.raises(BadTarget):
            site.target("GET", path, host)
