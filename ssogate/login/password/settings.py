"""The settings of the sign-in by password."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssogate.config import Settings
from ssogate.config.values import Name
from ssogate.directory.legacy import LegacySettings
from ssogate.http.languages import msgid


class PasswordSettings(Settings):
    """A user name (or an e-mail address) and a password, typed into the gate's own page."""

    kind: Literal["password"]
    """People have a password, here or in the database of an application behind the gate."""
    name: Name = "password"
    """A short name of this way in: it stands in logs and in people's list of sessions."""
    label: str = msgid("your password")
    """What visitors read of it on pages that offer several ways in."""
    minimum_length: Annotated[int, Field(ge=8, le=128)] = 12
    """How many characters a new password has at least. Old ones go on as they are."""
    sources: tuple[LegacySettings, ...] = ()
    """Databases of applications in which people are looked up whom the gate itself does not know,
    in this order."""
