from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given

from ssogate.model import Identity
from ssogate.policy.compile import compile_policy
from ssogate.policy.decide import decide
from ssogate.policy.explain import explain
from ssogate.policy.rule import Access
from tests.policy.making import person, rule, target
from tests.policy.test_compile import RULES, made

JOHN = person("john", "members")
POLICY = compile_policy(
    [
        rule("Closed", "/closed", access=Access.NOBODY, line=1),
        rule("Staff", "/x", "/staff/**", groups=("staff", "board"), users=("sue",), line=4),
        rule("Members", "/members/**", access=Access.SIGNED_IN, line=9),
        rule("Office", "/office", nets=("10.0.0.0/8",), line=12),
        rule("Rest", "/staff/*", "/pub/**", line=15),
    ]
)


def told(path: str, who: Identity | None = None, address: str | None = None) -> list[str]:
    place = ip_address(address) if address else None
    return explain(POLICY, target(path), who, place).lines()


def test_a_denial_names_rule_pattern_audience_and_what_is_missing() -> None:
    assert told("/staff/rota?x=1", JOHN, "192.0.2.1") == [
        "GET app.example.com/staff/rota as John (members) from 192.0.2.1",
        "deny by rule 'Staff'",
        "  what the visitor is told: This page is for members of: board, staff.",
        "  read as /staff/rota: deny",
        "    rule 'Staff' (policies/10.yaml:4), pattern /staff/**",
        "    lets through members of: board, staff or users: sue",
        "    missing: to be a member of board or staff or the user sue",
        "    not asked, comes later: rule 'Rest' (policies/10.yaml:15)",
    ]


def test_an_answer_without_a_rule_says_so() -> None:
    assert told("/nothing") == [
        "GET app.example.com/nothing as anonymous",
        "deny",
        "  what the visitor is told: No rule opens this page.",
        "  read as /nothing: deny",
        "    no rule matches, and what no rule opens is denied",
    ]


@pytest.mark.parametrize(
    ("path", "who", "address", "line"),
    [
        pytest.param("/members/", None, None, "    missing: a sign-in", id="sign-in"),
        pytest.param(
            "/closed",
            JOHN,
            None,
            "    missing: nothing helps: the rule lets nobody through",
            id="closed",
        ),
        pytest.param(
            "/office",
            JOHN,
            "192.0.2.1",
            "    missing: a visitor in 10.0.0.0/8; 192.0.2.1 is in none of them",
            id="elsewhere",
        ),
        pytest.param(
            "/office",
            JOHN,
            None,
            "    missing: a visitor in 10.0.0.0/8; the visitor's address is unknown",
            id="unknown address",
        ),
        pytest.param(
            "/office",
            None,
            None,
            "    lets through everybody, from 10.0.0.0/8",
            id="audience with networks",
        ),
        pytest.param(
            "/members/",
            person("eve"),
            None,
            "GET app.example.com/members/ as Eve (no groups)",
            id="no groups",
        ),
    ],
)
def test_it_says_what_is_missing(
    path: str, who: Identity | None, address: str | None, line: str
) -> None:
    assert line in told(path, who, address)


def test_nothing_is_missing_when_it_is_allowed() -> None:
    assert told("/pub/a") == [
        "GET app.example.com/pub/a as anonymous",
        "allow by rule 'Rest'",
        "  read as /pub/a: allow",
        "    rule 'Rest' (policies/10.yaml:15), pattern /pub/**",
        "    lets through everybody",
    ]


def test_every_reading_is_told() -> None:
    lines = told("/pub/a;b")

    assert [line for line in lines if "read as" in line] == [
        "  read as /pub/a;b: allow",
        "  read as /pub/a: allow",
    ]


def test_a_name_that_turns_the_terminal_around_is_shown_by_its_code() -> None:
    assert "  read as /pub/\\u202egnp.exe: allow" in told("/pub/%E2%80%AEgnp.exe")


def test_an_undecidable_path_has_no_reading() -> None:
    policy = compile_policy([rule("all", "/**")], "ignore")

    assert explain(policy, target("/staff~1"), None, None).lines() == [
        "GET app.example.com/staff~1 as anonymous",
        "deny",
        "  what the visitor is told: This address has a spelling that may stand for more than one "
        "page.",
    ]


@given(RULES)
def test_the_explanation_is_that_of_the_decision(
    drawn: list[tuple[list[str], list[str], list[str]]],
) -> None:
    policy = compile_policy(made(drawn))
    wanted = target("/a;x/ab/", host="a.x.com")

    explained = explain(policy, wanted, None, None)

    assert explained.decision == decide(policy, wanted, None, None)
    assert [bool(step.pattern) for step in explained.steps] == [
        step.rule is not None for step in explained.steps
    ]
    for step in explained.steps:
        assert all(
            policy.rules.index(rule) > policy.rules.index(step.rule)
            for rule in step.later
            if step.rule
        )
