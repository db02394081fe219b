"""The base64 text, its hash, and the mistakes that explain a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5, sha1, sha256, sha512
from hmac import new as hmac
from urllib.parse import quote

import pytest

from ssogate.errors import BadSignature
from ssogate.login.signed_link import diagnose
from ssogate.login.signed_link.link import verify
from tests.login.diagnosing import (
    FOREIGN,
    INNER,
    NOW,
    OLDER,
    PARTNERS,
    SECRET,
    TEXT,
    faults,
    notes,
    right,
    sender,
    url,
)


@pytest.mark.parametrize(
    ("link", "detail"),
    [
        pytest.param(
            url(raw=True),
            f"base64, {len(TEXT)} characters; a + came as a space, since the sender did not"
            " URL-encode it: read as +",
            id="+ came as a space",
        ),
        pytest.param(
            url(TEXT.rstrip("="), right(TEXT.rstrip("="))),
            f"base64, {len(TEXT.rstrip('='))} characters; its closing = is missing: taken all the"
            " same",
            id="padding is missing",
        ),
    ],
)
def test_notes_what_does_no_harm(link: str, detail: str) -> None:
    assert notes(link)["text"] == detail


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        pytest.param(
            TEXT.translate(str.maketrans("+/", "-_")),
            "the query is in the URL-safe alphabet; use the standard one, with + and /",
            id="URL-safe alphabet",
        ),
        pytest.param(
            f"{TEXT[:40]}\n{TEXT[40:]}",
            "the query holds line breaks; make the base64 in one line",
            id="line breaks",
        ),
        pytest.param(
            quote(TEXT, safe=""), "the query is URL-encoded twice; encode it once", id="twice"
        ),
        pytest.param(
            f"{TEXT}!", "the query holds characters that base64 has not", id="other characters"
        ),
    ],
)
def test_judges_the_text_and_goes_on(text: str, detail: str) -> None:
    found = {finding.title: finding for finding in diagnose(url(text), sender(), now=NOW).findings}

    assert (found["text"].ok, found["text"].detail) == (False, detail)
    assert found["hash"].ok
    assert not found["verdict"].ok
    assert found["contents"].ok or "!" in text


def test_names_an_older_secret() -> None:
    found = notes(url(claimed=right(secret=OLDER)))

    assert found["hash"] == "right, by an older secret, number 2 of 2; use the first"


def _sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


_UPPER = "the hash is in upper case; it must be lower-case hex"
_DECODED = "the hash is over the decoded text; it must be over the base64 text"
_FIRST = "the secret stands first; it must stand last"
_LINE = "the secret has a line break at its end; read it without"
_SPELT = "the hash is over the text as the URL spells it (%2B, %3D); it must be over the base64"


@pytest.mark.parametrize(
    ("claimed", "slip"),
    [
        pytest.param(right().upper(), _UPPER, id="upper case"),
        pytest.param(_sha(INNER + SECRET), _DECODED, id="decoded text"),
        pytest.param(_sha(SECRET + TEXT), _FIRST, id="secret first"),
        pytest.param(_sha(f"{TEXT}{SECRET}\n"), _LINE, id="secret with a line break"),
        pytest.param(_sha(f"{TEXT}{SECRET}\r\n"), _LINE, id="secret with a Windows line break"),
        pytest.param(_sha(quote(TEXT, safe="") + SECRET), _SPELT, id="URL-encoded text"),
        pytest.param(
            _sha(
                quote(TEXT, safe="")
                .replace("%2B", "%2b")
                .replace("%2F", "%2f")
                .replace("%3D", "%3d")
                + SECRET
            ),
            _SPELT,
            id="URL-encoded text in small letters",
        ),
        pytest.param(
            _sha(TEXT.replace("+", " ") + SECRET),
            "the hash is over the text with every + turned into a space; leave the + alone",
            id="+ turned into a space",
        ),
        pytest.param(
            _sha(TEXT.rstrip("=") + SECRET),
            "the hash is over the text without its closing =; sign what you send",
            id="without padding",
        ),
        pytest.param(
            _sha(TEXT.translate(str.maketrans("+/", "-_")) + SECRET),
            "the hash is over the text in the URL-safe alphabet; sign what you send",
            id="URL-safe text",
        ),
        pytest.param(
            _sha(f"{TEXT}\n{SECRET}"),
            "the hash is over the text and a line break; cut that off",
            id="text with a line break",
        ),
        pytest.param(_sha(TEXT), "the sender's secret is empty", id="no secret"),
        pytest.param(
            sha256(TEXT.encode() + bytes.fromhex(SECRET)).hexdigest(),
            "the secret is read as hex; take its characters as they are",
            id="secret as hex",
        ),
        pytest.param(
            hmac(SECRET.encode(), TEXT.encode(), sha256).hexdigest(),
            "the hash is HMAC-SHA-256; it must be plain SHA-256"
            " (or write `algorithm: hmac-sha256`)",
            id="HMAC",
        ),
        pytest.param(
            hmac(TEXT.encode(), SECRET.encode(), sha256).hexdigest(),
            "the hash is HMAC-SHA-256 with text and secret exchanged: the secret is the key",
            id="HMAC the other way round",
        ),
        pytest.param(
            md5(f"{TEXT}{SECRET}".encode()).hexdigest(),
            "the hash is MD5; it must be SHA-256",
            id="MD5",
        ),
        pytest.param(
            sha1(f"{TEXT}{SECRET}".encode()).hexdigest(),
            "the hash is SHA-1; it must be SHA-256",
            id="SHA-1",
        ),
        pytest.param(
            sha512(f"{TEXT}{SECRET}".encode()).hexdigest(),
            "the hash is SHA-512; it must be SHA-256",
            id="SHA-512",
        ),
        pytest.param(
            _sha(f"{SECRET}{INNER}"), f"{_DECODED}; and {_FIRST}", id="two mistakes at once"
        ),
        pytest.param(
            _sha(f"{SECRET}{INNER}").upper(),
            f"{_UPPER}; and {_DECODED}; and {_FIRST}",
            id="three, of which one is the case",
        ),
        pytest.param(_sha(INNER + OLDER), _DECODED, id="an older secret too"),
        pytest.param(
            right(secret=FOREIGN),
            "it is made with a secret of another sender, partners",
            id="another sender's secret",
        ),
        pytest.param(
            _sha(INNER + FOREIGN),
            f"{_DECODED}; and the secret is one of another sender, partners",
            id="another sender's secret, and a mistake",
        ),
        pytest.param("0" * 64, "it is of another text, or by another secret", id="unknown"),
        pytest.param("é" * 64, "it is of another text, or by another secret", id="not ASCII"),
    ],
)
def test_explains_a_wrong_hash(claimed: str, slip: str) -> None:
    found = faults(url(claimed=claimed), others=[PARTNERS, sender()])

    assert found["hash"] == f"wrong: {slip}"
    assert {*found} <= {"hash", "parameters"}


def test_a_plain_hash_where_hmac_is_wanted_is_explained() -> None:
    settings = sender(algorithm="hmac-sha256")

    found = faults(url(), settings)

    message = "the hash is plain SHA-256; it must be HMAC-SHA-256 (or write `algorithm: sha256`)"
    assert found == {"hash": f"wrong: {message}"}


def test_a_secret_that_is_no_hex_is_no_trouble() -> None:
    found = faults(url(claimed="0" * 64), sender("members", "correct horse battery staple"))

    assert found == {"hash": "wrong: it is of another text, or by another secret"}


@pytest.mark.parametrize(
    ("signed", "sent", "slip"),
    [
        pytest.param(
            TEXT,
            TEXT.rstrip("="),
            "the hash is over the text with its closing =; sign what you send",
            id="padding cut off",
        ),
        pytest.param(
            TEXT,
            TEXT.translate(str.maketrans("+/", "-_")),
            "the hash is over the text in the standard alphabet; sign what you send",
            id="alphabet changed",
        ),
        pytest.param(
            TEXT,
            f"{TEXT[:76]}\n{TEXT[76:]}",
            "the hash is over the text without its line breaks; sign what you send",
            id="broken into lines",
        ),
    ],
)
def test_explains_a_text_that_was_changed_after_signing(signed: str, sent: str, slip: str) -> None:
    assert faults(url(sent, right(signed)))["hash"] == f"wrong: {slip}"


@pytest.mark.parametrize(
    ("made", "hint"),
    [
        pytest.param(lambda: _sha(INNER + SECRET), _DECODED, id="one mistake"),
        pytest.param(
            lambda: _sha(SECRET + INNER),
            "the hash is of another text, or by another secret",
            id="two are not looked for on a request",
        ),
    ],
)
def test_the_log_has_the_same_hints(made: Callable[[], str], hint: str) -> None:
    with pytest.raises(BadSignature) as caught:
        verify(TEXT, made(), [SECRET.encode()])

    assert caught.value.detail == hint
