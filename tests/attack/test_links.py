"""Rows G-PHPKB and F: only a genuine, fresh, unspent link opens a session, and leads nowhere else.

What each refusal costs a link is checked too: a failed try, HEAD or a prefetch spends nothing.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote, urlencode

import pytest

from tests.attack.links import b64, digest, inner, outer, signed, strict
from tests.attack.stage import DISABLED, PAGE, STRICT, STRICT_SECRET, Stage
from tests.gate import SECRET
from tests.servers import Answer

pytestmark = pytest.mark.server


def assert_refused(answer: Answer, code: str) -> None:
    assert (answer.status, answer.header("X-SSOGate-Error")) == (int(code[:3]), code)
    assert answer.header("Set-Cookie") is None
    assert answer.header("Location") is None
    assert answer.header("Cache-Control") == "no-store"
    assert SECRET not in answer.text


def without(name: str) -> str:
    return "&".join(p for p in inner().split("&") if not p.startswith(f"{name}="))


def now(offset: int) -> str:
    return str(int(time.time()) + offset)


OUTER = {
    "no mode": ("400E1", lambda q: f"/sso.php?query={quote(q)}&hash={digest(q)}"),
    "empty mode": ("400E1", lambda q: outer(q, mode="")),
    "mode in capitals": ("400E2", lambda q: outer(q, mode="LOGIN")),
    "another mode": ("400E2", lambda q: outer(q, mode="admin")),
    "no query": ("400E1", lambda q: f"/sso.php?mode=login&hash={digest(q)}"),
    "no hash": ("400E1", lambda q: f"/sso.php?mode=login&query={quote(q)}"),
    "empty query": ("400E1", lambda q: outer("", digest(""))),
    "G5 mode twice": ("400E2", lambda q: outer(q) + "&mode=login"),
    "G5 query twice": ("400E2", lambda q: outer(q) + f"&query={quote(q)}"),
    "G5 hash twice": ("400E2", lambda q: outer(q) + f"&hash={digest(q)}"),
    "G5 hash as an array": ("400E2", lambda q: outer(q).replace("hash=", "hash[]=")),
    "G5 query as an array": ("400E2", lambda q: outer(q).replace("query=", "query%5B%5D=")),
    "G5 query, then an array": ("400E2", lambda q: outer(q) + "&query[0]=x"),
    "G5 query after a space": ("400E2", lambda q: outer(q) + "&+query=x"),
    "hash wrong": ("401E1", lambda q: outer(q, "0" * 64)),
    "hash wrong in one digit": (
        "401E1",
        lambda q: outer(q, digest(q)[:-1] + ("0" if digest(q)[-1] != "0" else "1")),
    ),
    "hash in capitals": ("401E1", lambda q: outer(q, digest(q).upper())),
    "hash of another text": ("401E1", lambda q: outer(q, digest(q + "x"))),
    "hash of another secret": ("401E1", lambda q: outer(q, digest(q, SECRET[::-1]))),
    "hash of no secret": ("401E1", lambda q: outer(q, digest(q, ""))),
    "hash with the secret in front": (
        "401E1",
        lambda q: outer(q, sha256((SECRET + q).encode()).hexdigest()),
    ),
    "hash by HMAC": (
        "401E1",
        lambda q: outer(q, hmac.new(SECRET.encode(), q.encode(), "sha256").hexdigest()),
    ),
    "hash cut short": ("400E2", lambda q: outer(q, digest(q)[:-1])),
    "hash too long": ("400E2", lambda q: outer(q, digest(q) + "0")),
    "hash with a space": ("400E2", lambda q: outer(q, digest(q) + " ")),
    "hash with a line end": ("400E2", lambda q: outer(q, digest(q) + "\n")),
    "hash in full-width digits": ("400E2", lambda q: outer(q, "０" * 64)),
    "hash that is not hex": ("400E2", lambda q: outer(q, "g" * 64)),
    "hash with NUL": ("400E2", lambda q: outer(q, digest(q)[:-1] + "\0")),
    "text longer than what was signed": ("401E1", lambda q: outer(q + "AAAA", digest(q))),
    "text shorter than what was signed": ("401E1", lambda q: outer(q[:-4], digest(q))),
    "text with its last letter in the hash": (
        "401E1",
        lambda q: outer(q[:-1], digest(q)),
    ),
    "padding added afterwards": ("401E1", lambda q: outer(q + "=", digest(q))),
    "query of 5000 letters": ("400E2", lambda q: outer("A" * 5000, "0" * 64)),
    "query that is not UTF-8": (
        "400E2",
        lambda q: "/sso.php?mode=login&query=%ff&hash=" + "0" * 64,
    ),
    "200 parameters": ("400E2", lambda q: outer(q) + "&a=b" * 200),
}


@pytest.mark.parametrize(("code", "make"), [pytest.param(*v, id=k) for k, v in OUTER.items()])
def test_a_link_that_is_not_as_it_was_signed_opens_nothing(
    stage: Stage, code: str, make: object
) -> None:
    assert callable(make)
    query = b64(inner(username="never-in"))

    assert_refused(stage.ask(make(query)), code)
    assert stage.ask(outer(query)).status == 303, "a failed try spent the link"


INNER = {
    "no user name": ("400E1", lambda: without("username")),
    "no name": ("400E1", lambda: without("name")),
    "no e-mail": ("400E1", lambda: without("email")),
    "no t": ("400E1", lambda: without("t")),
    "empty user name": ("400E1", lambda: inner(username="")),
    "empty t": ("400E2", lambda: inner(t="")),
    "nothing": ("400E1", lambda: "a"),
    "user name twice": ("400E2", lambda: inner() + "&username=admin"),
    "user name as an array": ("400E2", lambda: inner() + "&username[]=admin"),
    "user name as an array alone": ("400E2", lambda: inner().replace("username=", "username[]=")),
    "user name with an escaped bracket": ("400E2", lambda: inner() + "&username%5B0%5D=admin"),
    "user name after a space": ("400E2", lambda: inner() + "&%20username=admin"),
    "user name in an escaped key": ("400E2", lambda: inner() + "&user%6Eame=admin"),
    "t twice": ("400E2", lambda: inner() + "&t=1"),
    "groups twice": ("400E2", lambda: inner() + "&groups=staff&groups=staff"),
    "user name of spaces": ("400E2", lambda: inner(username="  ")),
    "user name with a space at the end": ("400E2", lambda: inner(username="john ")),
    "user name with NUL": ("400E2", lambda: inner(username="john\0")),
    "user name with a line end": ("400E2", lambda: inner(username="john\nadmin")),
    "user name with a bidi mark": ("400E2", lambda: inner(username="john\u202e")),
    "user name with a zero width space": ("400E2", lambda: inner(username="jo\u200bhn")),
    "user name with a soft hyphen": ("400E2", lambda: inner(username="jo\u00adhn")),
    "user name with a braille blank": ("400E2", lambda: inner(username="john\u2800")),
    "user name of 300 letters": ("400E2", lambda: inner(username="j" * 300)),
    "e-mail without @": ("400E2", lambda: inner(email="john")),
    "e-mail with two @": ("400E2", lambda: inner(email="a@evil.example@example.com")),
    "e-mail without a domain": ("400E2", lambda: inner(email="john@")),
    "name with CR and LF": ("400E2", lambda: inner(name="a\r\nSet-Cookie: x=y")),
    "t in the future": ("400E2", lambda: inner(t=now(3600))),
    "t far in the future": ("400E2", lambda: inner(t="99999999999")),
    "t old": ("400E3", lambda: inner(t=now(-3600))),
    "t just too old": ("400E3", lambda: inner(t=now(-302))),
    "t zero": ("400E3", lambda: inner(t="0")),
    "t negative": ("400E2", lambda: inner(t="-1")),
    "t with a plus": ("400E2", lambda: inner(t="+" + now(0))),
    "t with a space": ("400E2", lambda: inner(t=" " + now(0))),
    "t a float": ("400E2", lambda: inner(t=now(0) + ".0")),
    "t in exponents": ("400E2", lambda: inner(t="1e9")),
    "t in hex": ("400E2", lambda: inner(t="0x6900")),
    "t of words": ("400E2", lambda: inner(t="now")),
    "t of full-width digits": ("400E2", lambda: inner(t="１７００００００００")),
    "t of Arabic digits": ("400E2", lambda: inner(t="١٧٠٠٠٠٠٠٠٠")),
    "t of 5000 digits": ("400E2", lambda: inner(t="1" * 2500)),
    "t with NUL": ("400E2", lambda: inner(t=now(0) + "\0")),
    "bytes that are not UTF-8": ("400E2", lambda: inner().encode() + b"&dl=\xff"),
    "escapes that are not UTF-8": ("400E2", lambda: inner() + "&dl=%ff"),
    "overlong escapes": ("400E2", lambda: inner() + "&dl=%c0%af"),
    "escaped surrogate": ("400E2", lambda: inner() + "&dl=%ed%a0%80"),
    "101 groups": ("400E2", lambda: inner(groups=",".join(map(str, range(101))))),
}


@pytest.mark.parametrize(("code", "make"), [pytest.param(*v, id=k) for k, v in INNER.items()])
def test_a_genuine_link_that_says_nothing_clear_opens_nothing(
    stage: Stage, code: str, make: object
) -> None:
    assert callable(make)

    assert_refused(stage.ask(signed(make())), code)


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda t: t.replace("+", "-").replace("/", "_"), id="url-safe alphabet"),
        pytest.param(lambda t: t[:40] + "\n" + t[40:], id="line break"),
        pytest.param(lambda t: t[:40] + "\r\n" + t[40:], id="CR and LF"),
        pytest.param(lambda t: t + "====", id="too much padding"),
        pytest.param(lambda t: t[:8] + "=" + t[8:], id="padding in the middle"),
        pytest.param(
            lambda t: t.rstrip("=") + "A" * (-len(t.rstrip("=")) % 4 + 1), id="odd length"
        ),
        pytest.param(lambda t: "!" + t, id="a sign in front"),
        pytest.param(lambda t: "\ufeff" + t, id="byte order mark"),
        pytest.param(lambda t: "%2B" + t, id="an escape in the base64"),
        pytest.param(b64, id="encoded twice"),
    ],
)
def test_a_signed_text_in_another_alphabet_opens_nothing(stage: Stage, spell: object) -> None:
    assert callable(spell)
    text = b64(inner(name="~~~???>>>"))
    answer = stage.ask(outer(spell(text)))

    assert answer.header("X-SSOGate-Error") in ("400E1", "400E2")
    assert answer.header("Set-Cookie") is None


def test_a_base64_text_has_one_spelling_only(stage: Stage) -> None:
    tries = (b64(inner() + "&p=" + "x" * number) for number in range(3))
    text = next(text for text in tries if text.endswith("="))
    last = text.rstrip("=")[-1]
    other = text.rstrip("=")[:-1] + chr(ord(last) + 1)  # the same bytes, other spare bits

    assert_refused(stage.ask(outer(other + "=" * (len(text) - len(other)))), "400E2")


def test_a_plus_that_arrives_as_a_space_is_read_as_a_plus(stage: Stage) -> None:
    tries = (b64(inner(username="a?b>c", name="~" * number)) for number in range(1, 50))
    text = next(text for text in tries if "+" in text)
    link = f"/sso.php?mode=login&query={text.replace('/', '%2F')}&hash={digest(text)}"

    assert stage.ask(link).status == 303


def test_missing_padding_is_read_if_it_was_signed_so(stage: Stage) -> None:
    assert stage.ask(outer(b64(inner()).rstrip("="))).status == 303


def test_a_hash_over_the_decoded_text_is_refused_with_a_hint_for_the_operator(
    stage: Stage,
) -> None:
    text = inner(username="hinted")
    before = len(stage.gate.log())

    assert_refused(stage.ask(outer(b64(text), digest(text))), "401E1")
    assert "decoded" in stage.gate.log()[before:]


@pytest.mark.parametrize("spelling", ["as it was", "escaped", "reordered", "with more", "by host"])
def test_a_link_works_once_however_it_is_spelled(stage: Stage, spelling: str) -> None:
    query = b64(inner())
    first = outer(query)
    second = {
        "as it was": first,
        "escaped": first.replace("mode=login", "mod%65=%6Cogin"),
        "reordered": f"/sso.php?hash={digest(query)}&mode=login&query={quote(query)}",
        "with more": first + "&x=y&redirect=/pub/y",
        "by host": f"https://APP.example:443{first}",
    }[spelling]

    assert stage.ask(first).status == 303
    assert_refused(stage.ask(second), "400E3")


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"method": "HEAD"}, id="HEAD"),
        pytest.param({"method": "OPTIONS"}, id="OPTIONS"),
        pytest.param({"method": "PUT"}, id="PUT"),
        pytest.param({"method": "POST"}, id="POST without a body"),
        pytest.param({"lines": ["Sec-Purpose: prefetch;prerender"]}, id="Chromium's prerender"),
        pytest.param({"lines": ["Sec-Purpose: prefetch"]}, id="prefetch"),
        pytest.param({"lines": ["Purpose: prefetch"]}, id="prefetch of older browsers"),
        pytest.param({"lines": ["X-Moz: prefetch"]}, id="prefetch of Firefox"),
        pytest.param({"lines": ["X-Purpose: preview"]}, id="preview of Safari"),
    ],
)
def test_what_is_no_click_spends_nothing(stage: Stage, how: Mapping[str, object]) -> None:
    link = signed(inner())
    lines = how.get("lines", [])
    assert isinstance(lines, list)
    answer = stage.ask(link, *lines, method=how.get("method", "GET"))

    assert answer.status in (400, 425)
    assert answer.header("Set-Cookie") is None
    assert stage.ask(link).status == 303


def test_login_by_a_posted_form_is_refused(stage: Stage) -> None:
    query = b64(inner())
    form = urlencode({"mode": "login", "query": query, "hash": digest(query)}).encode()
    kind = "Content-Type: application/x-www-form-urlencoded"

    assert_refused(stage.ask("/sso.php", kind, method="POST", body=form), "400E2")
    assert stage.ask(outer(query)).status == 303


@pytest.mark.parametrize("destination", ["image", "iframe", "script", "style", "object", "embed"])
def test_an_image_signs_nobody_out(stage: Stage, destination: str) -> None:
    cookie = stage.sign_in("john")
    answer = stage.ask("/sso.php?mode=logout", cookie, f"Sec-Fetch-Dest: {destination}")

    assert answer.status == 400
    assert answer.header("Set-Cookie") is None
    assert stage.ask("/members/x", cookie).status == 200


def test_after_signing_out_the_link_in_the_history_signs_nobody_in(stage: Stage) -> None:
    link = signed(inner())
    cookie = stage.ask(link).header("Set-Cookie")
    assert cookie
    line = f"Cookie: {cookie.partition(';')[0]}"
    again = stage.ask(link, line)
    stage.ask("/sso.php?mode=logout", line)

    assert (again.status, again.header("Set-Cookie")) == (303, None)
    assert_refused(stage.ask(link, line), "400E3")


def test_a_strangers_link_does_not_move_a_visitor_into_another_account(stage: Stage) -> None:
    """C1: login CSRF by a link that is genuine but not the visitor's."""
    john = stage.sign_in("john")
    answer = stage.ask(signed(inner(username="mallory")), john, *PAGE)
    forged = stage.ask(signed(inner(username="mallory"), confirm="0" * 64), john, *PAGE)

    for page in (answer, forged):
        assert (page.status, page.header("Set-Cookie")) == (200, None)
        assert "mallory" in page.text
    stage.ask("/members/x", john)
    assert stage.seen()[-1]["headers"]["HTTP_X_REMOTE_USER"] == "john"


def test_groups_that_no_policy_lists_give_nothing(stage: Stage) -> None:
    cookie = stage.sign_in("greedy", groups="root,Staff,STAFF,staff ,admin")
    assert stage.ask("/admin/x", cookie).status == 200, "a space beside a comma is no part"
    other = stage.sign_in("greedier", groups="root,Staff,STAFF,st\u0430ff")

    assert stage.ask("/admin/x", other).status == 403


STRANGE_PAGES = [
    pytest.param("Referer: https://evil.example/", id="another host"),
    pytest.param("Referer: https://evil-example.com/", id="our partner's name as an end"),
    pytest.param("Referer: https://example.com.evil.example/", id="our partner's name in front"),
    pytest.param("Referer: https://example.com@evil.example/", id="a user part"),
    pytest.param("Referer: https://evil.example\\@example.com/", id="a backslash"),
    pytest.param("Referer: https://evil.example#@example.com/", id="a fragment"),
    pytest.param("Referer: https://evil.example?.example.com/", id="a query"),
    pytest.param("Referer: https://evil.example/https://example.com/", id="a path"),
    pytest.param("Referer: https://x.example.com/", id="below a name that is listed alone"),
    pytest.param("Referer: https://partner.example/", id="the parent of a wildcard"),
    pytest.param("Referer: https://evilpartner.example/", id="a wildcard without its dot"),
    pytest.param("Referer: //example.com/", id="no scheme"),
    pytest.param("Referer: example.com", id="a name alone"),
    pytest.param("Referer: ftp://example.com/", id="another scheme"),
    pytest.param("Referer: javascript://example.com/%0aalert(1)", id="a script"),
    pytest.param("Referer: https:example.com", id="no slashes"),
    pytest.param("Referer: https:///example.com", id="three slashes"),
    pytest.param("Referer: https://example.com:x/", id="a port of letters"),
    pytest.param("Referer: https://ex\xe4mple.com/", id="a letter beyond ASCII"),
    pytest.param("Referer: https://example%2ecom/", id="an escaped dot"),
    pytest.param("Referer: https://[::ffff:1.2.3.4]/", id="an address"),
    pytest.param("Referer: https://example.com, https://evil.example", id="two of them"),
    pytest.param("Referer: https://example.com\r\nReferer: https://evil.example", id="twice"),
    pytest.param("Referer:", id="an empty one"),
    pytest.param("Origin: https://example.com", id="none but an Origin"),
    pytest.param("Referrer: https://example.com", id="the word spelled well"),
    pytest.param("X-Forwarded-Referer: https://example.com", id="a forwarded one"),
]


@pytest.mark.parametrize("lines", STRANGE_PAGES)
def test_a_link_from_a_page_that_is_not_listed_opens_nothing(stage: Stage, lines: str) -> None:
    stage.add_user("listed")
    link = strict(username="listed")

    assert_refused(stage.ask(link, *lines.split("\r\n")), "401E2")
    assert stage.ask(link, "Referer: https://EXAMPLE.com/x?y").status == 303


@pytest.mark.parametrize("host", ["a.partner.example", "a.b.partner.example:8443", "example.com"])
def test_a_link_from_a_listed_page_opens(stage: Stage, host: str) -> None:
    stage.add_user("listed")

    assert stage.ask(strict(username="listed"), f"Referer: https://{host}/").status == 303


def test_an_account_that_is_not_there_is_not_made_unless_told(stage: Stage) -> None:
    answer = stage.ask(strict(username="nobody-yet"), "Referer: https://example.com/")

    assert_refused(answer, "404E2")


def test_a_sender_does_not_sign_in_another_senders_people(stage: Stage) -> None:
    stage.sign_in("theirs")
    answer = stage.ask(strict(username="theirs"), "Referer: https://example.com/")

    assert_refused(answer, "400E4")


def test_a_link_of_one_sender_is_worth_nothing_at_another(stage: Stage) -> None:
    query = b64(inner())

    assert_refused(stage.ask(outer(query, path=STRICT)), "401E1")
    assert_refused(stage.ask(outer(query, digest(query, STRICT_SECRET))), "401E1")


def test_an_inactive_account_is_shut_out_at_once(stage: Stage) -> None:
    cookie = stage.sign_in("leaver")
    stage.store("UPDATE users SET active = 0 WHERE canonical = 'leaver'")

    assert_refused(stage.ask(signed(inner(username="Leaver"))), "404E1")
    assert stage.ask("/members/x", cookie).status == 401


@pytest.mark.parametrize("mode", ["login", "logout", ""])
def test_a_disabled_sender_says_so_and_nothing_else(stage: Stage, mode: str) -> None:
    query = b64(inner())
    link = outer(query, path=DISABLED, mode=mode)

    assert_refused(stage.ask(link), "503E1")
    assert_refused(stage.ask(link, method="POST"), "503E1")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("joe", "Joe", id="D4 case"),
        pytest.param("kim", "ｋｉｍ", id="D4 full width"),
        pytest.param("straße", "STRASSE", id="D4 sharp s"),
        pytest.param("ﬁona", "fiona", id="D4 ligature"),
    ],
)
def test_two_spellings_of_a_name_are_one_user(stage: Stage, first: str, second: str) -> None:
    one, other = stage.sign_in(first), stage.sign_in(second)
    stage.ask("/members/x", one)
    stage.ask("/members/x", other)

    seen = [found["headers"]["HTTP_X_REMOTE_USER"] for found in stage.seen()]
    assert seen[0] == seen[1]
