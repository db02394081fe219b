"""What a proxy in front is told: yes and who it is, where to sign in, or no; and no yes by mistake.

Each question is put to the layers alone, and to the fast lane with the layers behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from wsgiref.validate import validator

import pytest

from ssogate.http.pages import PRIVATE_HEADERS
from ssogate.middleware.auth_request import AUTH
from tests.attack.stage import HOST
from tests.attack.test_targets import AMBIGUOUS, PLACES
from tests.lane.making import IDLE, LIFETIME, PEER, PROXY, Gatehouse, cookie, gatehouse, head

UNIX = ""
JOHN, SUE, ZOE = (f"Cookie: a=1; {cookie(name)}" for name in ("john", "sue", "zoe"))
SIGN_IN = "http://members.example/login"
ABOUT = {
    *(name.lower() for name in PRIVATE_HEADERS),
    *("content-length", "content-type", "content-security-policy"),
    *("www-authenticate", "location", "retry-after"),
}
"""Headers of an answer that name nobody."""


@dataclass(frozen=True)
class Told:
    """An answer to a proxy."""

    status: int
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def code(self) -> str | None:
        return self.header("X-SSOGate-Error")

    @property
    def named(self) -> dict[str, str]:
        """Whom the answer names, and every other header that it need not have."""
        return {name: value for name, value in self.headers if name.lower() not in ABOUT}


@dataclass(frozen=True)
class Gate:
    """A gate as a proxy asks it."""

    house: Gatehouse
    by_lane: bool

    def ask(
        self, uri: str, *lines: str, method: str = "GET", host: str = HOST, peer: str = PROXY
    ) -> Told:
        """Ask whether `method` may be done to `uri`."""
        about = (f"X-Original-Method: {method}", f"X-Original-URI: {uri}")
        return self.send(*about, *lines, host=host, peer=peer)

    def send(self, *lines: str, host: str = HOST, peer: str = PROXY) -> Told:
        """Ask with these header lines. That reaches no app, and sets no cookie."""
        data = head(AUTH, *lines, host=host)
        said = self.house.said(data, peer) if self.by_lane else None
        if said:
            named = said.granted.told.decode("latin-1").split("\r\n")[:-1]
            pairs = (line.partition(": ") for line in named)
            return Told(204, tuple((name, value) for name, _, value in pairs))
        found = self.house.relayed(data + b"\r\n\r\n", peer)
        told = Told(found.status, found.headers)
        assert found.arrived == ()
        assert told.header("Set-Cookie") is None
        if found.headers:  # gunicorn itself refuses some, and has none
            assert told.header("Cache-Control") == "no-store"
        return told


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path_factory.mktemp("auth") / "gate") as house:
        yield replace(house, layers=validator(house.layers))


@pytest.fixture(params=[False, True], ids=["layers", "lane"])
def gate(request: pytest.FixtureRequest, opened: Gatehouse) -> Gate:
    """A gate that no test may change."""
    return Gate(opened, by_lane=request.param)


@pytest.fixture(params=[False, True], ids=["layers", "lane"])
def changing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gate]:
    with gatehouse(tmp_path / "gate") as house:
        yield Gate(replace(house, layers=validator(house.layers)), by_lane=request.param)


# --- Yes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [PROXY, UNIX], ids=["by address", "by a unix socket"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("uri", ["/members/x", "/pub/x", "/%61nything?a=/../b&c=%2f"])
def test_a_yes_tells_who_it_is(gate: Gate, uri: str, method: str, peer: str) -> None:
    told = gate.ask(uri, JOHN, method=method, peer=peer)

    assert told.status == 204
    assert told.named == {
        "X-Remote-User": "john",
        "X-Remote-Name": "John",
        "X-Remote-Email": "john@x.example",
        "X-Remote-Groups": "",
    }


def test_names_and_groups_are_utf8(gate: Gate) -> None:
    named = gate.ask("/admin/x", ZOE).named

    assert named["X-Remote-Name"].encode("latin-1").decode() == "Zoë Ünal"
    assert named["X-Remote-Groups"].encode("latin-1").decode() == "staff,ünï"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((), id="no cookie"),
        pytest.param((f"Cookie: {cookie('out')}",), id="an ended session"),
        pytest.param((f"Cookie: {cookie('john')}; {cookie('sue')}",), id="two sessions"),
        pytest.param((f"Cookie: {cookie('john').upper()}",), id="another name"),
        pytest.param(("X-Remote-User: sue", "Remote-User: sue"), id="claims to be somebody"),
    ],
)
def test_nobody_is_named_on_a_public_page_but_who_is_signed_in(
    gate: Gate, lines: tuple[str, ...]
) -> None:
    told = gate.ask("/pub/x?y", *lines)

    assert (told.status, told.named) == (204, {})


def test_what_a_visitor_claims_to_be_is_not_repeated(gate: Gate) -> None:
    told = gate.ask("/members/x", JOHN, "X-Remote-User: sue", "X-Remote-Groups: staff")

    assert (told.named["X-Remote-User"], told.named["X-Remote-Groups"]) == ("john", "")


def test_each_host_has_its_own_rules(gate: Gate) -> None:
    assert gate.ask("/members/x", SUE).status == 204
    assert gate.ask("/members/x", SUE, host="raw.example").status == 403
    assert gate.ask("/pub/x", host="raw.example").status == 204


# --- Where to sign in ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "redirect"),
    [
        ("/admin?a=b", "%2Fadmin%3Fa%3Db"),
        ("/members/%61%C3%A9", "%2Fmembers%2Fa%25C3%25A9"),
        ("/members/?x=%2F..&y=//evil", "%2Fmembers%2F%3Fx%3D%252F..%26y%3D%2F%2Fevil"),
        ('/members/?x="<b>', "%2Fmembers%2F"),
        ("/members/?x=%0d%0aSet-Cookie:y", "%2Fmembers%2F"),
        (f"http://{HOST}/members/x", "%2Fmembers%2Fx"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_must_sign_in_comes_back_to_what_was_asked_for(
    gate: Gate, method: str, uri: str, redirect: str
) -> None:
    told = gate.ask(uri, method=method)

    assert (told.status, told.code) == (401, "sign_in_required")
    assert told.header("Location") == f"{SIGN_IN}?redirect={redirect}"
    assert told.header("WWW-Authenticate") == 'Cookie realm="sign-in"'
    assert told.named == {"X-SSOGate-Error": "sign_in_required"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_who_sent_a_form_comes_back_to_the_front_page(gate: Gate, method: str) -> None:
    told = gate.ask("/members/x?a=b", method=method)

    assert (told.status, told.header("Location")) == (401, f"{SIGN_IN}?redirect=%2F")


@pytest.mark.parametrize("uri", ["/_sso/account", "/_sso/auth", "/sso.php?query=x&hash=y"])
def test_the_gates_own_addresses_are_served_by_nobody_else(gate: Gate, uri: str) -> None:
    """The proxy must pass these to the gate: a signed link is no application's to see."""
    assert gate.ask(uri).status == 403
    assert gate.ask(uri, JOHN).status == 403


# --- No ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_may_not_is_refused(gate: Gate, method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ssogate")
    told = gate.ask("/admin/x?secret", JOHN, method=method)

    assert (told.status, told.named) == (403, {"X-SSOGate-Error": "forbidden"})
    assert told.header("Location") is None
    (line,) = caplog.messages
    assert (json.loads(line)["code"], json.loads(line)["rule"]) == ("forbidden", "admin")
    assert "secret" not in line


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(f"{prefix}{suffix}", id=f"{name}, {place}")
        for name, suffix in AMBIGUOUS.items()
        for place, prefix in PLACES.items()
    ],
)
def test_an_ambiguous_spelling_is_refused(gate: Gate, uri: str) -> None:
    for lines in ((), (SUE,)):
        told = gate.ask(uri, *lines)

        assert (told.status, told.named) == (403, {"X-SSOGate-Error": "bad_target"})


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("", id="nothing"),
        pytest.param("*", id="asterisk"),
        pytest.param("pub/x", id="no slash"),
        pytest.param("?x", id="a query alone"),
        pytest.param("//evil.example/pub/x", id="no scheme"),
        pytest.param("http://evil.example/pub/x", id="another host"),
        pytest.param("http://raw.example/pub/x", id="another host of the site's"),
        pytest.param(f"http://evil@{HOST}/pub/x", id="a user part"),
        pytest.param(f"http://{HOST}\\@evil/pub/x", id="a backslash in the authority"),
        pytest.param(f"ftp://{HOST}/pub/x", id="another scheme"),
        pytest.param(f"{HOST}:443", id="authority form"),
        pytest.param("/pub /x", id="a space"),
        pytest.param("/pub/x HTTP/1.1", id="half a request line"),
        pytest.param("/pub/\xff", id="a byte that is not UTF-8"),
        pytest.param("/pub/\x85", id="next line (C1)"),
        pytest.param(f"/pub/{'a' * 8190}", id="long"),
    ],
)
def test_what_is_no_address_of_the_host_is_never_allowed(gate: Gate, uri: str) -> None:
    told = gate.ask(uri, SUE)

    assert told.status in (400, 403)
    assert told.named.keys() <= {"X-SSOGate-Error"}


@pytest.mark.parametrize(
    "method",
    [
        pytest.param("", id="nothing"),
        *("get", "Get", "G ET", "GET /pub/x", "GET,POST", "G\xc9T", "A" * 33, "TRACE", "TRACK"),
        *("CONNECT", "DEBUG"),
    ],
)
def test_a_method_that_no_app_should_get_is_refused(gate: Gate, method: str) -> None:
    assert gate.ask("/pub/x", SUE, method=method).status == 403


def test_a_question_without_a_method_is_refused(gate: Gate) -> None:
    told = gate.send("X-Original-URI: /pub/x", SUE)

    assert told.status == 403


@pytest.mark.parametrize("other", ["X-Original-URL", "X-Forwarded-Uri", "X-Rewrite-URL"])
def test_a_question_about_nothing_has_no_answer(gate: Gate, other: str) -> None:
    assert gate.send("X-Original-Method: GET", f"{other}: /pub/x", JOHN).status == 404


@pytest.mark.parametrize("host", ["evil.example", "x.app.example", "app.example.evil", "a b", ""])
def test_another_site_is_refused(gate: Gate, host: str) -> None:
    told = gate.ask("/pub/x", SUE, host=host)

    assert told.status in (400, 421)
    assert told.named.keys() <= {"X-SSOGate-Error"}


# --- Who asks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((), id="as the proxy asks"),
        pytest.param((f"X-Forwarded-For: {PROXY}",), id="claims to be the proxy"),
        pytest.param((f"X-Real-IP: {PROXY}", f"Forwarded: for={PROXY}"), id="in other words"),
        pytest.param((SUE,), id="signed in"),
        pytest.param((SUE, f"X-Forwarded-For: {PEER}, {PROXY}"), id="signed in, by the proxy"),
    ],
)
@pytest.mark.parametrize("uri", ["/pub/x", "/members/x", "/pub/../x"])
def test_only_a_trusted_proxy_is_answered(gate: Gate, uri: str, lines: tuple[str, ...]) -> None:
    told = gate.ask(uri, *lines, peer=PEER)

    assert (told.status, told.named) == (404, {"X-SSOGate-Error": "no_route"})


@pytest.mark.parametrize("peer", [PEER, PROXY])
def test_no_app_is_told_what_a_proxy_asked_about(opened: Gatehouse, peer: str) -> None:
    lines = ("X-Original-Method: GET", "X-Original-URI: /canary", "X-Original.URI: /canary")
    found = opened.relayed(head("/pub/x", *lines) + b"\r\n\r\n", peer)

    assert found.status == 200
    (arrived,) = found.arrived
    assert b"canary" not in arrived
    assert b"original" not in arrived.lower()


@pytest.mark.parametrize("peer", [PROXY, PEER])
def test_a_pointer_opens_nothing_elsewhere(opened: Gatehouse, peer: str) -> None:
    lines = ("X-Original-Method: GET", "X-Original-URI: /pub/x")
    found = opened.relayed(head("/members/x", *lines) + b"\r\n\r\n", peer)

    assert (found.status, found.arrived) == (401, ())


@pytest.mark.parametrize(
    ("said", "peer", "status"),
    [
        pytest.param("10.1.2.3", PROXY, 204, id="inside"),
        pytest.param("10.1.2.3", UNIX, 204, id="inside, by a unix socket"),
        pytest.param("203.0.113.5, 10.1.2.3", PROXY, 204, id="inside, claims another"),
        pytest.param(f"10.1.2.3, {PROXY}", PROXY, 204, id="inside, by two proxies"),
        pytest.param("203.0.113.5", PROXY, 403, id="outside"),
        pytest.param("10.1.2.3, 203.0.113.5", PROXY, 403, id="outside, claims to be inside"),
        pytest.param("10.1.2.3, somebody", PROXY, 403, id="no address"),
        pytest.param("", PROXY, 403, id="the proxy itself"),
        pytest.param("", UNIX, 403, id="no address at all"),
    ],
)
def test_rules_for_networks_judge_the_visitors_address(
    gate: Gate, said: str, peer: str, status: int
) -> None:
    lines = (f"X-Forwarded-For: {said}",) if said else ()

    assert gate.ask("/lan/x", *lines, peer=peer).status == status


# --- Changes -------------------------------------------------------------------------------------


Change = Callable[[Gatehouse], None]


def _later(seconds: float) -> Change:
    def change(house: Gatehouse) -> None:
        house.clock.now += seconds

    return change


def _written(statement: str) -> Change:
    return lambda house: house.change(statement)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param(_later(IDLE + 1), 401, id="idle"),
        pytest.param(_later(LIFETIME + 1), 401, id="expired"),
        pytest.param(_written("DELETE FROM sessions"), 401, id="ended"),
        pytest.param(_written("UPDATE users SET active = 0"), 401, id="deactivated"),
        pytest.param(_written("UPDATE users SET groups = ''"), 403, id="out of the group"),
        pytest.param(_written("UPDATE users SET name = char(10)"), 403, id="unsendable"),
    ],
)
def test_a_change_counts_at_the_next_question(changing: Gate, change: Change, status: int) -> None:
    assert changing.ask("/admin/x", SUE).status == 204

    change(changing.house)
    told = changing.ask("/admin/x", SUE)

    assert told.status == status
    assert told.named.keys() == {"X-SSOGate-Error"}


def test_a_store_that_fails_is_no_yes(changing: Gate) -> None:
    assert changing.ask("/members/x", JOHN).status == 204

    changing.house.change("DROP TABLE sessions")

    for uri in ("/members/x", "/pub/x"):
        told = changing.ask(uri, JOHN)
        assert (told.status, told.code) == (503, "sessions_unavailable")
        assert told.named.keys() <= {"X-SSOGate-Error"}


def test_a_gate_may_be_there_for_questions_alone(tmp_path: Path) -> None:
    with gatehouse(tmp_path / "gate", routes=[], upstreams={}) as opened:
        (warning,) = opened.gate.loaded.warnings
        assert "only questions of a proxy are answered" in str(warning)
        for by_lane in (False, True):
            gate = Gate(opened, by_lane)
            assert gate.ask("/members/x", JOHN).named["X-Remote-User"] == "john"
            assert gate.ask("/admin/x", JOHN).status == 403
        assert opened.relayed(head("/members/x", JOHN) + b"\r\n\r\n").status == 404
        assert opened.order(head("/members/x", JOHN)) is None
