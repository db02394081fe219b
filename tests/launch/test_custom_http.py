"""A panel described in YAML: what it is asked, where its answer has the address, and which mistakes
are told when the file is read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from ssogate.launch.module import Answer, LaunchResult, ModuleParams, PanelError
from ssogate.launch.modules.custom_http import CustomHttp, CustomHttpSettings
from tests.launch.making import HOST, PARAMS, PASSWORD, Asked, MemoryPanel

HOSTILE = "/..?a=1&b=\"'<x>%2F{domain}"


def settings(**request: Any) -> CustomHttpSettings:
    service = {"path": "/api/sessions", **request}
    if not any(name.startswith("url_") and name != "url_template" for name in service):
        service["url_json"] = "url"
    values = {"kind": "custom_http", "display_name": "My Panel", "port": 8443, "service": service}
    return CustomHttpSettings.model_validate(values)


def asked(params: ModuleParams = PARAMS, **request: Any) -> Asked:
    panel = MemoryPanel({"url": f"https://{HOST}/in"})
    CustomHttp(settings(**request)).service_single_sign_on(params, panel)
    (found,) = panel.asked
    return found


def launched(
    body: bytes | str | object, *, status: int = 200, headers: Any = None, **request: Any
) -> LaunchResult:
    panel = MemoryPanel(body, status)
    panel.answer = Answer(status, headers or {}, panel.answer.body)
    return CustomHttp(settings(**request)).service_single_sign_on(PARAMS, panel)


def test_a_request_is_sent_as_it_is_described() -> None:
    request: dict[str, Any] = {
        "method": "PUT",
        "path": "/users/{username}/sessions",
        "query": {"ttl": 60, "page": "{app}"},
        "json": {"ip": "{clientip}", "deep": [{"for": "{domain}"}, 7, None, True]},
        "headers": {"X-Service": "no. {serviceid}"},
        "auth": {"user": "{serverusername}", "password": "{serverpassword}"},
    }

    found = asked(**request)

    assert (found.method, found.path) == ("PUT", "/users/joe/sessions")
    assert found.query == {"ttl": "60", "page": ""}
    assert json.loads(found.body) == {
        "ip": "198.51.100.4",
        "deep": [{"for": "shop.example"}, 7, None, True],
    }
    assert found.headers == {"Content-Type": "application/json", "X-Service": "no. 7"}
    assert found.auth == ("root", PASSWORD)


def test_an_administrator_gets_in_by_a_request_of_its_own() -> None:
    values = settings().model_dump(by_alias=True, exclude_none=True)
    admin = {"path": "/api/admin", "url_json": "url"}
    module = CustomHttp(CustomHttpSettings.model_validate({**values, "admin": admin}))
    panel = MemoryPanel({"url": f"https://{HOST}/root"})

    assert module.admin_single_sign_on(PARAMS, panel).redirect_to == f"https://{HOST}/root"
    assert panel.asked[0].path == "/api/admin"


def test_without_such_a_request_there_is_no_such_function() -> None:
    with pytest.raises(NotImplementedError):
        CustomHttp(settings()).admin_single_sign_on(PARAMS, MemoryPanel())


def test_metadata_is_what_the_settings_say() -> None:
    values = settings().model_dump(by_alias=True, exclude_none=True)
    pages = [{"app": "mail", "label": "Mail"}]
    module = CustomHttp(CustomHttpSettings.model_validate({**values, "shortcuts": pages}))

    assert (module.metadata.display_name, module.metadata.port) == ("My Panel", 8443)
    assert [(page.app, page.label) for page in module.metadata.shortcuts] == [("mail", "Mail")]


def test_a_value_stays_within_its_place() -> None:
    params = replace(PARAMS, username=HOSTILE)

    assert asked(params, path="/users/{username}/in").path == (
        "/users/%2F..%3Fa%3D1%26b%3D%22%27%3Cx%3E%252F%7Bdomain%7D/in"
    )
    assert json.loads(asked(params, json={"u": "{username}"}).body) == {"u": HOSTILE}
    # The panel encodes these.
    assert asked(params, form={"u": "{username}"}).form == {"u": HOSTILE}
    assert asked(params, query={"u": "{username}"}).query == {"u": HOSTILE}
    xml = asked(params, body="<u>{username}</u>", headers={"content-type": "text/xml"}).body
    assert xml == b"<u>/..?a=1&amp;b=&quot;&#x27;&lt;x&gt;%2F{domain}</u>"


BODY = {"body": "user {username}"}
HEADER = {"headers": {"X-User": "{username}"}}
BASIC = {"auth": {"user": "{username}", "password": "x"}}
PATH = {"path": "/users/{username}/in"}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(HEADER, "joe\r\nX-Admin: 1", id="a header, two lines"),
        pytest.param(HEADER, "joé", id="a header, no ASCII"),
        pytest.param(BASIC, "joe:x", id="Basic, a colon"),
        pytest.param(BASIC, "joe\n", id="Basic, a line's end"),
        pytest.param(PATH, "", id="the path, nothing"),
        pytest.param(PATH, "..", id="the path, one up"),
        pytest.param(PATH, ".", id="the path, the same"),
        pytest.param(BODY, "joe&admin=1", id="any text, a sign with a meaning"),
        pytest.param(BODY, "joe\n", id="any text, a line's end"),
        pytest.param(
            {"body": "<u>{username}</u>", "headers": {"Content-Type": "text/xml"}},
            "\x00",
            id="XML, a control character",
        ),
    ],
)
def test_a_value_that_cannot_stand_in_its_place_stops_the_launch(
    place: dict[str, Any], value: str
) -> None:
    panel = MemoryPanel({"url": f"https://{HOST}/in"})
    module = CustomHttp(settings(**place))

    with pytest.raises(PanelError) as raised:
        module.service_single_sign_on(replace(PARAMS, username=value), panel)

    assert not panel.asked
    assert value.strip(".") == "" or value not in str(raised.value)


def test_braces_can_be_written() -> None:
    assert asked(body="{{user}} {username}").body == b"{user} joe"


URL = f"https://{HOST}:8443/in?t=1"


@pytest.mark.parametrize(
    ("request_", "body", "headers"),
    [
        pytest.param({"url_json": "data.url"}, {"data": {"url": URL}}, {}, id="JSON"),
        pytest.param({"url_json": "0.1.url"}, [[0, {"url": URL}]], {}, id="JSON in lists"),
        pytest.param(
            {"url_form": "details"},
            "error=0&details=https%3A%2F%2Fnode1.example%3A8443%2Fin%3Ft%3D1",
            {},
            id="a form",
        ),
        pytest.param(
            {"url_regex": r'href="([^"\s]{1,500})"'}, f'<a href="{URL}">', {}, id="a pattern"
        ),
        pytest.param({"url_header": "Location"}, "", {"location": URL}, id="a header"),
        pytest.param(
            {"url_header": "Location"}, "", {"location": "/in?t=1"}, id="a path of the server"
        ),
        pytest.param(
            {
                "url_json": "token",
                "url_template": "https://{serverhostname}:8443/in?t={found}",
            },
            {"token": 1},
            {},
            id="a token",
        ),
    ],
)
def test_the_address_is_found(request_: Any, body: Any, headers: dict[str, str]) -> None:
    result = launched(body, headers=headers, **request_)

    assert result.success
    assert result.redirect_to in (URL, URL.replace(":8443", ":2000"))


def test_what_was_found_cannot_change_the_address_around_it() -> None:
    template = "https://{serverhostname}/in?t={found}"

    result = launched({"url": "1&as=root#@evil.example/"}, url_template=template)

    assert result.redirect_to == f"https://{HOST}/in?t=1%26as%3Droot%23%40evil.example%2F"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no such name"),
        pytest.param({"data": None}, id="null on the way"),
        pytest.param({"data": [{"url": URL}]}, id="a list in place of an object"),
        pytest.param({"data": {"url": True}}, id="no text"),
        pytest.param({"data": {"url": ""}}, id="empty"),
        pytest.param({"data": {"url": [URL]}}, id="a list of texts"),
        pytest.param("<html>", id="HTML"),
        pytest.param('{"data": {"url"', id="half a body"),
    ],
)
def test_an_answer_without_an_address_is_a_failure(body: Any) -> None:
    with pytest.raises(PanelError):
        launched(body, url_json="data.url")


@pytest.mark.parametrize("status", [201, 302, 403, 500])
def test_another_status_is_a_failure_whatever_it_says(status: int) -> None:
    with pytest.raises(PanelError, match=f"status {status}"):
        launched({"url": URL}, status=status)


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        pytest.param({"error_json": "error.0.text"}, {"error": [{"text": "No quota"}]}, id="JSON"),
        pytest.param(
            {"error_regex": r"<b>([^<]{1,100})</b>", "url_regex": "(https)"},
            "<b>No quota</b>",
            id="a pattern",
        ),
    ],
)
@pytest.mark.parametrize("status", [200, 403])
def test_the_panels_own_words_reach_the_visitor(request_: Any, body: Any, status: int) -> None:
    result = launched(body, status=status, **request_)

    assert not result.success
    assert "No quota" in result.error_msg


def test_a_page_in_place_of_words_is_a_failure_too() -> None:
    with pytest.raises(PanelError, match="status 403"):
        launched("<html>", status=403, error_json="error")


def test_words_that_quote_a_secret_do_not() -> None:
    result = launched({"error": f"bad: {PASSWORD}"}, error_json="error")

    assert not result.success
    assert "bad" not in result.error_msg


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        pytest.param(
            {"form": {"u": "{usrname}"}}, r"no placeholder {usrname}; did you mean {username}\?"
        ),
        pytest.param({"json": {"a": [{"b": "{x}"}]}}, "no placeholder {x}"),
        pytest.param({"path": "/{found}"}, "no placeholder {found}"),
        pytest.param({"query": {"a": "{}"}}, "no placeholder {}"),
        pytest.param({"query": {"a": "{customfields}"}}, "no placeholder {customfields}"),
        pytest.param({"query": {"a": "{username.__class__}"}}, "no placeholder"),
        pytest.param({"query": {"a": "{username!r}"}}, "a name in braces"),
        pytest.param({"query": {"a": "{username:>9}"}}, "a name in braces"),
        pytest.param({"body": '{"user": 1}'}, "no placeholder|a name in braces"),
        pytest.param({"body": "{"}, "for braces themselves"),
        pytest.param({"path": "api"}, "begins with /"),
        pytest.param({"path": "/api?x=1"}, "begins with /"),
        pytest.param({"path": "/a b"}, "begins with /"),
        pytest.param({"headers": {"X-A\r\nB": "1"}}, "header name"),
        pytest.param({"form": {}, "json": {}}, "one of form, json and body"),
        pytest.param({"url_json": "a", "url_form": "b"}, "exactly one of"),
        pytest.param({"error_json": "a", "error_regex": "(b)"}, "not both"),
        pytest.param({"url_template": "https://{serverhostname}/"}, "write an address such as"),
        pytest.param({"url_template": "javascript:{found}"}, "write an address such as"),
        pytest.param({"url_template": "https://x/{found}{password}"}, "must not stand"),
        pytest.param({"url_regex": "(a"}, "this is no pattern"),
        pytest.param({"url_regex": "a"}, "one pair of parentheses"),
        pytest.param({"url_regex": "(a)(b)"}, "one pair of parentheses"),
        pytest.param({"url_regex": "(a)" + "b" * 500}, "at most 500"),
    ],
)
def test_a_mistake_is_told_when_the_file_is_read(request_: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(**request_)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)",
        "(a*)",
        "(a{2,})",
        "(a{,})",
        "(a{1,20000})",
        "(a){1,9}",
        "(a)?",
        "(?:a|a)(b)",
        r"(a)\1",
        "(a{1,50}a{1,50})",
        "(a?b?c?d?e?)",
        r"(\(a{1,9}\){1,2000})",
        r"([(]){1,9}",
        "(" + "|".join(["[a-z]"] * 80) + ")[a-z]{0,900}x",
    ],
)
def test_a_pattern_that_could_run_for_long_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="bound"):
        settings(url_regex=pattern)


@pytest.mark.parametrize(
    "pattern", [r"([*+?{(]{1,9})", r"(\{\*\+)", r"([]*]{3})", r"(https?://[^\s\"]{1,900})"]
)
def test_a_pattern_with_bounds_is_accepted(pattern: str) -> None:
    assert settings(url_regex=pattern).service.url_regex


def test_a_pattern_is_not_looked_for_beyond_64_kib() -> None:
    with pytest.raises(PanelError, match="no address"):
        launched("x" * 65536 + f'href="{URL}"', url_regex=r'href="([^"]{1,500})"')


def test_every_schema_can_be_made() -> None:
    assert "json" in json.dumps(CustomHttpSettings.model_json_schema())


@pytest.mark.parametrize("name", ["", "joe|root", "joe root", "joe:x", "joe\n"])
def test_no_name_but_the_users_own_is_sent(name: str) -> None:
    """`root|` is root for panels that let an administrator speak for a user."""
    panel = MemoryPanel({"data": {"url": "https://node1.example/"}})
    request = {"auth": {"user": "{serverusername}|{username}", "password": "{serverpassword}"}}

    with pytest.raises(PanelError):
        CustomHttp(settings(**request)).service_single_sign_on(
            replace(PARAMS, username=name), panel
        )
    assert panel.asked == []
