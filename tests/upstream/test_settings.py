"""`upstreams:` and `routes:`: every mistake is told with what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from ssogate.config import document
from ssogate.config import schema as json_schema
from ssogate.config.values import Settings as SettingsClass
from ssogate.errors import ConfigurationError
from ssogate.http.target import parse_target
from ssogate.upstream.origin import Origin
from ssogate.upstream.route import Redirect, Upstream
from ssogate.upstream.settings import RouteSettings, UpstreamSettings, open_routes


class Tree(SettingsClass):
    """As these settings stand in gateway.yaml."""

    upstreams: dict[str, UpstreamSettings] = Field(default_factory=dict)
    routes: tuple[RouteSettings, ...] = ()


def read(text: str) -> Tree:
    return document(text, "gateway.yaml").validate(Tree)


def test_an_upstream_needs_an_address_only() -> None:
    settings = read("upstreams: {app: {url: 'http://127.0.0.1:8001'}}").upstreams["app"]
    opened = settings.open("app")

    assert settings.url == opened.choose(0.0).origin == Origin("http", "127.0.0.1", 8001)
    assert (opened.host_header, settings.idle_lifetime, settings.max_connections) == ("", 4.0, 100)


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("http://app", Origin("http", "app", 80), "app"),
        ("HTTP://App.Example:80", Origin("http", "app.example", 80), "app.example"),
        ("https://app", Origin("https", "app", 443), "app"),
        ("https://app:80", Origin("https", "app", 80), "app:80"),
        ("http://[::1]:8001", Origin("http", "[::1]", 8001), "[::1]:8001"),
        ("http+unix:/run/app.sock", Origin("http", "localhost", 80, "/run/app.sock"), "localhost"),
    ],
)
def test_an_address_is_read_in_its_one_form(url: str, origin: Origin, authority: str) -> None:
    settings = UpstreamSettings(url=url, host_header="upstream")

    assert settings.url == origin
    assert settings.open("app").host_header == authority


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("url: 8001", "write a text such as http://127.0.0.1:8001", id="number"),
        pytest.param("url: localhost:8001", "write http://host:port", id="no scheme"),
        pytest.param("url: ftp://a", "write http://host:port", id="other scheme"),
        pytest.param("url: http:///x", "write http://host:port", id="no host"),
        pytest.param("url: http://a/x", "add_prefix", id="path"),
        pytest.param("url: http://a/", "without a path", id="slash"),
        pytest.param("url: http://a?x", "without a path", id="query"),
        pytest.param("url: http://u:p@a", "without a path", id="user"),
        pytest.param("url: 'http://a b'", "without a path", id="space"),
        pytest.param("url: http://a:b", "write a host name", id="port"),
        pytest.param("url: http://a:99999", "write a host name", id="large port"),
        pytest.param("url: http+unix:///run/x", "http+unix:/path", id="socket with slashes"),
        pytest.param("url: http+unix:run", "write http://host:port", id="socket without slash"),
        pytest.param(f"url: http+unix:/{'x' * 200}", "at most 107 bytes", id="long socket"),
        pytest.param("url: http://a, host_header: 'a b'", "write preserve, upstream", id="host"),
        pytest.param("url: http://a, host_header: [a]", "write preserve, upstream", id="list"),
        pytest.param("url: http://a, connect_timeout: 5", "with a unit", id="no unit"),
        pytest.param("url: http://a, connect_timeout: 0s", "above zero", id="no time"),
        pytest.param("url: http://a, read_timeout: 8d", "at most 7d", id="long time"),
        pytest.param("url: http://a, total_timeout: 0s", "above zero", id="no time at all"),
        pytest.param("url: http://a, queue_timeout: 30d", "at most 7d", id="long queue"),
        pytest.param("url: http://a, max_connections: 0", "1", id="no connections"),
        pytest.param("url: http://a, ca_file: x.pem", "certificates in PEM", id="no such file"),
        pytest.param("url: http://a, insecure_skip_verify: true", "https://", id="no TLS"),
        pytest.param("url: http://a, skip_verify: true", "unknown key", id="unknown key"),
        pytest.param("host_header: a", "either url: or servers:", id="no address"),
        pytest.param("url: http://a, servers: [http://b]", "either url: or", id="both"),
        pytest.param("servers: []", "either url: or servers:", id="no server"),
        pytest.param("servers: [http://a, HTTP://A:80]", "twice", id="a server twice"),
        pytest.param("servers: [http://a, https://b]", "one for all", id="two schemes"),
        pytest.param("servers: [http://a, b]", "write http://host:port", id="second server"),
        pytest.param("servers: http://a", "list", id="servers, not a list"),
        pytest.param(
            "servers: [http://a, http://b], host_header: upstream", "one name", id="several names"
        ),
        pytest.param(
            "servers: [http://a, http://b], insecure_skip_verify: true", "https://", id="no TLS"
        ),
        pytest.param("url: http://a, max_failures: 0", "1", id="no failures"),
        pytest.param("url: http://a, ejected_for: 0s", "above zero", id="out for no time"),
        pytest.param("url: http://a, health_check: {}", "path", id="check without path"),
        pytest.param(
            "url: http://a, health_check: /health", "keys and values", id="check, path alone"
        ),
    ],
)
def test_a_mistaken_upstream_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(f"upstreams: {{app: {{{text}}}}}")

    assert "gateway.yaml:1: upstreams.app" in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{}", "either upstream: or redirect:", id="nothing"),
        pytest.param("{upstream: a, redirect: 'https://x/'}", "either", id="both"),
        pytest.param("{upstream: a, path: app}", "starts with a slash", id="no slash"),
        pytest.param("{upstream: a, path: /app/}", "write /app:", id="closing slash"),
        pytest.param("{upstream: a, path: /café}", "write /caf%C3%A9:", id="unescaped"),
        pytest.param("{upstream: a, path: /%61}", "write /a:", id="escaped for nothing"),
        pytest.param("{upstream: a, path: /a/../b}", "cannot be asked for", id="dots"),
        pytest.param("{upstream: a, path: //a}", "cannot be asked for", id="double slash"),
        pytest.param("{upstream: a, path: '/a?b'}", "without a query", id="query"),
        pytest.param("{upstream: a, path: '/a#b'}", "without a query", id="fragment"),
        pytest.param("{upstream: a, path: '/a b'}", "cannot be asked for", id="space"),
        pytest.param("{upstream: a, host: 'a.*'}", "a * may stand only", id="star behind"),
        pytest.param("{upstream: a, host: 'https://a'}", "write a host name", id="URL as host"),
        pytest.param("{upstream: a, host: 'a:80'}", "without a port", id="host with port"),
        pytest.param("{upstream: a, strip_prefix: true}", "strips nothing", id="no prefix"),
        pytest.param("{upstream: a, add_prefix: x}", "starts with a slash", id="added"),
        pytest.param("{upstream: a, status: 301}", "302", id="status"),
        pytest.param("{upstream: a, max_body: 5}", "with a unit", id="size"),
        pytest.param("{upstream: a, identity: {Host: name}}", "meaning of its own", id="Host"),
        pytest.param("{upstream: a, identity: {X_User: name}}", "hyphens", id="underscore"),
        pytest.param("{upstream: a, identity: {X-User: mail}}", "username", id="field"),
        pytest.param(
            "{upstream: a, identity: {X-User: name, x-user: email}}", "one to a server", id="twice"
        ),
        pytest.param("{upstream: a, encoded_slash: true}", "refuse", id="not by yes and no"),
        pytest.param("{redirect: /x}", "with its scheme", id="relative redirect"),
        pytest.param("{redirect: 'https://x/?a'}", "keep_path: false", id="query and path"),
    ],
)
def test_a_mistaken_route_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(f"routes: [{text}]")

    assert "gateway.yaml:1: routes.0" in str(refused.value)
    assert message in str(refused.value)


def test_an_upstream_may_have_several_servers() -> None:
    text = "upstreams: {app: {servers: ['http://a:8001', 'http+unix:/run/b.sock']}}"
    settings = read(text).upstreams["app"]
    opened = settings.open("app")

    assert [it.origin for it in opened.servers] == list(settings.origins)
    assert len({id(it.pool) for it in opened.servers}) == 2
    assert str(opened) == "app (http://a:8001, unix:/run/b.sock)"
    assert read("upstreams: {app: {url: 'http://a'}}").upstreams["app"].origins == (
        Origin("http", "a", 80),
    )


@pytest.mark.parametrize(
    "servers", ["['http://a', 'http+unix:/b']", "['https://a', 'https://b']"], ids=["http", "https"]
)
def test_servers_may_be_named_by_one_host_of_your_choice(servers: str) -> None:
    text = f"upstreams: {{app: {{servers: {servers}, host_header: Club.Internal}}}}"

    assert read(text).upstreams["app"].open("app").host_header == "club.internal"


def test_servers_that_know_themselves_by_one_name_may_be_asked_by_it() -> None:
    settings = UpstreamSettings.model_validate(
        {"servers": ["http+unix:/a", "http+unix:/b"], "host_header": "upstream"}
    )

    assert settings.open("app").host_header == "localhost"


def test_failures_and_checks_are_counted_as_written() -> None:
    text = """
        upstreams:
          app:
            servers: ["http://a:8001", "http://b:8001"]
            max_failures: 2
            ejected_for: 1m
            health_check: {path: /health/, interval: 1s, timeout: 500ms, expect: 204}
        """
    settings = read(text).upstreams["app"]
    first = settings.open("app").servers[0].health
    first.failed(100.0)
    assert not first.out
    first.failed(100.0)

    assert [first.out, first.admits(159.9), first.admits(160.0)] == [True, False, True]
    check = settings.health_check
    assert check is not None
    assert (check.path, check.interval, check.timeout, check.expect) == ("/health/", 1.0, 0.5, 204)


def test_routes_are_opened_with_their_upstreams() -> None:
    tree = read(
        """
        upstreams:
          club: {url: "http://127.0.0.1:8001", host_header: Club.Internal}
        routes:
          - {upstream: club}
          - {host: "*.Old.example", path: /a, redirect: "https://new.example", keep_path: false}
          - {path: /raw, upstream: club, strip_prefix: true, add_prefix: /v1, identity: {},
             method_override: allow, max_body: 10MiB}
        """
    )
    table = open_routes(tree.routes, tree.upstreams, {"X-Who": "username"})
    first, second, third = table.routes

    assert isinstance(first.to, Upstream)
    assert first.to is third.to
    assert first.to.host_header == "club.internal"
    assert (first.host, first.path, first.max_body) == ("", "", 2**30)
    assert first.identity == {"X-Who": "username"}
    assert (second.host, second.to) == (
        "*.old.example",
        Redirect("https://new.example/", 302, False),
    )
    assert (third.strip_prefix, third.add_prefix, third.identity) == (True, "/v1", {})
    assert (third.method_override, third.max_body) == (True, 10 * 2**20)
    assert table.find(parse_target("GET", "/raw/x", "a.example")) is third


def test_an_unknown_upstream_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no upstream 'club'"):
        open_routes([RouteSettings(upstream="club")], {}, {})


def test_certificates_are_looked_for_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings: dict[str, Any] = {"url": "https://a", "ca_file": "ca.pem"}

    with pytest.raises(ValidationError, match="certificates in PEM"):
        UpstreamSettings.model_validate(settings, context={"base": tmp_path})


def test_not_verifying_and_a_list_of_authorities_contradict_each_other() -> None:
    import certifi

    with pytest.raises(ValidationError, match="remove one of the two"):
        UpstreamSettings.model_validate(
            {"url": "https://a", "ca_file": certifi.where(), "insecure_skip_verify": True}
        )


def test_editors_get_a_schema_with_descriptions() -> None:
    found = json_schema(Tree)["$defs"]

    for settings in ("UpstreamSettings", "RouteSettings"):
        for field in found[settings]["properties"].values():
            assert field["description"]
