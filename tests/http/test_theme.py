"""A theme changes what it has, tells its slips at start, and never keeps anybody out."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import Client, EnvironBuilder, TestResponse
from werkzeug.wrappers import Request, Response

from ssogate.errors import Forbidden
from ssogate.http import environ as env
from ssogate.http.pages import page, refusal
from ssogate.http.theme import MAX_FILE, Pages, standard_pages, theme_endpoints

OWN_PAGE = "<h1>You are signed out</h1>"


def theme(folder: Path, **files: str | bytes) -> Path:
    """Write a theme: `templates__odd_html="…"` is the file templates/odd.html."""
    for name, content in files.items():
        path, _, kind = name.replace("__", "/").rpartition("_")
        file = folder / f"{path}.{kind}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def shown(pages: Pages, template: str = "signed_out.html", **values: Any) -> Response:
    return page({env.PAGES: pages}, template, **{"user": "", **values})


def text(pages: Pages, template: str = "signed_out.html", **values: Any) -> str:
    return shown(pages, template, **values).get_data(as_text=True)


def policy(pages: Pages) -> str:
    return shown(pages).headers["Content-Security-Policy"]


def served(pages: Pages, path: str) -> TestResponse:
    reply = theme_endpoints(pages)[path](Request(EnvironBuilder(path).get_environ()))
    assert isinstance(reply, Response)
    return Client(reply).get(path)


# --- Templates -------------------------------------------------------------------------------


def test_a_template_of_the_theme_replaces_ours_alone(tmp_path: Path) -> None:
    pages = Pages(theme(tmp_path, templates__signed_out_html="<p>Bye, {{ user }}!</p>"))

    assert text(pages, user="<joe>") == "<p>Bye, &lt;joe&gt;!</p>"
    assert "<h1>Sign in</h1>" in text(pages, "sign_in.html", choices=[], problem="")


def test_a_base_of_the_theme_frames_our_pages_and_may_build_on_ours(tmp_path: Path) -> None:
    base = '{% extends "gate/base.html" %}{% block title %}ACME{% endblock %}'
    pages = Pages(theme(tmp_path, templates__base_html=base))

    assert OWN_PAGE in text(pages)
    assert "<title>Signed out</title>" in text(pages), "the page's own title goes before"


@pytest.mark.parametrize(
    ("form", "referrer"),
    [
        ('<form action="/x" method="post">', "same-origin"),
        ("<FORM METHOD=POST>", "same-origin"),
        ('<form method="get">', "no-referrer"),
        ('<form action="/post">', "no-referrer"),
    ],
)
def test_a_theme_may_write_its_forms_as_it_likes(tmp_path: Path, form: str, referrer: str) -> None:
    pages = Pages(theme(tmp_path, templates__signed_out_html=form))

    assert shown(pages).headers["Referrer-Policy"] == referrer


def test_a_theme_is_translated_by_its_own_catalogue(tmp_path: Path) -> None:
    folder = theme(
        tmp_path,
        templates__signed_out_html='{{ _("Good bye") }}',
        translations__fr_po='msgid ""\nmsgstr ""\n\nmsgid "Good bye"\nmsgstr "Au revoir"\n',
    )

    assert text(Pages(folder, "fr")) == "Au revoir"


def test_a_template_that_fails_gives_way_to_ours_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pages = Pages(theme(tmp_path, templates__signed_out_html="\n{{ nothing.of_this_name }}"))

    assert OWN_PAGE in text(pages)
    assert OWN_PAGE in text(pages)
    (line,) = map(json.loads, caplog.messages)
    assert (line["event"], line["template"]) == ("theme failed", "signed_out.html")
    assert line["detail"] == f"UndefinedError at {tmp_path}/templates/signed_out.html:2"


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param('{% extends "no_such.html" %}', id="a template that there is not"),
        pytest.param("{{ 1 / 0 }}", id="an error of Python's"),
        pytest.param('{% include "signed_out.html" %}', id="endless"),
        pytest.param("{{ user.secret_of(1) }}", id="a method that there is not"),
        pytest.param('{{ "%d" % user }}', id="a wrong type"),
    ],
)
def test_however_it_fails_the_visitor_gets_a_page(tmp_path: Path, failing: str) -> None:
    pages = Pages(theme(tmp_path, templates__signed_out_html=failing))

    assert OWN_PAGE in text(pages)


def test_a_base_that_fails_does_not_frame_our_page(tmp_path: Path) -> None:
    pages = Pages(theme(tmp_path, templates__base_html="{{ nothing }}"))

    assert OWN_PAGE in text(pages)


def test_the_log_of_a_failure_holds_no_visitors_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pages = Pages(
        theme(tmp_path, templates__signed_out_html="{{ {}[user] }}{{ user | int + user }}")
    )

    text(pages, user="hunter2")

    assert len(caplog.messages) == 1
    assert "hunter2" not in caplog.text


def test_a_refusal_wears_the_theme_too(tmp_path: Path) -> None:
    pages = Pages(theme(tmp_path, templates__refusal_html="Sorry: {{ error.code }}"))
    environ = EnvironBuilder(headers=Headers({"Accept": "text/html"})).get_environ()

    response = refusal(Forbidden(), environ | {env.PAGES: pages})

    assert response.get_data(as_text=True) == "Sorry: forbidden"
    assert response.status_code == 403


# --- What is told at start -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "told"),
    [
        pytest.param(
            {"templates__odd_html": "a\n{% if %}"}, r"odd\.html:2: .*xpected", id="syntax"
        ),
        pytest.param(
            {"templates__odd_html": "{{ x | nothing }}"}, "No filter named", id="no such filter"
        ),
        pytest.param({"templates__odd_html": b"\xff"}, r"templates/odd\.html: ", id="not UTF-8"),
        pytest.param({"style_css": b"\xff"}, r"style\.css: ", id="style not UTF-8"),
        pytest.param({"style_css": "a{}</STYLE ><script>"}, "cannot hold </style", id="style ends"),
        pytest.param({"translations__de_po": "nonsense"}, r"de\.po: ", id="catalogue"),
        pytest.param({"static__app_js": ""}, r"app\.js: only files", id="a script"),
        pytest.param({"static__page_html": ""}, r"page\.html: only files", id="a page"),
        pytest.param({"static__a b_png": ""}, r"a b\.png: only files", id="a space in a name"),
        pytest.param({"static__big_png": b"x" * (MAX_FILE + 1)}, "larger than 1048576", id="big"),
    ],
)
def test_a_broken_theme_is_told_at_start(
    tmp_path: Path, files: dict[str, str | bytes], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        Pages(theme(tmp_path, **files))


def test_a_folder_among_the_images_is_told(tmp_path: Path) -> None:
    (tmp_path / "static" / "icons.png").mkdir(parents=True)

    with pytest.raises(ValueError, match="only files"):
        Pages(tmp_path)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_theme_that_is_no_folder_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ValueError, match="is not a folder"):
        Pages(tmp_path / name)


def test_an_empty_theme_changes_nothing(tmp_path: Path) -> None:
    assert text(Pages(tmp_path)) == text(standard_pages())


# --- Style and images ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "style", [None, "p { color: red }", "p {\r\n}\r\n", "/* \N{LATIN SMALL LETTER E WITH ACUTE} */"]
)
def test_the_policy_names_the_very_style_sheet_of_the_page(
    tmp_path: Path, style: str | None
) -> None:
    pages = Pages(tmp_path if style is None else theme(tmp_path, style_css=style))
    (found,) = re.findall("<style>(.*?)</style>", text(pages), re.DOTALL)
    digest = base64.b64encode(sha256(found.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in policy(pages)
    assert "\r" not in found, "a browser hashes line feeds"


def test_images_are_allowed_only_where_there_are_some(tmp_path: Path) -> None:
    assert "img-src" not in policy(Pages(tmp_path))

    pages = Pages(theme(tmp_path, static__logo_png=b"\x89PNG"))

    assert "img-src 'self'; font-src 'self';" in policy(pages)
    assert "script" not in policy(pages)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.png", "image/png"),
        ("a.svg", "image/svg+xml"),
        ("a.jpg", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("favicon.ico", "image/x-icon"),
        ("text-bold.woff2", "font/woff2"),
    ],
)
def test_an_image_is_served_as_what_it_is_and_nothing_else(
    tmp_path: Path, name: str, content_type: str
) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / name).write_bytes(b"<script>")

    response = served(Pages(tmp_path), f"/_sso/theme/{name}")

    assert response.data == b"<script>"
    assert response.content_type == content_type
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert response.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    )


def test_only_what_lies_there_at_start_has_an_address(tmp_path: Path) -> None:
    pages = Pages(theme(tmp_path, static__logo_png=b"1", style_css="p {}"))
    theme(tmp_path, static__later_png=b"2", static__logo_png=b"changed")

    assert list(theme_endpoints(pages)) == ["/_sso/theme/logo.png"]
    assert served(pages, "/_sso/theme/logo.png").data == b"1"
    assert theme_endpoints(standard_pages()) == {}


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / ".DS_Store").touch()

    assert theme_endpoints(Pages(tmp_path)) == {}
