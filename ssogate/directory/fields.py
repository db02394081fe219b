"""What may stand in the directory's records. Refused is told in words, with the field's name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeVar

from ssogate.names import canonical_email, domain_name, group_name, visible

MAX_TEXT = 255  # characters
MAX_HOSTS = 20  # of one server

_MODULE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
# Browsers read a host whose last label is a number as an IPv4 address (WHATWG URL, section 3.5).
_NUMBER_LAST = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")

W = TypeVar("W", bound=StrEnum)
V = TypeVar("V")


def text(field: str, value: str, *, needed: bool = False) -> str:
    """Give words for people, without white space around them."""
    shown = _named(field, lambda: visible(value, MAX_TEXT))
    if needed and not shown:
        raise ValueError(f"{field}: must not be empty")
    return shown


def exact(field: str, value: str, *, needed: bool = False) -> str:
    """Give `value` back if it can name something to other programs: they see every space."""
    if text(field, value, needed=needed) != value:
        raise ValueError(f"{field}: must not begin or end with a space")
    return value


def email(value: str) -> str:
    """Give an e-mail address back, or none."""
    if value:
        _named("email", lambda: canonical_email(value))
    return value


def module(value: str) -> str:
    if not _MODULE.fullmatch(value):
        raise ValueError(
            f"module: {value[:80]!a} is not 1 to 32 small letters, digits, _ and -, such as cpanel"
        )
    return value


def domain(value: str) -> str:
    """Give a domain name in A-labels."""
    return _named("domain", lambda: domain_name(value))


def hosts(values: Iterable[str]) -> tuple[str, ...]:
    """Give host names, or IPv4 addresses in their usual form, each once."""
    names = tuple(dict.fromkeys(map(_host, values)))
    if not 0 < len(names) <= MAX_HOSTS:
        raise ValueError(f"hosts: a server has from 1 to {MAX_HOSTS} host names")
    return names


def port(value: int | None) -> int | None:
    if value is not None and not 0 < value < 2**16:
        raise ValueError("port: is a number from 1 to 65535")
    return value


def groups(values: Iterable[str]) -> frozenset[str]:
    return frozenset(map(group_name, values))


def word(kind: type[W], value: str) -> W:
    """Give the one of `kind` that is written so."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise ValueError(f"{value[:80]!a} is none of: {known}") from None


def _host(value: str) -> str:
    name = _named("hosts", lambda: domain_name(value))
    if _NUMBER_LAST.fullmatch(name):
        _named("hosts", lambda: ipaddress.IPv4Address(name))
    return name


def _named(field: str, checked: Callable[[], V]) -> V:
    try:
        return checked()
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
