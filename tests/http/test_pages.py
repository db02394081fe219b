"""Pages run nothing, load nothing, show text as text, and speak the visitor's language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import Markup
from werkzeug.datastructures import Headers
from werkzeug.test import Client, EnvironBuilder, TestResponse
from werkzeug.wrappers import Response

from ssogate import errors
from ssogate.errors import Forbidden, GateError, MethodRefused, SignInRequired
from ssogate.http import environ as env
from ssogate.http import pages
from ssogate.http.pages import page, redirect, refusal, reply_json, translated
from ssogate.http.theme import Pages

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'</style><!--{{7*7}}&amp;%(x)s%"
HTML = {"Accept": "text/html"}
TEMPLATES = Path(pages.__file__).parent / "templates"
PARTS = {"base.html", "fields.html", "scopes.html"}
"""Templates that are no pages themselves."""

# The values of every page, with `x` in place of every text.
PAGES: dict[str, Callable[[str], dict[str, Any]]] = {
    "account.html": lambda x: {
        "user": SimpleNamespace(username=x, name=x, email=x),
        "sessions": [
            SimpleNamespace(key_id=x, method_label=x, opened=x, seen=x, current=True),
            SimpleNamespace(key_id=x, method_label=x, opened=x, seen=x, current=False),
        ],
        "action_sessions": x,
        "can_change_password": True,
        "password_url": x,
        "totp_state": "on",
        "totp_url": x,
        "recovery_left": 3,
        "accounts": [
            (SimpleNamespace(company=x, status=x, number=x, allow_single_sign_on=allowed), owned)
            for allowed in (True, False)
            for owned in (True, False)
        ],
        "switch_url": x,
        "services_url": x,
        "servers_url": x,
        "applications_url": x,
        "credentials_url": x,
        "sign_out_url": x,
    },
    "applications.html": lambda x: {
        "applications": [
            SimpleNamespace(identifier=x, name=x, scopes=("openid", x), since="2026-01-02T03:04:05")
        ],
        "action": x,
    },
    "credential.html": lambda x: {
        "entry": SimpleNamespace(
            **dict.fromkeys(("name", "description", "logo_uri", "scope", "groups"), x),
            **dict.fromkeys(("redirect_uris", "post_logout_redirect_uris"), x),
            **dict.fromkeys(("public", "native", "pkce", "trusted"), x),
            backchannel_logout_uri=x,
        ),
        "client": SimpleNamespace(number=x, name=x, identifier=x),
        "has_secret": True,
        "url": x,
        "overlaps": ("0", "1d", "7d"),
        "problem": x,
        "wrong": "name",
    },
    "credential_delete.html": lambda x: {"client": SimpleNamespace(name=x), "url": x},
    "credential_secret.html": lambda x: {
        "client": SimpleNamespace(name=x, identifier=x),
        "secret": x,
        "issuer": x,
        "discovery": x,
        "url": x,
    },
    "credentials.html": lambda x: {
        "clients": [SimpleNamespace(number=x, name=x, identifier=x)],
        "url": x,
    },
    "confirm.html": lambda x: {
        "current": x,
        "other": x,
        "action": x,
        "fields": [(x, x)],
        "stay": x,
    },
    "consent.html": lambda x: {
        "name": x,
        "description": x,
        "logo": "",
        "host": x,
        "scopes": [x, "email", f"resource:{x}"],
        "user": SimpleNamespace(username=x, name=x, email=x),
        "action": x,
        "fields": [(x, x)],
        "answer": x,
        "other_account": x,
    },
    "device.html": lambda x: {"code": x, "action": x, "unknown": True},
    "device_confirm.html": lambda x: {
        "code": x,
        "action": x,
        "name": x,
        "description": x,
        "scopes": [x, "email"],
        "user": SimpleNamespace(username=x),
    },
    "device_done.html": lambda x: {"allowed": bool(x)},
    "continue.html": lambda x: {"name": x, "location": x, "host": x},
    "form_post.html": lambda x: {"name": x, "action": x, "fields": [(x, x)], "script": ""},
    "end_session.html": lambda x: {"user": x, "name": x, "action": x, "fields": [(x, x)]},
    "password.html": lambda x: {"action": x, "problem": x, "minimum": 12},
    "recovery_codes.html": lambda x: {"codes": [x, x], "url": x},
    "refusal.html": lambda x: {
        "error": SimpleNamespace(title=x, public=x, hint=x, code=x),
        "reason": x,
        "username": x,
        "sign_in": x,
        "request_id": x,
    },
    "servers.html": lambda x: {
        "servers": [
            (SimpleNamespace(number=f"{x}{label}", name=x, hosts=[x]), label, x)
            for label in (x, "")
        ]
    },
    "service.html": lambda x: {
        "service": SimpleNamespace(product=x, domain=x, username=x),
        "button": SimpleNamespace(url=x, label=x),
        "shortcuts": [SimpleNamespace(url=x, label=x)],
        "services_url": x,
    },
    "services.html": lambda x: {
        "services": [SimpleNamespace(number=x, product=x, domain=x, username=x)],
        "services_url": x,
    },
    "second_factor.html": lambda x: {"action": x, "problem": x, "sign_in": x},
    "sign_in.html": lambda x: {
        "choices": [
            SimpleNamespace(label=x, url=x, form=form) for form in (True, True, False, False)
        ],
        "return_to": x,
        "username": x,
        "problem": x,
    },
    "signed_out.html": lambda x: {"user": x},
    "totp.html": lambda x: {
        "svg": Markup('<svg viewBox="0 0 1 1"><title>QR</title></svg>'),
        "secret": x,
        "action": x,
        "problem": x,
        "ticket": x,
    },
    "totp_off.html": lambda x: {"action": x, "problem": x},
}
ALL = pytest.mark.parametrize("template", PAGES)


class Tags(HTMLParser):
    """Every tag and attribute of a page; it fails on tags that are not closed in their order."""

    VOID = frozenset({"meta", "input", "br", "hr", "img", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute stands twice: {tag} {names}"
        self.tags.append(tag)
        self.attributes += attrs
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [value or "" for found, value in self.attributes if found == name]


def asked(**headers: str) -> dict[str, Any]:
    """The environ of a request with these headers."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return EnvironBuilder(headers=Headers(names)).get_environ()


def text_of(template: str, values: dict[str, Any], language: str = "en") -> str:
    return page(asked(accept_language=language), template, **values).get_data(as_text=True)


def refused(error: GateError, headers: dict[str, str], **options: Any) -> TestResponse:
    def app(environ: Any, start_response: Any) -> Any:
        return refusal(error, environ, **options)(environ, start_response)

    return Client(app).get("/", headers=headers)


def assert_private(response: Response | TestResponse, referrer: str = "no-referrer") -> None:
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == referrer
    assert response.headers["X-Frame-Options"] == "DENY"


# --- Pages ---------------------------------------------------------------------------------


def test_every_template_is_tried_here() -> None:
    assert {file.name for file in TEMPLATES.glob("*.html")} == PARTS | set(PAGES)


@ALL
@pytest.mark.parametrize("language", ["en", "de"])
def test_markup_in_a_value_stays_text(template: str, language: str) -> None:
    text = text_of(template, PAGES[template](EVIL), language)
    harmless = text_of(template, PAGES[template]("x"), language)

    assert "<script" not in text
    assert "<img" not in text
    assert Tags(text).tags == Tags(harmless).tags, "the value adds no element"
    assert [name for name, _ in Tags(text).attributes] == [
        name for name, _ in Tags(harmless).attributes
    ], "the value adds no attribute"


@ALL
def test_a_page_runs_nothing_and_loads_nothing(template: str) -> None:
    response = page(asked(), template, **PAGES[template]("x"))
    parsed = Tags(response.get_data(as_text=True))
    policy = response.headers["Content-Security-Policy"]

    assert response.content_type == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert "'self'" not in policy.replace("form-action 'self'", "")
    assert not {"script", "link", "img", "iframe", "object"} & set(parsed.tags)
    assert not [
        name for name, _ in parsed.attributes if name.startswith("on") or name in ("src", "style")
    ]


@ALL
def test_a_page_whose_form_is_posted_lets_browsers_say_that_it_is_ours(template: str) -> None:
    """Under no-referrer a form is sent with `Origin: null`; nothing else needs to tell more."""
    response = page(asked(), template, **PAGES[template]("x"))
    posts = "post" in Tags(response.get_data(as_text=True)).all("method")

    assert_private(response, "same-origin" if posts else "no-referrer")


def test_a_page_of_ways_in_without_a_form_tells_no_more_than_others() -> None:
    choices = [SimpleNamespace(label="<form method='post'>", url="/x", form=False)]

    assert_private(
        page(asked(), "sign_in.html", **PAGES["sign_in.html"]("x") | {"choices": choices})
    )


@ALL
def test_a_page_can_be_read_aloud_and_used_by_keyboard(template: str) -> None:
    parsed = Tags(text_of(template, PAGES[template]("x")))
    ids = parsed.all("id")
    inputs = [
        attributes
        for tag, attributes in parsed.elements
        if tag in ("input", "textarea") and attributes.get("type") != "hidden"
    ]

    assert len(set(ids)) == len(ids), "an id stands twice"
    for name in ("for", "aria-describedby", "aria-labelledby"):
        assert {word for value in parsed.all(name) for word in value.split()} <= set(ids)
    assert {field["id"] for field in inputs} == set(parsed.all("for")), "each has its label"
    assert all(field.get("autocomplete") for field in inputs)
    assert "placeholder" not in dict(parsed.attributes)
    assert "tabindex" not in dict(parsed.attributes)
    assert parsed.tags.count("h1") == parsed.tags.count("main") == 1
    assert len(parsed.all("autofocus")) <= 1


@ALL
def test_a_page_says_where_one_is(template: str) -> None:
    text = text_of(template, PAGES[template]("x"))

    assert "<title></title>" not in text


@pytest.mark.parametrize(
    "template", [name for name in PAGES if "problem" in PAGES[name]("x")], ids=str
)
def test_a_problem_is_announced_and_no_page_has_one_by_itself(template: str) -> None:
    told = Tags(text_of(template, PAGES[template]("x") | {"problem": "Wrong."}))
    calm = Tags(text_of(template, PAGES[template]("x") | {"problem": ""}))

    assert told.all("role") == ["alert"]
    assert "problem" in told.all("aria-describedby")[0].split()
    assert "true" in told.all("aria-invalid")
    assert calm.all("role") == calm.all("aria-invalid") == []
    assert "problem" not in calm.all("id")


def test_a_value_that_a_page_misses_is_a_bug_and_not_a_blank() -> None:
    with pytest.raises(Exception, match="'choices' is undefined"):
        page(asked(), "sign_in.html")


# --- What the pages of ways in, and of one's account, offer ----------------------------------


def test_ways_in_stand_in_their_order_with_forms_set_apart() -> None:
    ways = [("CRM", False), ("Password", True), ("Shop", False), ("Forum", False)]
    choices = [SimpleNamespace(label=label, url=f"/{label}", form=form) for label, form in ways]

    text = text_of("sign_in.html", PAGES["sign_in.html"]("x") | {"choices": choices})

    order = ["with CRM", 'action="/Password"', "with Shop", "with Forum"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert text.count('class="or"') == 2


@pytest.mark.parametrize(
    ("form", "username", "focused"),
    [
        pytest.param(True, "", ["username-1"], id="nothing typed yet"),
        pytest.param(True, "joe", ["password-1"], id="the name is typed"),
        pytest.param(False, "", [], id="no form"),
    ],
)
def test_typing_can_begin_at_once(form: bool, username: str, focused: list[str]) -> None:
    choices = [SimpleNamespace(label="x", url="/x", form=form)]
    values = PAGES["sign_in.html"]("x") | {"choices": choices, "username": username}

    parsed = Tags(text_of("sign_in.html", values))

    assert [attributes["id"] for _, attributes in parsed.elements if "autofocus" in attributes] == (
        focused
    )


def test_a_password_is_never_sent_back() -> None:
    parsed = Tags(text_of("sign_in.html", PAGES["sign_in.html"]("typed")))
    passwords = [fields for _, fields in parsed.elements if fields.get("type") == "password"]

    assert passwords
    assert all("value" not in fields for fields in passwords)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        pytest.param("off", "Switch the second factor on", id="off"),
        pytest.param("on", "You have 3 recovery codes left.", id="on"),
        pytest.param("unavailable", None, id="unavailable"),
    ],
)
def test_the_account_page_tells_the_state_of_the_second_factor(
    state: str, told: str | None
) -> None:
    text = text_of("account.html", PAGES["account.html"]("x") | {"totp_state": state})

    assert ("Second factor" in text) is (told is not None)
    assert told is None or told in text


def test_the_account_page_ends_other_sessions_one_by_one_or_all() -> None:
    parsed = Tags(text_of("account.html", PAGES["account.html"]("x")))
    ends = [fields["value"] for _, fields in parsed.elements if fields.get("name") == "end"]

    assert ends == ["x", "others"], "the current session ends by signing out"


def test_who_has_one_session_is_offered_no_button_for_others() -> None:
    current = SimpleNamespace(key_id="k", method_label="x", opened="", seen="", current=True)
    text = text_of("account.html", PAGES["account.html"]("x") | {"sessions": [current]})

    assert 'name="end"' not in text


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "2 Jan 2026 03:04 UTC"), ("de", "2 Jan. 2026 03:04 UTC")],
)
@pytest.mark.parametrize(
    "iso", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02T05:04:05+02:00"]
)
def test_a_time_is_told_to_people_and_to_programs(language: str, written: str, iso: str) -> None:
    session = SimpleNamespace(key_id="k", method_label="x", opened=iso, seen=iso, current=True)
    values = PAGES["account.html"]("x") | {"sessions": [session]}

    text = text_of("account.html", values, language)

    assert f'<time datetime="{iso}">{written}</time>' in text


def test_what_an_application_may_do_is_said_from_the_least_on() -> None:
    """What is said of `offline_access` is said of all that stands above it."""
    scopes = ["offline_access", "printer", "email", "openid"]
    text = text_of("consent.html", PAGES["consent.html"]("x") | {"scopes": scopes})

    found = re.findall(r"<li>(.*?)</li>", text)
    assert [one.split()[0] for one in found] == ["Know", "See", "printer", "Go"]


# --- Languages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "tag", "heading"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de", "Sie sind abgemeldet"),
        ("en-GB,en;q=0.9", "en", "You are signed out"),
        ("", "en", "You are signed out"),
    ],
)
def test_a_page_speaks_the_visitors_language_and_says_which(
    accept: str, tag: str, heading: str
) -> None:
    text = text_of("signed_out.html", {"user": ""}, accept)

    assert f'<html lang="{tag}" dir="ltr">' in text
    assert f"<h1>{heading}</h1>" in text


def test_a_refusal_is_translated_for_a_person_but_not_for_a_script() -> None:
    german = {"Accept-Language": "de"}
    person = refused(Forbidden(), HTML | german, username="joe").get_data(as_text=True)
    script = refused(Forbidden(), german, username="joe").json

    assert "Sie dürfen diese Seite nicht öffnen" in person
    assert "Sie sind als joe angemeldet." in person
    assert script is not None
    assert script["message"] == f"{Forbidden.public} You are signed in as joe."


def test_a_text_for_a_page_is_translated_and_filled_in() -> None:
    german = asked(accept_language="de")

    assert translated(german, "You are signed in as %(username)s.", username="<joe>") == (
        "Sie sind als <joe> angemeldet."
    )
    assert translated(german, "100 %") == "100 %"
    assert translated(german, "") == ""


def test_a_theme_gives_words_to_a_scope_of_the_operators_own(tmp_path: Path) -> None:
    (tmp_path / "translations").mkdir()
    words = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'
    words += '\nmsgid "printer"\nmsgstr "Print"\n'
    (tmp_path / "translations/en.po").write_text(words, "utf-8")
    values = PAGES["consent.html"]("x") | {"scopes": ["openid", "printer"]}

    text = page({env.PAGES: Pages(tmp_path)}, "consent.html", **values).get_data(as_text=True)

    assert "<li>Print</li>" in text


def test_the_pages_that_an_outer_layer_chose_count() -> None:
    german = Pages(language="de")

    text = page({env.PAGES: german}, "signed_out.html", user="").get_data(as_text=True)

    assert '<html lang="de"' in text


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
