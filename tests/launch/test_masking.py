"""What the module log shows, and above all what it does not."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.launch.masking import HIDDEN, LONGEST, SHORTEST, mask

# --- By value -------------------------------------------------------------------------------------


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "url": lambda text: quote(text, safe=""),
    "url, paths": quote,
    "url, by scripts": lambda text: quote(text, safe="!'()*~"),
    "url, small": lambda text: "".join(
        f"%{byte:02x}" if chr(byte) in ":/&+ <>%" or byte > 126 else chr(byte)
        for byte in text.encode()
    ),
    "form": quote_plus,
    "url twice": lambda text: quote(quote(text, safe=""), safe=""),
    "html": html.escape,
    "html, text only": lambda text: html.escape(text, quote=False),
    "html, PHP": lambda text: html.escape(text).replace("&#x27;", "&#039;"),
    "html twice": lambda text: html.escape(html.escape(text)),
    "json": lambda text: json.dumps(text)[1:-1],
    "json, unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json, PHP": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "json twice": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "url in html": lambda text: html.escape(quote_plus(text, safe="&'")),
    "html in json": lambda text: json.dumps(html.escape(text))[1:-1],
    "base64": _base64,
    "base64, of a pair": lambda text: _base64(f"root:{text}"),
    "base64, of a longer name": lambda text: _base64(f"admin|joe:{text}"),
    "base64, within": lambda text: _base64(f"a:{text}\nand more"),
    "base64, for urls": lambda text: urlsafe_b64encode(f"ab:{text}".encode()).decode(),
    "base64, in a url": lambda text: quote(_base64(text), safe=""),
    "base64, in json": lambda text: _base64(text).replace("/", r"\/"),
}

# `*` is what it is masked with.
SECRETS = st.text(
    st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=SHORTEST, max_size=30
) | st.text(r"aB1 :/&+<>\"'%\\" + "\n\x00ä€😀", min_size=SHORTEST, max_size=30)


@pytest.mark.parametrize("name", ENCODINGS)
@given(
    secret=SECRETS, wrapping=st.sampled_from(["{}", "x {} y", "<a b='{}'>", "?a={}&b=c", "{}{}"])
)
def test_no_secret_survives_in_any_encoding(name: str, secret: str, wrapping: str) -> None:
    encoded = ENCODINGS[name](secret)
    text = wrapping.replace("{}", encoded)

    for value in (text, {"note": text}, [text, {"deep": [text.encode()]}]):
        shown = mask(value, ["another secret", secret])

        assert encoded not in shown
        assert HIDDEN in shown


@given(
    secret=st.from_regex(r"[A-Z0-9%&]{4,40}", fullmatch=True),
    before=st.integers(0, 2 * LONGEST),
    times=st.integers(1, 2000),
)
def test_no_secret_is_cut_in_two(secret: str, before: int, times: int) -> None:
    """Neither where the line ends, nor where the text is cut before it shrinks."""
    shown = mask("." * (before % 50) + secret * times + "." * before + secret * 9, [secret])

    assert set(shown) <= set(".*…")


def test_a_secret_in_a_number_is_masked() -> None:
    assert mask({"size": 123456, "other": [123456, True, None]}, ["123456"]) == (
        '{"size": ***, "other": [***, true, null]}'
    )


def test_a_key_of_several_lines_is_found_in_one() -> None:
    assert mask("is abcdefghi", ["abc\ndef\r\nghi\n"]) == "is ***"


def test_a_short_secret_does_not_blank_the_text() -> None:
    assert mask({"password": "abc", "note": "abcdef"}, ["abc", "", "a"]) == (
        '{"password": "***", "note": "abcdef"}'
    )


def test_a_secret_inside_of_another_hides_no_less() -> None:
    assert mask("it is hunter2000 or hunter2", ["hunter2", "hunter2000"]) == "it is *** or ***"


@pytest.mark.parametrize(
    "value",
    [
        "username=joe&password=hunter2",
        {"username": "joe", "password": "hunter2"},
        '{"username": "joe", "password": "hunter2"}',
        "username: joe\npassword: hunter2",
    ],
)
def test_the_words_of_the_seeds_sample_hide_the_value_not_the_key(value: object) -> None:
    shown = mask(value, ["username", "password"])

    assert "hunter2" not in shown
    assert "joe" in shown


def test_a_secret_in_a_key_is_masked() -> None:
    assert mask({"of abcd": 1, "token=xyz": 2}, ["abcd"]) == '{"of ***": 1, "token=***": "***"}'


# --- By key ---------------------------------------------------------------------------------------

KEYS = [
    *("password", "passwd", "Password", "serverpassword", "pass", "secret", "client_secret"),
    *("token", "cp_security_token", "access_hash", "accesshash", "serveraccesshash", "key"),
    *("X-API-Key", "KEY", "login_key", "hash", "auth", "Authorization", "HTTP_AUTH_PASSWD"),
    *("cookie", "Set-Cookie", "session", "sessid", "PHPSESSID", "session_id"),
]
VALUE = "hunter2/+="


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a=1&KEY={}&b=VISIBLE", id="form"),
        pytest.param("VISIBLE=1&KEY={}", id="form, last"),
        pytest.param("/x?a=1&KEY={} VISIBLE", id="query"),
        pytest.param("user[KEY]={}&VISIBLE=1", id="PHP's form"),
        pytest.param('{"VISIBLE": 1, "KEY": "{}"}', id="json"),
        pytest.param('{"KEY": ["{}"], "VISIBLE": {"KEY": {"a": "{}"}}}', id="json, nested"),
        pytest.param('{"a": "{\\"KEY\\": \\"{}\\"}", "b": "VISIBLE"}', id="json in json"),
        pytest.param('{"VISIBLE": 1, "KEY": "{}", "half', id="half json"),
        pytest.param("VISIBLE {\"a\": \"b\", 'KEY' : '{}'}", id="almost json"),
        pytest.param("VISIBLE {KEY: {}}", id="no json"),
        pytest.param('VISIBLE "{\\"KEY\\": \\"{}\\"}"', id="quoted json"),
        pytest.param("<a><KEY>{}</KEY><b>VISIBLE</b></a>", id="xml"),
        pytest.param("<n:KEY a='b'><![CDATA[{}]]></n:KEY><b>VISIBLE</b>", id="xml, namespace"),
        pytest.param("<VISIBLE/><KEY><value>{}", id="half xml"),
        pytest.param("POST / HTTP/1.1\r\nKEY: {}\r\nVISIBLE: x", id="header"),
        pytest.param("KEY: Basic {}\nVISIBLE: x", id="header with a scheme"),
        pytest.param("Array\n(\n    [KEY] => {}\n    [VISIBLE] => x\n)", id="PHP's print_r"),
        pytest.param("VISIBLE KEY='{}'", id="attribute"),
        pytest.param("VISIBLE KEY = {}", id="assignment"),
        pytest.param("details=https%3A%2F%2FVISIBLE%2Fx%3FKEY%3D{}", id="url in a form"),
    ],
)
def test_the_value_of_a_well_known_key_is_masked(key: str, text: str) -> None:
    shown = mask(text.replace("KEY", key).replace("{}", VALUE))

    assert VALUE[:7] not in shown
    assert "VISIBLE" in shown


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [VALUE, 1234567, ["hunter2/"], {"a": "hunter2/"}, b"hunter2/"])
def test_a_well_known_key_of_an_object_is_masked_whatever_it_holds(key: str, value: object) -> None:
    shown = mask({"a": [{"seen": 1, key: value}]})

    assert shown == json.dumps({"a": [{"seen": 1, key: "***"}]})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(
            "https://h:2083/cpsess0123456789/login/?session=joe%3Aabc&app=x",
            "https://h:2083/***",
            id="cPanel",
        ),
        pytest.param("/cpsess0123456789/x?session=joe", "/cpsess***/x?session=***", id="its path"),
        pytest.param(
            '{"go": "https:\\/\\/h\\/in\\/AbC"} then http://h/in/AbC',
            '{"go": "https:\\/\\/h\\/***"} then http://h/***',
            id="any address",
        ),
        pytest.param("is eyJhbGciOiJub25lIn0.e30.abc", "is ***", id="a JWT"),
        pytest.param("/api/login/url?key=abc", "/api/login/url?key=***", id="DirectAdmin"),
        pytest.param(
            "<result><status>ok</status><id>1a2b3c4d5e6f7a8b</id></result>",
            "<result><status>ok</status><id>***</id></result>",
            id="Plesk's answer",
        ),
        pytest.param(
            "/rsession_init.php?PHPSESSID=abc", "/rsession_init.php?PHPSESSID=***", id="Plesk"
        ),
        pytest.param(
            "/session_login.cgi?session=abc", "/session_login.cgi?session=***", id="Virtualmin"
        ),
        pytest.param("https://joe:abc@h/x", "https://***@h/x", id="user and password"),
        pytest.param("is 0123456789ABCDEF0123456789abcdef.", "is ***.", id="a long number"),
        pytest.param("sent whm root:0123456789", "sent whm ***", id="WHM's header"),
        pytest.param("sent Bearer abc.def-0123", "sent Bearer ***", id="a bearer"),
    ],
)
def test_what_signs_somebody_in_is_masked(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "user=joe&app=Email_Accounts&locale=en",
        '{"metadata": {"result": 0, "reason": "no such user: joe", "version": 1}}',
        "<status>error</status><errcode>1013</errcode><id>17</id>",
        "Host: panel.example\\nAccept: text/html",
        "the panel said no, and that is that",
    ],
)
def test_what_an_operator_needs_is_shown(text: str) -> None:
    assert mask(text, ["not in there"]) == text


# --- One line, not too long -----------------------------------------------------------------------


@given(st.text() | st.recursive(st.text() | st.floats() | st.binary(), st.lists, max_leaves=9))
def test_a_line_stays_one_line(value: object) -> None:
    shown = mask(value, ["abcd"])

    assert shown.isprintable()
    assert len(shown) <= LONGEST


def test_control_characters_are_escaped() -> None:
    assert mask("a\r\nb\x00\x1b[31m\u202e\u2028\ud800") == r"a\r\nb\x00\x1b[31m\u202e\u2028\ud800"


@pytest.mark.parametrize("value", ["x" * 10**6, ["x" * 10**6], {"a": "x" * 10**6}, b"x" * 10**6])
def test_a_long_text_is_cut(value: object) -> None:
    shown = mask(value, ["abcdef"])

    assert len(shown) <= LONGEST
    assert shown.count("x") > LONGEST - 99


def test_an_object_that_holds_itself_comes_to_an_end() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert "…" in mask(endless)
    assert mask("[" * 60000).startswith("[[[")


def test_an_object_of_no_known_kind_is_shown_as_its_text() -> None:
    class Odd:
        def __str__(self) -> str:
            return "Odd(password='hunter2', note='hunter3', user='joe')"

    assert mask({"odd": Odd()}, ["hunter3"]) == (
        "{\"odd\": \"Odd(password=***, note='***', user='joe')\"}"
    )


def test_nothing_is_shown_as_nothing() -> None:
    assert (mask(""), mask(None), mask({})) == ("", "null", "{}")


def test_no_answer_holds_up_its_own_log() -> None:
    """Runs of what JSON, HTML and URLs escape by, for secrets that begin with what is escaped. Were
    the patterns without bounds, this would end by the time limit of all tests."""
    text = json.dumps({str(n): "\\" * 3900 + "&amp;" * 700 + "%25" * 1200 for n in range(7)})

    for _ in range(30):
        assert "hidden" not in mask(f"{text} !hidden", ["!hidden", "&hidden", "%hidden"])
