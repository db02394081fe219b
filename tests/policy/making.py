"""Short ways to make rules, people and decisions for the tests of this room."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from ssogate.http.target import parse_target
from ssogate.model import Decision, Identity, Outcome, Target
from ssogate.policy.compile import Case, Policy, compile_policy
from ssogate.policy.decide import decide
from ssogate.policy.networks import networks
from ssogate.policy.pattern import parse_pattern
from ssogate.policy.rule import Access, Rule

ALLOW, CHALLENGE, DENY = Outcome.ALLOW, Outcome.CHALLENGE, Outcome.DENY


def rule(
    name: str,
    *paths: str,
    access: Access = Access.PUBLIC,
    groups: tuple[str, ...] = (),
    users: tuple[str, ...] = (),
    hosts: tuple[str, ...] = (),
    methods: tuple[str, ...] = (),
    nets: tuple[str, ...] = (),
    line: int = 0,
) -> Rule:
    return Rule(
        name=name,
        paths=tuple(map(parse_pattern, paths)),
        access=Access.LISTED if groups or users else access,
        groups=frozenset(groups),
        users=frozenset(users),
        hosts=hosts,
        methods=frozenset(methods) or None,
        networks=networks(map(ip_network, nets)) if nets else None,
        file="policies/10.yaml",
        line=line,
    )


def person(name: str, *groups: str) -> Identity:
    return Identity(f"uuid-of-{name}", name.title(), name, groups=frozenset(groups))


def target(
    path: str, *, method: str = "GET", host: str = "app.example.com", slashes: bool = False
) -> Target:
    raw = path.encode().decode("latin-1")
    return parse_target(method, raw, host, encoded_slash=slashes, double_slash=slashes)


def ask(
    policy: Policy,
    path: str,
    who: Identity | None = None,
    *,
    address: str | None = None,
    method: str = "GET",
    host: str = "app.example.com",
    slashes: bool = False,
) -> Decision:
    wanted = target(path, method=method, host=host, slashes=slashes)
    return decide(policy, wanted, who, ip_address(address) if address else None)


def public(*paths: str, case: Case = "sensitive") -> Policy:
    """Give a policy that opens these paths and nothing else."""
    return compile_policy([rule("open", *paths)], case)
