"""The session cookie: found beyond doubt, or not at all."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.http.cookies import (
    COOKIE_NAMES,
    cookies,
    is_own_cookie,
    other_cookies,
    session_key,
    session_token,
)

NAME = "__Host-ssogate"
TOKEN = "Ab0_-" * 8 + "xyz"
OTHER = "z" * 43
MINE = f"{NAME}={TOKEN}"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(MINE, id="alone"),
        pytest.param(f"a=1; {MINE}; b=2", id="among others"),
        pytest.param(f"a=1;{MINE};b=2", id="without spaces"),
        pytest.param(f"a=1;\t {MINE} \t;b=2", id="with odd spaces"),
        pytest.param(f"a[b]=1; {MINE}", id="beside a name that parsers choke on"),
        pytest.param(f"={NAME}=evil; {MINE}", id="beside a cookie without a name"),
        pytest.param(f'q="a; {MINE}', id="behind a quote that never ends"),
        pytest.param(f"a=\x01\x7f; {MINE}", id="behind control characters"),
        pytest.param(f"a=1;;; ; {MINE};", id="among empty parts"),
        pytest.param(f"x{NAME}={OTHER}; {MINE}", id="beside a longer name"),
        pytest.param(f"{NAME}x={OTHER}; {MINE}", id="beside a name that goes on"),
        pytest.param(f"ssogate={OTHER}; {MINE}", id="beside the name of plain http"),
        pytest.param(f"{NAME.upper()}={OTHER}; {MINE}", id="beside the name in capitals"),
        pytest.param("; ".join(f"ssogate_{n}=x" for n in range(500)) + f"; {MINE}", id="crowd"),
    ],
)
def test_the_token_is_found(header: str) -> None:
    assert session_token(header, NAME) == TOKEN


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="no cookie"),
        pytest.param("a=1; b=2", id="other cookies"),
        pytest.param(f"={NAME}={TOKEN}", id="a cookie without a name"),
        pytest.param(f"{MINE}; {NAME}={OTHER}", id="two"),
        pytest.param(f"{MINE}; {MINE}", id="two that agree"),
        pytest.param(f"{MINE}; {NAME}=", id="a second that is empty"),
        pytest.param(f"{MINE}; {NAME}", id="a second without a value"),
        pytest.param(f"{MINE},{NAME}={OTHER}", id="two headers joined by a comma"),
        pytest.param(f"a=1,{MINE}", id="joined behind another cookie"),
        pytest.param(f'{NAME}="{TOKEN}"', id="quoted"),
        pytest.param(f"{NAME}={TOKEN[:-1]}", id="too short"),
        pytest.param(f"{NAME}={TOKEN}A", id="too long"),
        pytest.param(f"{NAME}={TOKEN[:-1]}=", id="padding"),
        pytest.param(f"{NAME}={TOKEN[:-1]}+", id="another alphabet"),
        pytest.param(f"{NAME}={TOKEN[:-1]}é", id="not ASCII"),
        pytest.param(f"{NAME}={TOKEN}\n", id="line break"),
        pytest.param(f"{NAME}={TOKEN}\x00", id="NUL"),
        pytest.param(f"{NAME}=%41{TOKEN[3:]}", id="escaped"),
        pytest.param(f"{NAME}={TOKEN[:20]} {TOKEN[21:]}", id="space inside"),
        pytest.param(f"{NAME} ={TOKEN[:-1]}", id="space before the equals sign"),
        pytest.param(f"{NAME}\xa0={TOKEN}", id="no-break space in the name"),
        pytest.param(f"{NAME.lower()}={TOKEN}", id="another case"),
        pytest.param(f"ssogate={TOKEN}", id="the name of plain http"),
        pytest.param(f"{NAME}=99999999", id="a chunk count"),
        pytest.param(f"{NAME}_0={TOKEN}; {NAME}_1={OTHER}", id="chunks"),
        pytest.param(f"{NAME}={'A' * 65536}", id="64 KiB"),
        pytest.param(f"a={'A' * 65536}; {MINE}", id="64 KiB beside it"),
    ],
)
def test_what_is_not_beyond_doubt_is_none(header: str) -> None:
    assert session_token(header, NAME) is None


def test_on_plain_http_the_cookie_of_https_is_none() -> None:
    assert session_token(MINE, "ssogate") is None
    assert session_token(f"ssogate={TOKEN}", "ssogate") == TOKEN


@given(
    header=st.text(st.characters(max_codepoint=0xFF))
    | st.lists(st.sampled_from([MINE, NAME, "=", ";", ",", " ", '"', TOKEN, OTHER, "\t", "x"])).map(
        "".join
    )
)
def test_whatever_is_found_stands_in_the_header_once(header: str) -> None:
    found = session_token(header, NAME)

    if found is not None:
        assert len(found) == 43
        names = [part.partition("=")[0].strip(" \t") for part in header.split(";")]
        assert names.count(NAME) == 1


def test_what_is_stored_is_a_hash() -> None:
    assert session_key(TOKEN) == sha256(TOKEN.encode()).hexdigest()


def test_the_cookie_is_bound_to_the_host_on_https() -> None:
    """RFC 6265bis, section 4.1.3.2: `__Host-` wants Secure, Path=/ and no Domain."""
    name, *flags = cookies(secure=True).session.set(TOKEN).split("; ")

    assert name == MINE
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]


def test_the_cookie_on_plain_http_is_not_secure() -> None:
    name, *flags = cookies(secure=False).session.set(TOKEN).split("; ")

    assert name == f"ssogate={TOKEN}"
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Lax"]


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_removed_as_it_was_set(secure: bool) -> None:
    session = cookies(secure=secure).session
    assert session.end() == session.set("") + "; Max-Age=0"
    assert session.name in COOKIE_NAMES


@pytest.mark.parametrize(
    ("header", "left"),
    [
        pytest.param("", "", id="none"),
        pytest.param("a=1; b=2", "a=1; b=2", id="others alone"),
        pytest.param(MINE, "", id="ours alone"),
        pytest.param(f"a=1; {MINE}; b=2", "a=1; b=2", id="ours among others"),
        pytest.param(f"{MINE}; a=1", "a=1", id="ours first"),
        pytest.param(f"a=1;{MINE}", "a=1", id="ours last"),
        pytest.param(f"{MINE}; {NAME}={OTHER}; a=1", "a=1", id="ours twice"),
        pytest.param(f"{MINE.lower()}; a=1", "a=1", id="another case"),
        pytest.param(f"a=1,{MINE}; b=2", " b=2".strip(), id="behind a comma"),
        pytest.param(f"={MINE}; a=1", "a=1", id="as a value without a name"),
        pytest.param(f"ssogate={TOKEN}; a=1", "a=1", id="of plain http"),
        pytest.param('a="x y"; b[c]=1;; d', 'a="x y"; b[c]=1;; d', id="byte for byte"),
    ],
)
def test_an_app_sees_all_cookies_but_ours(header: str, left: str) -> None:
    assert other_cookies(header) == left
    assert TOKEN not in other_cookies(header)
    assert is_own_cookie(header) is (NAME.lower() in header.lower() or "ssogate" in header)
