"""Row C: one cookie, one session, one visitor."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attack.conftest import Wrap
from tests.attack.stage import COOKIE, HOST, Stage
from tests.servers import ask, request

pytestmark = pytest.mark.server

TOKEN = r"[A-Za-z0-9_\-]{43}"


def value(cookie_line: str) -> str:
    return cookie_line.partition("=")[2]


def test_the_cookie_is_bound_to_the_host_and_out_of_reach_of_scripts(stage: Stage) -> None:
    """C9."""
    (cookie,) = stage.ask(stage.link()).all("Set-Cookie")

    assert re.fullmatch(rf"{COOKIE}={TOKEN}; Path=/; HttpOnly; SameSite=Lax; Secure", cookie)


# {t} is a live session's token, {o} one that the gate never gave.
READ = {
    "C2 alone": ["Cookie: {n}={t}"],
    "C2 without a space": ["Cookie:{n}={t}"],
    "C2 after an odd name": ["Cookie: a[b]=1; {n}={t}"],
    "C2 after a nameless one": ["Cookie: =x; {n}={t}"],
    "C2 after one without a value": ["Cookie: x; {n}={t}"],
    "C2 after empty ones": ["Cookie: ;;; {n}={t};"],
    "C2 with spaces": ["Cookie: {n} = {t} ; a=b"],
    "C2 after bytes beyond ASCII": ["Cookie: ä=ö; {n}={t}"],
    "C2 after a quote": ['Cookie: a="x; {n}={t}'],
    "C2 after a longer name": ["Cookie: x{n}={o}; {n}={t}"],
    "C2 before a longer name": ["Cookie: {n}={t}; {n}2={o}"],
    "C2 beside the other scheme's": ["Cookie: ssogate={o}; {n}={t}"],
}
NOT_READ = {
    "C2 two of the name": ["Cookie: {n}={t}; {n}={o}"],
    "C2 two of the name, the other way": ["Cookie: {n}={o}; {n}={t}"],
    "C2 the same one twice": ["Cookie: {n}={t}; {n}={t}"],
    "C2 an empty one besides": ["Cookie: {n}=; {n}={t}"],
    "C2 a nameless one that looks like it": ["Cookie: ={n}={t}"],
    "C2 in two headers": ["Cookie: {n}={t}", "Cookie: {n}={t}"],
    "C2 in the second header": ["Cookie: a=b", "Cookie: {n}={t}"],
    "C2 in the first header": ["Cookie: {n}={t}", "Cookie: a=b"],
    "C2 behind a comma": ["Cookie: a=b, {n}={t}"],
    "C2 in quotes": ['Cookie: {n}="{t}"'],
    "C2 in another case": ["Cookie: __HOST-SSOGATE={t}"],
    "C2 escaped": ["Cookie: %5f%5fHost-ssogate={t}"],
    "C2 the name of plain http": ["Cookie: ssogate={t}"],
    "C2 with a letter more": ["Cookie: {n}={t}A"],
    "C2 with a letter less": ["Cookie: {n}=A{t:.42}"],
    "C2 with an escape": ["Cookie: {n}={t}%00"],
    "C2 in a prefixed version": ["Cookie: $Version=1; ${n}={t}"],
    "C2 in another header": ["Cookie2: {n}={t}", "X-Cookie: {n}={t}", "Set-Cookie: {n}={t}"],
    "C2 as a bearer token": ["Authorization: Bearer {t}"],
    "C3 500 chunks": ["Cookie: " + "; ".join(f"{COOKIE}-{n}=x" for n in range(500))],
    "C3 a huge chunk count": ["Cookie: {n}=99999999; {n}-0=x; {n}_count=99999999"],
    "C3 16 KB": ["Cookie: {n}=" + "A" * 16000],
    "C5 an id of the visitor's choice": ["Cookie: {n}={o}"],
    "C5 an empty id": ["Cookie: {n}="],
    "SQL for an id": ["Cookie: {n}=' OR 1=1 --"],
    "a path for an id": ["Cookie: {n}=../../../../etc/passwd"],
}


def written(lines: list[str], token: str) -> list[str]:
    return [line.format(n=COOKIE, t=token, o="A" * 43) for line in lines]


@pytest.mark.parametrize("lines", [pytest.param(v, id=k) for k, v in READ.items()])
def test_the_session_is_found_among_other_cookies(stage: Stage, lines: list[str]) -> None:
    token = value(stage.sign_in("john"))
    answer = stage.ask("/members/x", *written(lines, token))

    assert answer.status == 200
    (found,) = stage.seen()
    assert found["headers"]["HTTP_X_REMOTE_USER"] == "john"
    assert token not in str(found)


@pytest.mark.parametrize("lines", [pytest.param(v, id=k) for k, v in NOT_READ.items()])
def test_a_doubtful_cookie_is_no_session(stage: Stage, lines: list[str]) -> None:
    token = value(stage.sign_in("john"))
    answer = stage.ask("/members/x", *written(lines, token))

    assert (answer.status, answer.header("X-SSOGate-Error")) == (401, "sign_in_required")
    assert answer.header("Set-Cookie") is None
    assert stage.seen() == []


@pytest.mark.parametrize("lines", [pytest.param(v, id=k) for k, v in (READ | NOT_READ).items()])
def test_no_upstream_and_no_wrapped_app_sees_a_cookie_of_ours(
    stage: Stage, wrap: Wrap, lines: list[str]
) -> None:
    token = value(stage.sign_in("john"))
    sent = [line for line in written(lines, token) if line.lower().startswith("cookie:")]
    for place in (stage, wrap):
        place.ask("/pub/x", *sent, "X-Other: kept")

        (found,) = place.seen()
        header = found.get("headers", found).get("HTTP_COOKIE", "")
        assert "ssogate" not in header.lower().replace("%5f%5fhost-ssogate", "")


@pytest.mark.parametrize(
    ("cookies", "kept"),
    [
        ("a=1; {n}={t}; b=2", "a=1; b=2"),
        ("{n}={t}; a=1", "a=1"),
        ('a="x y"; {n}={t}; ä=ö; =z', 'a="x y"; ä=ö; =z'),
        ("a=1;{n}={t};b=2", "a=1;b=2"),
    ],
)
def test_other_cookies_reach_the_upstream_untouched(stage: Stage, cookies: str, kept: str) -> None:
    token = value(stage.sign_in("john"))
    stage.ask("/pub/x", f"Cookie: {cookies.format(n=COOKIE, t=token)}", host="raw.example")

    (found,) = stage.recorder.seen()
    assert found.all("Cookie") == [kept]


def test_signing_in_gives_a_new_id_and_ends_the_old_one(stage: Stage) -> None:
    """C5: an id that somebody planted, or that was somebody's before, opens nothing."""
    planted = f"Cookie: {COOKIE}={'A' * 43}"
    first = stage.ask(stage.link("john"), planted).header("Set-Cookie") or ""
    one = f"Cookie: {first.partition(';')[0]}"
    second = stage.ask(stage.link("john"), one).header("Set-Cookie") or ""
    other = f"Cookie: {second.partition(';')[0]}"

    assert len({planted, one, other}) == 3
    assert stage.ask("/members/x", planted).status == 401
    assert stage.ask("/members/x", one).status == 401
    assert stage.ask("/members/x", other).status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_cookie_is_worthless_after_signing_out(stage: Stage, method: str) -> None:
    """C8."""
    cookie = stage.sign_in("john")
    out = stage.ask("/sso.php?mode=logout", cookie, method=method)

    assert re.match(f"{COOKIE}=; .*(Max-Age=0|1970)", out.header("Set-Cookie") or "")
    assert stage.ask("/members/x", cookie).status == 401
    assert stage.ask("/pub/x", cookie).status == 200
    assert "HTTP_X_REMOTE_USER" not in stage.seen()[-1]["headers"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE sessions SET expires_at = {now}", id="C6 absolute end"),
        pytest.param("UPDATE sessions SET seen_at = {now} - 3600", id="C6 idle"),
        pytest.param("DELETE FROM sessions", id="C8 ended by an operator"),
        pytest.param("UPDATE users SET active = 0", id="D3 deactivated"),
        pytest.param("DELETE FROM users", id="D3 deleted"),
    ],
)
def test_what_ends_a_session_counts_at_the_next_request(stage: Stage, change: str) -> None:
    cookie = stage.sign_in("brief")
    assert stage.ask("/members/x", cookie).status == 200
    whose = " WHERE subject IN (SELECT subject FROM users WHERE canonical = 'brief')"
    stage.store(change.format(now=int(time.time())) + whose)

    after = stage.ask("/members/x", cookie).status
    stage.store("UPDATE users SET active = 1 WHERE canonical = 'brief'")
    assert after == 401


def test_a_group_that_is_taken_away_counts_at_the_next_request(stage: Stage) -> None:
    """D6."""
    cookie = stage.sign_in("demoted", groups="staff")
    before = stage.ask("/admin/x", cookie).status
    stage.store("UPDATE users SET groups = '' WHERE canonical = 'demoted'")

    assert (before, stage.ask("/admin/x", cookie).status) == (200, 403)


def test_two_hundred_threads_of_two_users_see_only_themselves(stage: Stage) -> None:
    """C4."""
    cookies = {name: stage.sign_in(name) for name in ("john", "sue")}

    def visit(number: int) -> bool:
        name = ("john", "sue")[number % 2]
        answer = ask(
            stage.gate.port,
            request(f"/members/{number}", cookies[name], host=HOST),
            timeout=30,
        )
        return (
            answer.status == 200
            and f'"HTTP_X_REMOTE_USER": "{name}"' in answer.text
            and f'"/members/{number}"' in answer.text
        )

    with ThreadPoolExecutor(200) as threads:
        right = list(threads.map(visit, range(600)))

    assert all(right)
