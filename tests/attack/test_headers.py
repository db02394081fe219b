"""Row B: whatever a visitor writes, an app learns who he is from the gate alone.

Header names are folded by servers and languages (upper case, everything but letters and digits
becomes `_`), so the echo's folded view and the recorder's exact bytes are both looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest

from tests.attack.conftest import Wrap
from tests.attack.stage import Stage
from tests.upstream.scripted import Received

pytestmark = pytest.mark.server

# What some app takes for the visitor, and what each is when the gate says nothing.
NAMES = (
    "X-Remote-User",
    "X-Remote-Email",
    "X-Remote-Name",
    "X-Remote-Groups",
    "Remote-User",
    "Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Groups",
    "X-Auth-Request-User",
    "X-Webauth-User",
    "Auth-Type",
)
DISGUISES: Mapping[str, Callable[[str], str]] = {
    "as it is": str,
    "lower case": str.lower,
    "mixed case": str.swapcase,
    "underscores": lambda name: name.replace("-", "_"),
    "one underscore": lambda name: name.replace("-", "_", 1),
    "dots": lambda name: name.replace("-", "."),
    "tildes": lambda name: name.replace("-", "~"),
    "exclamation marks": lambda name: name.replace("-", "!"),
    "plus signs": lambda name: name.replace("-", "+"),
    "bars": lambda name: name.replace("-", "|"),
    "carets": lambda name: name.replace("-", "^"),
    "back quotes": lambda name: name.replace("-", "`"),
    "quotes": lambda name: name.replace("-", "'"),
    "stars": lambda name: name.replace("-", "*"),
    "hashes": lambda name: name.replace("-", "#"),
    "percent signs": lambda name: name.replace("-", "%"),
    "a dot at the end": lambda name: f"{name}.",
    "a dash at the end": lambda name: f"{name}-",
    "a dash in front": lambda name: f"-{name}",
    "the prefix of CGI": lambda name: f"HTTP-{name}",
    "the prefix of CGI, twice": lambda name: f"HTTP-HTTP-{name}",
    "the prefix of CGI, with a dot": lambda name: f"Http.{name}",
    "two dashes": lambda name: name.replace("-", "--"),
}
FORGERIES = [
    pytest.param(disguise(name), id=f"B1 B2 {name}, {how}")
    for name, (how, disguise) in product(NAMES, DISGUISES.items())
]
FORGED = "forged-by-visitor"


def fold(name: str) -> str:
    folded = re.sub(r"[^A-Z0-9]", "_", name.upper())
    while folded.startswith("HTTP_"):
        folded = folded[5:]
    return folded


def folded(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the most lenient app reads of the headers that the echo was sent."""
    read: dict[str, list[str]] = {}
    for name, value in found.items():
        read.setdefault(fold(name), []).append(value)
    return read


def names(found: Received) -> list[str]:
    return [line.decode("latin-1").partition(":")[0] for line in found.head.split(b"\r\n")[1:]]


@pytest.mark.parametrize("name", FORGERIES)
def test_no_spelling_of_an_identity_header_reaches_an_app(
    stage: Stage, wrap: Wrap, name: str
) -> None:
    line = f"{name}: {FORGED}"
    sent = [
        stage.ask("/pub/x", line),
        stage.ask("/pub/x", line, method="OPTIONS"),
        stage.ask("/app/pub/x", line),
        stage.ask("/pub/x", line, host="raw.example"),
        wrap.ask("/pub/x", line),
    ]

    assert {answer.status for answer in sent} <= {200, 400}
    assert all(FORGED not in str(found) for found in stage.seen() + wrap.seen())
    assert all(FORGED.encode() not in found.head for found in stage.recorder.seen())


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param("X-Remote-User: admin", id="B1 as it is"),
        pytest.param("X-Remote-User: admin\r\nX-Remote-User: root", id="B7 twice"),
        pytest.param("X-Remote-User: john\r\nX.Remote.User: admin", id="B2 in two spellings"),
        pytest.param("X-Remote-Groups: staff", id="B5 groups of a visitor without any"),
        pytest.param("X-Remote-Groups:", id="B5 empty groups"),
        pytest.param("Connection: X-Remote-User", id="B3 named as hop-by-hop"),
        pytest.param("Connection: close, X-Remote-User", id="B3 after close"),
        pytest.param("Connection: x-remote-user, x-remote-groups", id="B3 in lower case"),
        pytest.param("Connection: X.Remote.User", id="B3 with dots"),
        pytest.param(
            "Connection: close\r\nConnection: X-Remote-User\r\nX-Remote-User: admin", id="B3 twice"
        ),
        pytest.param("Connection: X-Remote-User\r\nX-Remote-User: admin", id="B3 and sent"),
        pytest.param("Keep-Alive: X-Remote-User", id="B3 in Keep-Alive"),
        pytest.param("Proxy-Connection: X-Remote-User", id="B3 in Proxy-Connection"),
        pytest.param("TE: X-Remote-User", id="B3 in TE"),
        pytest.param("Trailer: X-Remote-User", id="B3 in Trailer"),
        pytest.param("Connection: X-Forwarded-For, Host, X-Request-Id", id="B3 our other ones"),
    ],
)
def test_a_signed_in_visitor_is_named_once_and_by_the_gate(stage: Stage, forgery: str) -> None:
    cookie = stage.sign_in("john")
    stage.ask("/members/x", cookie, *forgery.split("\r\n"))
    stage.ask("/app/members/x", cookie, *forgery.split("\r\n"))

    for found in stage.seen():
        read = folded(found["headers"])
        assert read["X_REMOTE_USER"] == ["john"]
        assert read["X_REMOTE_NAME"] == ["John"]
        assert read["X_REMOTE_EMAIL"] == ["john@example.com"]
        assert read["X_REMOTE_GROUPS"] == [""]
        assert read["HOST"] == read["X_FORWARDED_HOST"] == ["app.example"]
        assert read["X_FORWARDED_FOR"] == ["127.0.0.1"]
        assert len(read["X_REQUEST_ID"]) == 1
        assert "CONNECTION" not in read


def test_each_of_our_headers_stands_once_in_the_bytes_that_are_sent(stage: Stage) -> None:
    cookie = stage.sign_in("john")
    lines = ("X-Forwarded-For: 1.2.3.4", "X-Request-Id: mine", "Via: 1.1 evil", "Proxy: http://e")
    stage.ask("/pub/x", cookie, *lines, host="raw.example")

    (found,) = stage.recorder.seen()
    assert sorted(map(str.lower, names(found))) == sorted(set(map(str.lower, names(found))))
    assert found.all("X-Remote-User") == ["john"]
    assert found.all("X-Forwarded-For") == ["127.0.0.1"]
    assert found.all("X-Request-Id") != ["mine"]
    assert found.all("Proxy") == found.all("Cookie") == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Proxy: http://evil", id="B7 httpoxy"),
        pytest.param("Http-Proxy: http://evil", id="B7 httpoxy with the prefix of CGI"),
        pytest.param("Proxy-Authorization: Basic eA==", id="proxy credentials"),
        pytest.param("X-SSOGate-Error: evil", id="our own code"),
        pytest.param("X-Accel-Redirect: /evil", id="nginx's order"),
        pytest.param("X-Sendfile: /evil", id="Apache's order"),
        pytest.param("X-HTTP-Method-Override: DELETE-evil", id="method override"),
        pytest.param("X-HTTP-Method: DELETE-evil", id="method override of Microsoft"),
        pytest.param("X-Method-Override: DELETE-evil", id="method override of IBM"),
        pytest.param("X.HTTP.Method.Override: DELETE-evil", id="method override with dots"),
        pytest.param("Https: evil", id="CGI's scheme"),
        pytest.param("Remote-Addr: evil", id="CGI's address"),
        pytest.param("Server-Name: evil", id="CGI's server"),
        pytest.param("Document-Root: evil", id="CGI's folder"),
        pytest.param("Ssl-Client-S-Dn: CN=evil", id="a client certificate"),
        pytest.param("X-Request-Id: evil", id="our request id"),
        pytest.param("HTTP2-Settings: evil", id="h2c settings"),
        pytest.param("Keep-Alive: evil", id="hop-by-hop"),
        pytest.param("Upgrade: h2c\r\nX-Real-IP: evil", id="h2c upgrade, and an address"),
    ],
)
def test_headers_with_a_meaning_to_servers_do_not_pass(stage: Stage, wrap: Wrap, line: str) -> None:
    stage.ask("/forms/x", *line.split("\r\n"), method="POST", body=b"x")
    wrap.ask("/forms/x", *line.split("\r\n"), method="POST", body=b"x")

    for found in stage.seen():
        assert "evil" not in str(found)
        assert "HTTP_UPGRADE" not in found["headers"]
    # Between a server and the app that it runs there is no hop: these two say nothing there.
    wrapped = [{**found, "HTTP_KEEP_ALIVE": "", "HTTP_HTTP2_SETTINGS": ""} for found in wrap.seen()]
    assert "evil" not in str(wrapped)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"X-A: a\nX-Remote-User: admin", id="bare LF"),
        pytest.param(b"X-A: a\rX-Remote-User: admin", id="bare CR"),
        pytest.param(b"X-A: a\x00X-Remote-User: admin", id="NUL"),
        pytest.param(b"X-A: a\x0bX-Remote-User: admin", id="vertical tab"),
        pytest.param(b"X-A: a\r\n X-Remote-User: admin", id="folded line"),
        pytest.param(b"X-A: a\r\n\tX-Remote-User: admin", id="folded line with a tab"),
        pytest.param(b"X-Remote-User : admin", id="space before the colon"),
        pytest.param(b"X-Remote-User\t: admin", id="tab before the colon"),
        pytest.param(b" X-Remote-User: admin", id="space in front"),
        pytest.param(b"X-Remote-User", id="no colon"),
        pytest.param(b": admin", id="no name"),
        pytest.param(b"X-Remote\xa0User: admin", id="a byte beyond ASCII in the name"),
        pytest.param(b"X-Remote-\xdfer: admin", id="a byte that grows in capitals"),
        pytest.param(b"X Remote User: admin", id="spaces in the name"),
        pytest.param(b"X(Remote)User: admin", id="brackets in the name"),
    ],
)
def test_a_malformed_header_line_is_refused(stage: Stage, wrap: Wrap, line: bytes) -> None:
    for place in (stage, wrap):
        answer = place.ask("/pub/x", line)

        assert answer.status == 400
        assert place.seen() == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"caf\xc3\xa9", id="UTF-8"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"a\tb", id="tab"),
        pytest.param(b"\x85\x9b", id="C1 controls"),
        pytest.param(b"", id="empty"),
        pytest.param(b"a" * 8000, id="8 KB"),
        pytest.param(b'a, "b, c", d', id="commas and quotes"),
    ],
)
def test_other_headers_pass_byte_for_byte(stage: Stage, value: bytes) -> None:
    answer = stage.ask("/pub/x", b"X-App-Setting: " + value, host="raw.example")

    (found,) = stage.recorder.seen()
    assert answer.status == 200
    assert found.all("X-App-Setting") == [value.decode("latin-1")]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("Upgrade: websocket", "Connection: Upgrade"), id="B4 upgrade"),
        pytest.param(("Upgrade: WebSocket", "Connection: upgrade"), id="B4 upgrade in other case"),
        pytest.param(("Upgrade: websocket",), id="B4 upgrade that Connection does not name"),
        pytest.param(("Upgrade: h2c, websocket", "Connection: Upgrade"), id="B4 one of two"),
        pytest.param(("Upgrade: TLS/1.0", "Connection: Upgrade"), id="B4 TLS"),
    ],
)
def test_an_upgrade_is_refused_and_never_tunnelled(stage: Stage, lines: tuple[str, ...]) -> None:
    answer = stage.ask("/pub/x", *lines, "X-Remote-User: admin")

    assert (answer.status, answer.header("X-SSOGate-Error")) == (501, "upgrade_refused")
    assert stage.seen() == []


def test_after_signing_out_nobody_is_named(stage: Stage) -> None:
    cookie = stage.sign_in("john")
    stage.ask("/sso.php?mode=logout", cookie)
    stage.ask("/pub/x", cookie, "X-Remote-User: john")

    (found,) = stage.seen()
    assert not [name for name in folded(found["headers"]) if "USER" in name]


@pytest.mark.parametrize(
    ("fields", "arrives"),
    [
        pytest.param({"name": "Zoë Ünal"}, "Zoë Ünal", id="B6 Latin letters"),
        pytest.param({"name": "日本 太郎"}, "日本 太郎", id="B6 other letters"),
        pytest.param({"name": 'O\'Neil, "Jo" <j>'}, 'O\'Neil, "Jo" <j>', id="B6 punctuation"),
        pytest.param({"name": "a: b"}, "a: b", id="B6 a colon"),
    ],
)
def test_names_travel_as_utf_8(stage: Stage, fields: dict[str, str], arrives: str) -> None:
    stage.ask("/pub/x", stage.sign_in("zoe", **fields), host="raw.example")

    (found,) = stage.recorder.seen()
    assert [v.encode("latin-1").decode() for v in found.all("X-Remote-Name")] == [arrives]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"name": "a\r\nX-Remote-Groups: staff"}, id="B6 a line end"),
        pytest.param({"name": "a\nb"}, id="B6 LF"),
        pytest.param({"name": "a\rb"}, id="B6 CR"),
        pytest.param({"name": "a\0b"}, id="B6 NUL"),
        pytest.param({"name": "a\x85b"}, id="B6 next line (C1)"),
        pytest.param({"name": "a\u2028b"}, id="B6 line separator"),
        pytest.param({"name": "a\u202eb"}, id="B6 right to left"),
        pytest.param({"name": "a" * 256}, id="B6 long"),
        pytest.param({"email": "a@b.example\r\nX: y"}, id="B6 line end in the e-mail"),
        pytest.param({"email": "a b@c.example"}, id="B6 space in the e-mail"),
        pytest.param({"email": "a@b@c.example"}, id="B6 two e-mails"),
        pytest.param({"username": "a\tb"}, id="B6 tab in the user name"),
        pytest.param({"username": "a\u200bb"}, id="B6 zero width in the user name"),
        pytest.param({"groups": "staff\r\nX: y"}, id="B6 line end in a group"),
        pytest.param({"groups": "staff\0"}, id="B6 NUL in a group"),
    ],
)
def test_a_field_that_could_be_two_headers_opens_no_session(
    stage: Stage, fields: dict[str, str]
) -> None:
    answer = stage.ask(stage.link(**{"username": "mallory", **fields}))

    assert (answer.status, answer.header("X-SSOGate-Error")) == (400, "400E2")
    assert answer.header("Set-Cookie") is None


def test_a_group_outside_the_allowed_ones_is_not_passed_on(stage: Stage) -> None:
    cookie = stage.sign_in("gina", groups="admins, staff,root,ünï")
    stage.ask("/pub/x", cookie, host="raw.example")

    (found,) = stage.recorder.seen()
    assert [v.encode("latin-1").decode() for v in found.all("X-Remote-Groups")] == ["staff,ünï"]
