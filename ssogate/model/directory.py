"""Who is known and who owns what, in WHMCS's words: an account is what WHMCS calls a client, a user
is a person, who may act for several accounts (seeds 001 and 002).

Numbers are given by the store, count from 1 and are never given twice. Times are Unix seconds.
`external_id` is the name of a record elsewhere, unique among its kind; empty when it has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as the gated app and the policies see it."""

    subject: str
    """The user's UUID: never reused, opaque."""
    username: str
    """As it was first seen."""
    canonical: str
    """`username` in the one form in which names are compared."""
    name: str = ""
    email: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class User:
    """A person the gate knows."""

    identity: Identity
    active: bool
    source: str
    """The sender of links, or the legacy source, that owns the user; empty: an operator or an
    import."""
    created_at: int
    updated_at: int
    external_id: str = ""
    """Unique among the users of one source."""
    number: int = field(default=0, compare=False)
    """WHMCS's user id. The store gives it when it adds a user."""
    closed: bool = False
    """Whether the user acts for accounts of which every one is Closed. The store works it out."""

    @property
    def welcome(self) -> bool:
        """Whether any door may let this user in, and live sessions count."""
        return self.active and not self.closed


class AccountStatus(StrEnum):
    """WHMCS's states of a client. Closed shuts every door; Inactive is only a bookkeeper's word."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    CLOSED = "Closed"


@dataclass(frozen=True, slots=True)
class Account:
    """A customer: what owns services and domains."""

    number: int
    company: str
    email: str
    status: AccountStatus
    allow_single_sign_on: bool
    """The account's own switch: off, no token or panel launch works for it."""
    created_at: int
    updated_at: int
    external_id: str = ""


class Permission(StrEnum):
    """What a user may do for an account: WHMCS's list, by its names."""

    PROFILE = "profile"
    CONTACTS = "contacts"
    PRODUCTS = "products"
    MANAGE_PRODUCTS = "manageproducts"
    PRODUCT_SSO = "productsso"
    DOMAINS = "domains"
    MANAGE_DOMAINS = "managedomains"
    INVOICES = "invoices"
    QUOTES = "quotes"
    TICKETS = "tickets"
    AFFILIATES = "affiliates"
    EMAILS = "emails"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Membership:
    """That a user may act for an account. Ask `may`, not the fields: an owner may do all."""

    account: int
    subject: str
    owner: bool = False
    """An account has one owner at most."""
    permissions: frozenset[Permission] = frozenset()

    def may(self, *permissions: Permission) -> bool:
        return self.owner or self.permissions.issuperset(permissions)


@dataclass(frozen=True, slots=True)
class Standing:
    """An account, and how somebody stands to it: all in one look, so that it fits together."""

    account: Account
    user: User | None
    membership: Membership | None
    administrator: bool
    """Whether the user is an administrator of the gate."""
    switched_off: bool = False
    """Whether an account that the user owns, this one or another, has its switch off."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A user, and all else that decides about a sign-in: in one look, so that it fits together."""

    user: User
    administrator: bool
    second_factor: bool


class Access(StrEnum):
    """Which administrators may sign in to a server (seed 002, "Server Permissions")."""

    UNRESTRICTED = "unrestricted"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Server:
    """A machine with a control panel, and how the gate signs in to it."""

    number: int
    name: str
    module: str
    hosts: tuple[str, ...]
    """Its host names, the one to call first; a launch may lead to these and no others."""
    port: int | None = None
    """None: the module's own."""
    secure: bool = True
    username: str = ""
    sealed_password: str = field(default="", repr=False)
    sealed_access_hash: str = field(default="", repr=False)
    owner: str = ""
    """For a reseller's credentials: the panel's name of the reseller, who reaches only the panel
    accounts that the same name owns. Empty for root, who reaches all."""
    access: Access = Access.UNRESTRICTED
    role_groups: frozenset[str] = frozenset()
    """Of administrators, who may sign in to a restricted server."""
    external_id: str = ""


class ServiceStatus(StrEnum):
    """WHMCS's states of a service."""

    PENDING = "Pending"
    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    TERMINATED = "Terminated"
    CANCELLED = "Cancelled"
    FRAUD = "Fraud"
    COMPLETED = "Completed"


@dataclass(frozen=True, slots=True)
class Service:
    """A product that an account has: a hosting account on a server, for example."""

    number: int
    account: int
    product: str
    status: ServiceStatus
    module: str = ""
    server: int | None = None
    domain: str = ""
    username: str = ""
    """The name in the panel."""
    sealed_password: str = field(default="", repr=False)
    owner: str = ""
    """The panel's name of the reseller who owns it; empty: root."""
    external_id: str = ""


class DomainStatus(StrEnum):
    """WHMCS's states of a domain, those that matter here."""

    PENDING = "Pending"
    ACTIVE = "Active"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"
    TRANSFERRED_AWAY = "Transferred Away"


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain name that an account has."""

    number: int
    account: int
    name: str
    """Lower case, in ASCII (RFC 5890's A-labels)."""
    status: DomainStatus
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Administrator:
    """A user who may also operate the gate. Only a password opens an administrator's session:
    whoever signs links must not be able to become one."""

    subject: str
    role_groups: frozenset[str]
    created_at: int


@dataclass(frozen=True, slots=True)
class Activity:
    """One line of the activity log, chained to the line before by its hash."""

    number: int
    at: int
    actor: str
    """Who did it: `user:<name>`, `cli:<name>`, `api:<identifier>`, or `gate`."""
    client: str
    """The address it came from; empty when it came from none."""
    action: str
    """A stable word, such as `user.deactivated`."""
    text: str
    """What happened, for people. Never holds a secret."""
    digest: str
    """SHA-256, in hex, of the line before's digest and of this line."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Something begun that only the holder of a secret may go on with, once, and soon."""

    key: str
    """SHA-256, in hex, of the secret; the secret itself is stored nowhere."""
    kind: str
    subject: str
    data: str
    """What to go on with, as JSON."""
    until: int
    spent: bool = False
    """Whether its `proof` was spent by the time it was read."""

    @property
    def proof(self) -> str:
        """What is spent when a ticket opens a session that may then still ask for it."""
        return f"{self.kind}:{self.key}"
