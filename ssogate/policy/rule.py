"""What a rule is: which requests it speaks about, and whom it lets through. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ssogate.http.site import host_matches
from ssogate.policy.networks import Networks
from ssogate.policy.pattern import Pattern


class Access(Enum):
    """Whom a rule lets through."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    NOBODY = "nobody"
    LISTED = "listed"
    """Members of the rule's groups, and its users."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The first rule that matches a request decides it, whatever its answer: none falls through."""

    name: str
    paths: tuple[Pattern, ...]
    access: Access
    groups: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    """In the canonical form of `http.identity.canonical_name`."""
    hosts: tuple[str, ...] = ()
    """Exact, or `*.example.com` for every host below; empty: any host."""
    methods: frozenset[str] | None = None
    """None: any method."""
    networks: Networks | None = None
    """None: from anywhere. Otherwise a visitor from elsewhere is denied."""
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """Where the rule stands, for the operator."""
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return f"rule {self.name!r} ({self.place})"

    def pattern_for(self, method: str, host: str, reading: tuple[str, ...]) -> Pattern | None:
        """Give the pattern that matches a request; for explanations, a decision never asks."""
        if self.methods is not None and method not in self.methods:
            return None
        if self.hosts and not any(host_matches(pattern, host) for pattern in self.hosts):
            return None
        return next((pattern for pattern in self.paths if pattern.matches(reading)), None)


def audience(rule: Rule) -> str:
    """Say whom a rule lets through, for the operator: it names users and networks."""
    people = {
        Access.PUBLIC: "everybody",
        Access.SIGNED_IN: "everybody who is signed in",
        Access.NOBODY: "nobody",
        Access.LISTED: " or ".join(
            f"{kind}: {', '.join(sorted(names))}"
            for kind, names in (("members of", rule.groups), ("users", rule.users))
            if names
        ),
    }[rule.access]
    return f"{people}, from {', '.join(rule.networks.texts)}" if rule.networks else people
