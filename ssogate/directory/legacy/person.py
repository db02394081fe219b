"""From a row of the app's to a person, or a `ValueError` in words; and what people are called.

Drivers give texts as bytes where columns are binary (MediaWiki's are), numbers as they like, and
truth as a number, a letter or a bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ssogate.names import canonical_email, canonical_name, email_address, visible

REQUIRED = frozenset({"id", "username", "password"})
OPTIONAL = frozenset({"name", "email", "active"})
MAX_ID = 255  # characters

_YES = frozenset({"1", "t", "true", "y", "yes", "\x01"})  # the last is MySQL's BIT(1)


@dataclass(frozen=True, slots=True)
class LegacyUser:
    """A person as the app knows them."""

    external_id: str
    username: str
    name: str = ""
    email: str = ""
    groups: frozenset[str] = frozenset()
    active: bool = True
    password_hash: str = field(default="", repr=False)
    """As the app stores it; empty when it stores none."""


def person(row: Mapping[str, Any]) -> LegacyUser:
    """Read a row that has the `REQUIRED` columns. Raises `ValueError` for whom we cannot name.

    A name or an e-mail that cannot be shown is left out: nobody is shut out for that.
    """
    external_id = as_text(row["id"])
    if not external_id or visible(external_id, MAX_ID) != external_id:
        raise ValueError("the id is empty or begins or ends with a space")
    username = as_text(row["username"])
    canonical_name(username)
    return LegacyUser(
        external_id=external_id,
        username=username,
        name=_name(row.get("name")),
        email=_email(row.get("email")),
        active=_truth(row.get("active", True)),
        password_hash=as_text(row["password"]),
    )


def is_called(found: LegacyUser, name: str) -> bool:
    """Whether `name` is the person's user name or e-mail address, in our one form of each.

    Raises `ValueError` if nobody can be called `name`.
    """
    if canonical_name(found.username) == canonical_name(name):
        return True
    if not found.email or "@" not in name:
        return False
    try:
        return canonical_email(found.email) == canonical_email(name)
    except ValueError:
        return False


def as_text(value: Any) -> str:
    """Give a column's value as text; NULL as none. Raises `ValueError` for bytes that are none."""
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise ValueError("a text of the app is not UTF-8") from None
    return "" if value is None else str(value)


def _truth(value: Any) -> bool:
    """Read what apps write for yes; anything else, `0` and NULL among it, is no."""
    if isinstance(value, str | bytes):
        return as_text(value).strip(" ").lower() in _YES
    return bool(value)


def _name(value: Any) -> str:
    try:
        return visible(as_text(value), 255)
    except ValueError:
        return ""


def _email(value: Any) -> str:
    try:
        return email_address(as_text(value))
    except ValueError:
        return ""
