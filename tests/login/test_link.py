"""The format of a signed link: PROTOCOLS section 1's vectors, and every text that is none."""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.errors import BadSignature, GateError, InvalidParameter, MissingParameter
from ssogate.login.signed_link.link import (
    MAX_GROUPS,
    MAX_QUERY,
    VerifiedText,
    decode,
    digest,
    make_query,
    outer,
    sign,
    verify,
)

SEED = b"GTYIY468D4568974"
OTHER = b"a-secret-that-is-another-one"
MANDATORY = ("username", "name", "email")
FINE = "username=joe&name=Joe&email=j@x.y"
HASH = "ab" * 32
LOGIN = f"mode=login&query=x&hash={HASH}"

VECTORS = [
    pytest.param(
        "username=john&name=John Smith&email=john@example.com&t=1562230800",
        "dXNlcm5hbWU9am9obiZuYW1lPUpvaG4gU21pdGgmZW1haWw9am9obkBleGFtcGxlLmNvbSZ0PTE1NjIyMzA4MDA=",
        "c35a8f0618516a7d730ec1a47d94514d39f1dbba42fe98325ae6ed783c716730",
        ("john", "John Smith", "john@example.com", 1562230800),
        id="the seed's",
    ),
    pytest.param(
        "username=a?b>c&name=~~~???&email=x@y.z",
        "dXNlcm5hbWU9YT9iPmMmbmFtZT1+fn4/Pz8mZW1haWw9eEB5Lno=",
        "75b3d7ae7309583472f625c632fa1d27400fb59038ae1e4d1b087bf5c2b8460b",
        ("a?b>c", "~~~???", "x@y.z", None),
        id="base64 with + and /",
    ),
]


def base64(inner: str | bytes) -> str:
    raw = inner.encode() if isinstance(inner, str) else inner
    return b64encode(raw).decode()


def pairs(sent: str) -> list[tuple[str, str]]:
    return parse_qsl(sent, keep_blank_values=True)


def read(inner: str | bytes, *, required: tuple[str, ...] = MANDATORY) -> object:
    return decode(VerifiedText(base64(inner), HASH), required=required)


@pytest.mark.parametrize(("inner", "query", "hash_", "person"), VECTORS)
def test_the_published_vectors_hold(
    inner: str, query: str, hash_: str, person: tuple[str, str, str, int | None]
) -> None:
    assert base64(inner) == query
    assert digest(query, SEED) == hash_

    link = decode(verify(query, hash_, [SEED]), required=MANDATORY)

    assert (link.username, link.name, link.email, link.issued_at) == person
    assert (link.groups, link.redirect) == (None, {})


# --- The URL's parameters ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "mode", "query"),
    [
        pytest.param(f"mode=login&query=a+b+c&hash={HASH}", "login", "a+b+c", id="spaces"),
        pytest.param(f"hash={HASH}&query=x&mode=login", "login", "x", id="any order"),
        pytest.param(f"mode=login&query=x&hash={HASH.upper()}", "login", "x", id="capitals"),
        pytest.param(f"{LOGIN}&utm=1&utm=2", "login", "x", id="unknown ones"),
        pytest.param("mode=logout", "logout", "", id="logout"),
        pytest.param(f"mode=logout&query=x&hash={HASH}", "logout", "x", id="signed logout"),
    ],
)
def test_well_formed_parameters_are_taken(sent: str, mode: str, query: str) -> None:
    found = outer(pairs(sent))

    assert (found.mode, found.query) == (mode, query)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param("", MissingParameter, id="nothing"),
        pytest.param("mode=", MissingParameter, id="empty mode"),
        pytest.param("MODE=login", MissingParameter, id="mode in capitals"),
        pytest.param("mode=login", MissingParameter, id="mode alone"),
        pytest.param("mode=login&query=x", MissingParameter, id="no hash"),
        pytest.param(f"mode=login&hash={HASH}", MissingParameter, id="no query"),
        pytest.param(f"mode=login&query=&hash={HASH}", MissingParameter, id="empty query"),
        pytest.param("mode=logout&query=x", MissingParameter, id="logout, no hash"),
        pytest.param(f"mode=logout&hash={HASH}", MissingParameter, id="logout, no query"),
        pytest.param("mode=LOGIN", InvalidParameter, id="login in capitals"),
        pytest.param("mode=login+", InvalidParameter, id="login and a space"),
        pytest.param("mode=admin", InvalidParameter, id="another mode"),
        pytest.param(f"{LOGIN}&mode=login", InvalidParameter, id="mode twice"),
        pytest.param(f"{LOGIN}&query=y", InvalidParameter, id="query twice"),
        pytest.param(f"{LOGIN}&hash={HASH}", InvalidParameter, id="hash twice"),
        pytest.param(f"{LOGIN}&confirm=&confirm=", InvalidParameter, id="confirm twice"),
        pytest.param(f"{LOGIN}&redirect=/&redirect=/", InvalidParameter, id="redirect twice"),
        pytest.param(f"mode[]=login&query=x&hash={HASH}", InvalidParameter, id="mode as an array"),
        pytest.param(f"{LOGIN}&hash[0]={HASH}", InvalidParameter, id="hash as an array"),
        pytest.param(f"{LOGIN}&query[=x", InvalidParameter, id="half an array"),
        pytest.param(f"{LOGIN}&+query=y", InvalidParameter, id="query behind a space"),
        pytest.param(f"mode=login&query=x&hash={HASH[:-1]}", InvalidParameter, id="hash too short"),
        pytest.param(f"{LOGIN}a", InvalidParameter, id="hash too long"),
        pytest.param(f"mode=login&query=x&hash={HASH[:-1]}g", InvalidParameter, id="hash not hex"),
        pytest.param(f"{LOGIN}%0A", InvalidParameter, id="hash and a line break"),
        pytest.param(
            f"mode=login&query=x&hash={'٣' * 64}", InvalidParameter, id="hash in other digits"
        ),
        pytest.param(
            f"mode=login&query={'x' * (MAX_QUERY + 1)}&hash={HASH}",
            InvalidParameter,
            id="query too long",
        ),
    ],
)
def test_malformed_parameters_are_refused(sent: str, error: type[GateError]) -> None:
    with pytest.raises(error):
        outer(pairs(sent))


# --- The hash --------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha256", "hmac-sha256"])
@pytest.mark.parametrize("secrets", [[SEED], [OTHER, SEED], [SEED, OTHER]], ids=len)
def test_any_of_the_secrets_verifies(secrets: list[bytes], algorithm: str) -> None:
    query = base64(FINE)

    assert verify(query, digest(query, SEED, algorithm), secrets, algorithm).text == query


def test_the_digests_are_the_documented_ones() -> None:
    query = base64(FINE)

    assert digest(query, SEED) == sha256(query.encode() + SEED).hexdigest()
    expected = hmac.new(SEED, query.encode(), "sha256").hexdigest()
    assert digest(query, SEED, "hmac-sha256") == expected


QUERY = base64(FINE)


@pytest.mark.parametrize(
    ("query", "claimed"),
    [
        pytest.param(QUERY, HASH, id="made up"),
        pytest.param(QUERY, digest(QUERY, OTHER), id="another secret"),
        pytest.param(QUERY, digest(QUERY, SEED).upper(), id="upper case"),
        pytest.param(QUERY, digest(QUERY, SEED, "hmac-sha256"), id="another algorithm"),
        pytest.param(QUERY, sha256(FINE.encode() + SEED).hexdigest(), id="of the decoded text"),
        pytest.param(QUERY, sha256(SEED + QUERY.encode()).hexdigest(), id="secret first"),
        pytest.param(QUERY, sha256(QUERY.encode()).hexdigest(), id="without a secret"),
        pytest.param(QUERY, digest(base64(FINE + "&x=1"), SEED), id="of another message"),
        pytest.param(QUERY + "=", digest(QUERY, SEED), id="padding added"),
        pytest.param(QUERY[:-4], digest(QUERY, SEED), id="cut"),
        pytest.param("", digest(QUERY, SEED), id="empty"),
        pytest.param("é" + QUERY, digest(QUERY, SEED), id="not ASCII"),
        pytest.param("\udc80", HASH, id="a surrogate"),
        pytest.param("A", HASH, id="no base64"),
    ],
)
def test_a_hash_of_another_text_is_refused(query: str, claimed: str) -> None:
    with pytest.raises(BadSignature) as caught:
        verify(query, claimed, [SEED])

    assert claimed not in str(caught.value)
    assert SEED.decode() not in str(caught.value)


def test_no_secret_verifies_nothing() -> None:
    with pytest.raises(BadSignature):
        verify(QUERY, sha256(QUERY.encode()).hexdigest(), [])


@given(
    query=st.text(st.characters(max_codepoint=0x17F), max_size=40),
    claimed=st.binary(min_size=32, max_size=32),
)
def test_no_unsigned_text_is_verified(query: str, claimed: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(query, claimed.hex(), [SEED, OTHER])


# --- The inner parameters ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "field", "value"),
    [
        pytest.param("username=a+b&name=n&email=j@x.y", "username", "a b", id="plus is a space"),
        pytest.param("username=a%2Bb&name=n&email=j@x.y", "username", "a+b", id="escaped plus"),
        pytest.param(
            "username=caf%C3%A9&name=n&email=j@x.y", "username", "café", id="escaped UTF-8"
        ),
        pytest.param("username=café&name=n&email=j@x.y", "username", "café", id="raw UTF-8"),
        pytest.param("username=a=b&name=n&email=j@x.y", "username", "a=b", id="equals sign"),
        pytest.param(
            "username=a%26b&name=n&email=j@x.y", "username", "a&b", id="escaped ampersand"
        ),
        pytest.param("&&username=joe&&name=n&email=j@x.y&", "username", "joe", id="empty parts"),
        pytest.param(FINE + "&x=1&x=2&role=admin", "username", "joe", id="unknown ones"),
        pytest.param(FINE + "&username_=bob&Username=eve", "username", "joe", id="look-alikes"),
        pytest.param(FINE + "&t=1562230800", "issued_at", 1562230800, id="timestamp"),
        pytest.param(FINE + "&t=0", "issued_at", 0, id="timestamp zero"),
        pytest.param(FINE + "&t=01562230800", "issued_at", 1562230800, id="zeros in front"),
        pytest.param(FINE, "issued_at", None, id="no timestamp"),
        pytest.param(FINE + "&groups=a,b", "groups", {"a", "b"}, id="groups"),
        pytest.param(FINE + "&groups= a , b ,,a", "groups", {"a", "b"}, id="groups with spaces"),
        pytest.param(FINE + "&groups=", "groups", set(), id="no group"),
        pytest.param(FINE, "groups", None, id="groups not said"),
        pytest.param(
            FINE + "&redirect=/x&dl=de&x=1", "redirect", {"redirect": "/x"}, id="redirect"
        ),
        pytest.param(FINE + "&dl=de", "username", "joe", id="language"),
    ],
)
def test_inner_parameters_are_read_as_php_does(inner: str, field: str, value: object) -> None:
    assert getattr(read(inner), field) == value


@pytest.mark.parametrize(
    ("inner", "error"),
    [
        pytest.param("", InvalidParameter, id="empty"),
        pytest.param("name=n&email=j@x.y", MissingParameter, id="no username"),
        pytest.param("username=&name=n&email=j@x.y", MissingParameter, id="empty username"),
        pytest.param("username&name=n&email=j@x.y", MissingParameter, id="username without value"),
        pytest.param("username=joe&email=j@x.y", MissingParameter, id="no name"),
        pytest.param("username=joe&name=n", MissingParameter, id="no e-mail"),
        pytest.param("USERNAME=joe&name=n&email=j@x.y", MissingParameter, id="in capitals"),
        pytest.param(FINE + "&username=admin", InvalidParameter, id="username twice"),
        pytest.param(FINE + "&username=joe", InvalidParameter, id="username twice, the same"),
        pytest.param(FINE + "&user%6eame=admin", InvalidParameter, id="twice, escaped"),
        pytest.param(FINE + "&username[]=admin", InvalidParameter, id="as an array"),
        pytest.param(FINE + "&username%5B%5D=admin", InvalidParameter, id="as an escaped array"),
        pytest.param(FINE + "&+username=admin", InvalidParameter, id="behind a space"),
        pytest.param(FINE + "&email[x]=a@b", InvalidParameter, id="e-mail as an array"),
        pytest.param("username[]=joe&name=n&email=j@x.y", InvalidParameter, id="array alone"),
        pytest.param(FINE + "&t=1&t=2", InvalidParameter, id="t twice"),
        pytest.param(FINE + "&t=", InvalidParameter, id="t empty"),
        *(
            pytest.param(f"{FINE}&t={text}", InvalidParameter, id=f"t is {text!r}")
            for text in ("x", "-1", "%2B1", "1.5", "1e9", "0x10", "%201", "1%0A", "٣", "1_0")
        ),
        pytest.param(FINE + "&t=" + "9" * 12, InvalidParameter, id="t beyond the year 5138"),
        pytest.param("username=joe%20&name=n&email=j@x.y", InvalidParameter, id="space behind"),
        pytest.param("username=+joe&name=n&email=j@x.y", InvalidParameter, id="space in front"),
        pytest.param("username=jo%00e&name=n&email=j@x.y", InvalidParameter, id="NUL"),
        pytest.param("username=jo%0ae&name=n&email=j@x.y", InvalidParameter, id="line break"),
        pytest.param("username=jo%E2%80%8Be&name=n&email=j@x.y", InvalidParameter, id="zero width"),
        pytest.param("username=jo%E2%80%AEe&name=n&email=j@x.y", InvalidParameter, id="bidi"),
        pytest.param(f"username={'a' * 256}&name=n&email=j@x.y", InvalidParameter, id="too long"),
        pytest.param("username=joe&name=+n&email=j@x.y", InvalidParameter, id="name with a space"),
        pytest.param("username=joe&name=a%0d%0ab&email=j@x.y", InvalidParameter, id="name, CRLF"),
        pytest.param(
            f"username=joe&name={'a' * 256}&email=j@x.y", InvalidParameter, id="name long"
        ),
        pytest.param("username=joe&name=n&email=jx.y", InvalidParameter, id="e-mail without @"),
        pytest.param("username=joe&name=n&email=a@b@c", InvalidParameter, id="e-mail with two"),
        pytest.param("username=joe&name=n&email=a@b%0d%0aX:y", InvalidParameter, id="e-mail CRLF"),
        pytest.param(FINE + "&groups=a%0ab", InvalidParameter, id="group with a line break"),
        pytest.param(FINE + "&groups=" + "a" * 65, InvalidParameter, id="group too long"),
        pytest.param(FINE + "&groups=" + "a," * MAX_GROUPS, InvalidParameter, id="too many groups"),
        pytest.param(FINE.encode() + b"&x=\xff", InvalidParameter, id="not UTF-8"),
        pytest.param(FINE + "&x=%ff", InvalidParameter, id="escapes that are not UTF-8"),
        pytest.param(FINE + "&%ff=x", InvalidParameter, id="a name that is not UTF-8"),
        pytest.param("username=caf%E9&name=n&email=j@x.y", InvalidParameter, id="latin-1"),
        pytest.param("username=%ED%A0%80&name=n&email=j@x.y", InvalidParameter, id="surrogate"),
        pytest.param("username=%C0%AE&name=n&email=j@x.y", InvalidParameter, id="overlong"),
    ],
)
def test_inner_parameters_without_one_reading_are_refused(
    inner: str | bytes, error: type[GateError]
) -> None:
    with pytest.raises(error):
        read(inner)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(base64(FINE).rstrip("="), id="padding left out"),
        pytest.param(base64(FINE), id="padded"),
    ],
)
def test_padding_may_be_missing(text: str) -> None:
    assert decode(VerifiedText(text, HASH), required=MANDATORY).username == "joe"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            base64("username=a?b>c&name=~~~???&email=x@y.z").replace("+", "-").replace("/", "_"),
            id="url-safe alphabet",
        ),
        pytest.param(base64(FINE)[:20] + "\n" + base64(FINE)[20:], id="line break"),
        pytest.param(base64(FINE) + "\n", id="line break at the end"),
        pytest.param(" " + base64(FINE), id="space"),
        pytest.param(base64(FINE)[:-2] + "!", id="another character"),
        pytest.param(base64(FINE) + "===", id="too much padding"),
        pytest.param("=" + base64(FINE), id="padding in front"),
        pytest.param("QUI=QUI=", id="padding inside"),
        pytest.param("QUJ", id="bits left over"),
        pytest.param("QUI=="[:-1].replace("QUI", "QUJ"), id="bits left over, padded"),
        pytest.param("A", id="one character"),
        pytest.param("QUJDR", id="one character too many"),
        pytest.param("=", id="padding alone"),
        pytest.param("", id="nothing"),
        pytest.param("dXNlcm5hbWU9é", id="not ASCII"),
    ],
)
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(InvalidParameter):
        decode(VerifiedText(text, HASH), required=MANDATORY)


@given(raw=st.binary(max_size=80))
def test_no_signed_text_is_more_than_refused(raw: bytes) -> None:
    for text in (base64(raw), raw.decode("latin-1")):
        try:
            link = decode(VerifiedText(text, HASH), required=MANDATORY)
        except (InvalidParameter, MissingParameter):
            continue
        assert link.username.strip()


@given(
    username=st.text(min_size=1, max_size=20),
    name=st.text(min_size=1, max_size=20),
    groups=st.lists(st.text("abc é", min_size=1, max_size=5), max_size=3),
)
def test_what_is_made_is_read_back(username: str, name: str, groups: list[str]) -> None:
    fields = {"username": username, "name": name, "email": "j@x.y", "groups": ",".join(groups)}
    try:
        query = make_query(fields)
        link = decode(VerifiedText(query, HASH), required=MANDATORY)
    except (InvalidParameter, UnicodeEncodeError):
        return
    assert (link.username, link.name) == (username, name)
    assert (link.groups or set()) == {group.strip(" ") for group in groups} - {""}


def test_what_is_not_asked_for_may_be_left_out() -> None:
    link = decode(VerifiedText(base64("dl=de"), HASH), required=())

    assert (link.username, link.name, link.email, link.groups) == ("", "", "", None)


def test_a_whole_link_is_made_and_read() -> None:
    url = sign("https://app.example/sso.php", make_query({"username": "é+ &"}), SEED, mode="logout")

    asked = outer(parse_qsl(urlsplit(url).query))
    assert asked.mode == "logout"
    link = decode(verify(asked.query, asked.digest, [SEED]), required=("username",))
    assert link.username == "é+ &"
