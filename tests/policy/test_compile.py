from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssogate.policy.compile import Policy, compile_policy
from ssogate.policy.decide import decide
from ssogate.policy.rule import Rule
from tests.policy.making import ask, rule, target

# Few letters, so that patterns and paths meet often.
WORDS = st.sampled_from(["", "a", "b", "ab", "ba", "aa", "aba", "abab"])
PARTS = st.sampled_from(["a", "b", "ab", "aba", "*", "a*", "*a", "a*a", "ab*", "*ba", "a*ba"])
HOSTS = ["x.com", "a.x.com", "b.a.x.com", "y.com"]
PATTERNS = st.builds(
    lambda parts, end: "/" + "/".join([*parts, *end]),
    st.lists(PARTS, max_size=3),
    st.sampled_from([[], [""], ["**"]]),
)
METHODS = st.lists(st.sampled_from(["GET", "POST", "PUT"]), unique=True, max_size=2)
RULES = st.lists(
    st.tuples(
        st.lists(PATTERNS, min_size=1, max_size=3),
        st.lists(st.sampled_from([*HOSTS, "*.x.com", "*.a.x.com", "*.com"]), max_size=2),
        METHODS,
    ),
    max_size=12,
)


def made(drawn: list[tuple[list[str], list[str], list[str]]]) -> list[Rule]:
    return [
        rule(str(number), *paths, hosts=tuple(hosts), methods=tuple(methods))
        for number, (paths, hosts, methods) in enumerate(drawn)
    ]


def naive(text: str, path: str) -> bool:
    """The reference: the pattern as a regex over the whole path."""
    if text == "/**":
        return True
    tree = text.endswith("/**")
    source = re.escape(text.removesuffix("/**"))
    source = re.sub(r"/\\\*(?=/|\Z)", r"/[^/]+", source).replace(r"\*", "[^/]*")
    return re.fullmatch(source + ("(/.*)?" if tree else ""), path) is not None


def naive_host(text: str, host: str) -> bool:
    return host.endswith(text[1:]) if text[0] == "*" else host == text


def naive_first(rules: list[Rule], method: str, host: str, path: str) -> str:
    """The reference: ask one rule after the other."""
    matching = [
        rule.name
        for rule in rules
        if (rule.methods is None or method in rule.methods)
        and (not rule.hosts or any(naive_host(text, host) for text in rule.hosts))
        and any(naive(pattern.text, path) for pattern in rule.paths)
    ]
    return matching[0] if matching else ""


@settings(max_examples=400)
@given(
    RULES,
    st.lists(WORDS.filter(bool), max_size=4),
    st.booleans(),
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.sampled_from(HOSTS),
)
def test_the_compiled_policy_finds_the_rule_that_a_naive_search_finds(
    drawn: list[tuple[list[str], list[str], list[str]]],
    segments: list[str],
    slash: bool,
    method: str,
    host: str,
) -> None:
    rules = made(drawn)
    path = "/" + "/".join(segments) + ("/" if slash and segments else "")

    found = ask(compile_policy(rules), path, method=method, host=host)

    assert found.rule == naive_first(rules, method, host, path)


@settings(max_examples=200)
@given(
    RULES, st.lists(st.tuples(st.lists(WORDS.filter(bool), max_size=4), st.booleans()), max_size=40)
)
def test_a_rule_that_is_said_never_to_match_never_does(
    drawn: list[tuple[list[str], list[str], list[str]]], paths: list[tuple[list[str], bool]]
) -> None:
    policy = compile_policy(made(drawn))
    covered = {r.name for n, r in enumerate(policy.rules) if policy.covering(n)}

    for segments, slash in paths:
        path = "/" + "/".join(segments) + ("/" if slash and segments else "")
        for method in ("GET", "POST", "PUT", "DELETE"):
            for host in HOSTS:
                assert ask(policy, path, method=method, host=host).rule not in covered


@pytest.mark.parametrize(
    ("earlier", "later", "covered"),
    [
        pytest.param(rule("1", "/a"), rule("2", "/a"), True, id="the same"),
        pytest.param(rule("1", "/a/**"), rule("2", "/a"), True, id="tree over its root"),
        pytest.param(rule("1", "/a/**"), rule("2", "/a/"), True, id="tree over its slash"),
        pytest.param(rule("1", "/a/**"), rule("2", "/a/b/**"), True, id="tree over tree"),
        pytest.param(rule("1", "/**"), rule("2", "/a*/b"), True, id="everything"),
        pytest.param(rule("1", "/a"), rule("2", "/a/**"), False, id="page over tree"),
        pytest.param(rule("1", "/a"), rule("2", "/a/"), False, id="page over its slash"),
        pytest.param(rule("1", "/*"), rule("2", "/a*"), True, id="star over glob"),
        pytest.param(rule("1", "/*"), rule("2", "/"), False, id="star over nothing"),
        pytest.param(rule("1", "/a*"), rule("2", "/ab*c"), True, id="glob over longer glob"),
        pytest.param(rule("1", "/ab*"), rule("2", "/a*"), False, id="glob over shorter glob"),
        pytest.param(rule("1", "/a*c"), rule("2", "/ab*"), False, id="other end"),
        pytest.param(rule("1", "/a*"), rule("2", "/*"), False, id="glob over star"),
        pytest.param(rule("1", "/ab*ba"), rule("2", "/aba"), False, id="ends that overlap"),
        pytest.param(rule("1", "/*/b"), rule("2", "/a/b"), True, id="star over literal"),
        pytest.param(rule("1", "/*/*"), rule("2", "/*/**"), False, id="two over tree"),
        pytest.param(rule("1", "/a", "/b"), rule("2", "/b", "/a"), True, id="several paths"),
        pytest.param(rule("1", "/a"), rule("2", "/a", "/b"), False, id="one path of two"),
        pytest.param(
            rule("1", "/a", methods=("GET",)), rule("2", "/a"), False, id="one method over any"
        ),
        pytest.param(
            rule("1", "/a"), rule("2", "/a", methods=("GET",)), True, id="any method over one"
        ),
        pytest.param(
            rule("1", "/a", methods=("GET",)),
            rule("2", "/a", methods=("GET", "PUT")),
            False,
            id="one method of two",
        ),
        pytest.param(
            rule("1", "/a", hosts=("x.com",)), rule("2", "/a"), False, id="one host over any"
        ),
        pytest.param(
            rule("1", "/a"), rule("2", "/a", hosts=("x.com",)), True, id="any host over one"
        ),
        pytest.param(
            rule("1", "/a", hosts=("*.x.com",)),
            rule("2", "/a", hosts=("b.a.x.com",)),
            True,
            id="domain over host",
        ),
        pytest.param(
            rule("1", "/a", hosts=("*.x.com",)),
            rule("2", "/a", hosts=("x.com",)),
            False,
            id="domain over its top",
        ),
        pytest.param(
            rule("1", "/a", hosts=("*.com",)),
            rule("2", "/a", hosts=("*.x.com",)),
            True,
            id="domain over domain",
        ),
        pytest.param(
            rule("1", "/a", nets=("::1",)), rule("2", "/a"), True, id="no rule falls through"
        ),
    ],
)
def test_a_rule_is_covered_by_a_broader_earlier_one(
    earlier: Rule, later: Rule, covered: bool
) -> None:
    policy = compile_policy([earlier, later])

    assert policy.covering(0) is None
    assert policy.covering(1) == (earlier if covered else None)


def test_the_groups_of_all_rules_are_known() -> None:
    rules = [rule("1", "/a", groups=("b", "a")), rule("2", "/b", groups=("c",)), rule("3", "/c")]

    assert compile_policy(rules).groups == {"a", "b", "c"}


def calls(work: Callable[[], object]) -> int:
    """Count the calls that some work makes, of Python functions and of built-in ones."""
    count = 0

    def counting(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def large(size: int) -> Policy:
    """Rules of each shape, below one folder and side by side; the last rule closes the row."""
    shapes = [
        "/app/p{}/**",
        "/app/page{}",
        "/app/f{}*",
        "/app/*{}.pdf",
        "/app/*/n{}",
        "/app/g{}*h{}",
    ]
    rules = [
        rule(
            str(n),
            shapes[n % len(shapes)].format(f"{n:05}", n),
            hosts=(f"h{n:05}.x.com",) * (n % 2),
        )
        for n in range(size)
    ]
    return compile_policy([*rules, rule("last", "/app/zzz/**", groups=("staff",))])


@pytest.mark.parametrize(
    "path",
    ["/", "/app/p00000/x", "/app/zzz/y", "/app/g00004xxh4", "/app/x/n00004", "/nothing/at/all"],
)
def test_ten_thousand_rules_cost_no_more_calls_than_ten(path: str) -> None:
    few, many = large(10), large(10_000)
    wanted = target(path)
    cost = calls(lambda: decide(few, wanted, None, None))

    assert calls(lambda: decide(many, wanted, None, None)) <= cost
    assert ask(few, path).rule == ask(many, path).rule


def test_a_hostile_path_costs_what_its_length_allows() -> None:
    policy = compile_policy([rule(str(n), "/a" * n + "/*" * (8 - n) + "/x") for n in range(9)])
    deep = calls(lambda: decide(policy, target("/a" * 250), None, None))

    assert deep < 1500
