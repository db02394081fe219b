"""One user name, one fold, one way to write an identity into a header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.errors import IdentityUnsendable
from ssogate.http.identity import (
    DEFAULT_HEADERS,
    MAX_VALUE,
    WELL_KNOWN,
    fold,
    header_value,
    identity_headers,
)
from ssogate.model import Identity
from ssogate.names import MAX_USERNAME, canonical_name, email_address, group_name, visible

JOE = Identity("uuid", "Joe", "joe", "Joe Doe", "joe@example.com", frozenset({"b", "a"}))


# --- The fold ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "X-Remote-User",
        "x-remote-user",
        "X_Remote_User",
        "X.Remote.User",
        "X~Remote!User",
        "X+Remote+User",
        "X Remote-User",
        "HTTP_X_REMOTE_USER",
        "HTTP-X-Remote-User",
        "HTTP_HTTP_X_REMOTE_USER",
        "Http.Http-X'Remote|User",
    ],
)
def test_every_spelling_folds_to_one_name(name: str) -> None:
    assert fold(name) == "X_REMOTE_USER"


@given(name=st.text(max_size=30))
def test_a_fold_is_its_own_fold(name: str) -> None:
    folded = fold(name)

    assert fold(folded) == folded
    assert not folded.startswith("HTTP_")
    assert folded.isascii()


def test_what_the_gate_sends_by_default_is_well_known() -> None:
    assert {fold(name) for name in DEFAULT_HEADERS} <= WELL_KNOWN
    assert identity_headers(JOE, DEFAULT_HEADERS)


# --- Names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        pytest.param("joe", "joe", id="plain"),
        pytest.param("Joe", "joe", id="case"),
        pytest.param("ｊｏｅ", "joe", id="full width"),
        pytest.param("𝓳𝓸𝓮", "joe", id="script letters"),
        pytest.param("Straße", "strasse", id="sharp s"),
        pytest.param("STRASSE", "strasse", id="sharp s in capitals"),
        pytest.param("jose\u0301", "josé", id="composed"),
        pytest.param("ΣΊΣΥΦΟΣ", "σίσυφοσ", id="final sigma"),
        pytest.param("σίσυφος", "σίσυφοσ", id="final sigma, small"),
        pytest.param("\u212aelvin", "kelvin", id="Kelvin sign"),
        pytest.param("joe doe", "joe doe", id="space inside"),
        pytest.param("joe\u00a0doe", "joe doe", id="no-break space inside"),
        pytest.param("jоe", "jоe", id="a Cyrillic o stays another letter"),
    ],
)
def test_a_user_name_has_one_form(name: str, canonical: str) -> None:
    assert canonical_name(name) == canonical
    assert canonical_name(canonical) == canonical


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="a space"),
        pytest.param("joe ", id="space behind"),
        pytest.param("\tjoe", id="tab in front"),
        pytest.param("joe\u00a0", id="no-break space behind"),
        pytest.param("joe\u3000", id="wide space behind"),
        pytest.param("joe\0", id="NUL"),
        pytest.param("jo\ne", id="line break"),
        pytest.param("jo\u0085e", id="C1 control"),
        pytest.param("jo\u200be", id="zero-width space"),
        pytest.param("jo\u200de", id="zero-width joiner"),
        pytest.param("\u202ejoe", id="right-to-left override"),
        pytest.param("\ufeffjoe", id="byte order mark"),
        pytest.param("jo\u00ade", id="soft hyphen"),
        pytest.param("jo\u2028e", id="line separator"),
        pytest.param("joe\ue000", id="private use"),
        pytest.param("joe\ud800", id="surrogate"),
        pytest.param("joe\U000e0041", id="tag character"),
        pytest.param("joe\u0378", id="unassigned"),
        pytest.param("joe\u3164", id="Hangul filler"),
        pytest.param("joe\uffa0", id="half-width Hangul filler"),
        pytest.param("joe\u115f", id="Hangul choseong filler"),
        pytest.param("joe\u034f", id="grapheme joiner"),
        pytest.param("joe\ufe0f", id="variation selector"),
        pytest.param("joe\U000e0101", id="later variation selector"),
        pytest.param("joe\u180b", id="Mongolian variation selector"),
        pytest.param("joe\u2800", id="blank Braille"),
        pytest.param("\u00b4joe", id="an accent that stands for a space"),
        pytest.param("a" * (MAX_USERNAME + 1), id="too long"),
        pytest.param("\ufdfa" * 20, id="too long once folded"),
    ],
)
def test_a_user_name_that_nobody_could_type_or_see_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"user name|invisible|longer"):
        canonical_name(name)


@given(name=st.text(min_size=1, max_size=12))
def test_a_canonical_name_is_its_own_canonical_name(name: str) -> None:
    try:
        canonical = canonical_name(name)
    except ValueError:
        return
    assert canonical_name(canonical) == canonical
    assert canonical_name(name.strip()) == canonical


def test_two_names_differ_in_no_more_than_what_is_folded() -> None:
    """D4: case and width are folded; a digit more is another person."""
    assert len({canonical_name(name) for name in ("Joe", "ｊｏｅ", "JOE", "joe")}) == 1
    assert canonical_name("joe1") != canonical_name("joe")


def test_visible_text_is_stripped_and_bounded() -> None:
    assert visible("  Zoë ❤️ ", 20) == "Zoë ❤️"
    with pytest.raises(ValueError, match="longer than 3"):
        visible("four", 3)


@pytest.mark.parametrize("name", ["staff", "Staff", "a b", "größe", "a:b/c", "a" * 64])
def test_a_group_name_is_kept(name: str) -> None:
    assert group_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "a,b", ",", " a", "a\n", "a\0", "\u200b", "a" * 65])
def test_a_group_name_that_could_be_two_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"group name|invisible|longer"):
        group_name(name)


@pytest.mark.parametrize(
    "text", ["joe@example.com", "a@b", "joe+x@example.com", "é@bücher.example", "o'neil@e.com"]
)
def test_an_email_address_is_kept(text: str) -> None:
    assert email_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("joe", id="no at sign"),
        pytest.param("@example.com", id="nobody"),
        pytest.param("joe@", id="nowhere"),
        pytest.param("@", id="at sign alone"),
        pytest.param("a@evil.example@example.com", id="two at signs"),
        pytest.param('"a@b"@example.com', id="quoted at sign"),
        pytest.param("joe @example.com", id="space"),
        pytest.param(" joe@example.com", id="space in front"),
        pytest.param("joe@example.com\n", id="line break"),
        pytest.param("joe@exam\u00a0ple.com", id="no-break space"),
        pytest.param("joe@example.com\u200b", id="zero-width space"),
        pytest.param("joe@example.com\r\nBcc: x@y", id="header"),
        pytest.param("a" * 250 + "@b.cd", id="too long"),
    ],
)
def test_what_cannot_be_an_email_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail|invisible|longer"):
        email_address(text)


# --- Headers -------------------------------------------------------------------------------


def test_an_identity_becomes_headers_in_their_order() -> None:
    names = {"A": "groups", "B": "username", "C": "email", "D": "name", "E": "subject"}

    assert identity_headers(JOE, names) == (
        ("A", "a,b"),
        ("B", "Joe"),
        ("C", "joe@example.com"),
        ("D", "Joe Doe"),
        ("E", "uuid"),
    )


def test_an_empty_field_is_sent_empty() -> None:
    nobody = Identity("uuid", "joe", "joe")

    assert dict(identity_headers(nobody, DEFAULT_HEADERS)) == {
        "X-Remote-User": "joe",
        "X-Remote-Email": "",
        "X-Remote-Name": "",
        "X-Remote-Groups": "",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("joe", "joe", id="ASCII"),
        pytest.param("Zoë", "Zo\xc3\xab", id="UTF-8 as a native string"),
        pytest.param("日", "\xe6\x97\xa5", id="beyond latin-1"),
        pytest.param("a" * MAX_VALUE, "a" * MAX_VALUE, id="as long as may be"),
    ],
)
def test_a_value_is_utf8(text: str, value: str) -> None:
    assert header_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("joe\r\nX-Remote-Groups: admins", id="line break"),
        pytest.param("joe\n", id="line feed"),
        pytest.param("joe\r", id="carriage return"),
        pytest.param("joe\0", id="NUL"),
        pytest.param("joe\t", id="tab"),
        pytest.param("joe\x7f", id="delete"),
        pytest.param("joe\u0085", id="C1 control"),
        pytest.param("joe\ud800", id="surrogate"),
        pytest.param("a" * (MAX_VALUE + 1), id="too long"),
        pytest.param("a" * 102_400, id="100 KiB"),
        pytest.param("é" * (MAX_VALUE // 2 + 1), id="too long in bytes"),
    ],
)
def test_a_value_that_no_header_can_carry_is_refused(text: str) -> None:
    with pytest.raises(IdentityUnsendable):
        header_value(text)


@given(text=st.text())
def test_whatever_is_sent_is_one_line_and_reads_back(text: str) -> None:
    try:
        value = header_value(text)
    except IdentityUnsendable:
        return
    assert not set(value) & set("\r\n\0")
    assert value.encode("latin-1").decode() == text
