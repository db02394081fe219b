"""What each kind of row may say, and how its fields are read: one table, strict, in plain words.

A parser takes what a file holds (a CSV's text, or a JSON or YAML value) and gives the directory's
own type. Its `ValueError` never repeats a value: it may be a secret in the wrong column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from ssogate.crypto import readable_hash
from ssogate.directory import fields as rules
from ssogate.model import Access, AccountStatus, DomainStatus, Permission, ServiceStatus
from ssogate.names import canonical_email, canonical_name, visible

MAX_SECRET = 8192  # characters; an access hash of WHM has a thousand
MAX_LIST = 1000  # entries; nobody is in more groups

Parser = Callable[[Any], Any]

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _plain(value: object) -> str:
    """Read text; nothing is the empty text, and a number is its digits."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError("write text: put it in quotes")
    if not value.isascii() and _SURROGATE.search(value):
        raise ValueError("this is not UTF-8 text")
    return value


_SURROGATE = re.compile("[\ud800-\udfff]")


def _words(value: object) -> str:
    return visible(_plain(value), rules.MAX_TEXT)


def _name(value: object) -> str:
    """Read what names something elsewhere, where every space counts."""
    if _words(value) != (name := _plain(value)):
        raise ValueError("must not begin or end with a space")
    return name


def _filled(parser: Parser) -> Parser:
    def parse(value: object) -> Any:
        if not (found := parser(value)):
            raise ValueError("must not be empty")
        return found

    return parse


def _unless_empty(parser: Parser) -> Parser:
    return lambda value: parser(_plain(value)) if _plain(value) else ""


def _by(rule: Parser, words: str) -> Parser:
    """Read by a rule of the directory, whose own words would show the value."""

    def parse(value: object) -> Any:
        try:
            return rule(_plain(value))
        except ValueError:
            raise ValueError(words) from None

    return parse


def _truth(value: object) -> bool:
    """Read yes or no. Nothing is neither: some programs write their "no" that way, some "yes"."""
    found = value if isinstance(value, bool) else _TRUTHS.get(_plain(value).lower())
    if found is None:
        raise ValueError("write true or false")
    return found


def _username(value: object) -> str:
    canonical_name(name := _plain(value))
    return name


def _email(address: str) -> str:
    canonical_email(address)
    return address


def _listed(value: object) -> list[str]:
    """Read `a,b`, or a list."""
    listed = value if isinstance(value, list) else _plain(value).split(",")
    if len(listed) > MAX_LIST:
        raise ValueError(f"holds more than {MAX_LIST} entries")
    return [word for entry in listed if (word := _words(entry))]


def _groups(value: object) -> frozenset[str]:
    return rules.groups(_listed(value))


def _hosts(value: object) -> tuple[str, ...]:
    try:
        return rules.hosts(_listed(value))
    except ValueError:
        words = f"write 1 to {rules.MAX_HOSTS} host names, such as web1.example.com"
        raise ValueError(words) from None


def _one_of(words: type[StrEnum]) -> Parser:
    """Read one of an enumeration's words; case does not count."""
    known = {word.lower(): word for word in words}

    def parse(value: object) -> StrEnum:
        found = known.get(_plain(value).lower())
        if found is None:
            raise ValueError(f"write one of: {', '.join(words)}")
        return found

    return parse


_permission = _one_of(Permission)
_module = _by(
    rules.module, "write the module's name in 1 to 32 small letters, digits, _ and -, as cpanel"
)
_domain = _by(rules.domain, "this is no domain name")


def _permissions(value: object) -> frozenset[Permission]:
    return frozenset(map(_permission, _listed(value)))


def _port(value: object) -> int | None:
    digits = _plain(value)
    if digits and not (digits.isascii() and digits.isdecimal() and len(digits) <= 5):
        raise ValueError("write a port from 1 to 65535, or nothing for the module's own")
    return rules.port(int(digits) if digits else None)


def _secret(value: object) -> str:
    secret = _plain(value)
    if len(secret) > MAX_SECRET or "\0" in secret:
        raise ValueError(f"write text of at most {MAX_SECRET} characters, without zero bytes")
    return secret


def _hash(value: object) -> str:
    stored = _secret(value)
    if stored:
        readable_hash(stored)
    return stored


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of row."""

    fields: Mapping[str, Parser]
    key: tuple[str, ...] = ("id",)
    """What every row must give: the record's name."""
    new: tuple[str, ...] = ()
    """What a record that is not known yet must be given besides."""
    secrets: tuple[str, ...] = ()
    """Fields that are kept sealed. An empty one, as of a password hash, leaves the stored one."""
    types: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """What makes a field's own type of what JSON keeps of it, where that is another."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """What to say to somebody who gives a field that there cannot be."""


_ID = _filled(_name)
_EMAIL = _unless_empty(_by(_email, "an e-mail address is a name, one @ and a domain"))

# In the order in which they are stored: what is referred to comes first.
KINDS: Mapping[str, Kind] = {
    "users": Kind(
        {
            "id": _ID,
            "username": _username,
            "name": _words,
            "email": _EMAIL,
            "groups": _groups,
            "active": _truth,
            "password_hash": _hash,
        },
        new=("username",),
        types={"groups": frozenset},
        hints={
            "password": "a user's password is not taken as plain text: give `password_hash`"
            " (argon2id, bcrypt, phpass, ...), or set it by `ssogate user password`"
        },
    ),
    "accounts": Kind(
        {
            "id": _ID,
            "company": _filled(_words),
            "email": _EMAIL,
            "status": _one_of(AccountStatus),
            "allow_single_sign_on": _truth,
        },
        new=("company",),
        types={"status": AccountStatus},
    ),
    "members": Kind(
        {"account": _ID, "user": _ID, "owner": _truth, "permissions": _permissions},
        key=("account", "user"),
        types={"permissions": _permissions},
    ),
    "servers": Kind(
        {
            "id": _ID,
            "name": _filled(_name),
            "module": _module,
            "hosts": _hosts,
            "port": _port,
            "secure": _truth,
            "username": _name,
            "password": _secret,
            "access_hash": _secret,
            "owner": _name,
            "access": _one_of(Access),
            "role_groups": _groups,
        },
        new=("name", "module", "hosts"),
        secrets=("password", "access_hash"),
        types={"hosts": tuple, "access": Access, "role_groups": frozenset},
    ),
    "services": Kind(
        {
            "id": _ID,
            "account": _ID,
            "product": _filled(_words),
            "module": _unless_empty(_module),
            "server": _name,
            "domain": _unless_empty(_domain),
            "username": _name,
            "password": _secret,
            "owner": _name,
            "status": _one_of(ServiceStatus),
        },
        new=("account", "product"),
        secrets=("password",),
        types={"status": ServiceStatus},
    ),
    "domains": Kind(
        {"id": _ID, "account": _ID, "name": _domain, "status": _one_of(DomainStatus)},
        new=("account", "name"),
        types={"status": DomainStatus},
    ),
    "administrators": Kind(
        {"user": _ID, "role_groups": _groups}, key=("user",), types={"role_groups": frozenset}
    ),
}


def parsed(kind: Kind, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Give the fields that are good, and for each that is not its name and what is wrong."""
    good: dict[str, Any] = {}
    bad = [(name, "is missing") for name in kind.key if name not in given]
    for name, value in given.items():
        if name not in kind.fields:
            bad.append((name[:60], unknown("field", name, kind.fields, kind.hints)))
            continue
        try:
            good[name] = kind.fields[name](value)
        except ValueError as error:
            bad.append((name, str(error)))
    return good, bad


def kept(fields: Mapping[str, Any]) -> str:
    """Give parsed fields as JSON, for `restored`."""
    return json.dumps(fields, default=sorted)  # of the types here, JSON lacks sets only


def restored(kind: Kind, kept: str) -> dict[str, Any]:
    """Give the fields that were kept, as they were parsed."""
    fields: dict[str, Any] = json.loads(kept)
    for name in fields.keys() & kind.types.keys():
        fields[name] = kind.types[name](fields[name])
    return fields


def unknown(
    what: str, word: str, known: Collection[str], hints: Mapping[str, str] | None = None
) -> str:
    """Say that there is no such word, and which one may have been meant."""
    if hints and word in hints:
        return hints[word]
    close = get_close_matches(word, known, n=1)
    guess = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return f"there is no {what} {word[:60]!r}: {guess}"
