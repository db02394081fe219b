"""Somebody with a browser without scripts, who answers what the provider asks, and is stopped
wherever the provider sends the browser to another site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from types import MappingProxyType
from urllib.parse import urljoin, urlsplit

import requests

SECONDS = 10
STEPS = 20  # redirects, one after the other
QUESTIONS = 3

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Form:
    action: str
    """An absolute address."""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Stop:
    """Where a browser came to."""

    url: str
    """Another site's address, which was not opened; or that of a page of the provider's."""
    sent: dict[str, str] = field(default_factory=dict)
    """What a form would send there."""
    status: int = 0
    """Of a page of the provider's; 0 if the browser was sent away."""
    text: str = field(default="", repr=False)
    forms: list[Form] = field(default_factory=list)
    seen: tuple[str, ...] = ()
    """What the person was asked on the way: `password`, `consent`."""


@dataclass
class Person:
    """`origin` is the provider's."""

    origin: str
    username: str
    password: str = field(repr=False)
    browser: requests.Session = field(default_factory=requests.Session, repr=False)

    def go(self, url: str) -> Stop:
        """Follow a link, and answer for as long as the provider asks for a password or consent."""
        return self._through(self._follow(self._get(url)))

    def arrive(self, url: str, fields: Mapping[str, str]) -> Stop:
        """Come by a form of another site's page, with which browsers send no cookies (SameSite)."""
        headers = {"Origin": "https://rp.example", "Sec-Fetch-Site": "cross-site"}
        stranger = replace(self, browser=requests.Session())
        return self._through(self._follow(stranger._ask("POST", url, headers, fields)))

    def press(self, stop: Stop) -> Stop:
        """Press the first button of a page's last form, and answer what is asked then."""
        form = stop.forms[-1]
        return self._through(self.send(form, {**form.fields, **dict(form.buttons[:1])}))

    def sign_out(self) -> None:
        """Press the button of the provider's own page."""
        page = self.go(f"{self.origin}/_sso/account")
        (form,) = (form for form in page.forms if form.action.endswith("/sign-out"))
        assert self.send(form, form.fields).status == 200

    def send(self, form: Form, fields: dict[str, str]) -> Stop:
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        return self._follow(self._ask("POST", form.action, headers, fields))

    def _through(self, stop: Stop) -> Stop:
        seen: tuple[str, ...] = ()
        for _ in range(QUESTIONS):
            question = _question(stop)
            if not question:
                return replace(stop, seen=seen)
            kind, form, answer = question
            typed = {"username": self.username, "password": self.password}
            stop = self.send(form, {**form.fields, **(typed if kind == "password" else answer)})
            seen = (*seen, kind)
        raise AssertionError(f"asked on and on: {seen}, {stop.status} {stop.text}")

    def _get(self, url: str) -> requests.Response:
        return self._ask("GET", url, {"Sec-Fetch-Mode": "navigate"})

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] = _NONE
    ) -> requests.Response:
        return self.browser.request(
            method,
            url,
            data=dict(form),
            headers={"Accept": "text/html", **headers},
            allow_redirects=False,
            timeout=SECONDS,
        )

    def _follow(self, response: requests.Response) -> Stop:
        for _ in range(STEPS):
            refresh = response.headers.get("Refresh", "").removeprefix("0; url=")
            onward = response.headers.get("Location") or refresh
            if not onward:
                return self._shown(response)
            url = urljoin(response.url, onward)
            if _origin(url) != self.origin:
                return Stop(url)
            response = self._get(url)
        raise AssertionError(f"led on and on, to {response.url}")

    def _shown(self, response: requests.Response) -> Stop:
        reader = _Reader(response.url)
        reader.feed(response.text)
        for form in reader.forms:
            if _origin(form.action) != self.origin:  # a page with a script that sends it
                return Stop(form.action, form.fields)
        return Stop(response.url, {}, response.status_code, response.text, reader.forms)


def _question(stop: Stop) -> tuple[str, Form, dict[str, str]] | None:
    """Give what a page asks, and what agreeing sends."""
    for form in stop.forms:
        if "password" in form.fields:
            return "password", form, {}
        if agreed := [(name, value) for name, value in form.buttons if value == "allow"]:
            return "consent", form, dict(agreed)
    return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class _Reader(HTMLParser):
    """Finds the forms of a page."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self.forms = url, list[Form]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(urljoin(self._url, has.get("action", ""))))
        elif tag == "input" and self.forms:
            self.forms[-1].fields[has.get("name", "")] = has.get("value", "")
        elif tag == "button" and self.forms:
            self.forms[-1].buttons.append((has.get("name", ""), has.get("value", "")))
