"""What holds for all bytes, not only for the ones that somebody thought of.

raw.example opens `/` and `/pub/**` to anybody and nothing else: whatever reaches the recorder there
must lie below it in every reading, and must not know a visitor.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from urllib.parse import quote, unquote_to_bytes, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attack.stage import COOKIE, HOST, PAGE, Stage, new_link
from tests.attack.test_headers import fold
from tests.servers import Answer, answers, raw

pytestmark = pytest.mark.server

FEW = settings(max_examples=300, deadline=None, database=None)

# Pieces that mean something to some server; whole targets are strung together from them.
PIECES = st.sampled_from(
    [
        *(
            "/",
            "//",
            "pub",
            "/pub/",
            "/pub",
            "admin",
            "/admin",
            "PUB",
            ".",
            "..",
            "...",
            "/.",
            "/..",
        ),
        *("%2e", "%2E", "%2f", "%5c", "\\", "%252e", "%252f", "%255c", "%25", "%", "%00", "%0a"),
        *(";", ";x", "%3b", "%253b", "?", "%3f", "%253f", "#", "%23", "&", "=", ":", "@", "*"),
        *("%c0%ae", "%ef%bc%8e", "%e2%80%a8", "%ff", "~", "a", " ", "%20", "\t", "http:", "x.php"),
        *("http://raw.example", "//raw.example", "https://evil.example", "|", "[", "]", "{", "^"),
    ]
)
TARGETS = (
    st.lists(PIECES, max_size=12).map("".join).map(lambda text: text.encode("latin-1"))
    | st.binary(max_size=40).map(lambda data: b"/pub/" + data)
    | st.lists(PIECES, max_size=8).map(lambda parts: b"/pub/" + "".join(parts).encode("latin-1"))
)
NAMES = st.sampled_from(
    [
        *("X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Forwarded-For", "Forwarded"),
        *("Host", "Connection", "Content-Length", "Transfer-Encoding", "Te", "Expect", "Upgrade"),
        *("Cookie", "Authorization", "Accept", "Range", "Referer", "Sec-Fetch-Mode", "A"),
        "X-HTTP-Method-Override",
    ]
)
MARKS = st.sampled_from(["-", "_", ".", "~", "!", "+", "--", " ", "\t", ""])
VALUES = st.sampled_from(
    [b"admin", b"chunked", b"0", b"5", b"close", b"X-Remote-User", b"raw.example", b"navigate", b""]
) | st.binary(max_size=30)


@st.composite
def header_lines(draw: st.DrawFn) -> list[bytes]:
    """Headers with a meaning, disguised, and with values of any bytes."""
    lines = []
    for _ in range(draw(st.integers(0, 5))):
        name = draw(NAMES).replace("-", draw(MARKS))
        lines.append(name.encode() + draw(st.sampled_from([b": ", b":", b" :"])) + draw(VALUES))
    return lines


# Where the configuration, and nobody else, sends visitors.
SITES = ("http://members.example/login?", "https://elsewhere.example/")


def sent(target: bytes, lines: Sequence[bytes], *, host: str, method: bytes = b"GET") -> bytes:
    head = [method + b" " + target + b" HTTP/1.1", b"Host: " + host.encode(), *lines]
    return b"\r\n".join([*head, b"Connection: close"]) + b"\r\n\r\n"


def asked(stage: Stage, data: bytes) -> list[Answer]:
    """All answers. Sends nothing more afterwards, so that no server waits for a body."""
    return answers(raw(stage.gate.port, data, quiet=0.05), to_head=data.startswith(b"HEAD"))


def assert_harmless(found: list[Answer]) -> None:
    for answer in found:
        assert answer.status != 500, answer
        assert b"Traceback" not in answer.body
        location = answer.header("Location") or "/"
        assert location.startswith(("/", *SITES))
        assert not location.startswith(("//", "/\\"))


def readings(path: str) -> set[str]:
    """What lenient servers make of a path: decoded once or twice, cut, parameters dropped."""
    found = set()
    once = unquote_to_bytes(path).decode("latin-1")
    for decoded in (path, once, unquote_to_bytes(once).decode("latin-1")):
        text = decoded.replace("\\", "/")
        for cut in (text, re.split(r"[?#\0]", text, maxsplit=1)[0]):
            without = re.sub(r";[^/]*", "", cut)
            found |= {posixpath.normpath(cut), posixpath.normpath(without)}
    return found


@FEW
@given(target=TARGETS, lines=header_lines())
def test_what_reaches_an_upstream_is_open_in_every_reading(
    stage_of_session: Stage, target: bytes, lines: list[bytes]
) -> None:
    stage = stage_of_session
    assert_harmless(asked(stage, sent(target, lines, host="raw.example")))

    for request in stage.recorder.seen():
        path = request.line.split(" ")[1].partition("?")[0]
        assert path == "/" or path.startswith("/pub/") or path == "/pub"
        assert all(
            reading in ("/", "/pub", ".") or reading.startswith("/pub/")
            for reading in readings(path)
        )


@FEW
@given(lines=header_lines(), method=st.sampled_from([b"GET", b"HEAD", b"OPTIONS", b"POST"]))
def test_no_headers_make_a_stranger_somebody(
    stage_of_session: Stage, lines: list[bytes], method: bytes
) -> None:
    stage = stage_of_session
    assert_harmless(asked(stage, sent(b"/pub/x", lines, host="raw.example", method=method)))

    for request in stage.recorder.seen():
        heads = [line.partition(b":")[0].decode() for line in request.head.split(b"\r\n")[1:]]
        folded = [fold(name) for name in heads]
        assert not {"X_REMOTE_USER", "REMOTE_USER", "X_FORWARDED_USER"} & set(folded)
        assert folded.count("HOST") == folded.count("X_FORWARDED_FOR") == 1
        assert folded.count("CONTENT_LENGTH") + folded.count("TRANSFER_ENCODING") <= 1


@FEW
@given(cookie=st.binary(max_size=60), before=st.booleans())
def test_no_cookie_bytes_are_a_session_or_harm_one(
    stage_of_session: Stage, signed_in: str, cookie: bytes, before: bool
) -> None:
    stage = stage_of_session
    alone = asked(stage, sent(b"/members/x", [b"Cookie: " + cookie], host=HOST))
    parts = [cookie, signed_in.encode()] if before else [signed_in.encode(), cookie]
    beside = asked(stage, sent(b"/members/x", [b"Cookie: " + b"; ".join(parts)], host=HOST))

    assert_harmless(alone + beside)
    # A line end among them begins another header, which may be refused for what it says.
    refused = {400, 401, 417, 501}
    assert {answer.status for answer in alone} <= refused
    assert {answer.status for answer in beside} <= {200, *refused}
    for found in (found for found in stage.seen() if found["uri"] == "/members/x"):
        assert found["headers"]["HTTP_X_REMOTE_USER"] == "john"
        assert signed_in.partition("=")[2] not in str(found)


@FEW
@given(text=st.lists(PIECES, max_size=10).map("".join) | st.text(max_size=30))
def test_no_return_path_leads_off_the_site(stage_of_session: Stage, text: str) -> None:
    stage = stage_of_session
    wanted = urlencode({"redirect": text}, errors="replace")
    found = asked(stage, sent(f"{new_link()}&{wanted}".encode(), [], host=HOST))
    chooser = f"/_sso/sign-in?return_to={quote(text, safe='', errors='replace')}"
    page = asked(stage, sent(chooser.encode(), [line.encode() for line in PAGE], host=HOST))

    assert_harmless(found + page)
    for answer in found:
        location = answer.header("Location") or "/"
        assert re.match(r"/(?![/\\])", location)
        assert re.fullmatch(r"[\x21-\x7e]+", location)
        assert ".." not in location.partition("?")[0].split("/")


@FEW
@given(query=st.lists(st.sampled_from("&=%?+;[]amodequryhsh=login0 \0\xff")).map("".join))
def test_no_query_at_the_links_address_is_a_link(stage_of_session: Stage, query: str) -> None:
    target = b"/sso.php?" + query.encode("latin-1")
    found = asked(stage_of_session, sent(target, [], host=HOST))

    assert_harmless(found)
    cookies = [cookie for answer in found for cookie in answer.all("Set-Cookie")]
    assert all(cookie.startswith(f"{COOKIE}=;") for cookie in cookies), "a sign-out at most"


@pytest.fixture(scope="module")
def stage_of_session(gthread_stage: Stage) -> Stage:
    """Hypothesis wants fixtures that outlive an example."""
    gthread_stage.seen()
    gthread_stage.recorder.seen()
    return gthread_stage


@pytest.fixture(scope="module")
def signed_in(stage_of_session: Stage) -> str:
    """The session cookie of a visitor: name and value."""
    return stage_of_session.sign_in("john").removeprefix("Cookie: ")


def test_the_gate_still_answers(stage: Stage) -> None:
    assert stage.is_alive()
