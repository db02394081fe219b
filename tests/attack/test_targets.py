"""Rows A1 to A9: the path and the host that are judged are the ones that are served.

Every spelling goes over a raw socket, into every kind of place that a path can lead to.
"""

from __future__ import annotations

from itertools import chain

import pytest

from tests.attack.conftest import Wrap
from tests.attack.stage import PAGE, Stage
from tests.servers import Answer

pytestmark = pytest.mark.server

# Appended to a public prefix. Some server, somewhere, reads each of them as another path.
AMBIGUOUS = {
    "A2 dot segments": "/../admin",
    "A2 dot segments to the root": "/x/../../admin",
    "A2 dot segments encoded": "/%2e%2e/admin",
    "A2 dot segments encoded in capitals": "/%2E%2E/admin",
    "A2 one dot encoded": "/.%2e/admin",
    "A2 the other dot encoded": "/%2e./admin",
    "A2 dot segments encoded twice": "/%252e%252e/admin",
    "A2 one dot encoded twice": "/.%252e/admin",
    "A2 dot segments encoded three times": "/%25252e%25252e/admin",
    "A2 escapes of escapes": "/%25%32%65%25%32%65/admin",
    "A2 single dot": "/./admin",
    "A2 single dot at the end": "/.",
    "A2 dot segment at the end": "/..",
    "A2 single dot encoded": "/%2e/admin",
    "A2 encoded slash": "%2fadmin",
    "A2 encoded slashes around dots": "%2f..%2fadmin",
    "A2 encoded slash in capitals": "%2F..%2Fadmin",
    "A2 slash encoded twice": "%252fadmin",
    "A2 backslash": "/..\\admin",
    "A2 backslash alone": "\\admin",
    "A2 backslash encoded": "/..%5cadmin",
    "A2 backslash encoded twice": "/..%255cadmin",
    "A2 parameter, then dots": ";/../admin",
    "A2 dot with a parameter": "/.;/admin",
    "A2 dots with a parameter": "/..;/admin",
    "A2 dots with a named parameter": "/..;x=1/admin",
    "A2 dots with an encoded parameter": "/..%3bx/admin",
    "A2 dots with a parameter encoded twice": "/..%253bx/admin",
    "A2 dots before an encoded question mark": "/..%3fx/admin",
    "A2 dots before a question mark encoded twice": "/..%253fx/admin",
    "A2 dots before an encoded hash": "/..%23x/admin",
    "A2 dots before a hash encoded twice": "/..%2523x/admin",
    "A2 dots and a space": "/..%20/admin",
    "A2 space and dots": "/%20../admin",
    "A2 dots and a no-break space": "/..%c2%a0/admin",
    "A2 dots and a tab": "/..%09/admin",
    "A2 dots and a NUL": "/..%00/admin",
    "A2 empty segment": "//admin",
    "A2 empty segments": "///admin",
    "A2 empty segment by a parameter": "/;/admin",
    "A2 overlong dots": "/%c0%ae%c0%ae/admin",
    "A2 overlong dots in three bytes": "/%e0%80%ae%e0%80%ae/admin",
    "A2 overlong slash": "%c0%afadmin",
    "A2 a byte that is not UTF-8": "/%ff",
    "A2 a surrogate": "/%ed%a0%80",
    "A2 percent sign alone": "/%",
    "A2 escape cut short": "/%2",
    "A2 escape of letters": "/%zz",
    "A2 escape as IIS has it": "/%u002e%u002e/admin",
    "A4 fragment": "#/../admin",
    "A4 fragment after a query": "?x#y",
    "A8 NUL": "%00.png",
    "A8 NUL encoded twice": "%2500.png",
    "A8 line feed": "%0aadmin",
    "A8 CR and LF": "%0d%0aX-Remote-User:%20admin",
    "A8 delete": "%7f",
    "A8 next line (C1)": "%c2%85",
}
PLACES = {
    "relayed": "/pub",
    "prefix stripped": "/app/pub",
    "redirected": "/go",
    "our own address": "/_sso/health",
    "the link's address": "/sso.php",
    "closed": "/admin",
}
SPELLINGS = [
    pytest.param(f"{prefix}{suffix}", id=f"{name}, {place}")
    for name, suffix in AMBIGUOUS.items()
    for place, prefix in PLACES.items()
]


def assert_refused(answer: Answer, code: str, status: int) -> None:
    assert (answer.status, answer.header("X-SSOGate-Error")) == (status, code)
    assert answer.header("Set-Cookie") is None
    assert answer.header("Location") is None
    assert answer.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("target", SPELLINGS)
def test_an_ambiguous_spelling_is_refused_before_anything_else(stage: Stage, target: str) -> None:
    staff = stage.sign_in("sue", groups="staff")

    assert_refused(stage.ask(target), "bad_target", 400)
    assert_refused(stage.ask(target, staff), "bad_target", 400)
    assert stage.seen() == []


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("target", ["/pub/..%2fadmin", "/pub/..;/admin", "//admin", "/pub/%2e"])
def test_no_method_opens_an_ambiguous_spelling(stage: Stage, method: str, target: str) -> None:
    answer = stage.ask(target, method=method, body=b"x=1" if method == "POST" else b"")

    assert (answer.status, answer.header("X-SSOGate-Error")) == (400, "bad_target")
    assert stage.seen() == []


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_wrapped_app_never_sees_an_ambiguous_spelling(wrap: Wrap, name: str) -> None:
    assert_refused(wrap.ask(f"/pub{AMBIGUOUS[name]}"), "bad_target", 400)
    assert wrap.seen() == []


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(b"/pub/\xc0\xae\xc0\xae/admin", id="A2 overlong dots as raw bytes"),
        pytest.param(b"/pub/caf\xc3\xa9", id="A2 raw UTF-8"),
        pytest.param(b"/pub/\xff", id="A2 a raw byte that is not UTF-8"),
        pytest.param(b"/pub/\x00", id="A8 raw NUL"),
        pytest.param(b"/pub/\x01", id="A8 raw control character"),
        pytest.param(b"/pub/\x7f", id="A8 raw delete"),
        pytest.param(b"/pub /admin", id="space in the target"),
        pytest.param(b"/pub\t/admin", id="tab in the target"),
        pytest.param(b"/pub\x0b/admin", id="vertical tab in the target"),
        pytest.param(b"", id="no target"),
        pytest.param(b"*", id="asterisk form"),
        pytest.param(b"pub", id="no slash"),
        pytest.param(b"?x", id="a query alone"),
        pytest.param(b"app.example:443", id="authority form"),
        pytest.param(b"ftp://app.example/pub/", id="another scheme"),
        pytest.param(b"http:/pub/", id="scheme without authority"),
        pytest.param(b"http:///pub/", id="no authority"),
        pytest.param(b"http://app.example\\@evil/pub/", id="backslash in the authority"),
        pytest.param(b"/" + b"a" * 9000, id="a target of 9 KB"),
        pytest.param(b"/pub/?" + b"a" * 70000, id="a query of 70 KB"),
    ],
)
def test_bytes_that_are_no_target_are_refused(stage: Stage, target: bytes) -> None:
    answer = stage.ask(target)

    assert answer.status in (400, 414)
    assert answer.header("Set-Cookie") is None
    assert stage.seen() == []
    assert stage.is_alive()


# Everything that an app may read as /admin, or that a rule's reader may take for it.
CLOSED = {
    "as it is": "/admin",
    "with a slash": "/admin/",
    "below": "/admin/x",
    "A3 open path in the query": "/admin?x=/pub",
    "A3 open path as the query": "/admin?/pub/x",
    "A3 dots in the query": "/admin?/../pub/",
    "A3 encoded question mark": "/admin%3f/pub",
    "A3 encoded question mark, as PHP's": "/admin%3Fooo.php",
    "A4 encoded hash": "/admin%23/pub",
    "A8 path info": "/admin/index.php/pub/x",
    "A8 escaped letter": "/%61dmin/x",
    "A8 escaped letter in the middle": "/ad%6Din",
    "A8 parameter": "/admin;x",
    "A8 parameter with an open path": "/admin;/pub/",
    "A8 encoded parameter": "/admin%3bx",
    "A8 parameter before a slash": "/admin;x=1/y",
}


@pytest.mark.parametrize("target", [pytest.param(v, id=k) for k, v in CLOSED.items()])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
def test_a_closed_path_stays_closed_however_it_is_spelled(
    stage: Stage, method: str, target: str
) -> None:
    nobody = stage.ask(target, method=method)
    member = stage.ask(target, stage.sign_in("john"), method=method)

    assert (nobody.status, nobody.header("X-SSOGate-Error")) == (401, "sign_in_required")
    assert (member.status, member.header("X-SSOGate-Error")) == (403, "forbidden")
    assert nobody.header("Set-Cookie") is member.header("Set-Cookie") is None
    assert stage.seen() == []


@pytest.mark.parametrize("target", [pytest.param(v, id=k) for k, v in CLOSED.items()])
def test_a_closed_path_below_a_stripped_prefix_stays_closed(stage: Stage, target: str) -> None:
    member = stage.ask(f"/app{target}", stage.sign_in("john"))

    assert (member.status, member.header("X-SSOGate-Error")) == (403, "forbidden")
    assert stage.seen() == []


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/pub;/admin", id="a parameter makes it another segment"),
        pytest.param("/pub;x/admin", id="a named one as well"),
        pytest.param("/pub%3f/admin", id="an encoded question mark"),
        pytest.param("/pub%23x", id="an encoded hash"),
        pytest.param("/pub%20/x", id="a space"),
        pytest.param("/pub./x", id="a dot"),
        pytest.param("/pub%2520/x", id="a space encoded twice"),
        pytest.param("/PUB/x", id="A8 in capitals"),
        pytest.param("/ADMIN", id="A8 closed path in capitals"),
        pytest.param("/admin%20", id="A8 closed path and a space"),
        pytest.param("/pubx", id="longer name"),
        pytest.param("/pu", id="shorter name"),
        pytest.param("/index.php/pub/x", id="A8 open path as path info"),
        pytest.param("/x/pub/y", id="open path below"),
        pytest.param("/appx/pub/y", id="A5 longer prefix"),
        pytest.param("/app/x/pub", id="A5 below the prefix"),
        pytest.param("/_ssox", id="next to our own"),
        pytest.param("/_SSO/health", id="our own in capitals"),
        pytest.param("/sso.php/x", id="below the link's address"),
        pytest.param("/sso.php;x", id="the link's address with a parameter"),
        pytest.param("/lan", id="a prefix of a rule for networks"),
    ],
)
def test_only_the_open_path_itself_is_open(stage: Stage, target: str) -> None:
    answer = stage.ask(target)

    assert answer.status in (401, 403)
    assert stage.seen() == []


@pytest.mark.parametrize(
    ("target", "arrives"),
    [
        ("/pub/x?a=/../b", "/pub/x?a=/../b"),
        ("/pub/%7Euser/a%2Db", "/pub/~user/a-b"),
        ("/pub/caf%c3%a9?q=%ff%00&&=", "/pub/caf%C3%A9?q=%ff%00&&="),
        ("/pub/a;b=c", "/pub/a;b=c"),
        ("/pub/a:b@c!$&'()*+,=", "/pub/a:b@c!$&'()*+,="),
        ("/pub/[a]|b", "/pub/[a]|b"),
        ("/pub/...", "/pub/..."),
        ("/pub/%20", "/pub/%20"),
        ("/pub/100%25", "/pub/100%25"),
        ("/pub/%3f", "/pub/%3F"),
        ("/pub/", "/pub/"),
        ("/?", "/"),
        ("http://raw.example/pub/x?y", "/pub/x?y"),
        ("HTTPS://RAW.example:443/pub/x", "/pub/x"),
        ("http://raw.example?a=b", "/?a=b"),
    ],
)
def test_what_is_judged_is_byte_for_byte_what_is_sent(
    stage: Stage, target: str, arrives: str
) -> None:
    answer = stage.ask(target, host="raw.example")

    assert answer.status == 200
    assert [found.line for found in stage.recorder.seen()] == [f"GET {arrives} HTTP/1.1"]


@pytest.mark.parametrize(
    ("target", "status", "arrives"),
    [
        pytest.param("/app/pub/x", 200, ["/pub/x"], id="A5 prefix"),
        pytest.param("/app/pub/../../admin", 400, [], id="A5 dots out of the prefix"),
        pytest.param("/app../admin", 401, [], id="A5 dots in the prefix"),
        pytest.param("/app%2fpub/x", 400, [], id="A5 encoded slash after the prefix"),
        pytest.param("/app//pub/x", 400, [], id="A5 empty segment after the prefix"),
        pytest.param("/%61pp/pub/x", 200, ["/pub/x"], id="A5 escaped letter"),
        pytest.param("/app;/pub/x", 401, [], id="A5 parameter in the prefix"),
        pytest.param("/slashes/a%2fb", 200, ["/slashes/a%2Fb"], id="encoded slash where allowed"),
        pytest.param("/slashes//a", 200, ["/slashes//a"], id="empty segment where allowed"),
        pytest.param("/slashes/%2f..%2fadmin", 400, [], id="dots where slashes are allowed"),
        pytest.param("/slashes/..//admin", 400, [], id="plain dots where slashes are allowed"),
        pytest.param("/slashes/%2e%2e%2fadmin", 400, [], id="encoded dots where they are allowed"),
        pytest.param("/slashes%2fa", 400, [], id="encoded slash beside where it is allowed"),
        pytest.param("//slashes/a", 400, [], id="empty segment before where it is allowed"),
        pytest.param("/slashes/a%5cb", 400, [], id="backslash where slashes are allowed"),
        pytest.param("/slashes/a%252fb", 400, [], id="slash encoded twice where it is allowed"),
    ],
)
def test_prefixes_are_cut_by_whole_segments(
    stage: Stage, target: str, status: int, arrives: list[str]
) -> None:
    answer = stage.ask(target)

    assert (answer.status, [found["uri"] for found in stage.seen()]) == (status, arrives)


POINTERS = [
    f"{name}: {value}"
    for name, value in chain(
        ((name, "/pub/x") for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri")),
        ((name, "/pub/x") for name in ("X-Forwarded-Path", "X-Forwarded-Prefix", "X-Request-Uri")),
        ((name, "/pub/x") for name in ("Path-Info", "Script-Name", "Request-Uri", "Base-Url")),
        ((name, "/pub/x") for name in ("X-Original.URL", "X-Original~Url", "x-rewrite.url")),
        ((name, "raw.example") for name in ("X-Forwarded-Host", "X-Host", "X-Original-Host")),
        ((name, "raw.example") for name in ("X-Forwarded-Server", "X.Forwarded.Host")),
        (("X-Forwarded-Method", "OPTIONS"), ("X-Original-Method", "GET")),
        (("X-HTTP-Method-Override", "GET"), ("X-HTTP-Method", "GET"), ("X-Method-Override", "GET")),
        (("Forwarded", 'for=10.0.0.1;host="raw.example";proto=http'),),
        (("X-Forwarded-For", "10.0.0.1"), ("X-Real-IP", "10.0.0.1"), ("X-Client-IP", "10.0.0.1")),
        (("True-Client-IP", "10.0.0.1"), ("CF-Connecting-IP", "10.0.0.1")),
        (("X-Forwarded-Proto", "http"), ("X-Forwarded-Port", "80"), ("X-Forwarded-Ssl", "off")),
        (("User-Agent", "GoogleHC/1.0"), ("User-Agent", "kube-probe/1.30")),
        (("User-Agent", "ELB-HealthChecker/2.0"), ("X-Health-Check", "1")),
    )
]


@pytest.mark.parametrize("line", POINTERS)
def test_no_header_moves_what_is_judged(stage: Stage, wrap: Wrap, line: str) -> None:
    for place in (stage, wrap):
        closed = place.ask("/admin", line)
        by_network = place.ask("/lan/x", line)

        assert (closed.status, by_network.status) == (401, 403)
        assert place.seen() == []


@pytest.mark.parametrize("line", [line for line in POINTERS if "User-Agent" not in line])
def test_a_pointer_that_visitors_may_not_send_is_not_passed_on(stage: Stage, line: str) -> None:
    name, _, value = line.partition(": ")
    stage.ask("/pub/x", line)

    (found,) = stage.seen()
    if name != "X-Health-Check":
        assert value not in found["headers"].values() or name == "X-Forwarded-Proto"


def test_a_pointer_does_not_change_where_a_visitor_is_sent(stage: Stage) -> None:
    answer = stage.ask("/admin?a=b", *PAGE, "X-Forwarded-Host: evil", "Forwarded: host=evil")

    assert answer.status == 303
    assert answer.header("Location") == ("http://members.example/login?redirect=%2Fadmin%3Fa%3Db")
