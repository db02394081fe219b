"""Pages run nothing, load nothing, and show text as text."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import Client, EnvironBuilder, TestResponse
from werkzeug.wrappers import Response

from ssogate import errors
from ssogate.errors import Forbidden, GateError, MethodRefused, SignInRequired
from ssogate.http.pages import page, redirect, refusal, reply_json

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'</style><!--{{7*7}}&amp;"
HTML = {"Accept": "text/html"}

PAGES: dict[str, dict[str, Any]] = {
    "confirm.html": {
        "current": EVIL,
        "other": EVIL,
        "action": EVIL,
        "fields": [(EVIL, EVIL)],
        "stay": EVIL,
    },
    "refusal.html": {"error": GateError(EVIL), "reason": EVIL, "sign_in": EVIL, "request_id": EVIL},
    "sign_in.html": {"choices": [(EVIL, EVIL)]},
    "signed_out.html": {"user": EVIL},
}


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def refused(error: GateError, headers: dict[str, str], **options: Any) -> TestResponse:
    def app(environ: Any, start_response: Any) -> Any:
        return refusal(error, environ, **options)(environ, start_response)

    return Client(app).get("/", headers=headers)


def assert_private(response: Response | TestResponse) -> None:
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Frame-Options"] == "DENY"


# --- Pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("template", PAGES)
def test_markup_in_a_value_stays_text(template: str) -> None:
    text = page(template, **PAGES[template]).get_data(as_text=True)
    harmless = page(template, **_harmless(PAGES[template])).get_data(as_text=True)

    assert "<script" not in text
    assert "<img" not in text
    assert Tags(text).tags == Tags(harmless).tags, "the value adds no element"
    assert [name for name, _ in Tags(text).attributes] == [
        name for name, _ in Tags(harmless).attributes
    ], "the value adds no attribute"


def _harmless(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _harmless(value) for key, value in values.items()}
    if isinstance(values, list):
        return [tuple("x" for _ in value) for value in values]
    return "x" if isinstance(values, str) else values


@pytest.mark.parametrize("template", PAGES)
def test_a_page_runs_nothing_and_loads_nothing(template: str) -> None:
    response = page(template, **_harmless(PAGES[template]))
    parsed = Tags(response.get_data(as_text=True))
    policy = response.headers["Content-Security-Policy"]

    assert response.content_type == "text/html; charset=utf-8"
    assert_private(response)
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert not {"script", "link", "img", "iframe", "object"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name == "src"]


def test_the_policy_names_the_very_style_sheet_of_the_page() -> None:
    response = page("signed_out.html", user="")
    (style,) = re.findall("<style>(.*?)</style>", response.get_data(as_text=True), re.DOTALL)
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in response.headers["Content-Security-Policy"]


def test_a_value_that_a_page_misses_is_a_bug_and_not_a_blank() -> None:
    with pytest.raises(Exception, match="'choices' is undefined"):
        page("sign_in.html")


# --- JSON and redirects ----------------------------------------------------------------------


def test_json_cannot_be_taken_for_a_page() -> None:
    response = reply_json(200, message=EVIL)
    text = response.get_data(as_text=True)

    assert "<" not in text
    assert json.loads(text) == {"status": 200, "message": EVIL}
    assert response.content_type == "application/json"
    assert_private(response)


@pytest.mark.parametrize(
    "location", ["/", "/a?b=c%20d&e", "/a@b:c;d", "https://member.example/in?redirect=%2Fa"]
)
def test_a_redirect_leads_to_the_letter_and_says_nothing(location: str) -> None:
    response = Client(redirect(location)).get("/")

    assert (response.status_code, response.headers["Location"]) == (303, location)
    assert response.data == b""
    assert_private(response)


# --- Refusals ------------------------------------------------------------------------------


def test_a_person_gets_a_page_that_names_the_code() -> None:
    response = refused(Forbidden("staff only"), HTML, reason="Ask <Ann>.")
    text = response.get_data(as_text=True)

    assert response.status_code == 403
    assert response.mimetype == "text/html"
    assert response.headers["X-SSOGate-Error"] == "forbidden"
    assert Forbidden.title in text
    assert Forbidden.hint in text
    assert "Ask &lt;Ann&gt;." in text
    assert "staff only" not in text, "the detail is for the log"
    assert_private(response)


def test_a_script_gets_json_that_names_the_code() -> None:
    response = refused(SignInRequired("secret detail"), {}, reason="Sign in.", sign_in="/in")

    answer = dict(response.json or {})
    assert answer.pop("request_id")
    assert answer == {
        "status": 401,
        "code": "sign_in_required",
        "message": f"{SignInRequired.public} Sign in.",
        "sign_in": "/in",
    }
    assert response.headers["X-SSOGate-Error"] == "sign_in_required"
    assert "WWW-Authenticate" in response.headers, "RFC 9110, section 15.5.2"
    assert "secret detail" not in response.get_data(as_text=True)


def test_the_page_and_the_log_carry_one_request_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ssogate")
    response = refused(Forbidden(), {})

    assert response.json is not None
    assert json.loads(caplog.messages[0])["request_id"] == response.json["request_id"]


@pytest.mark.parametrize(
    ("as_page", "mimetype"), [(True, "text/html"), (False, "application/json")]
)
@pytest.mark.parametrize("headers", [HTML, {}], ids=["person", "script"])
def test_who_asks_can_be_told(headers: dict[str, str], as_page: bool, mimetype: str) -> None:
    assert refused(Forbidden(), headers, as_page=as_page).mimetype == mimetype


def test_an_errors_own_headers_are_sent() -> None:
    assert "GET" in refused(MethodRefused(), {}).headers["Allow"]


@pytest.mark.parametrize("headers", [HTML, {}], ids=["person", "script"])
def test_an_answer_to_head_has_no_body(headers: dict[str, str]) -> None:
    environ = EnvironBuilder(method="HEAD", headers=Headers(headers)).get_environ()

    response = Client(refusal(Forbidden(), environ)).open(environ)

    assert response.status_code == 403
    assert response.data == b""


ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, GateError)
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_refusal_says_what_to_do_and_shows_no_internals(error: type[GateError]) -> None:
    response = refused(error("internal: sqlite3.OperationalError at 0x7f"), HTML)
    text = response.get_data(as_text=True)

    assert response.status_code == error.status
    assert error.title
    assert error.public.endswith(".")
    assert error.hint.endswith(".")
    assert f"Code {error.code}" in text
    for internal in ("sqlite", "Traceback", "0x7f", ".py", "internal:"):
        assert internal not in text


def test_codes_are_distinct() -> None:
    codes = [error.code for error in ERRORS]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    "error", [error for error in ERRORS if error.code[:3].isdigit()], ids=lambda error: error.code
)
def test_a_code_of_the_guide_begins_with_its_status(error: type[GateError]) -> None:
    assert error.code.startswith(f"{error.status}E")
