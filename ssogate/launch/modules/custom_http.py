"""A panel that gateway.yaml describes: the request that makes an address, and where the answer has
it.

Everything that can be wrong is told when the file is read: an unknown `{placeholder}`, a pattern
that could run for long. A value goes into the request encoded for its place, or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import escape
from string import Formatter
from typing import Any
from urllib.parse import quote, urljoin

from ssogate.launch.module import (
    Answer,
    LaunchResult,
    Metadata,
    ModuleParams,
    Panel,
    PanelError,
    Shortcut,
)
from ssogate.launch.modules.answers import refused
from ssogate.launch.modules.custom_http_settings import (
    SEARCHED,
    SECRETS,
    CustomHttpSettings,
    RequestSettings,
)

__all__ = ["CustomHttp", "CustomHttpSettings"]

Encode = Callable[[str], str]
"""Gives a value as it stands in one kind of place. Raises ValueError if it cannot stand there."""

_NEEDED = SECRETS | {"username", "serverusername"}
"""What never stands empty where it is asked for."""
_USER = re.compile(r"[^\s:|]*")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@:/=")


class CustomHttp:
    """The module that `settings` describe."""

    def __init__(self, settings: CustomHttpSettings) -> None:
        self._service, self._admin = settings.service, settings.admin
        self.metadata = Metadata(
            settings.display_name,
            settings.port,
            settings.port,
            service_label=settings.service_label,
            admin_label=settings.admin_label,
            shortcuts=tuple(Shortcut(page.app, page.label) for page in settings.shortcuts),
        )

    def service_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        return _launched(self._service, params, panel)

    def admin_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        if self._admin is None:
            raise NotImplementedError
        return _launched(self._admin, params, panel)


def _launched(request: RequestSettings, params: ModuleParams, panel: Panel) -> LaunchResult:
    fill = _Filler(params)
    answer = _sent(request, fill, panel)
    found = _found(request, answer) if answer.status == request.success_status else ""
    if not found:
        words = _error(request, answer)
        if not words:
            raise PanelError(f"no address in the answer (status {answer.status})")
        return refused(words, params)
    if request.url_template:
        return LaunchResult(True, fill(request.url_template, _in_url, found=found))
    if found.startswith("/"):
        found = urljoin(panel.url("/"), found)
    return LaunchResult(True, found)


class _Filler:
    """Puts the values of `$params` in the place of their names."""

    def __init__(self, params: ModuleParams) -> None:
        self._values = {name: str(value) for name, value in params.as_dict().items()}

    def __call__(self, text: str, encode: Encode = str, **more: str) -> str:
        """Raises `PanelError` that names what cannot stand there, and never shows its value."""
        values = self._values | more
        parts = []
        for literal, name, _, _ in Formatter().parse(text):
            try:
                if (
                    name and name in _NEEDED and not values[name]
                ):  # another's name stands there then
                    raise ValueError("is empty")
                parts.append(literal + (encode(values[name]) if name else ""))
            except ValueError as error:
                raise PanelError(f"{{{name}}} {error}") from None
        return "".join(parts)

    def all(self, texts: Mapping[str, str], encode: Encode = str) -> dict[str, str]:
        return {name: self(text, encode) for name, text in texts.items()}

    def tree(self, value: Any) -> Any:
        """Fill each text of what is to be JSON."""
        match value:
            case str():
                return self(value)
            case dict():
                return {name: self.tree(below) for name, below in value.items()}
            case list():
                return [self.tree(below) for below in value]
        return value


def _sent(request: RequestSettings, fill: _Filler, panel: Panel) -> Answer:
    headers = fill.all(request.headers, _in_header)
    body = None
    if request.json_ is not None:
        headers = {"Content-Type": "application/json", **headers}
        body = json.dumps(fill.tree(request.json_)).encode()
    elif request.body is not None:
        body = fill(request.body, _in_xml if request.is_xml else _in_text).encode()
    auth = request.auth
    return panel.ask(
        request.method,
        _path(request, fill),
        query=fill.all(request.query) or None,
        form=None if request.form is None else fill.all(request.form),
        body=body,
        headers=headers or None,
        auth=(fill(auth.user, _in_user), fill(auth.password, _printable)) if auth else None,
    )


def _path(request: RequestSettings, fill: _Filler) -> str:
    path = fill(request.path, _in_path)
    if {".", ".."}.intersection(path.split("/")):
        raise PanelError("a value would lead to another path")
    return path


def _in_path(value: str) -> str:
    if not value:
        raise ValueError("is empty and stands in the path")  # /users//login is another page
    return _in_url(value)


def _in_url(value: str) -> str:
    return quote(value, safe="")


def _in_header(value: str) -> str:
    if not value.isascii():
        raise ValueError("cannot stand in a header")
    return _printable(value)


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("holds control characters")
    return value


def _in_user(value: str) -> str:
    """RFC 7617, section 2, has no colon; and panels let `admin|user` speak for a user."""
    if not (value.isprintable() and _USER.fullmatch(value)):
        raise ValueError("cannot be a user of HTTP Basic")
    return value


def _in_xml(value: str) -> str:
    return escape(_printable(value))


def _in_text(value: str) -> str:
    """Nobody knows this text's syntax, so nothing goes in that could mean anything in any."""
    if not _PLAIN.issuperset(value):
        raise ValueError("holds characters that cannot stand in this body")
    return value


def _found(request: RequestSettings, answer: Answer) -> str:
    if request.url_json:
        return _at(answer.json(), request.url_json)
    if request.url_form:
        return answer.form().get(request.url_form, "")
    if request.url_header:
        return answer.headers.get(request.url_header.lower(), "")
    return _matched(request.url_regex, answer)


def _error(request: RequestSettings, answer: Answer) -> str:
    """Give the panel's own words for the visitor, if it has any."""
    if not request.error_json:
        return _matched(request.error_regex, answer)
    try:
        return _at(answer.json(), request.error_json)
    except PanelError:
        return ""


def _matched(pattern: Any, answer: Answer) -> str:
    found = pattern.search(answer.body[:SEARCHED].decode("utf-8", "replace")) if pattern else None
    return found[1] or "" if found else ""


def _at(value: Any, path: str) -> str:
    """Give the text or number at `data.0.url`; nothing if there is none."""
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
