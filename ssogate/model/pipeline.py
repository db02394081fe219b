"""What a request becomes on its way: target, session, decision, and what endpoints answer.

Unverified and verified things have different types. `Target` is built only by
`http.target.parse_target`, `LocalPath` only by `http.redirects.local_path`; whoever holds one
need not check it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ssogate.model.directory import Identity, User

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

Clock = Callable[[], float]
"""Seconds since the epoch; an argument wherever time matters, so that tests need no patching."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for, in the one spelling that is judged and sent on."""

    method: str
    host: str
    """Lower case, without a port."""
    path: str
    """Percent-encoded, canonical: byte for byte what an upstream is sent."""
    path_info: str
    """`path` decoded, as Unicode text."""
    query: str
    """Raw, without the question mark."""
    readings: tuple[tuple[str, ...], ...]
    """The decoded segments. More than one tuple where servers read the path differently
    (`;parameters`, an encoded slash that a route lets through): the strictest reading decides."""


@dataclass(frozen=True, slots=True)
class LocalPath:
    """A path of this site, with its query: safe to redirect to."""

    text: str


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What is stored of a session. All times are Unix seconds."""

    key: str
    """SHA-256 of the cookie's token, in hex; the token itself is stored nowhere."""
    subject: str
    method: str
    """The name of the login method, or of the legacy source that was asked."""
    proof: str
    """The one-time key that opened the session; empty when there was none."""
    opened_at: int
    seen_at: int
    expires_at: int
    """The absolute end; the idle limit is judged from `seen_at`."""


@dataclass(frozen=True, slots=True)
class Session:
    """A live session: its record and who it belongs to, now."""

    record: SessionRecord
    identity: Identity
    token: str = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a verified login method says of a person. Not yet a user."""

    username: str
    name: str
    email: str
    groups: frozenset[str] | None = None
    """None: nothing was said about groups, so known ones stay."""
    external_id: str = ""
    """What the source calls the person; empty if it has no such name."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """How an assertion may become a user."""

    source: str
    create: bool = False
    update: bool = True
    shared: bool = False
    """Whether users that another source created may sign in by this one."""
    default_groups: frozenset[str] = frozenset()
    administrators: bool = False
    """Whether administrators may sign in by it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A value that opens one session and no second one."""

    key: str
    until: int
    """Unix seconds after which the value would be refused as too old anyway."""
    dies_with_boot: bool = False
    """Whether it is void as soon as the store's `boot` is another."""


class Outcome(Enum):
    """What a policy says of a request."""

    ALLOW = "allow"
    CHALLENGE = "challenge"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome, the rule that gave it, and why in plain words (safe to show a visitor)."""

    outcome: Outcome
    rule: str
    reason: str = ""
    everyone: bool = False
    """Whether everybody gets this outcome, wherever they are: the answer may be shared."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A login method's verdict: this person may come in. `Endpoints` turns it into a session."""

    method: str
    assertion: Assertion
    enrolment: Enrolment
    return_to: LocalPath
    proof: Proof | None = None
    complete: bool = False
    """Whether a user's second factor is satisfied, too. If not, and the user has one, what comes
    next is not a session but the page that asks for it."""
    still: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    """A last look, inside the transaction that opens the session: raises a `GateError` if what was
    verified before is not true any more."""
    step: str = field(default="", repr=False)
    """The token of the `Step` that this sign-in completes and uses up."""
    device: str = field(default="", repr=False)
    """A token by which the browser is to be known again as one that its user has signed in with."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whom a sign-in speaks of, and whether the second factor is still to come."""

    identity: Identity
    owes_second_factor: bool


STEP = "second_factor"
"""The kind of the tickets that stand for a `Step`."""


@dataclass(frozen=True, slots=True)
class Step:
    """A sign-in that still owes the second factor: its secret, and when it is too late."""

    token: str = field(repr=False)
    until: int


@dataclass(frozen=True, slots=True)
class AllOf:
    """All sessions of the user of this name, if the enrolment's source may act for the user."""

    username: str
    enrolment: Enrolment


@dataclass(frozen=True, slots=True)
class Listed:
    """Sessions of one user, by the keys of their records."""

    subject: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class SignOut:
    """End sessions, then reply: the visitor's own one if nothing else is said."""

    reply: Response
    sessions: AllOf | Listed | None = None


Reply: TypeAlias = "Response | LocalPath | SignIn | SignOut"
"""What an endpoint answers; a `LocalPath` is where the visitor is sent on to."""

Endpoint: TypeAlias = "Callable[[Request], Reply | None]"
"""What answers one of the gate's own addresses: it returns data and touches no session. At an
address that is the gated app's, too, None means that the request is the app's, as it came."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opens a page, and by which session: as it is in the store at this moment."""

    user: User
    session: Session


PersonalPage: TypeAlias = "Callable[[Request, Visitor], Reply]"
"""A page for people who are signed in."""


class LoginMethod(Protocol):
    """A way in that has addresses of its own and ends in a `SignIn`."""

    @property
    def label(self) -> str:
        """What a visitor reads on the button."""

    def endpoints(self) -> Mapping[str, Endpoint]:
        """The method's own addresses: exact paths."""

    def challenge_url(self, return_to: LocalPath) -> str | None:
        """Where a visitor is sent to sign in by this method; None if it has no such place."""
