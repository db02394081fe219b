"""What a signed-in visitor's request costs the whole gate, and a sign-in to a client of the OpenID
provider by a session that is there, counted: no clock, no flakiness.

The steps are Python calls and SQL statements of one request that was made a moment before by the
same session. They must not grow with the number of rules, users or sessions.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from werkzeug.test import Client, TestResponse

from ssogate.app import stack
from ssogate.crypto.random_secrets import digest
from ssogate.gate import open_gate
from ssogate.http.cookies import session_key
from ssogate.middleware.proxy import ReverseProxy
from ssogate.model import Client as OAuthClient
from ssogate.model import GrantType, Identity, SessionRecord, User
from ssogate.provider.addresses import AUTHORIZE
from ssogate.provider.addresses import TOKEN as TOKEN_ENDPOINT
from ssogate.settings import Loaded, load
from ssogate.storage import SQLiteStore
from ssogate.upstream.route import Upstream
from ssogate.upstream.settings import open_routes
from tests.gate import HOST, site
from tests.middleware.test_proxy_cost import ANSWER, calls_of
from tests.provider.making_openid import BACK, PLAIN, SECRET, VERIFIER
from tests.storage.making import traced
from tests.upstream.scripted import Scripted

# Measured: 142 on Python 3.11, of which three choose among servers and count what each has under
# way. A tenth on top, so that a slip is told before it is a habit.
MOST_CALLS = 156
TOKEN = "t" * 43


def environ(path: str = "/members/board") -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "page=2",
        "RAW_URI": f"{path}?page=2",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_HOST": HOST,
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0",
        "HTTP_ACCEPT": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
        "HTTP_ACCEPT_LANGUAGE": "en",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
        "HTTP_COOKIE": f"theme=dark; ssogate={TOKEN}",
        "HTTP_CONNECTION": "keep-alive",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }


def loaded(folder: Path, upstream: str, rules: int) -> Loaded:
    fillers = [
        {"name": f"area {n}", "path": f"/area{n}/**", "allow": {"groups": [f"g{n}"]}}
        for n in range(rules - 1)
    ]
    members = {"name": "members", "path": "/members/**", "allow": {"groups": ["members"]}}
    return load(site(folder, upstream, policy={"rules": [*fillers, members]}).config)


def fill(store: SQLiteStore, sessions: int, prefix: str) -> None:
    now = int(time.time())
    with store.transaction():
        for number in range(sessions):
            name = f"{prefix}{number}"
            who = Identity(name, name, name, "A Name", "a@example.com", frozenset({"members"}))
            token = TOKEN if number == 0 else f"{number:043d}"
            store.users.add(User(who, True, "members", now, now))
            record = SessionRecord(session_key(token), name, "members", "", now, now, now + 3600)
            store.sessions.put(record)


def one_request(folder: Path, *, rules: int, sessions: int) -> tuple[list[str], list[str]]:
    """The Python calls and SQL statements of one request in a warm gate."""
    statements: list[str] = []
    with Scripted(otherwise=ANSWER) as upstream:
        settings = loaded(folder, upstream.url, rules)
        gate = open_gate(settings)
        assert isinstance(gate.store, SQLiteStore)
        fill(gate.store, sessions, str(folder))
        tree = settings.settings
        routes = open_routes(tree.routes, tree.upstreams, tree.identity)
        app = stack(gate, ReverseProxy(routes), identity={})

        def ask() -> None:
            answers: list[str] = []
            for _ in app(environ(), lambda status, *_: answers.append(status)):  # type: ignore[arg-type]
                pass
            assert answers == ["200 OK"]

        ask()
        ask()
        store: Any = gate.store
        with store.database.connected() as connection:
            connection.connection.driver_connection.set_trace_callback(statements.append)
        calls = calls_of(ask)
        gate.store.close()
        to = routes.routes[0].to
        assert isinstance(to, Upstream)
        to.close()
    return calls, statements


def test_a_signed_in_request_takes_few_calls_and_no_sql(tmp_path: Path) -> None:
    calls, statements = one_request(tmp_path / "gate", rules=10, sessions=1)

    assert statements == []
    assert len(calls) <= MOST_CALLS, calls


@pytest.mark.parametrize(
    ("rules", "sessions"),
    [
        pytest.param(10_000, 1, id="ten thousand rules"),
        pytest.param(10, 5_000, id="five thousand users and sessions"),
    ],
)
def test_the_cost_does_not_grow(tmp_path: Path, rules: int, sessions: int) -> None:
    small, _ = one_request(tmp_path / "small", rules=10, sessions=1)
    large, statements = one_request(tmp_path / "large", rules=rules, sessions=sessions)

    assert statements == []
    assert len(large) == len(small)


# --- By a session that is there, to a client of the OpenID provider -------------------------------

# Statements, measured: of a code, of its tokens, of refreshing them. Each has one transaction,
# which waits for the disk and for other writers.
MOST_STATEMENTS = (8, 12, 8)
NOW_AND_THEN = re.compile(r"DELETE FROM .*\bLIMIT\b|SELECT signing_keys\.", re.DOTALL)
"""What sweeps old rows away once a second, and reads the keys every few."""


def test_a_sign_in_to_a_client_takes_few_statements_and_one_transaction_a_step(
    tmp_path: Path,
) -> None:
    written = site(tmp_path / "gate", "http://127.0.0.1:9", password={}, provider={})
    gate = open_gate(load(written.config))
    assert isinstance(gate.store, SQLiteStore)
    with closing(gate.store):
        fill(gate.store, 1, "sub")
        gate.store.clients.add(a_client(int(time.time())))
        app = stack(gate, ReverseProxy(open_routes((), {}, {})), identity={})
        browser = Client(app)
        browser.set_cookie("ssogate", TOKEN, domain=HOST)
        sign_in(browser)
        steps: list[list[str]] = []
        sign_in(browser, partial(noted, gate.store, steps))

    assert [sum(it.startswith("BEGIN") for it in step) for step in steps] == [1, 1, 1]
    for step, most in zip(steps, MOST_STATEMENTS, strict=True):
        assert len(step) <= most, step


Step = Callable[[Callable[[], TestResponse]], TestResponse]


def noted(
    store: SQLiteStore, steps: list[list[str]], act: Callable[[], TestResponse]
) -> TestResponse:
    """Note what a step runs each time."""
    with traced(store) as statements:
        answer = act()
    steps.append([it for it in statements if not NOW_AND_THEN.match(it)])
    return answer


def sign_in(browser: Client, step: Step = lambda act: act()) -> None:
    """Get a code, tokens for it, and others for them."""
    base = f"http://{HOST}"
    known = {"client_id": "WIKI", "client_secret": SECRET, "redirect_uri": BACK}
    asked = {**PLAIN, "scope": "openid offline_access"}

    def tokens(**fields: str) -> TestResponse:
        form = {**known, **fields}
        return step(lambda: browser.post(TOKEN_ENDPOINT, base, data=form))

    answer = step(lambda: browser.get(f"{AUTHORIZE}?{urlencode(asked)}", base))
    code = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]
    told = tokens(grant_type="authorization_code", code=code, code_verifier=VERIFIER).get_json()
    fresh = tokens(grant_type="refresh_token", refresh_token=told["refresh_token"])
    assert fresh.status_code == 200


def a_client(now: int) -> OAuthClient:
    return OAuthClient(
        0,
        "WIKI",
        digest(SECRET),
        GrantType.AUTHORIZATION_CODE,
        "Wiki",
        None,
        frozenset({"openid", "offline_access"}),
        "",
        "",
        (BACK,),
        now,
        now,
        trusted=True,
    )
