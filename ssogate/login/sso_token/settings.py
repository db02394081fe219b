"""The settings of the sign-in by one-time token."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ssogate.config import Settings
from ssogate.config.values import Name
from ssogate.directory.destinations import Destinations


class SsoTokenSettings(Settings):
    """Programs make one-time tokens by the API or by an OAuth client, and send people here."""

    kind: Literal["sso_token"]
    """People come by a one-time token that a program has asked the gate for, as of WHMCS."""
    name: Name = "sso_token"
    """A short name of this way in: it stands in logs and in people's list of sessions."""
    label: str = "a one-time link"
    """What people read of it in their list of sessions."""
    base: str = "/"
    """The path of the client area: what stands in WHMCS's folder."""
    destinations: dict[str, str] = Field(default_factory=dict)
    """Other targets than WHMCS's by scope, such as `clientarea:profile: /profile`: a path of this
    site, or one relative to `base`, with `{service_id}` or `{domain_id}` where the scope has it."""
    satisfies_second_factor: bool = False
    """Whether a token is as good as two factors. If not, a user who has set up a second factor here
    is asked for it after the link."""

    @model_validator(mode="after")
    def _consistent(self) -> SsoTokenSettings:
        Destinations(self.base, self.destinations)
        return self
