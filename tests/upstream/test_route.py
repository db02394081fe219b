"""Routes: the most specific one wins, by whole segments, and the judged path is what is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ssogate.errors import BadTarget, GateError
from ssogate.http.target import parse_target
from ssogate.model import Target
from ssogate.upstream import wire
from ssogate.upstream.route import Redirect, Route, RouteTable

NOWHERE = Redirect("https://www.example/", 302, True)


def route(host: str = "", path: str = "", **more: object) -> Route:
    return Route(host, path, NOWHERE, **more)  # type: ignore[arg-type]


def target(path: str = "/", host: str = "app.example", **openings: bool) -> Target:
    return parse_target("GET", path, host, **openings)


TABLE = RouteTable(
    [
        route(),
        route("", "/app"),
        route("", "/app/deep/er"),
        route("", "/caf%C3%A9"),
        route("app.example"),
        route("app.example", "/app"),
        route("only.example", "/api"),
        route("*.example", "/wild"),
        route("*.sub.example", "/wild"),
        route("[::1]", "/six"),
    ]
)


@pytest.mark.parametrize(
    ("host", "path", "found"),
    [
        pytest.param("x.test", "/", ("", ""), id="any host, any path"),
        pytest.param("x.test", "/app", ("", "/app"), id="the prefix itself"),
        pytest.param("x.test", "/app/", ("", "/app"), id="with a slash"),
        pytest.param("x.test", "/app/x/y", ("", "/app"), id="below the prefix"),
        pytest.param("x.test", "/appx", ("", ""), id="not by letters"),
        pytest.param("x.test", "/app.", ("", ""), id="not by a prefix and a dot"),
        pytest.param("x.test", "/app;x/y", ("", ""), id="not by parameters"),
        pytest.param("x.test", "/APP", ("", ""), id="case counts"),
        pytest.param("x.test", "/app/deep", ("", "/app"), id="half way to a longer prefix"),
        pytest.param("x.test", "/app/deep/er/x", ("", "/app/deep/er"), id="the longest prefix"),
        pytest.param("x.test", "/caf%c3%a9/x", ("", "/caf%C3%A9"), id="escapes in any case"),
        pytest.param("app.example", "/x", ("app.example", ""), id="exact host"),
        pytest.param("APP.example.:80", "/app", ("app.example", "/app"), id="host in any spelling"),
        pytest.param("only.example", "/api/x", ("only.example", "/api"), id="host's own path"),
        pytest.param("only.example", "/app/x", ("", "/app"), id="else the routes of any host"),
        pytest.param("a.example", "/wild", ("*.example", "/wild"), id="wildcard"),
        pytest.param("a.b.example", "/wild", ("*.example", "/wild"), id="wildcard, two below"),
        pytest.param("a.sub.example", "/wild", ("*.sub.example", "/wild"), id="closer wildcard"),
        pytest.param("example", "/wild", ("", ""), id="a wildcard is not its parent"),
        pytest.param("[::1]:80", "/six", ("[::1]", "/six"), id="address"),
    ],
)
def test_the_most_specific_route_wins(host: str, path: str, found: tuple[str, str]) -> None:
    chosen = TABLE.find(target(path, host))

    assert chosen is not None
    assert (chosen.host, chosen.path) == found


def test_nothing_matches_where_there_is_no_route() -> None:
    table = RouteTable([route("app.example", "/app"), route("*.example", "/x")])

    assert table.find(target("/", "app.example")) is None
    assert table.find(target("/app", "other.test")) is None
    assert RouteTable([]).find(target()) is None


def test_two_routes_for_one_place_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two routes for any host, /app"):
        RouteTable([route("", "/app"), route(), route("", "/app")])


class Counted(dict[str, Any]):
    """Counts how often it is asked."""

    asked = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.asked += 1
        return super().get(key, default)


@pytest.mark.parametrize("count", [10, 10_000])
def test_ten_thousand_routes_cost_a_look_up_no_more_than_ten(count: int) -> None:
    table = RouteTable(route("", f"/a{number}/b") for number in range(count))
    root = table._hosts[""]
    root.below = counted = Counted(root.below)
    found = table.find(target("/a7/b/c"))

    assert found is not None
    assert (found.path, counted.asked) == ("/a7/b", 1)


# --- The path that is sent --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "sent", "add"),
    [
        pytest.param("/app", "/", "", id="the prefix alone"),
        pytest.param("/app/", "/", "", id="with a slash"),
        pytest.param("/app/x%20y", "/x%20y", "", id="below it"),
        pytest.param("/app", "/v1", "/v1", id="exchanged"),
        pytest.param("/app/", "/v1/", "/v1", id="exchanged, with a slash"),
        pytest.param("/app/app/x", "/v1/app/x", "/v1", id="cut off once"),
    ],
)
def test_prefixes_are_cut_off_and_added_as_whole_segments(asked: str, sent: str, add: str) -> None:
    stripping = route("", "/app", strip_prefix=True, add_prefix=add)

    assert stripping.upstream_path(target(asked)) == sent
    assert stripping.visitor_path(sent) in (asked, f"{asked}/")


def test_the_query_goes_along() -> None:
    asked = parse_target("GET", "/app?x=%2f", "app.example")

    assert route("", "/app", strip_prefix=True).upstream_path(asked) == "/?x=%2f"


def test_a_cut_that_would_leave_a_host_is_refused() -> None:
    stripping = route("", "/app", strip_prefix=True)

    with pytest.raises(BadTarget):
        stripping.upstream_path(target("/app//evil.example/x", double_slash=True))


PATHS = st.text(alphabet="/ab.%2Fe5C;~é\\ ?#", max_size=30).map("/{}".format)


@given(raw=PATHS, strip=st.booleans(), add=st.sampled_from(["", "/v1"]), openings=st.booleans())
def test_what_was_judged_is_what_is_sent(raw: str, strip: bool, add: str, openings: bool) -> None:
    path = f"/a{raw}"
    try:
        judged = parse_target(
            "GET", path, "app.example", encoded_slash=openings, double_slash=openings
        )
        assume(judged.path.split("/")[1] == "a")
        sent = route("", "/a", strip_prefix=strip, add_prefix=add).upstream_path(judged)
    except GateError:
        return
    line = wire.request_head("GET", sent, []).split(b"\r\n")[0]

    assert line == b"GET %b HTTP/1.1" % sent.encode("latin-1")
    sent, _, query = sent.partition("?")
    assert query == judged.query
    assert sent.startswith("/")
    assert "." not in sent.split("/")
    assert ".." not in sent.split("/")
    if strip:
        assert not sent.startswith("//")
        assert sent == (add + judged.path.removeprefix("/a") or "/")
    else:
        assert sent == add + judged.path


@pytest.mark.parametrize(
    ("path", "back"),
    [
        pytest.param("/v1/x?y=/v1#z", "/app/x?y=/v1#z", id="below the added prefix"),
        pytest.param("/v1", "/app", id="the added prefix"),
        pytest.param("/v1?x", "/app?x", id="with a query"),
        pytest.param("/v1x", None, id="not by letters"),
        pytest.param("/other", None, id="outside"),
    ],
)
def test_a_path_of_the_upstream_is_told_as_the_visitor_knows_it(
    path: str, back: str | None
) -> None:
    assert route("", "/app", strip_prefix=True, add_prefix="/v1").visitor_path(path) == back


def test_a_path_is_told_unchanged_where_nothing_was_changed() -> None:
    assert route("", "/app").visitor_path("/login?x") == "/login?x"
