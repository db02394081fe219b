from __future__ import annotations

import pytest

from ssogate.model import Identity, Outcome
from ssogate.policy.compile import compile_policy
from ssogate.policy.rule import Access, Rule
from tests.policy.making import ALLOW, CHALLENGE, DENY, ask, person, public, rule, target

JOHN = person("john", "members")
SUE = person("sue", "staff", "members")
NOBODY_SPECIAL = person("eve")


@pytest.mark.parametrize(
    ("guarding", "anonymous", "eve", "john", "sue"),
    [
        pytest.param(rule("r", "/x"), ALLOW, ALLOW, ALLOW, ALLOW, id="public"),
        pytest.param(
            rule("r", "/x", access=Access.SIGNED_IN), CHALLENGE, ALLOW, ALLOW, ALLOW, id="signed in"
        ),
        pytest.param(rule("r", "/x", access=Access.NOBODY), DENY, DENY, DENY, DENY, id="nobody"),
        pytest.param(
            rule("r", "/x", groups=("staff",)), CHALLENGE, DENY, DENY, ALLOW, id="a group"
        ),
        pytest.param(
            rule("r", "/x", groups=("staff", "members")), CHALLENGE, DENY, ALLOW, ALLOW, id="groups"
        ),
        pytest.param(rule("r", "/x", users=("eve",)), CHALLENGE, ALLOW, DENY, DENY, id="a user"),
        pytest.param(
            rule("r", "/x", users=("eve",), groups=("staff",)),
            *(CHALLENGE, ALLOW, DENY, ALLOW),
            id="a user or a group",
        ),
        pytest.param(rule("r", "/x", groups=("eve",)), CHALLENGE, DENY, DENY, DENY, id="no user"),
        pytest.param(rule("r", "/x", users=("staff",)), CHALLENGE, DENY, DENY, DENY, id="no group"),
        pytest.param(rule("r", "/x", groups=("Staff",)), CHALLENGE, DENY, DENY, DENY, id="case"),
        pytest.param(rule("r", "/x", users=("Eve",)), CHALLENGE, DENY, DENY, DENY, id="canonical"),
        pytest.param(rule("r", "/y"), DENY, DENY, DENY, DENY, id="no rule matches"),
    ],
)
def test_a_rule_lets_in_whom_it_names(
    guarding: Rule, anonymous: Outcome, eve: Outcome, john: Outcome, sue: Outcome
) -> None:
    policy = compile_policy([guarding])
    expected = {None: anonymous, NOBODY_SPECIAL: eve, JOHN: john, SUE: sue}

    assert {who: ask(policy, "/x", who).outcome for who in expected} == expected


@pytest.mark.parametrize(
    ("guarding", "who", "name", "reason"),
    [
        pytest.param(rule("r", "/x"), None, "r", "", id="allowed"),
        pytest.param(rule("r", "/y"), None, "", "No rule opens this page.", id="no rule"),
        pytest.param(
            rule("r", "/x", access=Access.NOBODY),
            SUE,
            "r",
            "This page is closed to everyone.",
            id="closed",
        ),
        pytest.param(
            rule("r", "/x", groups=("staff",)),
            None,
            "r",
            "This page is for people who are signed in.",
            id="anonymous",
        ),
        pytest.param(
            rule("r", "/x", groups=("staff", "board"), users=("eve",)),
            JOHN,
            "r",
            "This page is for members of: board, staff.",
            id="groups are told, users are not",
        ),
        pytest.param(
            rule("r", "/x", users=("eve",)),
            JOHN,
            "r",
            "This page is for certain people only.",
            id="users are not told",
        ),
        pytest.param(
            rule("r", "/x", nets=("10.0.0.0/8",)),
            JOHN,
            "r",
            "Whether this page opens depends on where you are, and it does not open from here.",
            id="networks are not told",
        ),
    ],
)
def test_the_reason_is_plain_and_safe_to_show(
    guarding: Rule, who: Identity | None, name: str, reason: str
) -> None:
    decision = ask(compile_policy([guarding]), "/x", who)

    assert (decision.rule, decision.reason) == (name, reason)


@pytest.mark.parametrize(
    ("address", "anonymous", "sue"),
    [
        pytest.param("10.1.2.3", CHALLENGE, ALLOW, id="inside"),
        pytest.param("::ffff:10.1.2.3", CHALLENGE, ALLOW, id="inside, IPv4-mapped"),
        pytest.param("11.1.2.3", DENY, DENY, id="outside"),
        pytest.param("::ffff:11.1.2.3", DENY, DENY, id="outside, IPv4-mapped"),
        pytest.param("::10.1.2.3", DENY, DENY, id="outside, looks alike"),
        pytest.param(None, DENY, DENY, id="unknown peer"),
    ],
)
def test_networks_come_on_top_of_who(address: str | None, anonymous: Outcome, sue: Outcome) -> None:
    policy = compile_policy([rule("r", "/x", groups=("staff",), nets=("10.0.0.0/8", "::1"))])

    assert ask(policy, "/x", None, address=address).outcome is anonymous
    assert ask(policy, "/x", SUE, address=address).outcome is sue


def test_a_rule_for_another_network_denies_and_does_not_fall_through() -> None:
    policy = compile_policy([rule("office", "/x", nets=("10.0.0.0/8",)), rule("all", "/**")])

    assert ask(policy, "/x", SUE, address="192.0.2.1").rule == "office"
    assert ask(policy, "/x", SUE, address="192.0.2.1").outcome is DENY


def test_the_first_rule_that_matches_decides() -> None:
    closed, opened = rule("closed", "/a/**", access=Access.NOBODY), rule("opened", "/**")

    assert ask(compile_policy([closed, opened]), "/a/b").rule == "closed"
    assert ask(compile_policy([opened, closed]), "/a/b").rule == "opened"


@pytest.mark.parametrize(
    ("pattern", "host", "held"),
    [
        pytest.param("app.example.com", "app.example.com", True, id="exact"),
        pytest.param("app.example.com", "APP.Example.com.:8443", True, id="other spelling"),
        pytest.param("app.example.com", "xapp.example.com", False, id="longer name"),
        pytest.param("app.example.com", "app.example.com.evil", False, id="longer domain"),
        pytest.param("app.example.com", "example.com", False, id="parent"),
        pytest.param("*.example.com", "app.example.com", True, id="below"),
        pytest.param("*.example.com", "a.b.example.com", True, id="far below"),
        pytest.param("*.example.com", "example.com", False, id="not itself"),
        pytest.param("*.example.com", "evilexample.com", False, id="no dot between"),
        pytest.param("*.example.com", "app.example.com.evil", False, id="in the middle"),
        pytest.param("[::1]", "[::1]:8000", True, id="IPv6 literal"),
    ],
)
def test_a_host_is_compared_whole(pattern: str, host: str, held: bool) -> None:
    only = rule("r", "/x", hosts=("other.example", pattern))

    assert (ask(compile_policy([only]), "/x", host=host).outcome is ALLOW) is held
    asked_alone = only.pattern_for("GET", target("/x", host=host).host, ("x",))
    assert (asked_alone is not None) is held


def test_a_rule_for_any_host_and_one_for_this_host_keep_their_order() -> None:
    some = rule("any", "/x", access=Access.NOBODY)
    this = rule("this", "/x", hosts=("app.example.com",))
    below = rule("below", "/x", hosts=("*.example.com",), access=Access.SIGNED_IN)

    assert ask(compile_policy([some, this, below]), "/x").rule == "any"
    assert ask(compile_policy([this, below, some]), "/x").rule == "this"
    assert ask(compile_policy([below, some, this]), "/x").rule == "below"


@pytest.mark.parametrize(
    ("method", "name"),
    [
        pytest.param("POST", "write", id="first"),
        pytest.param("GET", "read", id="second"),
        pytest.param("DELETE", "rest", id="any"),
    ],
)
def test_a_method_finds_its_own_first_rule(method: str, name: str) -> None:
    policy = compile_policy(
        [
            rule("write", "/x", methods=("POST", "PUT")),
            rule("read", "/x", methods=("GET", "POST")),
            rule("rest", "/x"),
            rule("never", "/x", methods=("DELETE",)),
        ]
    )

    assert ask(policy, "/x", method=method).rule == name


@pytest.mark.parametrize(
    ("path", "outcome", "name"),
    [
        pytest.param("/pub/x", ALLOW, "pub", id="one reading"),
        pytest.param("/pub;v=1/x", ALLOW, "pub", id="the other reading is as open"),
        pytest.param("/pub/staff;/x", ALLOW, "pub", id="both below the open tree"),
        pytest.param("/staff;/x", DENY, "staff", id="parameters hide a closed tree"),
        pytest.param("/staff;a/b;c", DENY, "staff", id="parameters in two segments"),
        pytest.param("/members;x/a", CHALLENGE, "members", id="parameters hide a guarded tree"),
        pytest.param("/pub%2Fx", ALLOW, "pub", id="encoded slash, both open"),
        pytest.param("/staff%2Fx", DENY, "staff", id="encoded slash hides a closed tree"),
        pytest.param("/members%2Fx", CHALLENGE, "members", id="encoded slash, guarded tree"),
        pytest.param("/staff;%2Fx", DENY, "staff", id="both at once"),
        pytest.param("/staff//x", DENY, "staff", id="empty segment"),
        pytest.param("//staff/x", DENY, "staff", id="empty segment first"),
    ],
)
def test_the_strictest_reading_decides(path: str, outcome: Outcome, name: str) -> None:
    policy = compile_policy(
        [
            rule("staff", "/staff/**", access=Access.NOBODY),
            rule("members", "/members/**", access=Access.SIGNED_IN),
            rule("pub", "/**"),
        ]
    )

    decision = ask(policy, path, slashes=True)

    assert (decision.outcome, decision.rule) == (outcome, name)


def test_no_rules_deny_everything() -> None:
    policy = compile_policy([])

    assert {ask(policy, path, who).outcome for path in ("/", "/x") for who in (None, SUE)} == {DENY}


def test_what_is_closed_beneath_an_open_tree_stays_open_only_without_its_rule_first() -> None:
    assert ask(public("/**"), "/admin").outcome is ALLOW
    closed = rule("closed", "/admin/**", access=Access.NOBODY)
    assert ask(compile_policy([closed, rule("open", "/**")]), "/admin").outcome is DENY


@pytest.mark.parametrize(
    ("guarding", "who", "everyone"),
    [
        pytest.param([rule("r", "/**")], None, True, id="public"),
        pytest.param([rule("r", "/**")], JOHN, True, id="public, to somebody"),
        pytest.param([rule("r", "/**", nets=("192.0.2.0/24",))], None, False, id="somewhere"),
        pytest.param([rule("r", "/**", access=Access.SIGNED_IN)], JOHN, False, id="signed in"),
        pytest.param(
            [rule("r", "/a;b", nets=("192.0.2.0/24",)), rule("q", "/**")],
            *(None, False),
            id="public in one of two readings",
        ),
    ],
)
def test_only_what_is_public_everywhere_may_be_shared(
    guarding: list[Rule], who: Identity | None, everyone: bool
) -> None:
    decision = ask(compile_policy(guarding), "/a;b", who, address="192.0.2.7")

    assert (decision.outcome, decision.everyone) == (ALLOW, everyone)
