"""A cookie becomes a session, or none; a store that fails becomes a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.errors import SessionsUnavailable
from ssogate.http import environ as env
from ssogate.middleware.sessions import Sessions
from ssogate.model import Session
from tests.middleware.recording import PAGE, Recorder, Strict, code
from tests.sessions.making import make_keeper, opened, sign_in
from tests.storage.making import Hands

NAME = "__Host-ssogate"


def test_a_live_session_is_found(tmp_path: Path) -> None:
    keeper, app = make_keeper(tmp_path, Hands()), Recorder()
    session = opened(keeper, sign_in("Joe"), None)
    client = Strict(Sessions(app, cookie=NAME, find=keeper.find))

    client.get("/", headers={"Cookie": f"a=1; {NAME}={session.token}"})

    assert env.session(app.only) == session


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param(None, id="no cookie"),
        pytest.param("a=1", id="others"),
        pytest.param(f"{NAME}={'x' * 43}", id="unknown token"),
        pytest.param(f"{NAME}={{token}}; {NAME}={{token}}", id="twice"),
        pytest.param(f"{NAME}={{token}},{NAME}={'x' * 43}", id="two headers, joined"),
        pytest.param("ssogate={token}", id="the name of plain http"),
        pytest.param(f'{NAME}="{{token}}"', id="quoted"),
    ],
)
def test_anything_else_is_an_anonymous_visitor(tmp_path: Path, cookie: str | None) -> None:
    keeper, app = make_keeper(tmp_path, Hands()), Recorder()
    token = opened(keeper, sign_in("Joe"), None).token
    headers = {} if cookie is None else {"Cookie": cookie.format(token=token)}

    Strict(Sessions(app, cookie=NAME, find=keeper.find)).get("/", headers=headers)

    assert app.only[env.SESSION] is None


def unavailable(token: str) -> Session | None:
    raise SessionsUnavailable("locked")


@pytest.mark.parametrize("headers", [PAGE, {}], ids=["person", "script"])
def test_when_nobody_can_know_nobody_gets_through(headers: dict[str, str]) -> None:
    app = Recorder()
    client = Strict(Sessions(app, cookie=NAME, find=unavailable))

    response = client.get("/", headers={**headers, "Cookie": f"{NAME}={'x' * 43}"})

    assert (response.status_code, code(response)) == (503, "sessions_unavailable")
    assert response.headers["Retry-After"] == "30"
    assert app.seen == []


def test_who_brings_no_token_needs_no_store() -> None:
    app = Recorder()

    assert Strict(Sessions(app, cookie=NAME, find=unavailable)).get("/").status_code == 200


def test_a_session_that_an_outer_layer_left_is_not_believed() -> None:
    app = Recorder()
    client = Strict(Sessions(app, cookie=NAME, find=unavailable))

    client.get("/", environ_overrides={env.SESSION: "somebody"})

    assert app.only[env.SESSION] is None
