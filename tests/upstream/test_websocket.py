"""Which keys, accepts and answers are those of a WebSocket's opening handshake (RFC 6455)."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.errors import UpstreamInvalid
from ssogate.upstream.websocket import OFFER, accept_of, is_accepted, is_key
from ssogate.upstream.wire import Head, parse_head

# Section 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_standards_own_example() -> None:
    assert is_key(KEY)
    assert accept_of(KEY) == ACCEPT


@given(st.binary(min_size=16, max_size=16) | st.binary(max_size=40))
def test_sixteen_bytes_in_base64_are_a_key_and_nothing_else_is(data: bytes) -> None:
    assert is_key(b64encode(data).decode()) is (len(data) == 16)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(KEY[:-1], id="too short"),
        pytest.param(KEY[:-2], id="without padding"),
        pytest.param(KEY + "=", id="too much padding"),
        pytest.param("A" + KEY, id="too long"),
        pytest.param("dGhlIHNhbXBsZSBub25jZR==", id="bits that mean nothing"),
        pytest.param("dGhlIHNhbXBsZSBub25j_w==", id="base64url"),
        pytest.param(KEY + "\n", id="a line feed after it"),
        pytest.param(" " + KEY, id="a space before it"),
        pytest.param(KEY + ", " + KEY, id="two"),
        pytest.param("dGhlIHNhbXBsZSBub25j٣Q==", id="a digit of another script"),
    ],
)
def test_is_no_key(text: str) -> None:
    assert not is_key(text)


def answer(*lines: str, start: str = "HTTP/1.1 101 Switching Protocols") -> Head:
    data = "\r\n".join((start, *lines, "", "")).encode("latin-1")
    return parse_head(data, "GET", switching=True)


UPGRADE, CONNECTION, ACCEPTS = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Accept: {ACCEPT}",
)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((UPGRADE, CONNECTION, ACCEPTS), id="as everybody writes it"),
        pytest.param((ACCEPTS, CONNECTION, UPGRADE), id="in another order"),
        pytest.param(("upgrade: WebSocket", "CONNECTION: upgrade", ACCEPTS), id="in another case"),
        pytest.param((UPGRADE, "Connection: keep-alive, Upgrade", ACCEPTS), id="in a list"),
        pytest.param((UPGRADE, "Connection: a", CONNECTION, ACCEPTS), id="in a second line"),
        pytest.param((UPGRADE, CONNECTION, ACCEPTS, "Sec-WebSocket-Protocol: chat"), id="more"),
    ],
)
def test_an_answer_opens_what_was_asked_for(lines: tuple[str, ...]) -> None:
    assert is_accepted(answer(*lines), KEY)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((), id="nothing said"),
        pytest.param((CONNECTION, ACCEPTS), id="no protocol"),
        pytest.param((UPGRADE, ACCEPTS), id="no Connection"),
        pytest.param((UPGRADE, CONNECTION), id="no accept"),
        pytest.param(("Upgrade: h2c", CONNECTION, ACCEPTS), id="another protocol"),
        pytest.param(("Upgrade: websocket, h2c", CONNECTION, ACCEPTS), id="several protocols"),
        pytest.param((UPGRADE, UPGRADE, CONNECTION, ACCEPTS), id="twice"),
        pytest.param((UPGRADE, "Upgrade: h2c", CONNECTION, ACCEPTS), id="and another protocol"),
        pytest.param((UPGRADE, "Connection: close", ACCEPTS), id="Connection: close"),
        pytest.param((UPGRADE, "Connection: no-upgrade", ACCEPTS), id="a word that holds it"),
        pytest.param((UPGRADE, CONNECTION, ACCEPTS, ACCEPTS), id="accepted twice"),
        pytest.param((UPGRADE, CONNECTION, ACCEPTS.lower()), id="accept in lower case"),
        pytest.param((UPGRADE, CONNECTION, ACCEPTS + "="), id="accept and a sign"),
        pytest.param((UPGRADE, CONNECTION, f"Sec-WebSocket-Accept: {KEY}"), id="the key itself"),
        pytest.param((UPGRADE, CONNECTION, "Sec-WebSocket-Accept: "), id="an empty accept"),
    ],
)
def test_an_answer_opens_nothing(lines: tuple[str, ...]) -> None:
    assert not is_accepted(answer(*lines), KEY)


@pytest.mark.parametrize("status", ["200 OK", "100 Continue", "426 Upgrade Required"])
def test_another_status_opens_nothing(status: str) -> None:
    head = answer(UPGRADE, CONNECTION, ACCEPTS, start=f"HTTP/1.1 {status}")

    assert not is_accepted(head, KEY)


def test_an_accept_is_good_for_its_own_key_only() -> None:
    head = answer(UPGRADE, CONNECTION, ACCEPTS)

    assert not is_accepted(head, "x3JJHMbDL1EzLkh9GBhXDw==")


def test_a_switch_that_nobody_asked_for_is_no_answer() -> None:
    data = b"HTTP/1.1 101 Switching Protocols\r\n" + OFFER + b"\r\n"

    with pytest.raises(UpstreamInvalid):
        parse_head(data, "GET")
