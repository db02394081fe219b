"""A person or a script, a click or a fetch ahead of it."""

from __future__ import annotations

import pytest

from ssogate.http.audience import is_embedded, is_prefetch, prefers_json, wants_page

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("environ", "page"),
    [
        pytest.param({"HTTP_ACCEPT": HTML}, True, id="browser"),
        pytest.param({"HTTP_SEC_FETCH_MODE": "navigate", "HTTP_ACCEPT": "*/*"}, True, id="click"),
        pytest.param({"HTTP_SEC_FETCH_MODE": "cors", "HTTP_ACCEPT": HTML}, False, id="fetch()"),
        pytest.param({"HTTP_SEC_FETCH_MODE": "no-cors", "HTTP_ACCEPT": HTML}, False, id="image"),
        pytest.param({"HTTP_SEC_FETCH_MODE": "websocket"}, False, id="socket"),
        pytest.param({"HTTP_SEC_FETCH_MODE": "Navigate"}, False, id="another case"),
        pytest.param(
            {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest", "HTTP_ACCEPT": HTML}, False, id="jQuery"
        ),
        pytest.param(
            {"HTTP_X_REQUESTED_WITH": "org.browser.android", "HTTP_ACCEPT": HTML}, True, id="app"
        ),
        pytest.param({"HTTP_ACCEPT": "application/json"}, False, id="asks for JSON"),
        pytest.param({"HTTP_ACCEPT": "*/*"}, False, id="curl"),
        pytest.param({}, False, id="says nothing"),
        pytest.param({"HTTP_SEC_FETCH_MODE": "", "HTTP_ACCEPT": HTML}, True, id="empty mode"),
    ],
)
def test_who_reads_the_answer(environ: dict[str, str], page: bool) -> None:
    assert wants_page(environ) is page


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("application/json", True),
        ("application/json, */*;q=0.5", True),
        ("text/html, application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_json_is_asked_for_by_name(accept: str, json: bool) -> None:
    assert prefers_json({"HTTP_ACCEPT": accept}) is json


@pytest.mark.parametrize(
    ("environ", "ahead"),
    [
        pytest.param({"HTTP_SEC_PURPOSE": "prefetch"}, True, id="prefetch"),
        pytest.param({"HTTP_SEC_PURPOSE": "prefetch;prerender"}, True, id="prerender"),
        pytest.param({"HTTP_SEC_PURPOSE": "Prefetch; anonymous-client-ip"}, True, id="by proxy"),
        pytest.param({"HTTP_PURPOSE": "prefetch"}, True, id="older Chromium"),
        pytest.param({"HTTP_X_PURPOSE": "preview"}, True, id="Safari's top sites"),
        pytest.param({"HTTP_X_MOZ": "prefetch"}, True, id="Firefox"),
        pytest.param({"HTTP_SEC_PURPOSE": ""}, False, id="empty"),
        pytest.param({}, False, id="a click"),
    ],
)
def test_a_fetch_ahead_of_a_click_is_told(environ: dict[str, str], ahead: bool) -> None:
    assert is_prefetch(environ) is ahead


@pytest.mark.parametrize(
    ("dest", "embedded"),
    [
        ("document", False),
        ("empty", False),
        ("", False),
        (None, False),
        ("image", True),
        ("iframe", True),
        ("script", True),
        ("style", True),
        ("object", True),
    ],
)
def test_an_answer_that_nobody_opened_is_told(dest: str | None, embedded: bool) -> None:
    environ = {} if dest is None else {"HTTP_SEC_FETCH_DEST": dest}

    assert is_embedded(environ) is embedded
