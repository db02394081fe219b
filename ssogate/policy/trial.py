"""Run the `tests:` of policy files: each names a request and what must come of it."""

from __future__ import annotations

from ssogate.errors import BadTarget, GateError
from ssogate.http.target import parse_target
from ssogate.model import Decision, Identity, Outcome, Target
from ssogate.policy.compile import Policy
from ssogate.policy.decide import decide
from ssogate.policy.settings import Expectation, Visitor

ANY_HOST = "localhost"  # what a request without a host is judged for


def failure(policy: Policy, test: Expectation) -> str:
    """Say how a test fails; empty when it passes."""
    if test.rule is not None and test.rule not in {rule.name for rule in policy.rules}:
        return f"there is no rule {test.rule!r}"
    try:
        decision = _decision(policy, test)
    except GateError as error:
        return f"the gate refuses this request before any rule: {error.code}, {error.detail}"
    got = _told(policy, decision)
    if decision.outcome.value != test.expect:
        return f"expected {test.expect} for {_asked(test)}, got {got}{_advice(policy, test)}"
    if test.rule is not None and decision.rule != test.rule:
        return f"expected rule {test.rule!r} to decide {_asked(test)}, got {got}"
    return ""


def _decision(policy: Policy, test: Expectation) -> Decision:
    try:
        target = _target(test)
    except BadTarget as error:
        return Decision(Outcome.DENY, "", f"the gate refuses this address, {error.detail}")
    return decide(policy, target, _identity(test), test.address)


def _target(test: Expectation) -> Target:
    raw = test.request.raw.encode("utf-8").decode("latin-1")  # as a server would hand it over
    return parse_target(test.request.method, raw, test.request.host or ANY_HOST)


def _identity(test: Expectation) -> Identity | None:
    if not isinstance(test.who, Visitor):
        return None
    name = test.who.user
    return Identity(name, name, name, groups=frozenset(test.who.groups))


def _asked(test: Expectation) -> str:
    who = test.who.user if isinstance(test.who, Visitor) else "anonymous"
    place = f" from {test.address}" if test.address else ""
    return f"{test.request.text} as {who}{place}"


def _told(policy: Policy, decision: Decision) -> str:
    rule = next((rule for rule in policy.rules if rule.name == decision.rule), None)
    if rule is None:
        return f"{decision.outcome.value}: {decision.reason.rstrip('.')}"
    return f"{decision.outcome.value} by {rule}"


def _advice(policy: Policy, test: Expectation) -> str:
    if test.request.host or not any(rule.hosts for rule in policy.rules):
        return ""
    return "; some rules name a host, so write the whole URL, as in GET https://host/path"
