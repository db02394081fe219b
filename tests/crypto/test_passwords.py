"""Passwords: ours hashed well, older hashes read once, odd ones refused, and all at equal cost."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from ssogate.crypto import (
    Verdict,
    hash_password,
    readable_hash,
    verify_nobody,
    verify_password,
)

PLAIN, UMLAUT = "p4ssw0rd", "pässwörd"
DECOMPOSED = "pa\u0308sswo\u0308rd"

# Made by PHP 8.2 (password_hash, crypt, hash_pbkdf2, and phpass's crypt_private) and by
# `openssl passwd`; each row with the hashes of PLAIN and of UMLAUT.
FOREIGN = [
    pytest.param(
        "argon2",
        "$argon2i$v=19$m=1024,t=2,p=1$YS9COFFjM0QuLkZZZnVqWA$rdD9T4PTYxNlnBR/Fn2n9oQ4NUWsN9ejRB9OVrGMtlg",
        "$argon2i$v=19$m=1024,t=2,p=1$RXF1NVV4L3VYdGhOZ0daRw$NX1XQUbCOH60kGSR4FqXGZk6dQX7xPQ7uKso2KqWlxM",
        id="argon2i",
    ),
    pytest.param(
        "argon2",
        "$argon2id$v=19$m=1024,t=2,p=1$cHJzY3RZNzU2MnNKTHhPaw$97KVz+aVuR1hFXm+jg1qYHfjkTdQD4MI1vII24QcAGk",
        "$argon2id$v=19$m=1024,t=2,p=1$cm9sdGRTZmJOMEJzVTRiVQ$F7xdZvuPiGcv8Z8p0Fr8MuVP5/IFU3XR6eXdXxBTpmE",
        id="weak argon2id",
    ),
    pytest.param(
        "bcrypt",
        "$2y$04$kj7hUJ14zZPCAMOJV7aPUOrNT3m09kzyRfPNYlqTjmnk3qHus8zCK",
        "$2y$04$zqONRERk9SBoIw8Zm8yoW.5BTpKMJvYv.00v1lhNV82qPuf6E2wsq",
        id="bcrypt 2y",
    ),
    pytest.param(
        "bcrypt",
        "$2a$04$abcdefghijklmnopqrstuuWIjy.kBfLlxwPfqLFCg/mYDOjX.8Dy2",
        "$2a$04$abcdefghijklmnopqrstuuyx2n0Zzopyr9QuYTMCfOJJOj526QVoC",
        id="bcrypt 2a",
    ),
    pytest.param(
        "bcrypt",
        "$2b$04$abcdefghijklmnopqrstuuWIjy.kBfLlxwPfqLFCg/mYDOjX.8Dy2",
        "$2b$04$abcdefghijklmnopqrstuuyx2n0Zzopyr9QuYTMCfOJJOj526QVoC",
        id="bcrypt 2b",
    ),
    pytest.param(
        "phpass",
        "$P$BIQRaTwmfjYbTwKAWI7KAIYbWs/OWb0",
        "$P$BIQRaTwmf.j068h7TRcxo6L2ble5LP1",
        id="phpass",
    ),
    pytest.param(
        "phpass",
        "$H$9IQRaTwmfmO9JEjmRayYOSFYnDYmWr/",
        "$H$9IQRaTwmfzeY4Ov54NWo8Vlau.m5fE0",
        id="phpass of phpBB",
    ),
    pytest.param(
        "sha256-crypt",
        "$5$rounds=1000$saltstring$MTbmBuFvLo6tX8RJ.5vKki3AfJSHxvUVZJsSw9V6P2C",
        "$5$rounds=1000$saltstring$Ukj/hvmiT/TSjH7QNL67Nw4l/mg3AaLZgaZo2zNVMd8",
        id="sha256-crypt with rounds",
    ),
    pytest.param(
        "sha256-crypt",
        "$5$saltstring$hoGWRci1HirxBYKSTNOV23k9/rHZhkVz/0saiZOsUx0",
        "$5$saltstring$bWOoCRTKNT.aiY/gJjvk1HjBYuRpcYQmcc5hqf6H4T4",
        id="sha256-crypt",
    ),
    pytest.param(
        "sha512-crypt",
        "$6$rounds=1000$saltstring$vlOfbgfVrSzYWcrROWRCZRGatpHXROUjYOGeoyU2bCqV01M55WUc3/asU6LHV2tHOIdY6AFDxr0XdGDv8Sx9W/",
        "$6$rounds=1000$saltstring$TxvR4exOwgNNsvUoz6VBfjSppxDSfLNQwnw4hvxYdm2OKVyXkmBZ8Uuzrk6C4Q1SHhc8qaHIMpSuzcT0u4Q951",
        id="sha512-crypt with rounds",
    ),
    pytest.param(
        "sha512-crypt",
        "$6$saltstring$EUY/tsd7MUCL6OCJPiS9E0acESQMqxBs7XU6z4xwH1J3mns5bg.bP1doJD10Y.kPQdAYVLVYAgFY.2mbZV6zv/",
        "$6$saltstring$6PSVl254uv0cWCoUS0qzSX5NenRA/YFCwPzGA9ONu.MmmxqXTWHerEzD8WyuBl3ukfIZZU9uxLD6Bn6p7S3rG.",
        id="sha512-crypt",
    ),
    pytest.param(
        "apr1",
        "$apr1$abcdefgh$efYkoOsPrjwVB1rq5s2My1",
        "$apr1$abcdefgh$030j6I3f1zNCF9tihqdd11",
        id="htpasswd -m",
    ),
    pytest.param(
        "{SHA}",
        "{SHA}5zGnthKrOJ/Lf5c8RS8z3z62nJk=",
        "{SHA}9Rfd8dMqES/xrVXGbRsSyzjn6Pc=",
        id="htpasswd -s",
    ),
    pytest.param(
        "MediaWiki pbkdf2",
        ":pbkdf2:sha512:30000:64:ABEiM0RVZneImaq7zN3u/w==:NThL6jjfGfmQAtQruMq5WgioeINtu8v1pilxzrMFAmN0IdD14ZIHhcSXVeVfo/rQidhIktBtad5mbOYHinHrKA==",
        ":pbkdf2:sha512:30000:64:ABEiM0RVZneImaq7zN3u/w==:qkhverbldd4ZRR/83eJlD9eNiaouJ31M0WoSJG1Yg/0TElqZLXj1vOwsQSP3fA+WazAL8/oNp3TyUarO/JpcAQ==",
        id="MediaWiki pbkdf2",
    ),
    pytest.param(
        "MediaWiki pbkdf2",
        ":pbkdf2:sha256:10000:128:ABEiM0RVZneImaq7zN3u/w==:KQWhUxgnRV08BRuNrAItx1dN6HRKK7pl1bF0+p5w7atZAKgQtIQI4b0ZATPqoTkICOOzflM9564zTi9Uuwm6EMX6JBst+2ubujb2OB6riswSsCc4+q3sahB+IRCeMKafjXdaq6IhC97Cf5Ej/c9u0r98ywPLo39vVSJdqEYBjPU=",
        ":pbkdf2:sha256:10000:128:ABEiM0RVZneImaq7zN3u/w==:uEbZ0iXAnJfds4HBMkWMMyqXJ5ZpU/P0GXE+WrTJq5tiSJarryKduk7o65pBUaHlRooR2q9bgWIIbfPi9Mp8PaMyhk5VWNuCabziCZHOhir2Vvxk5+K7gG/0iEk0Cv+KhKRYN0t4ls5R45iyXfIqTA6ms3f3Ph7E8AteSRuVxpQ=",
        id="MediaWiki pbkdf2 of 1.24",
    ),
    pytest.param(
        "MediaWiki B",
        ":B:1a2b3c4d:369becffd97812cad91934fa83b1d4b5",
        ":B:1a2b3c4d:475589a7ebff94e561f597229fc3ccda",
        id="MediaWiki B",
    ),
]

BCRYPT = "$2y$04$kj7hUJ14zZPCAMOJV7aPUOrNT3m09kzyRfPNYlqTjmnk3qHus8zCK"
BCRYPT_LONG = "$2y$04$Wh0q3eR3d/QGXCV5SFYNEOMMfvbeqpG9D5QOn.ET.bFMnRdm/q8CG"  # of 72 times "a"
SHA = "{SHA}5zGnthKrOJ/Lf5c8RS8z3z62nJk="
ARGON2 = "$argon2id$v=19$m={m},t={t},p={p}$cHJzY3RZNzU2MnNKTHhPaw$" + "A" * 43
PBKDF2 = ":pbkdf2:{0}:{1}:{2}:ABEiM0RVZneImaq7zN3u/w==:{3}"


@pytest.fixture(scope="module")
def ours() -> str:
    return hash_password(UMLAUT)


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The costs of all verifications by argon2, as they are done."""
    done: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, stored: str, secret: bytes) -> bool:
        done.append(stored.rsplit("$", 2)[0])
        return real(self, stored, secret)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    return done


def test_ours_are_argon2id_of_the_promised_cost(ours: str) -> None:
    assert ours.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert len(ours.split("$")[4]) == 22  # 16 bytes of salt
    assert hash_password(UMLAUT) != ours


@pytest.mark.parametrize(
    ("password", "verdict"),
    [
        pytest.param(UMLAUT, Verdict.GOOD, id="right"),
        pytest.param(DECOMPOSED, Verdict.GOOD, id="composed in another way"),
        pytest.param("passwörd", Verdict.WRONG, id="a letter differs"),
        pytest.param("PÄSSWÖRD", Verdict.WRONG, id="another case"),
        pytest.param(f"{UMLAUT} ", Verdict.WRONG, id="space behind"),
        pytest.param("", Verdict.WRONG, id="empty"),
    ],
)
def test_a_password_is_compared_with_our_hash(ours: str, password: str, verdict: Verdict) -> None:
    assert verify_password(password, ours) is verdict


def test_every_space_is_the_same_and_full_width_letters_are_not() -> None:
    stored = hash_password("correct\u00a0horse\u3000x")

    assert verify_password("correct horse x", stored) is Verdict.GOOD
    assert verify_password("correct horse ｘ", stored) is Verdict.WRONG


def test_only_the_wrong_verdict_is_false() -> None:
    assert [verdict for verdict in Verdict if not verdict] == [Verdict.WRONG]


@pytest.mark.parametrize(("scheme", "plain", "umlaut"), FOREIGN)
def test_hashes_of_other_programs_verify_and_are_to_be_replaced(
    scheme: str, plain: str, umlaut: str
) -> None:
    assert readable_hash(plain) == scheme
    assert verify_password(PLAIN, plain) is Verdict.OUTDATED
    assert verify_password(UMLAUT, umlaut) is Verdict.OUTDATED
    assert verify_password(UMLAUT, plain) is Verdict.WRONG
    # They were made over the text as it was typed, and of no other.
    assert verify_password(DECOMPOSED, umlaut) is Verdict.WRONG


@pytest.mark.parametrize(("scheme", "plain", "umlaut"), FOREIGN)
def test_a_hash_that_was_cut_short_is_no_hash(scheme: str, plain: str, umlaut: str) -> None:
    body = plain.rstrip("=")
    for length in range(len(body)):
        if scheme in ("argon2", "MediaWiki pbkdf2") and length > len(body) - 150:
            break  # digests of many lengths are right there: see the next test
        with pytest.raises(ValueError, match="not a whole password hash"):
            readable_hash(body[:length])


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(FOREIGN[1].values[1], id="argon2id"),
        pytest.param(FOREIGN[13].values[1], id="MediaWiki pbkdf2"),
    ],
)
def test_a_digest_that_was_cut_short_matches_nothing(stored: object) -> None:
    assert isinstance(stored, str)
    for cut in (1, 2, 3, 4, 8, 20):
        assert not verify_password(PLAIN, stored[:-cut])


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param("", id="empty"),
        pytest.param("!", id="locked"),
        pytest.param(PLAIN, id="plain text"),
        pytest.param("NIiKQuwn9TsOs", id="DES crypt"),
        pytest.param("_J9..XXXXJyqSdHSzZGo", id="extended DES crypt"),
        pytest.param("5f4dcc3b5aa765d61d8327deb882cf99", id="plain MD5"),
        pytest.param(":A:5f4dcc3b5aa765d61d8327deb882cf99", id="MediaWiki A"),
        pytest.param("$1$abcdefgh$G//4keteveJp0qb8z2DxG/", id="md5-crypt"),
        pytest.param("$2x$04$" + BCRYPT[7:], id="bcrypt with the sign bug"),
        pytest.param(BCRYPT.replace("$04$", "$03$"), id="bcrypt below its least cost"),
        pytest.param(BCRYPT + "\n", id="line end behind"),
        pytest.param(f" {BCRYPT}", id="space before"),
        pytest.param(BCRYPT.replace("k", "ä"), id="not ASCII"),
        pytest.param(BCRYPT.replace("04", "٠٤"), id="digits of another script"),
        pytest.param("$argon2d" + ARGON2.format(m=64, t=1, p=1)[9:], id="argon2d"),
        pytest.param(ARGON2.format(m="064", t=1, p=1), id="argon2 with a leading zero"),
        pytest.param("{SSHA}" + SHA[5:], id="another LDAP scheme"),
        pytest.param(PBKDF2.format("md5", 1000, 16, "A" * 22 + "=="), id="pbkdf2 with MD5"),
        pytest.param(PBKDF2.format("sha512", 0, 64, "A" * 86 + "=="), id="no rounds"),
        pytest.param(PBKDF2.format("sha512", 1000, 0, ""), id="no digest"),
        pytest.param("$5$saltstring$", id="sha-crypt without digest"),
        pytest.param("$5$rounds=999$saltstring$" + "A" * 43, id="sha-crypt with too few rounds"),
        pytest.param("\ud800", id="half a surrogate pair"),
    ],
)
def test_what_is_no_readable_hash_is_refused_without_showing_it(stored: str) -> None:
    with pytest.raises(ValueError, match="not a whole password hash") as caught:
        readable_hash(stored)
    assert not stored or stored not in str(caught.value)
    assert verify_password(PLAIN, stored) is Verdict.WRONG


@pytest.mark.parametrize(
    ("most", "above", "what"),
    [
        pytest.param("$2y$13" + BCRYPT[6:], "$2y$14" + BCRYPT[6:], "cost", id="bcrypt"),
        pytest.param("$P$G" + "a" * 30, "$P$H" + "a" * 30, "count_log2", id="phpass"),
        pytest.param(
            "$5$rounds=500000$salt$" + "a" * 43,
            "$5$rounds=500001$salt$" + "a" * 43,
            "rounds",
            id="sha256-crypt",
        ),
        pytest.param(
            "$6$rounds=500000$salt$" + "a" * 86,
            "$6$rounds=999999999$salt$" + "a" * 86,
            "rounds",
            id="sha512-crypt",
        ),
        pytest.param(
            PBKDF2.format("sha512", 2_000_000, 64, "A" * 86 + "=="),
            PBKDF2.format("sha512", 2_000_001, 64, "A" * 86 + "=="),
            "rounds",
            id="pbkdf2",
        ),
        pytest.param(
            PBKDF2.format("sha512", 1, 128, "A" * 171 + "="),
            PBKDF2.format("sha512", 1, 129, "A" * 172),
            "length",
            id="pbkdf2's digest",
        ),
        pytest.param(
            ARGON2.format(m=1_048_576, t=20, p=16),
            ARGON2.format(m=1_048_577, t=1, p=1),
            "memory",
            id="argon2's memory",
        ),
        pytest.param(
            ARGON2.format(m=8, t=20, p=1), ARGON2.format(m=8, t=21, p=1), "passes", id="passes"
        ),
        pytest.param(
            ARGON2.format(m=999, t=1, p=16), ARGON2.format(m=999, t=1, p=17), "lanes", id="lanes"
        ),
    ],
)
def test_a_hash_that_would_stall_the_gate_is_refused(most: str, above: str, what: str) -> None:
    assert readable_hash(most)
    with pytest.raises(ValueError, match=f"costs too much: {what} is above") as caught:
        readable_hash(above)
    assert above not in str(caught.value)
    assert verify_password(PLAIN, above) is Verdict.WRONG


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(ARGON2.format(m=1, t=1, p=1), id="less memory than argon2 takes"),
        pytest.param(ARGON2.format(m=64, t=1, p=1)[:-1], id="a digest of no whole bytes"),
        pytest.param(PBKDF2.format("sha512", 1, 64, "A" * 23), id="base64 of no whole bytes"),
        pytest.param(PBKDF2.format("sha512", 1, 16, "A" * 86 + "=="), id="another length"),
    ],
)
def test_a_hash_that_is_odd_within_matches_nothing(stored: str) -> None:
    assert readable_hash(stored)
    assert verify_password(PLAIN, stored) is Verdict.WRONG


def test_bcrypt_looks_at_72_bytes_as_it_does_elsewhere() -> None:
    assert verify_password("a" * 72 + "tail", BCRYPT_LONG) is Verdict.OUTDATED
    assert verify_password("a" * 72 + "other", BCRYPT_LONG) is Verdict.OUTDATED
    assert verify_password("a" * 71, BCRYPT_LONG) is Verdict.WRONG


@pytest.mark.parametrize(("scheme", "plain", "umlaut"), FOREIGN)
def test_a_zero_byte_does_not_end_a_password(scheme: str, plain: str, umlaut: str) -> None:
    assert verify_password(f"{PLAIN}\0", plain) is Verdict.WRONG
    assert verify_password(f"{PLAIN}\0x", plain) is Verdict.WRONG


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 1025, id="long"),
        pytest.param("ä" * 513, id="long in bytes"),
        pytest.param("a\ud800", id="half a surrogate pair"),
        pytest.param("a\0b", id="zero byte"),
    ],
)
def test_an_impossible_password_is_never_hashed(password: str, costs: list[str]) -> None:
    with pytest.raises(ValueError, match="from 1 to 1024 bytes"):
        hash_password(password)
    assert not verify_password(password, BCRYPT_LONG)
    verify_nobody(password)
    assert costs == []


def test_the_longest_possible_password_is_a_password_like_others() -> None:
    assert verify_password("ä" * 512, hash_password("ä" * 512)) is Verdict.GOOD


def test_an_unknown_name_takes_the_same_work_as_a_wrong_password(
    ours: str, costs: list[str]
) -> None:
    verify_password("wrong", ours)
    for_wrong, costs[:] = list(costs), []
    verify_nobody("wrong")

    assert for_wrong == ["$argon2id$v=19$m=65536,t=3,p=1"]
    assert costs == for_wrong


@pytest.mark.parametrize("stored", ["", "!", "$2y$31" + BCRYPT[6:]])
def test_a_user_without_a_readable_hash_takes_the_same_work_as_nobody(
    stored: str, costs: list[str]
) -> None:
    verify_password("wrong", stored)

    assert costs == ["$argon2id$v=19$m=65536,t=3,p=1"]


@settings(max_examples=200, deadline=None)
@given(stored=st.text(max_size=200) | st.from_regex(r"[$:{][a-zA-Z0-9$:=,./{}]{0,120}"))
def test_no_text_is_a_hash_by_accident(stored: str) -> None:
    with pytest.raises(ValueError, match=r"refused|costs too much"):
        readable_hash(stored)
