"""A browser without scripts, for tests of sites that send people to each other.

It keeps cookies, follows redirects and pages that lead on by themselves, and sends forms as they
stand, hidden fields and all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

SECONDS = 10
PAGES = 20  # that may lead on by themselves, one after the other


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    """What is sent whichever button is pressed."""
    buttons: list[tuple[str, str]] = field(default_factory=list)
    """Names and values; without a name, nothing is sent of it."""


@dataclass
class Page:
    """What a browser shows."""

    url: str
    status: int
    text: str
    forms: list[Form]

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def form(self, name: str) -> Form | None:
        """Give the form that has a field of this name."""
        return next((form for form in self.forms if name in form.fields), None)


class Visitor:
    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.headers["Accept"] = "text/html"
        self.passed: list[str] = []
        """Every address so far."""

    def forget(self, host: str) -> None:
        """Drop a host's cookies."""
        for cookie in [it for it in self._session.cookies if it.domain.startswith(host)]:
            self._session.cookies.clear(cookie.domain, cookie.path, cookie.name)

    def get(self, url: str) -> Page:
        return self._arrive(self._session.get(url, timeout=SECONDS))

    def send(self, page: Page, form: Form, button: str = "", **fields: str) -> Page:
        """Press a button of a form: the first, or the one with this value."""
        sent = {**form.fields, **fields}
        pressed = next((b for b in form.buttons if button in (b[1], "")), ("", ""))
        assert not button or pressed[1] == button, f"no {button!r} in {form.buttons}"
        sent |= {pressed[0]: pressed[1]} if pressed[0] else {}
        url = urljoin(page.url, form.action)
        if form.method == "get":
            return self._arrive(self._session.get(url, params=sent, timeout=SECONDS))
        origin = {"Origin": page.origin}
        return self._arrive(self._session.post(url, sent, headers=origin, timeout=SECONDS))

    def _arrive(self, response: requests.Response) -> Page:
        for _ in range(PAGES):
            self.passed += [each.url for each in (*response.history, response)]
            read = _Reader(response.headers.get("Refresh", ""))
            read.feed(response.text)
            if not read.leads_to:
                return Page(response.url, response.status_code, response.text, read.forms)
            to = urljoin(response.url, read.leads_to)
            response = self._session.get(to, timeout=SECONDS)
        raise AssertionError(f"led on and on, to {response.url}")


class _Reader(HTMLParser):
    """Finds the forms of a page, and where it leads by itself."""

    def __init__(self, refresh: str = "") -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.leads_to = _address(refresh)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(has.get("action", ""), has.get("method", "get").lower()))
        elif tag == "meta" and has.get("http-equiv", "").lower() == "refresh":
            self.leads_to = _address(has["content"])
        elif self.forms and tag == "input" and has.get("type") not in ("submit", "button"):
            if has.get("type") not in ("checkbox", "radio") or "checked" in has:
                self.forms[-1].fields[has.get("name", "")] = has.get("value", "")
        elif self.forms and tag in ("button", "input"):
            self.forms[-1].buttons.append((has.get("name", ""), has.get("value", "")))


def _address(refresh: str) -> str:
    """Give where `0; url=…` leads at once."""
    seconds, _, url = refresh.partition(";")
    return url.partition("=")[2].strip(" '\"") if seconds.strip() == "0" else ""
