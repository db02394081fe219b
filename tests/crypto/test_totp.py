"""One-time codes by RFC 6238, and recovery codes: once, near their time, easy to type."""

from __future__ import annotations

import re
import secrets
from base64 import b32encode
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from ssogate.crypto import totp

KEY = b"12345678901234567890"
SECRET = b32encode(KEY).decode()
NOW = 1_111_111_109


def code_of(step: int) -> str:
    return HOTP(KEY, 6, SHA1()).generate(step).decode()


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(now: int, code: str) -> None:
    # Appendix B has eight digits; six digits are the last six of them.
    assert totp.matching_step(SECRET, code, now, skew_steps=0) == now // 30


@pytest.mark.parametrize(
    ("away", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_code_is_good_one_step_before_and_after(away: int, good: bool) -> None:
    step = NOW // 30 + away

    assert totp.matching_step(SECRET, code_of(step), NOW) == (step if good else None)


def test_the_edges_of_a_step_are_exact() -> None:
    code = code_of(100)
    matching = [
        now
        for now in (2999, 3000, 3029.9, 3030)
        if totp.matching_step(SECRET, code, now, skew_steps=0)
    ]

    assert matching == [3000, 3029.9]


def test_there_is_no_step_before_the_first() -> None:
    assert totp.matching_step(SECRET, code_of(0), 0) == 0
    assert totp.matching_step(SECRET, "000000", 0) is None


def test_a_code_of_two_steps_spends_the_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HOTP, "generate", lambda _self, step: b"%06d" % (step % 2))

    assert totp.matching_step(SECRET, "000001", 60) == 3


@pytest.mark.parametrize("typed", ["081 804", " 081804 ", "08 18 04"])
def test_spaces_are_ignored(typed: str) -> None:
    assert totp.matching_step(SECRET, typed, NOW) is not None


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("", id="empty"),
        pytest.param("81804", id="five digits"),
        pytest.param("0081804", id="seven digits"),
        pytest.param("081804\n", id="line end"),
        pytest.param("081-804", id="dash"),
        pytest.param("+81804", id="sign"),
        pytest.param("08_804", id="underscore"),
        pytest.param("０８１８０４", id="full-width digits"),
        pytest.param("٠٨١٨٠٤", id="Arabic digits"),
        pytest.param("081804\0", id="zero byte"),
    ],
)
def test_anything_else_is_no_code(typed: str) -> None:
    assert totp.matching_step(SECRET, typed, NOW) is None


def test_a_new_secret_has_160_bits_and_works() -> None:
    secret = totp.new_secret(lambda size: KEY[:size])

    assert secret == SECRET
    assert re.fullmatch("[A-Z2-7]{32}", totp.new_secret(secrets.token_bytes))


def test_the_address_for_the_app_says_it_all() -> None:
    uri = totp.provisioning_uri(SECRET, account="ann/ä:b@example.org", issuer="Our Site & Co")
    parts = urlsplit(uri)

    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path.count("/") == 1
    assert parts.path.count(":") == 1
    assert unquote(parts.path) == "/Our Site & Co:ann/ä:b@example.org"
    assert not {"+", " "} & set(uri)
    assert parse_qs(parts.query) == {
        "secret": [SECRET],
        "issuer": ["Our Site & Co"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_the_qr_code_is_named_black_on_white_and_without_style_or_script() -> None:
    uri = totp.provisioning_uri(SECRET, account="ann", issuer="Site")
    svg = totp.qr_svg(uri, title='Scan </title><script>alert("x")</script>')
    drawn = ElementTree.fromstring(svg)

    assert drawn.attrib["role"] == "img"
    assert [part.tag for part in drawn.iter()][:2] == ["svg", "title"]
    assert drawn.findtext("title") == 'Scan </title><script>alert("x")</script>'
    assert not any(
        name == "style" or name.startswith("on") for part in drawn.iter() for name in part.attrib
    )
    assert {
        part.attrib.get("fill") or part.attrib.get("stroke") for part in drawn.iter("path")
    } == {
        "#fff",
        "#000",
    }
    assert SECRET not in svg


def test_ten_recovery_codes_of_80_bits_in_groups_of_four() -> None:
    codes = totp.recovery_codes(secrets.token_bytes)

    assert len(set(codes)) == 10
    for code in codes:
        assert re.fullmatch("[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}", code)


def test_every_sign_of_a_recovery_code_is_as_likely() -> None:
    everything = bytes(range(256))
    taken = [
        totp.recovery_codes(lambda size, at=at: everything[at : at + size])[0]  # type: ignore[misc]
        for at in range(0, 256, 16)
    ]
    signs = "".join(taken).replace("-", "")

    assert {signs.count(sign) for sign in set(signs)} == {8}
    assert len(set(signs)) == 32


@pytest.mark.parametrize(
    "typed",
    [
        "7k2m-x0dq-914r-hb3w",
        "7K2M-X0DQ-914R-HB3W",
        " 7k2mx0dq 914rhb3w ",
        "7k2m-xOdq-9l4r-hb3w",
        "7k2m-xodq-9I4r-hb3w",
    ],
)
def test_a_recovery_code_may_be_typed_in_many_ways(typed: str) -> None:
    assert totp.recovery_key(typed) == totp.recovery_key("7k2mx0dq914rhb3w")


@pytest.mark.parametrize("typed", ["7k2m-x0dq-914r-hb3v", "7k2m-x0dq-914r-hb3", "", "\ud800"])
def test_another_recovery_code_has_another_key(typed: str) -> None:
    key = totp.recovery_key(typed)

    assert re.fullmatch("[0-9a-f]{64}", key)
    assert key != totp.recovery_key("7k2mx0dq914rhb3w")
