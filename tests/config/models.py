"""Settings of every shape that rooms use, for the tests of this room."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ssogate.config import Duration, HeaderName, HostPattern, Network, Secret, Settings, Size, Url


class Link(Settings):
    """People who come by a link."""

    kind: Literal["signed_link"]
    secret: Secret
    """Signs the links."""
    expiry: Duration = 300.0
    """How old a link may be."""
    domains: tuple[HostPattern, ...] = ()


class Password(Settings):
    kind: Literal["password"]
    password: str = Field(default="x", min_length=1, max_length=8)
    """Stands for a key that has the name of its own tag."""
    enabled: bool = True


class Route(Settings):
    to: Url
    max_body: Size = 10 * 2**20
    headers: dict[HeaderName, str] = Field(default_factory=dict)
    between: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Route:
        if self.between and self.between[0] > self.between[1]:
            raise ValueError("write the smaller number first")
        return self


class Gate(Settings):
    """All of it."""

    public_url: Url
    """Where visitors find the gate."""
    login: tuple[Annotated[Link | Password, Field(discriminator="kind")], ...] = ()
    routes: dict[str, Route] = Field(default_factory=dict)
    trusted_proxies: tuple[Network, ...] = ()
    mode: Literal["proxy", "wrap"] = "proxy"
    names: str | list[str] = "x"
    fallback: Route | None = None
    workers: int = Field(default=1, ge=1, le=64)
    ratio: float = 0.5
    groups: frozenset[str] = Field(default=frozenset(), max_length=2)
