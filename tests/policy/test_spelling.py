from __future__ import annotations

import re

import pytest

from ssogate.policy.compile import compile_policy
from ssogate.policy.pattern import parse_pattern
from ssogate.policy.rule import Access
from ssogate.policy.spelling import fold_pattern
from tests.policy.making import ALLOW, DENY, ask, rule

POLICY = compile_policy(
    [
        rule("staff", "/Staff/**", "/STRASSE", "/café/**", "/*.Bak", access=Access.NOBODY),
        rule("rest", "/**"),
    ],
    "ignore",
)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/staff", id="lower case"),
        pytest.param("/STAFF/x", id="upper case"),
        pytest.param("/sTaFf/", id="mixed case"),
        pytest.param("/staff./x", id="dot at the end"),
        pytest.param("/staff%20/x", id="space at the end"),
        pytest.param("/staff.%20.%20/x", id="dots and spaces at the end"),
        pytest.param("/%73taff/x", id="escaped"),
        pytest.param("/\u017ftaff/x", id="long s"),
        pytest.param("/straße", id="sharp s"),
        pytest.param("/CAFÉ/x", id="accent in upper case"),
        pytest.param("/cafe\u0301/x", id="accent decomposed"),
        pytest.param("/x.BAK", id="glob"),
        pytest.param("/x.bak.", id="glob and a dot"),
        pytest.param("/staff:stream/x", id="stream"),
        pytest.param("/staff::$INDEX_ALLOCATION/x", id="stream of a folder"),
        pytest.param("/x.bak::$DATA", id="stream of a file"),
        pytest.param("/Staff.:x/y", id="dot and stream"),
        pytest.param("/STAFF;x/y", id="parameters"),
    ],
)
def test_spellings_of_one_file_are_judged_alike(path: str) -> None:
    assert ask(POLICY, path).rule == "staff"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/staff~1/x", id="short name"),
        pytest.param("/WEB~1.CON", id="short name with an ending"),
        pytest.param("/.../x", id="only dots"),
        pytest.param("/a/%20/x", id="only a space"),
        pytest.param("/a/...", id="only dots at the end"),
        pytest.param("/:x/a", id="only a stream"),
        pytest.param("/staff~1::$INDEX_ALLOCATION/x", id="short name and stream"),
        pytest.param("/a;x/staff~1", id="undecidable in both readings"),
        pytest.param("/staff~1;x", id="undecidable in the second reading"),
    ],
)
def test_what_stands_for_an_unknown_file_is_denied(path: str) -> None:
    decision = ask(POLICY, path)

    assert (decision.outcome, decision.rule) == (DENY, "")
    assert "more than one page" in decision.reason


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/staffx",
        "/stuff",
        "/.hidden",
        "/a.b.c",
        "/a~b",
        "/~sue/",
        "/x.bakx",
        "/wiki/Talk:Home",
    ],
)
def test_ordinary_neighbours_stay_open(path: str) -> None:
    assert ask(POLICY, path).outcome is ALLOW


def test_case_matters_unless_told_otherwise() -> None:
    policy = compile_policy([rule("staff", "/Staff/**", access=Access.NOBODY), rule("rest", "/**")])

    for path in ("/staff", "/STAFF/x", "/Staff./x", "/Staff~1", "/Staff:x"):
        assert ask(policy, path).rule == "rest"


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        pytest.param("/a./b", "dots and spaces", id="dot at a segment's end"),
        pytest.param("/a /b", "dots and spaces", id="space at a segment's end"),
        pytest.param("/*.", "dots and spaces", id="dot after a star"),
        pytest.param("/a:b", "cannot match", id="colon"),
        pytest.param("/progra~1/**", "cannot match", id="short name"),
    ],
)
def test_a_pattern_that_could_never_match_is_refused(pattern: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        fold_pattern(parse_pattern(pattern))


def test_a_folded_pattern_keeps_the_text_of_its_author() -> None:
    assert fold_pattern(parse_pattern("/Staff/*.BAK/**")).text == "/Staff/*.BAK/**"
