"""What may stand in a policy file, and in `policy:` of gateway.yaml.

Strategy: each text becomes its strong type while it is validated, so that a mistake is told with
the line on which it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)

from ssogate.config import HostPattern, Network, Settings
from ssogate.http.target import METHOD
from ssogate.model import Address
from ssogate.names import canonical_name, group_name
from ssogate.policy.compile import Case
from ssogate.policy.pattern import UNPRINTABLE, Pattern, parse_pattern

MAX_RULE_NAME = 100  # characters; it stands in every log line of a refusal

_REQUEST = re.compile(r"(?P<method>[A-Z][A-Z0-9_\-]*) (?:https?://(?P<host>[^/?]+))?(?P<raw>.*)")


class PolicySettings(Settings):
    """Where the rules stand and how paths are compared."""

    files: str = "policies/*.yaml"
    """Which files hold rules, relative to gateway.yaml. They are read in the order of their
    names."""
    case: Case = "sensitive"
    """`ignore` for an app on a case-insensitive file system: `/Staff` is then `/staff`, dots and
    spaces at a segment's end are absent, and short names (`staff~1`) are denied."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("write text: put it in quotes")
    return value


def _pattern(value: Any) -> Pattern:
    return parse_pattern(_text(value))


def _method(value: Any) -> str:
    text = _text(value)
    if not METHOD.fullmatch(text):
        raise ValueError("methods are written in capitals, as in [GET, POST]")
    return text


def _address(value: Any) -> Address:
    try:
        return ip_address(_text(value))
    except ValueError:
        raise ValueError("this is no address; write 192.0.2.7 or ::1") from None


def _group(value: Any) -> str:
    return group_name(_text(value))


def _rule_name(value: Any) -> str:
    text = _text(value)
    if not text or text != text.strip() or len(text) > MAX_RULE_NAME or UNPRINTABLE.search(text):
        raise ValueError(f"a rule's name is one line of 1 to {MAX_RULE_NAME} characters")
    return text


def _user(value: Any) -> str:
    return canonical_name(_text(value))


def _listed(value: Any) -> Any:
    """One thing may be written without brackets; none at all is a slip, not a meaning."""
    if value is None or value == []:
        raise ValueError("nothing is listed here; name something, or leave the key out")
    return value if isinstance(value, list) else [value]


_Many = BeforeValidator(_listed)
_SCHEMA = WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1})
_STRING = WithJsonSchema({"type": "string"})

GroupName = Annotated[str, PlainValidator(_group), _STRING]
UserName = Annotated[str, PlainValidator(_user), _STRING]
Groups = Annotated[tuple[GroupName, ...], _Many, _SCHEMA]
Users = Annotated[tuple[UserName, ...], _Many, _SCHEMA]
Paths = Annotated[tuple[Annotated[Pattern, PlainValidator(_pattern)], ...], _Many, _SCHEMA]
Hosts = Annotated[tuple[HostPattern, ...], _Many, _SCHEMA]
Methods = Annotated[tuple[Annotated[str, PlainValidator(_method)], ...], _Many, _SCHEMA]
Networks = Annotated[tuple[Network, ...], _Many, _SCHEMA]


class Listed(Settings):
    """People who are let through: members of any of the groups, and any of the users."""

    groups: Groups = ()
    """Groups, compared exactly. Being in one of them is enough."""
    users: Users = ()
    """User names, compared without regard to case."""

    @model_validator(mode="after")
    def _names_somebody(self) -> Listed:
        if not self.groups and not self.users:
            raise ValueError("name groups or users; `allow: nobody` closes a page")
        return self


def _shape(value: Any) -> str:
    return "listed" if isinstance(value, dict | Settings) else "word"


def _known_word(value: Any) -> Any:
    if isinstance(value, dict | Listed) or value in ("public", "signed_in", "nobody"):
        return value
    raise ValueError("write public, signed_in, nobody or {groups: [staff], users: [sue]}")


Word = Annotated[Literal["public", "signed_in", "nobody"], Tag("word")]
Allow = Annotated[
    Word | Annotated[Listed, Tag("listed")], Discriminator(_shape), BeforeValidator(_known_word)
]


class RuleSettings(Settings):
    """One rule. The first that matches a request decides it."""

    name: Annotated[str, PlainValidator(_rule_name), _STRING]
    """Unique; it stands in the log and in `ssogate explain`."""
    path: Paths
    """One or several: `/exact`, `/one/*/segment`, `/pre*suf`, `/tree/**` (which is `/tree` as
    well)."""
    allow: Allow
    """`public`, `signed_in`, `nobody`, or `{groups: […], users: […]}`, of which one suffices."""
    host: Hosts = ()
    """A host, or `*.example.com` for all below one; any host, if not given."""
    methods: Methods = ()
    """Methods in capitals; `GET` means `HEAD` as well; any method, if not given."""
    networks: Networks = ()
    """Addresses and networks where the visitor must be besides: from elsewhere the rule denies.
    Anywhere, if not given."""


class Visitor(Settings):
    """Who makes a test's request."""

    user: UserName
    """A user name; it need not exist."""
    groups: Groups = ()
    """The groups that the user is in, for this test."""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """An expectation's request, taken apart."""

    text: str
    method: str
    host: str
    raw: str


def _request(value: Any) -> RequestLine:
    found = _REQUEST.fullmatch(_text(value))
    if not found or not (found["host"] or found["raw"].startswith("/")):
        raise ValueError("write a method and a path or URL, as in GET /staff/rota")
    raw = found["raw"] if found["raw"].startswith("/") else "/" + found["raw"]
    return RequestLine(found[0], found["method"], found["host"] or "", raw)


class Expectation(Settings):
    """One request and what must come of it: an entry of `tests:`, run whenever rules are loaded."""

    request: Annotated[RequestLine, PlainValidator(_request), _STRING]
    """A method and a path, or the whole URL where rules name hosts."""
    who: Annotated[
        Annotated[Literal["anonymous"], Tag("word")] | Annotated[Visitor, Tag("listed")],
        Discriminator(_shape),
    ] = Field(default="anonymous", alias="as")
    """Who asks: `anonymous`, or `{user: john, groups: [members]}`."""
    address: Annotated[Address | None, PlainValidator(_address), _STRING] = Field(
        default=None, alias="from"
    )
    """The visitor's address. Without it the visitor is in no network."""
    expect: Literal["allow", "challenge", "deny"]
    """What must come of it. An address that the gate refuses before any rule counts as `deny`."""
    rule: Annotated[str | None, PlainValidator(_rule_name), _STRING] = None
    """The name of the rule that must have decided; any, if not given."""


class PolicyFile(Settings):
    """A file of rules. What no rule matches is denied."""

    rules: tuple[RuleSettings, ...] = ()
    """The first rule that matches a request decides it, counted through all files."""
    tests: tuple[Expectation, ...] = ()
    """What the rules must mean. Rules that fail a test are not used."""
