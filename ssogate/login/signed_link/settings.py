"""The settings of the guide's section 1 (seed 004), and what several senders must obey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ssogate.config import Duration, HostPattern, Secret, Settings, Url
from ssogate.config.net import url as read_url
from ssogate.config.values import Name
from ssogate.http.redirects import local_path
from ssogate.names import group_name

MIN_SECRET, SHORT_SECRET = 16, 32  # characters: refused below the one, warned of below the other

Path = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~\-]+(/[A-Za-z0-9._~\-]+)*$")]


class SignedLinkSettings(Settings):
    """A sender: a site where people have an account, and which signs links to this one."""

    kind: Literal["signed_link"]
    """People come by a link that another site has signed."""
    name: Name
    """A short name of the sender: it stands in logs, and owns the users that it creates."""
    label: str = ""
    """What visitors read on the button of the sign-in page; the `name` if not given."""
    path: Path = "/sso.php"
    """The path of the sender's links at the gate. Every sender has its own."""
    enabled: bool = True
    """Off, every link of this sender is refused with the code 503E1."""
    secrets: Annotated[tuple[Secret, ...], Field(min_length=1, max_length=8)]
    """One to eight, newest first, each of 32 characters or more (with fewer than 16 the gate does
    not start). Links signed with any of them are taken."""
    algorithm: Literal["sha256", "hmac-sha256"] = "sha256"
    """How links are signed: `sha256` of the text and the secret, as PHPKB does, or `hmac-sha256`,
    which is better where the sender can do it."""
    allowed_domains: tuple[HostPattern, ...] = ()
    """Hosts that a link may be followed from, `*.example.com` for all below one; any, if not
    given."""
    missing_referrer: Literal["refuse", "allow"] = "refuse"
    """What to do when there are `allowed_domains` and the browser does not say where it was."""
    return_url: Url | None = None
    """The sender's page for signing in. Visitors are sent there with `redirect=…`, which the link
    must hand back. Without it, visitors are told to find the link themselves."""
    verify_timestamp: bool = True
    """Require `t`, the time of signing. Off, links never expire."""
    expiry: Duration = 300.0
    """How long a link is good for after its `t`."""
    clock_skew: Duration = 60.0
    """How far `t` may be ahead of our clock."""
    single_use: bool = True
    """A link opens one session and no second one. Works with `verify_timestamp` only."""
    auto_create: bool = False
    """Add a user whom the gate does not know yet, at the first valid link."""
    update_existing: bool = True
    """Take a known user's name, e-mail and groups from the link."""
    shared_users: bool = False
    """Let this sender sign in users that another sender created."""
    satisfies_second_factor: bool = False
    """Whether a link is as good as two factors. If not, a user who has set up a second factor here
    is asked for it after the link."""
    default_groups: tuple[str, ...] = ()
    """Groups that a new user gets, besides the ones in the link. A later link that carries groups
    replaces all of them."""
    groups_allowed: tuple[str, ...] | None = None
    """Groups that a link may give; if not given, the ones that policies name."""
    redirects: dict[Name, str] = Field(default_factory=dict)
    """`redirecttype` to a path with `{id}`, such as `article: /article.php?id={id}`."""
    default_page: str = "/"
    """The path that a link without a redirect leads to."""
    logout_url: str | None = None
    """Where a visitor goes after signing out, a path or a URL; a page of the gate, if not given."""

    @field_validator("default_groups", "groups_allowed")
    @classmethod
    def _group_names(cls, groups: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if groups is None else tuple(map(group_name, groups))

    @field_validator("redirects")
    @classmethod
    def _templates(cls, redirects: dict[str, str]) -> dict[str, str]:
        for template in redirects.values():
            if template.count("{id}") != 1 or local_path(template.replace("{id}", "1")) is None:
                raise ValueError(f"{template!r}: write a path of this site with one {{id}} in it")
        return redirects

    @field_validator("default_page")
    @classmethod
    def _local(cls, path: str) -> str:
        if local_path(path) is None:
            raise ValueError("write a path of this site, such as /")
        return path

    @field_validator("logout_url")
    @classmethod
    def _local_or_url(cls, url: str | None) -> str | None:
        if url is None or url.startswith("/"):
            return cls._local(url) if url else None
        return read_url(url)

    @model_validator(mode="after")
    def _consistent(self) -> SignedLinkSettings:
        for secret in self.secrets:
            if len(secret.bytes) < MIN_SECRET:
                raise ValueError(f"a secret is shorter than {MIN_SECRET} characters")
        if not 1 <= self.expiry <= 86400:
            raise ValueError("expiry: write 1s to 24h")
        if self.clock_skew > 600:
            raise ValueError("clock_skew: write at most 10m, and set the clocks right")
        return self


def link_problems(senders: Iterable[SignedLinkSettings]) -> Iterator[tuple[str, bool]]:
    """Judge senders beside one another; gives problems, each with whether it is only a warning.

    With a plain digest of text and secret, a link for a secret that ends in another one is also a
    link, with a longer text, for that other: links would move between senders.
    """
    senders = tuple(senders)
    secrets = [(sender.name, secret.bytes) for sender in senders for secret in sender.secrets]
    for (name, secret), (other, longer) in permutations(secrets, 2):
        if longer.endswith(secret):
            yield f"a secret of {name!r} is the end of one of {other!r}: make a new one", False
    for sender in senders:
        if min(len(secret.bytes) for secret in sender.secrets) < SHORT_SECRET:
            yield f"{sender.name}: a secret is shorter than {SHORT_SECRET} characters", True
        if not sender.verify_timestamp:
            yield f"{sender.name}: verify_timestamp is off: a link seen once works for ever", True
