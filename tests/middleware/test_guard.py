"""Nobody passes without an explicit yes, and the app hears of no identity but the guard's."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from ssogate.errors import GateError, UnknownHost
from ssogate.http import environ as env
from ssogate.middleware.guard import Guard
from ssogate.model import Address, Decision, Identity, LocalPath, Outcome, Session, Target
from tests.middleware.recording import HOST, PAGE, Recorder, Strict, code
from tests.storage.making import person, record, user

ALLOW = Decision(Outcome.ALLOW, "public")
CHALLENGE = Decision(Outcome.CHALLENGE, "members", "For members.")
DENY = Decision(Outcome.DENY, "staff", "This page is for <staff>.")
HEADERS = {"X-Remote-User": "username", "X-Remote-Groups": "groups", "X-Remote-Name": "name"}
FORGED = {
    "REMOTE_USER": "admin",
    "AUTH_TYPE": "forged",
    "HTTP_X_REMOTE_USER": "admin",
    "HTTP_X_REMOTE_GROUPS": "admins",
    "HTTP_X_REMOTE_NAME": "Admin",
}
JOE = person("joe", groups=frozenset({"b", "a"}))


class Asked:
    """A policy with one answer, which keeps what it was asked."""

    def __init__(self, answer: Decision | Exception) -> None:
        self.answer = answer
        self.questions: list[tuple[Target, Identity | None, Address | None]] = []

    def __call__(
        self, target: Target, identity: Identity | None, address: Address | None
    ) -> Decision:
        self.questions.append((target, identity, address))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def challenge_url(return_to: LocalPath) -> str:
    return f"https://member.example/in?to={return_to.text}"


def client(app: Recorder, answer: Decision | Exception) -> Strict:
    layer = Guard(app, decide=Asked(answer), challenge_url=challenge_url, identity=HEADERS)
    return Strict(layer)


def session_of(identity: Identity) -> dict[str, Any]:
    return {env.SESSION: Session(record(user()), identity, "t" * 43)}


def test_the_policy_is_asked_about_the_canonical_request() -> None:
    policy = Asked(ALLOW)
    layer = Guard(Recorder(), decide=policy, challenge_url=challenge_url, identity={})

    Strict(layer).get("/%61?b", environ_overrides={**session_of(JOE), "REMOTE_ADDR": "1.2.3.4"})

    ((target, identity, address),) = policy.questions
    assert (target.host, target.path, identity) == (HOST, "/a", JOE)
    assert address == ip_address("1.2.3.4")


# --- Allowed -----------------------------------------------------------------------------------


def test_a_signed_in_visitor_is_told_to_the_app() -> None:
    app = Recorder()

    client(app, ALLOW).get("/", environ_overrides={**FORGED, **session_of(JOE)})

    told = {key: app.only.get(key) for key in FORGED}
    assert told == {
        "REMOTE_USER": "Joe",
        "AUTH_TYPE": "ssogate",
        "HTTP_X_REMOTE_USER": "Joe",
        "HTTP_X_REMOTE_GROUPS": "a,b",
        "HTTP_X_REMOTE_NAME": "joe Doe",
    }


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_an_anonymous_visitor_has_no_identity_at_all(method: str) -> None:
    """B4."""
    app = Recorder()

    client(app, ALLOW).open("/", method=method, environ_overrides=FORGED)

    assert not FORGED.keys() & app.only.keys()


def test_a_user_without_groups_has_an_empty_list_of_them() -> None:
    """B5."""
    app = Recorder()
    nobody = replace(JOE, groups=frozenset())

    client(app, ALLOW).get("/", environ_overrides={**FORGED, **session_of(nobody)})

    assert app.only["HTTP_X_REMOTE_GROUPS"] == ""


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(replace(JOE, username="joe\r\nX: y"), id="line break in the user name"),
        pytest.param(replace(JOE, name="a\0b"), id="NUL in the name"),
        pytest.param(replace(JOE, groups=frozenset({"g" * 5000})), id="groups too long"),
    ],
)
def test_an_identity_that_no_header_can_carry_is_refused(identity: Identity) -> None:
    """B6."""
    app = Recorder()

    response = client(app, ALLOW).get("/", environ_overrides=session_of(identity))

    assert code(response) == "identity_unsendable"
    assert app.seen == []


# --- Challenged ----------------------------------------------------------------------------------


def test_a_person_is_sent_to_sign_in_and_comes_back() -> None:
    app = Recorder()

    response = client(app, CHALLENGE).get("/a?b=c", headers=PAGE)

    assert response.status_code == 303
    assert response.headers["Location"] == "https://member.example/in?to=/a?b=c"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.data == b""
    assert app.seen == []


@pytest.mark.parametrize("query", ['x="<script>', "x=\xff", "x=%0d%0aSet-Cookie:y"])
def test_a_query_that_cannot_be_sent_back_is_left_out(query: str) -> None:
    response = client(Recorder(), CHALLENGE).get(
        "/a", headers=PAGE, environ_overrides={"RAW_URI": f"/a?{query}", "REQUEST_URI": ""}
    )

    assert response.headers["Location"] == "https://member.example/in?to=/a"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("GET", {}, id="says nothing"),
        pytest.param("GET", {"Accept": "application/json"}, id="asks for JSON"),
        pytest.param("GET", {**PAGE, "Sec-Fetch-Mode": "cors"}, id="fetch()"),
        pytest.param("GET", {**PAGE, "X-Requested-With": "XMLHttpRequest"}, id="jQuery"),
        pytest.param("POST", {}, id="POST by a script"),
    ],
)
def test_a_script_gets_401_with_where_to_sign_in(method: str, headers: dict[str, str]) -> None:
    app = Recorder()

    response = client(app, CHALLENGE).open("/a?b", method=method, headers=headers)

    assert (response.status_code, code(response)) == (401, "sign_in_required")
    assert "WWW-Authenticate" in response.headers
    assert response.json is not None
    wanted = "/a?b" if method == "GET" else "/"
    assert response.json["sign_in"] == f"https://member.example/in?to={wanted}"
    assert app.seen == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_form_that_was_sent_is_not_thrown_away_by_a_redirect(method: str) -> None:
    response = client(Recorder(), CHALLENGE).open("/a?b", method=method, headers=PAGE)

    assert response.status_code == 401
    assert "Location" not in response.headers
    assert 'href="https://member.example/in?to=/"' in response.get_data(as_text=True)


# --- Denied --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [None, JOE], ids=["anonymous", "signed in"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_denial_says_why_in_plain_words(who: Identity | None, method: str) -> None:
    app = Recorder()
    overrides = session_of(who) if who else {}

    response = client(app, DENY).open("/", method=method, headers=PAGE, environ_overrides=overrides)
    text = response.get_data(as_text=True)

    assert (response.status_code, code(response)) == (403, "forbidden")
    assert "This page is for &lt;staff&gt;." in text
    assert ("You are signed in as Joe." in text) is (who is not None)
    assert app.seen == []


def test_a_denial_to_a_script_is_json() -> None:
    response = client(Recorder(), DENY).get("/")

    assert response.json is not None
    assert response.json["message"].endswith("This page is for <staff>.")
    assert "sign_in" not in response.json


@pytest.mark.parametrize("answer", [DENY, CHALLENGE])
def test_a_refusal_is_one_line_that_names_the_rule(
    answer: Decision, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ssogate")
    client(Recorder(), answer).get("/a?secret", headers=PAGE)

    (line,) = caplog.messages
    assert json.loads(line)["rule"] == answer.rule
    assert "secret" not in line


# --- Nothing but a yes is a yes ----------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError, TimeoutError])
def test_a_policy_that_breaks_lets_nobody_through(error: type[Exception]) -> None:
    app = Recorder()

    with pytest.raises(error):
        client(app, error()).get("/", environ_overrides=session_of(JOE))

    assert app.seen == []


@pytest.mark.parametrize("error", [UnknownHost(), GateError()])
def test_a_policy_that_refuses_lets_nobody_through(error: GateError) -> None:
    app = Recorder()

    assert code(client(app, error).get("/", environ_overrides=session_of(JOE))) == error.code
    assert app.seen == []


def test_alone_it_refuses_an_ambiguous_address() -> None:
    app = Recorder()

    response = client(app, ALLOW).get("/pub/../admin", environ_overrides=session_of(JOE))

    assert code(response) == "bad_target"
    assert app.seen == []


def test_what_an_inner_layer_refuses_is_told() -> None:
    def inner(environ: Any, start_response: Any) -> Any:
        raise UnknownHost("x")

    layer = Guard(inner, decide=Asked(ALLOW), challenge_url=challenge_url, identity={})

    assert code(Strict(layer).get("/")) == "unknown_host"


@pytest.mark.parametrize(
    ("decision", "who", "private"),
    [
        pytest.param(replace(ALLOW, everyone=True), None, False, id="for everybody"),
        pytest.param(ALLOW, None, True, id="for some networks"),
        pytest.param(replace(ALLOW, everyone=True), JOE, True, id="somebody is signed in"),
        pytest.param(ALLOW, JOE, True, id="for those who are signed in"),
    ],
)
def test_an_answer_is_private_unless_everybody_gets_it(
    decision: Decision, who: Identity | None, private: bool
) -> None:
    app = Recorder()
    client(app, decision).get("/", environ_overrides=session_of(who) if who else {})

    assert env.private(app.only) is private
