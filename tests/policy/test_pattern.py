from __future__ import annotations

import re

import pytest

from ssogate.policy.pattern import MAX_PATTERN, parse_pattern
from tests.policy.making import ALLOW, DENY, ask, public, target


@pytest.mark.parametrize(
    ("pattern", "matching", "missing"),
    [
        pytest.param("/", ["/", "/?x=/a"], ["/a", "/a/", "/%20"], id="front page"),
        pytest.param(
            "/staff",
            ["/staff", "/%73taff", "/staff?x=1"],
            [
                "/staff/",
                "/staffx",
                "/staf",
                "/Staff",
                "/staff%20",
                "/staff.",
                "/a/staff",
                "/",
                "/%2573taff",
            ],
            id="exact",
        ),
        pytest.param("/staff/", ["/staff/"], ["/staff", "/staff/x", "/"], id="exact with slash"),
        pytest.param(
            "/staff/**",
            ["/staff", "/staff/", "/staff/a", "/staff/a/b/", "/staff/a?x"],
            [
                "/staffx",
                "/staffx/a",
                "/staf",
                "/STAFF/a",
                "/a/staff/b",
                "/staff%20/a",
                "/staff%3Fx",
                "/",
                "/staff%23/a",
            ],
            id="tree",
        ),
        pytest.param("/**", ["/", "/a", "/a/", "/a/b/c"], [], id="everything"),
        pytest.param(
            "/a/*/c",
            ["/a/b/c", "/a/*/c", "/a/%20/c"],
            ["/a/c", "/a/b/b/c", "/a/b", "/a/b/c/"],
            id="one segment",
        ),
        pytest.param(
            "/a/*", ["/a/b"], ["/a", "/a/", "/a/b/", "/a/b/c"], id="one segment at the end"
        ),
        pytest.param("/a/*/", ["/a/b/"], ["/a/b", "/a/", "/a/b/c"], id="one segment and a slash"),
        pytest.param(
            "/a/*/**", ["/a/b", "/a/b/", "/a/b/c/d"], ["/a", "/a/"], id="tree below one segment"
        ),
        pytest.param(
            "/pre*", ["/pre", "/prefix", "/pre*"], ["/pr", "/xpre", "/pre/", "/Pre"], id="before"
        ),
        pytest.param(
            "/*.css", ["/.css", "/x.css"], ["/x.csss", "/x.cs", "/a/x.css", "/x.css/"], id="after"
        ),
        pytest.param(
            "/aba*aba", ["/abaaba", "/abaXaba"], ["/aba", "/ababa", "/abaab"], id="before and after"
        ),
        pytest.param("/pre*/**", ["/pre", "/prefix/x"], ["/pr/x"], id="tree below a glob"),
        pytest.param("/straße", ["/straße", "/stra%C3%9Fe"], ["/strasse"], id="not ASCII"),
        pytest.param("/a b", ["/a%20b"], ["/a+b", "/a%2520b"], id="space is written decoded"),
        pytest.param("/a+b:c@d,e=f", ["/a+b:c@d,e=f", "/a%2Bb:c%40d,e=f"], [], id="sub-delimiters"),
    ],
)
def test_a_pattern_matches_what_it_says_and_not_its_neighbours(
    pattern: str, matching: list[str], missing: list[str]
) -> None:
    policy = public(pattern)

    assert {path: ask(policy, path).outcome for path in matching} == dict.fromkeys(matching, ALLOW)
    assert {path: ask(policy, path).outcome for path in missing} == dict.fromkeys(missing, DENY)


@pytest.mark.parametrize("path", ["/a/b", "/a/b/", "/a/", "/", "/a/bc/d"])
@pytest.mark.parametrize("pattern", ["/a/b*", "/a/*/**", "/*/", "/**", "/a/b", "/a/*c/d"])
def test_one_pattern_alone_agrees_with_the_compiled_one(pattern: str, path: str) -> None:
    alone = any(map(parse_pattern(pattern).matches, target(path).readings))

    assert (ask(public(pattern), path).outcome is ALLOW) == alone


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        pytest.param("staff/**", "begins with /", id="relative"),
        pytest.param("", "begins with /", id="empty"),
        pytest.param("https://host/x", "begins with /", id="URL"),
        pytest.param("/**/*.css", "** may stand only at the end", id="ending anywhere"),
        pytest.param("/a/**/b", "** may stand only at the end", id="tree in the middle"),
        pytest.param("/a**", "** may stand only at the end", id="two stars in a segment"),
        pytest.param("/a/**/", "** may stand only at the end", id="tree and slash"),
        pytest.param("/***", "** may stand only at the end", id="three stars"),
        pytest.param("/*a*", "at most one *", id="two stars apart"),
        pytest.param("/a/../b", ". or .. segment", id="dot dot"),
        pytest.param("/./b", ". or .. segment", id="dot"),
        pytest.param("/.. /b", ". or .. segment", id="dot dot space"),
        pytest.param("//a", "two slashes", id="empty segment first"),
        pytest.param("/a//b", "two slashes", id="empty segment"),
        pytest.param("/a//", "two slashes", id="two slashes at the end"),
        pytest.param("/a//**", "two slashes", id="empty segment before the tree"),
        pytest.param("/a%20b", "decoded text", id="escape"),
        pytest.param("/100%", "decoded text", id="percent sign"),
        pytest.param("/a?b=1", "query is not judged", id="query"),
        pytest.param("/a#b", "fragment", id="fragment"),
        pytest.param("/a\\b", "between segments", id="backslash"),
        pytest.param("/a\x00", "control character", id="NUL"),
        pytest.param("/a\n", "control character", id="line feed"),
        pytest.param("/a\x85", "control character", id="C1 control"),
        pytest.param("/a\ud800", "control character", id="lone surrogate"),
        pytest.param("/" + "a" * MAX_PATTERN, "at most 1024", id="too long"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_advice(pattern: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse_pattern(pattern)


def test_the_longest_pattern_is_still_read() -> None:
    assert parse_pattern("/" + "a" * (MAX_PATTERN - 1)).segments == ("a" * (MAX_PATTERN - 1),)
