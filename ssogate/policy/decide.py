"""The decision: pure, from values to a value, the same for every way in which a request comes.

Whatever servers could read differently is judged in every reading, and the strictest answer counts.
"""

from __future__ import annotations

from ssogate.http.languages import msgid
from ssogate.model import Address, Decision, Identity, Outcome, Target
from ssogate.policy.compile import Policy
from ssogate.policy.rule import Access, Rule

NO_RULE = Decision(Outcome.DENY, "", msgid("No rule opens this page."))
UNDECIDABLE = Decision(
    Outcome.DENY, "", msgid("This address has a spelling that may stand for more than one page.")
)
_STRICTNESS = {Outcome.ALLOW: 0, Outcome.CHALLENGE: 1, Outcome.DENY: 2}


def decide(
    policy: Policy, target: Target, identity: Identity | None, address: Address | None
) -> Decision:
    """Say whether a visitor may have a target. An unknown visitor or address is None.

    What no rule matches is denied, to anonymous visitors too: signing in would not help them.
    """
    return strictest(matching(policy, target), identity, address)


def matching(policy: Policy, target: Target) -> tuple[Rule | None, ...]:
    """Give the rule that matches each reading of a target; none for a target that has none which
    could be judged. They depend on nothing else, not on who asks."""
    readings = policy.readings(target.readings)
    return tuple(policy.first(target.method, target.host, reading) for reading in readings)


def strictest(
    rules: tuple[Rule | None, ...], identity: Identity | None, address: Address | None
) -> Decision:
    """Say what the rules of a target's readings answer together."""
    found: Decision | None = None
    for rule in rules:
        decision = judge(rule, identity, address)
        if found is None or _is_stricter(decision, found):
            found = decision
    return UNDECIDABLE if found is None else found


def judge(rule: Rule | None, identity: Identity | None, address: Address | None) -> Decision:
    """Say what one rule (None: no rule matched) answers. Reasons are safe to show a visitor."""
    if rule is None:
        return NO_RULE
    if rule.networks is not None and address not in rule.networks:
        return Decision(
            Outcome.DENY,
            rule.name,
            msgid(
                "Whether this page opens depends on where you are, and it does not open from here."
            ),
        )
    if rule.access is Access.PUBLIC:
        return Decision(Outcome.ALLOW, rule.name, everyone=rule.networks is None)
    if rule.access is Access.NOBODY:
        return Decision(Outcome.DENY, rule.name, msgid("This page is closed to everyone."))
    if identity is None:
        return Decision(Outcome.CHALLENGE, rule.name, "This page is for people who are signed in.")
    if rule.access is Access.SIGNED_IN or _is_listed(rule, identity):
        return Decision(Outcome.ALLOW, rule.name)
    return Decision(Outcome.DENY, rule.name, _refusal(rule))


def _is_stricter(one: Decision, other: Decision) -> bool:
    ranks = (_STRICTNESS[one.outcome], not one.everyone)
    return ranks > (_STRICTNESS[other.outcome], not other.everyone)


def _is_listed(rule: Rule, identity: Identity) -> bool:
    return identity.canonical in rule.users or not rule.groups.isdisjoint(identity.groups)


def _refusal(rule: Rule) -> str:
    """Groups may be told, so that a visitor knows what to ask for; other people's names may not."""
    if not rule.groups:
        return msgid("This page is for certain people only.")
    return f"This page is for members of: {', '.join(sorted(rule.groups))}."
