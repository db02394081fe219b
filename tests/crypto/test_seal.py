"""Sealed values: they open in their own place, with one of the keys, and unchanged; or not."""

from __future__ import annotations

import pickle
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.crypto import SealBroken, Sealer

OLD, NEW, OTHER = b"old key, " * 4, b"new key, " * 4, b"other key, " * 4
HERE = "server:3:password"
UNICODE = st.text(st.characters(exclude_categories=["Cs"]))
SEALER = Sealer([NEW, OLD])


@given(text=UNICODE, context=UNICODE)
def test_what_was_sealed_opens(text: str, context: str) -> None:
    assert SEALER.open(SEALER.seal(text, context=context), context=context) == text


@given(text=UNICODE, context=UNICODE, other=UNICODE)
def test_no_other_context_opens_it(text: str, context: str, other: str) -> None:
    sealed = SEALER.seal(text, context=context)
    if other != context:
        with pytest.raises(SealBroken):
            SEALER.open(sealed, context=other)


@given(at=st.integers(0, 200), bit=st.integers(0, 7))
def test_no_changed_bit_opens(at: int, bit: int) -> None:
    sealed = SEALER.seal("geheim", context=HERE)
    prefix, body = sealed[:12], bytearray(urlsafe_b64decode(sealed[12:]))
    body[at % len(body)] ^= 1 << bit
    with pytest.raises(SealBroken):
        SEALER.open(prefix + urlsafe_b64encode(body).decode(), context=HERE)


@given(text=UNICODE | st.text().map(lambda end: SEALER.seal("", context="")[:12] + end))
def test_no_other_text_opens(text: str) -> None:
    with pytest.raises(SealBroken):
        SEALER.open(text, context=HERE)


def test_the_same_text_is_never_sealed_the_same() -> None:
    assert SEALER.seal("geheim", context=HERE) != SEALER.seal("geheim", context=HERE)


def test_an_older_key_opens_what_it_sealed_and_tells_that_it_is_not_the_newest() -> None:
    sealed = Sealer([OLD]).seal("geheim", context=HERE)

    assert SEALER.open(sealed, context=HERE) == "geheim"
    assert not SEALER.is_current(sealed)
    assert SEALER.is_current(SEALER.seal("geheim", context=HERE))


def test_a_key_that_was_taken_away_opens_nothing() -> None:
    sealed = Sealer([OLD]).seal("geheim", context=HERE)
    with pytest.raises(SealBroken, match="a key that is not among the keys given"):
        Sealer([NEW, OTHER]).open(sealed, context=HERE)


def test_one_keys_value_under_the_name_of_another_does_not_open() -> None:
    sealed = Sealer([OLD]).seal("geheim", context=HERE)
    newest = SEALER.seal("", context=HERE)[:12]
    with pytest.raises(SealBroken, match="not sealed for this place"):
        SEALER.open(newest + sealed[12:], context=HERE)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda sealed: sealed + "\n", id="line end behind"),
        pytest.param(lambda sealed: sealed[:20] + "!" + sealed[20:], id="odd character within"),
        pytest.param(lambda sealed: sealed.rstrip("="), id="padding cut off"),
        pytest.param(lambda sealed: sealed.rstrip("=")[:-1] + "_==", id="spare bits set"),
        pytest.param(lambda sealed: f" {sealed}", id="space before"),
        pytest.param(lambda sealed: sealed.replace("s1.", "s2."), id="another version"),
        pytest.param(lambda sealed: sealed[:12], id="nothing in it"),
        pytest.param(lambda sealed: sealed[:20], id="less than a nonce"),
        pytest.param(lambda sealed: sealed[:28], id="a nonce alone"),
        pytest.param(lambda _: "", id="empty"),
    ],
)
def test_a_sealed_value_has_one_spelling(change: Callable[[str], str]) -> None:
    sealed = SEALER.seal("geheim!", context=HERE)  # 35 bytes: base64 with padding and spare bits
    assert sealed.endswith("=")
    with pytest.raises(SealBroken):
        SEALER.open(change(sealed), context=HERE)


def test_an_error_shows_neither_value_nor_key() -> None:
    sealed = SEALER.seal("geheim", context=HERE)
    with pytest.raises(SealBroken) as caught:
        SEALER.open(sealed, context="server:4:password")

    assert caught.value.__cause__ is None
    assert not any(part in str(caught.value) for part in ("geheim", sealed, "server", "new key"))


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([], id="none"),
        pytest.param([b"x" * 31], id="short"),
        pytest.param([NEW, b""], id="an empty one behind"),
    ],
)
def test_no_key_or_a_short_one_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="keys of at least 32 characters"):
        Sealer(keys)


def test_shows_and_pickles_no_key() -> None:
    assert "key" not in repr(SEALER)
    assert "AESGCM" not in repr(SEALER)
    with pytest.raises(TypeError):
        pickle.dumps(SEALER)
