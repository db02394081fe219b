"""Why the policy answers as it does, for the operator: it names users, networks and files.

The decision itself comes from `decide`; what surrounds it is found by asking the rules one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ssogate.model import Address, Decision, Identity, Outcome, Target
from ssogate.policy.compile import Policy
from ssogate.policy.decide import decide, judge
from ssogate.policy.rule import Access, Rule, audience


@dataclass(frozen=True, slots=True)
class Step:
    """How one reading of the path was judged."""

    reading: tuple[str, ...]
    decision: Decision
    rule: Rule | None
    pattern: str
    """The rule's pattern that matched; empty when no rule did."""
    missing: str
    """What the visitor lacks; empty when nothing is."""
    later: tuple[Rule, ...]
    """Rules that match as well, but come later and so were not asked."""

    def lines(self) -> Iterator[str]:
        """Give indented text."""
        yield f"  read as {_printable('/' + '/'.join(self.reading))}: {self.decision.outcome.value}"
        if self.rule is None:
            yield "    no rule matches, and what no rule opens is denied"
            return
        yield f"    {self.rule}, pattern {_printable(self.pattern)}"
        yield f"    lets through {audience(self.rule)}"
        if self.missing:
            yield f"    missing: {self.missing}"
        for rule in self.later:
            yield f"    not asked, comes later: {rule}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and how it came about."""

    target: Target
    identity: Identity | None
    address: Address | None
    decision: Decision
    steps: tuple[Step, ...]
    """One for each reading of the path; none when the path is undecidable under `case: ignore`."""

    def lines(self) -> list[str]:
        """Give readable text."""
        who = "anonymous"
        if self.identity:
            groups = ", ".join(sorted(self.identity.groups)) or "no groups"
            who = f"{self.identity.username} ({groups})"
        place = f" from {self.address}" if self.address else ""
        rule = f" by rule {self.decision.rule!r}" if self.decision.rule else ""
        head = [
            f"{self.target.method} {self.target.host}{self.target.path} as {who}{place}",
            f"{self.decision.outcome.value}{rule}",
        ]
        if self.decision.reason:
            head.append(f"  what the visitor is told: {self.decision.reason}")
        return [*head, *(line for step in self.steps for line in step.lines())]


def explain(
    policy: Policy, target: Target, identity: Identity | None, address: Address | None
) -> Explanation:
    """Decide, and say why. Slow: every rule is asked."""
    steps = tuple(
        _step(policy, target, reading, identity, address)
        for reading in policy.readings(target.readings)
    )
    decision = decide(policy, target, identity, address)
    return Explanation(target, identity, address, decision, steps)


def _step(
    policy: Policy,
    target: Target,
    reading: tuple[str, ...],
    identity: Identity | None,
    address: Address | None,
) -> Step:
    first = policy.first(target.method, target.host, reading)
    matching = [
        (rule, pattern.text)
        for rule in policy.rules
        if (pattern := rule.pattern_for(target.method, target.host, reading))
    ]
    decision = judge(first, identity, address)
    return Step(
        reading,
        decision,
        first,
        next((text for rule, text in matching if rule is first), ""),
        _missing(first, decision, address) if first else "",
        tuple(rule for rule, _ in matching if rule is not first),
    )


def _missing(rule: Rule, decision: Decision, address: Address | None) -> str:
    if decision.outcome is Outcome.ALLOW:
        return ""
    if rule.networks is not None and address not in rule.networks:
        here = f"{address} is in none of them" if address else "the visitor's address is unknown"
        return f"a visitor in {', '.join(rule.networks.texts)}; {here}"
    if rule.access is Access.NOBODY:
        return "nothing helps: the rule lets nobody through"
    return "a sign-in" if decision.outcome is Outcome.CHALLENGE else f"to be {_membership(rule)}"


def _membership(rule: Rule) -> str:
    groups = f"a member of {' or '.join(sorted(rule.groups))}" if rule.groups else ""
    users = f"the user {' or '.join(sorted(rule.users))}" if rule.users else ""
    return " or ".join(filter(None, (groups, users)))


def _printable(text: str) -> str:
    """A visitor's path may hold marks that turn a terminal's text around: show their codes."""
    return text if text.isprintable() else ascii(text)[1:-1]
