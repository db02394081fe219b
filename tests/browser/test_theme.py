"""A theme folder in a browser: its style, its template, its picture and its language."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakePage
from tests.gate import MakeGate, RunningGate
from tests.servers import PROJECT

pytestmark = [pytest.mark.server, pytest.mark.browser]

TEMPLATE = """\
{% extends "gate/sign_in.html" %}
{% block content %}
<img src="/_sso/theme/logo.svg" alt="Harbour Rowing Club" width="40" height="20">
{{ super() }}
{% endblock %}
"""
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><path d="M0 0h9v9z"/></svg>'
FRENCH = """\
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\n"

msgid "Sign in"
msgstr "Se connecter"
"""


@pytest.fixture
def theme(tmp_path: Path) -> Path:
    """A theme as an operator begins it: with a copy of our style sheet, and another colour."""
    folder = tmp_path / "theme"
    for name in ("templates", "translations", "static"):
        (folder / name).mkdir(parents=True)
    ours = (PROJECT / "ssogate/http/style.css").read_text("utf-8")
    (folder / "style.css").write_text(ours.replace("--accent: #1f5fd0", "--accent: #006655"))
    (folder / "templates/sign_in.html").write_text(TEMPLATE)
    (folder / "translations/fr.po").write_text(FRENCH)
    (folder / "static/logo.svg").write_text(LOGO)
    return folder


@pytest.fixture
def themed(gate: MakeGate, theme: Path) -> RunningGate:
    nowhere = "http://127.0.0.1:9"  # only the gate's own pages are asked for
    return gate(nowhere, login=[{"kind": "password"}], pages={"theme": str(theme)})


def test_a_theme_has_its_own_style_template_picture_and_language(
    new_page: MakePage, themed: RunningGate
) -> None:
    page = new_page(locale="fr-FR")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(themed.url("/_sso/sign-in"))

    logo = page.get_by_role("img", name="Harbour Rowing Club")
    assert logo.evaluate("image => image.naturalWidth") == 40
    button = page.get_by_role("button", name="Se connecter")
    expect(button).to_have_css("background-color", "rgb(0, 102, 85)")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    assert [text for text in said if "Content Security Policy" in text] == []


def test_what_a_theme_leaves_out_stays_ours(new_page: MakePage, themed: RunningGate) -> None:
    page = new_page(locale="de-DE")
    page.goto(themed.url("/_sso/signed-out"))

    expect(page.get_by_role("heading")).to_have_text("Sie sind abgemeldet")
