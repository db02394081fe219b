"""The settings of a panel that is described in YAML, and what their texts may hold."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from ssogate.config import HeaderName, Settings
from ssogate.launch.module import ModuleParams

SEARCHED = 65536
"""Bytes of an answer in which a pattern is looked for."""
MOST_REPETITIONS = 4
MOST_TRIES = 2048  # from each place of an answer: about a second of work, even for a hostile one

PLACEHOLDERS = frozenset(
    name for name, value in ModuleParams().as_dict().items() if type(value) in (str, int)
)
"""The text and number fields of `$params`."""
SECRETS = frozenset({"password", "serverpassword", "serveraccesshash"})

_OPAQUE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)  # escapes and classes
_REPEAT = re.compile(r"(?<![()])(?:\?|\{(?:[0-9]{1,4},)?([0-9]{1,4})\})")


def _names(text: str) -> set[str]:
    """Give the placeholders of a text. Raises ValueError."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{error}: write {{{{ and }}}} for braces themselves") from error
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError("a placeholder is a name in braces, such as {username}")
    return {name for _, name, _, _ in parts if name is not None}


def _known(text: str, *more: str) -> str:
    for name in _names(text) - PLACEHOLDERS - {*more}:
        close = get_close_matches(name, PLACEHOLDERS.union(more), 1)
        guess = f"; did you mean {{{close[0]}}}?" if close else ""
        raise ValueError(f"there is no placeholder {{{name}}}{guess}")
    return text


def _path(text: str) -> str:
    literal = "".join(part for part, *_ in Formatter().parse(_known(text)))
    if not re.fullmatch(r"/[!-~]*", text) or {"?", "#"} & set(literal):
        raise ValueError("write a path that begins with /, and its query under `query`")
    return text


def _address(text: str) -> str:
    names = _names(_known(text, "found"))
    if "found" not in names or not re.fullmatch(r"https?://[!-~]+", text):
        raise ValueError("write an address such as https://{serverhostname}/enter?token={found}")
    if names & SECRETS:
        raise ValueError("a password must not stand in the address that a browser opens")
    return text


def _pattern(value: Any) -> re.Pattern[str]:
    """Python's engine knows no time limit, so the pattern must have one in itself: every repetition
    is bounded, and no group is repeated."""
    if not isinstance(value, str) or len(value) > 500:
        raise ValueError("write a pattern of at most 500 characters")
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise ValueError(f"this is no pattern: {error}") from error
    bare = _OPAQUE.sub("x", value)
    if re.search(r"[*+{]|\)\?|\(\?", _REPEAT.sub("", bare)) or re.search(r"\\[1-9]", value):
        raise ValueError(
            "a pattern may repeat only a character or a class, and with a bound: {1,500} in "
            "place of +; it has nothing that begins with (? and refers back to nothing"
        )
    bounds = [int(most or 1) for most in _REPEAT.findall(bare)]
    # Alternatives in a row multiply, too: each of them may be tried with all that follows.
    tries = math.prod(most + 1 for most in bounds) * 2 ** min(bare.count("|"), 64)
    if len(bounds) > MOST_REPETITIONS or tries > MOST_TRIES:
        raise ValueError("the bounds of its repetitions are too large together, or too many")
    if pattern.groups != 1:
        raise ValueError("put what is looked for in one pair of parentheses")
    return pattern


Text = Annotated[str, Field(coerce_numbers_to_str=True), AfterValidator(_known)]
Pattern = Annotated[
    re.Pattern[str], WithJsonSchema({"type": "string", "examples": ['href="([^"]{1,500})"']})
]


class BasicSettings(Settings):
    """HTTP Basic."""

    user: Text
    """The user name, such as `{serverusername}`."""
    password: Text
    """The password, such as `{serverpassword}`."""


class ShortcutSettings(Settings):
    """A page of the panel that people may open at once."""

    app: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")
    """The panel's name of it: what `{app}` stands for."""
    label: str = Field(min_length=1, max_length=80)
    """What people read."""


class RequestSettings(Settings):
    """A request that makes an address, and where the answer has it. In every text, `{username}`,
    `{domain}`, `{serveraccesshash}` and so on stand for WHMCS's `$params`."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    """The request's method."""
    path: Annotated[str, AfterValidator(_path)]
    """The path on the server's panel."""
    query: dict[str, Text] = Field(default_factory=dict)
    """The query, by name."""
    form: dict[str, Text] | None = None
    """A url-encoded form, by name."""
    json_: dict[str, JsonValue] | None = Field(default=None, alias="json")
    """A JSON object, in whose texts values are put."""
    body: Text | None = None
    """Any other body. Values are put in XML if `headers` say that it is XML; in another syntax they
    may hold letters, digits and `._-@:/=` only."""
    headers: dict[HeaderName, Text] = Field(default_factory=dict)
    """Headers, by name."""
    auth: BasicSettings | None = None
    """User and password."""
    success_status: int = Field(default=200, ge=200, le=399)
    """Any other status of the answer is a failure."""
    url_json: str | None = Field(default=None, min_length=1)
    """Where a JSON answer has the address, such as `data.url` or `data.0.url`."""
    url_form: str | None = Field(default=None, min_length=1)
    """Which field of a url-encoded answer is the address, such as `details`."""
    url_regex: Pattern | None = None
    """A pattern whose one group is the address, in the answer's first 64 KiB."""
    url_header: HeaderName | None = None
    """Which header of the answer is the address, such as `Location`."""
    url_template: Annotated[str, AfterValidator(_address)] | None = None
    """The address, if the answer has only a part of it: `https://{serverhostname}/in?t={found}`."""
    error_json: str | None = Field(default=None, min_length=1)
    """Where a JSON answer has words for the visitor, if it fails."""
    error_regex: Pattern | None = None
    """A pattern whose one group is words for the visitor."""

    @property
    def is_xml(self) -> bool:
        """Whether `body` is XML, by its header."""
        return any(
            "xml" in text for name, text in self.headers.items() if name.lower() == "content-type"
        )

    @field_validator("url_regex", "error_regex", mode="before")
    @classmethod
    def _bounded(cls, value: Any) -> re.Pattern[str]:
        return _pattern(value)

    @field_validator("json_")
    @classmethod
    def _filled(cls, value: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        _check(value)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> RequestSettings:
        if sum(body is not None for body in (self.form, self.json_, self.body)) > 1:
            raise ValueError("write one of form, json and body")
        places = (self.url_json, self.url_form, self.url_regex, self.url_header)
        if sum(place is not None for place in places) != 1:
            raise ValueError("write exactly one of url_json, url_form, url_regex and url_header")
        if self.error_json and self.error_regex:
            raise ValueError("write error_json or error_regex, not both")
        return self


def _check(value: JsonValue) -> None:
    match value:
        case str():
            _known(value)
        case dict():
            for below in value.values():
                _check(below)
        case list():
            for below in value:
                _check(below)


class CustomHttpSettings(Settings):
    """A panel with an HTTP interface that makes one-time addresses."""

    kind: Literal["custom_http"]
    """A panel that is described here: what to ask it, and where its answer has the address."""
    display_name: str = Field(min_length=1, max_length=80)
    """The panel's name, for people."""
    port: int = Field(ge=1, le=65535)
    """Of its interface, where a server's record has none of its own."""
    service_label: str = Field(default="Log in to the control panel", min_length=1, max_length=80)
    """What the button of a service says."""
    admin_label: str = Field(default="Log in to the server", min_length=1, max_length=80)
    """What an administrator's button says."""
    service: RequestSettings
    """How a service's user gets in."""
    admin: RequestSettings | None = None
    """How an administrator gets in to the server; without it, nobody does."""
    shortcuts: tuple[ShortcutSettings, ...] = ()
    """Pages of the panel that people may open at once."""
