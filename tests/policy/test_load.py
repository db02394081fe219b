from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from ssogate.config import schema
from ssogate.config.load import document
from ssogate.errors import ConfigurationError
from ssogate.policy.compile import Case, Policy
from ssogate.policy.load import load_policies, policy_files
from ssogate.policy.settings import PolicyFile, PolicySettings
from tests.policy.making import ALLOW, CHALLENGE, DENY, ask, person

DEMONSTRATION = Path(__file__).parents[2] / "policies"


def write(folder: Path, **texts: str) -> list[Path]:
    """Write policy files; `a_10` becomes `a-10.yaml`."""
    paths = [folder / f"{name.replace('_', '-')}.yaml" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def loaded(folder: Path, text: str, case: Case = "sensitive") -> Policy:
    policy, warnings = load_policies(write(folder, p=text), case)
    assert warnings == []
    return policy


def refused(folder: Path, text: str, case: Case = "sensitive") -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        load_policies(write(folder, p=text), case)
    return [str(problem).replace(f"{folder}/", "") for problem in error.value.problems]


FULL = """\
rules:
  - name: Office
    host: [app.example.com, "*.branch.example.com"]
    path: [/reports/*/summary, /reports/q*.pdf]
    methods: [GET, PUT]
    allow: {groups: [staff], users: ["  sue  ", SUE2]}
    networks: [10.0.0.0/8, "::1"]
  - {name: One, path: /one, allow: signed_in, host: one.example, methods: POST, networks: 10.0.0.1}
  - {name: Closed, path: /closed, allow: nobody}
  - {name: Rest, path: /**, allow: public}
"""


def test_every_key_of_a_rule_is_understood(tmp_path: Path) -> None:
    policy = loaded(tmp_path, FULL.replace('"  sue  "', "Sue"))
    there = partial(ask, policy, address="10.0.0.1", host="a.branch.example.com")
    one = partial(ask, policy, "/one", address="10.0.0.1", host="one.example")

    assert there("/reports/q1.pdf", person("sue")).outcome is ALLOW
    assert there("/reports/q1.pdf", person("sue2")).outcome is ALLOW
    assert there("/reports/x/summary", person("ann", "staff")).outcome is ALLOW
    assert there("/reports/q1.pdf", person("ann")).outcome is DENY
    assert there("/reports/q1.pdf", method="HEAD").outcome is CHALLENGE
    assert there("/reports/q1.pdf", method="POST").rule == "Rest"
    assert one(method="POST").rule == "One"
    assert one(method="HEAD").rule == "Rest"
    assert ask(policy, "/closed").outcome is DENY
    assert policy.groups == {"staff"}
    assert [rule.line for rule in policy.rules] == [2, 8, 9, 10]


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    rule = "rules: [{name: %s, path: /x, allow: %s}]\n"
    files = write(tmp_path, b_20=rule % ("late", "public"), a_10=rule % ("early", "nobody"))

    policy, (warning,) = load_policies(files)

    assert [rule.name for rule in policy.rules] == ["early", "late"]
    assert str(warning) == (
        f"{tmp_path}/b-20.yaml:1: warning: rules.0: rule 'late' can never match: "
        f"rule 'early' ({tmp_path}/a-10.yaml:1) covers it"
    )


HEAD = "rules:\n- name: A\n  path: /a\n  allow: public\n- name: B\n"
WHO = "write public, signed_in, nobody or {groups: [staff], users: [sue]}"
GOOD = "  path: /b\n  allow: public\n"


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        pytest.param("  allow: public\n", "5: rules.1.path: is missing", id="no path"),
        pytest.param("  path: /b\n", "5: rules.1.allow: is missing", id="no audience"),
        pytest.param(
            GOOD + "  alow: public\n",
            "8: rules.1.alow: unknown key 'alow'; did you mean 'allow'?",
            id="unknown key",
        ),
        pytest.param(
            "  path: b\n  allow: public\n",
            "6: rules.1.path.0: a path begins with /, as in /staff/**",
            id="relative path",
        ),
        pytest.param(
            "  path:\n  - /b\n  - /c//d\n  allow: public\n",
            "8: rules.1.path.1: two slashes in a row: such an address is refused before any rule",
            id="one path of several",
        ),
        pytest.param(
            "  path: []\n  allow: public\n",
            "6: rules.1.path: nothing is listed here; name something, or leave the key out",
            id="empty list",
        ),
        pytest.param(
            "  path:\n  allow: public\n",
            "6: rules.1.path: nothing is listed here; name something, or leave the key out",
            id="empty value",
        ),
        pytest.param(
            "  path: 404\n  allow: public\n",
            "6: rules.1.path.0: write text: put it in quotes",
            id="number",
        ),
        pytest.param(
            "  path: /b\n  allow: publik\n", f"7: rules.1.allow: {WHO}", id="unknown word"
        ),
        pytest.param(
            "  path: /b\n  allow: [staff]\n", f"7: rules.1.allow: {WHO}", id="list of groups"
        ),
        pytest.param("  path: /b\n  allow: true\n", f"7: rules.1.allow: {WHO}", id="yes"),
        pytest.param("  path: /b\n  allow:\n", f"7: rules.1.allow: {WHO}", id="nothing"),
        pytest.param(
            "  path: /b\n  allow: {}\n",
            "7: rules.1.allow: name groups or users; `allow: nobody` closes a page",
            id="nobody named",
        ),
        pytest.param(
            "  path: /b\n  allow: {group: [staff]}\n",
            "7: rules.1.allow.group: unknown key 'group'; did you mean 'groups'?",
            id="unknown key of who",
        ),
        pytest.param(
            "  path: /b\n  allow:\n    groups:\n    - staff\n    - a,b\n",
            "10: rules.1.allow.groups.1: a group name must not be empty, hold a comma or "
            "begin or end with a space",
            id="comma in a group",
        ),
        pytest.param(
            '  path: /b\n  allow: {users: [" sue"]}\n',
            "7: rules.1.allow.users.0: a user name must not be empty or begin or end with a space",
            id="space before a user",
        ),
        pytest.param(
            GOOD + "  methods: [get]\n",
            "8: rules.1.methods.0: methods are written in capitals, as in [GET, POST]",
            id="method in lower case",
        ),
        pytest.param(
            GOOD + "  host: '*'\n",
            "8: rules.1.host.0: a * may stand only at the start, as in *.example.com",
            id="star host",
        ),
        pytest.param(
            GOOD + "  host: 'a.*.com'\n",
            "8: rules.1.host.0: a * may stand only at the start, as in *.example.com",
            id="star in a host",
        ),
        pytest.param(
            GOOD + "  networks: [10.0.0.1/8]\n",
            "8: rules.1.networks.0: 10.0.0.1/8 is an address inside a network: "
            "write 10.0.0.0/8 for all of the network or 10.0.0.1 for the one address",
            id="host bits",
        ),
        pytest.param(
            GOOD + "  networks: []\n",
            "8: rules.1.networks: nothing is listed here; name something, or leave the key out",
            id="no network",
        ),
        pytest.param(
            GOOD + "- {name: A, path: /c, allow: public}\n",
            "8: rules.2.name: the rule at p.yaml:2 has this name already",
            id="name taken",
        ),
        pytest.param(
            GOOD + "- {name: '', path: /c, allow: public}\n",
            "8: rules.2.name: a rule's name is one line of 1 to 100 characters",
            id="no name",
        ),
        pytest.param(
            GOOD + '- {name: "a\\nb", path: /c, allow: public}\n',
            "8: rules.2.name: a rule's name is one line of 1 to 100 characters",
            id="two lines of name",
        ),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_its_line(tmp_path: Path, rest: str, problem: str) -> None:
    assert refused(tmp_path, HEAD + rest) == [f"p.yaml:{problem}"]


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    files = write(
        tmp_path,
        a="rules:\n- {name: A, path: a, allow: publik}\n",
        b="rules:\n- {name: B, path: /b, allow: public}\n- {name: B, path: /c, allow: public}\n",
        c="rules: [\n",
    )
    with pytest.raises(ConfigurationError) as error:
        load_policies([*files, tmp_path / "gone.yaml"])

    found = [(Path(p.file).name, p.line) for p in error.value.problems]
    assert found == [("a.yaml", 2), ("a.yaml", 2), ("b.yaml", 3), ("c.yaml", 2), ("gone.yaml", 0)]


def test_a_pattern_that_cannot_be_judged_without_case_is_told(tmp_path: Path) -> None:
    text = "rules:\n- name: A\n  path:\n  - /a\n  - /b./c\n  allow: public\n"

    assert loaded(tmp_path, text).case == "sensitive"
    assert refused(tmp_path, text, "ignore") == [
        "p.yaml:5: rules.0.path.1: case: ignore takes dots and spaces at a segment's end for absent"
    ]


RULES = """\
rules:
- {name: Pub, path: [/, /pub/**], allow: public}
- {name: Staff, path: /staff/**, allow: {groups: [staff], users: [Sue]}}
- {name: Office, path: /office, allow: public, networks: [10.0.0.0/8]}
tests:
"""


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("{request: GET /, expect: allow}", id="anonymous by default"),
        pytest.param("{request: GET /, as: anonymous, expect: allow, rule: Pub}", id="all of it"),
        pytest.param("{request: GET https://any.example, expect: allow}", id="URL without path"),
        pytest.param("{request: 'GET https://any.example:8443/pub/?x', expect: allow}", id="URL"),
        pytest.param("{request: GET /staff, expect: challenge}", id="challenge"),
        pytest.param("{request: GET /staff, as: {user: SUE}, expect: allow}", id="user"),
        pytest.param(
            "{request: GET /staff, as: {user: a, groups: staff}, expect: allow}", id="one group"
        ),
        pytest.param(
            "{request: GET /staff, as: {user: a, groups: [x]}, expect: deny}", id="other group"
        ),
        pytest.param("{request: GET /office, from: 10.0.0.1, expect: allow}", id="inside"),
        pytest.param("{request: GET /office, from: '::ffff:10.0.0.1', expect: allow}", id="mapped"),
        pytest.param("{request: GET /office, from: 192.0.2.1, expect: deny}", id="outside"),
        pytest.param("{request: GET /office, expect: deny, rule: Office}", id="unknown address"),
        pytest.param(
            "{request: GET /pub/straße%20und%20so, expect: allow}", id="as people write it"
        ),
        pytest.param("{request: GET /pub/../staff, expect: deny}", id="refused address"),
    ],
)
def test_a_test_that_holds_says_nothing(tmp_path: Path, test: str) -> None:
    loaded(tmp_path, f"{RULES}- {test}\n")


@pytest.mark.parametrize(
    ("test", "message"),
    [
        pytest.param(
            "{request: GET /staff, as: {user: john, groups: [members]}, expect: allow}",
            "expected allow for GET /staff as john, got deny by rule 'Staff' (p.yaml:3)",
            id="denied",
        ),
        pytest.param(
            "{request: GET /staffx, expect: challenge}",
            "expected challenge for GET /staffx as anonymous, got deny: No rule opens this page",
            id="no rule",
        ),
        pytest.param(
            "{request: GET /office, from: 10.0.0.1, expect: deny}",
            "expected deny for GET /office as anonymous from 10.0.0.1, "
            "got allow by rule 'Office' (p.yaml:4)",
            id="allowed",
        ),
        pytest.param(
            "{request: GET /, expect: allow, rule: Staff}",
            "expected rule 'Staff' to decide GET / as anonymous, "
            "got allow by rule 'Pub' (p.yaml:2)",
            id="another rule",
        ),
        pytest.param(
            "{request: GET /, expect: allow, rule: Stuff}",
            "there is no rule 'Stuff'",
            id="unknown rule",
        ),
        pytest.param(
            "{request: GET /pub/..%2fstaff, expect: allow}",
            "expected allow for GET /pub/..%2fstaff as anonymous, "
            "got deny: the gate refuses this address, an encoded slash",
            id="refused address",
        ),
        pytest.param(
            "{request: TRACE /, expect: deny}",
            "the gate refuses this request before any rule: method_refused, method 'TRACE'",
            id="refused method",
        ),
        pytest.param(
            "{request: 'GET https://a@b/', expect: deny}",
            "the gate refuses this request before any rule: bad_host, Host 'a@b'",
            id="refused host",
        ),
    ],
)
def test_a_test_that_fails_stops_the_start(tmp_path: Path, test: str, message: str) -> None:
    assert refused(tmp_path, f"{RULES}- {{request: GET /, expect: allow}}\n- {test}\n") == [
        f"p.yaml:7: tests.1: {message}"
    ]


def test_a_test_without_a_host_is_told_of_rules_that_name_one(tmp_path: Path) -> None:
    text = "rules: [{name: A, path: /a, host: a.example, allow: public}]\ntests:\n- "

    assert refused(tmp_path, text + "{request: GET /a, expect: allow}\n") == [
        "p.yaml:3: tests.0: expected allow for GET /a as anonymous, "
        "got deny: No rule opens this page; "
        "some rules name a host, so write the whole URL, as in GET https://host/path"
    ]
    loaded(tmp_path, text + "{request: GET https://a.example/a, expect: allow}\n")


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        pytest.param(
            "{request: /, expect: allow}",
            "tests.0.request: write a method and a path or URL, as in GET /staff/rota",
            id="no method",
        ),
        pytest.param(
            "{request: get /, expect: allow}",
            "tests.0.request: write a method and a path or URL, as in GET /staff/rota",
            id="lower case",
        ),
        pytest.param(
            "{request: GET x, expect: allow}",
            "tests.0.request: write a method and a path or URL, as in GET /staff/rota",
            id="relative",
        ),
        pytest.param("{request: GET /}", "tests.0.expect: is missing", id="nothing expected"),
        pytest.param(
            "{request: GET /, expect: 401}",
            "tests.0.expect: write 'allow', 'challenge' or 'deny'",
            id="a status",
        ),
        pytest.param(
            "{request: GET /, expect: deny, as: john}",
            "tests.0.as: write 'anonymous'",
            id="a bare name",
        ),
        pytest.param(
            "{request: GET /, expect: deny, as: {groups: [a]}}",
            "tests.0.as.user: is missing",
            id="no user",
        ),
        pytest.param(
            "{request: GET /, expect: deny, from: home}",
            "tests.0.from: this is no address; write 192.0.2.7 or ::1",
            id="no address",
        ),
        pytest.param(
            "{request: GET /, expect: deny, form: x}",
            "tests.0.form: unknown key 'form'; did you mean 'from'?",
            id="unknown key",
        ),
    ],
)
def test_a_mistake_in_a_test_is_told_with_its_line(tmp_path: Path, test: str, problem: str) -> None:
    assert refused(tmp_path, f"{RULES}- {test}\n") == [f"p.yaml:6: {problem}"]


def test_a_group_that_nobody_can_be_in_is_told(tmp_path: Path) -> None:
    files = write(tmp_path, p=RULES.removesuffix("tests:\n"))

    _, warnings = load_policies(files, known_groups=frozenset({"members"}))

    assert [str(warning) for warning in warnings] == [
        f"{files[0]}:3: warning: rules.1.allow.groups: nobody can be in the group 'staff'"
    ]
    assert load_policies(files, known_groups=frozenset({"staff"}))[1] == []
    assert load_policies(files)[1] == []


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "rules: []\n"])
def test_no_rule_at_all_is_told_and_denies(tmp_path: Path, text: str) -> None:
    files = write(tmp_path, p=text)
    policy, warnings = load_policies(files)

    assert [str(warning) for warning in warnings] == [
        f"{files[0]}: warning: rules: there is no rule: all is denied"
    ]
    assert ask(policy, "/").outcome is DENY


def test_hidden_files_and_others_are_not_policies(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    for name in ("20.yaml", "10.yaml", ".#10.yaml", "10.yaml~", "notes.txt"):
        (tmp_path / "policies" / name).touch()

    found = policy_files(tmp_path, PolicySettings().files)

    assert sorted(found) == [tmp_path / "policies/10.yaml", tmp_path / "policies/20.yaml"]
    assert sorted(policy_files(Path("elsewhere"), f"{tmp_path}/policies/*.yaml")) == sorted(found)


def test_policy_files_have_a_schema_for_editors() -> None:
    rule = schema(PolicyFile)["$defs"]["RuleSettings"]

    assert set(rule["required"]) == {"name", "path", "allow"}
    assert rule["properties"]["path"]["type"] == ["string", "array"]
    assert "description" in rule["properties"]["networks"]


def test_the_demonstration_has_no_mistake_and_no_doubt() -> None:
    policy, warnings = load_policies(
        policy_files(DEMONSTRATION.parent, "policies/*.yaml"),
        known_groups=frozenset({"members", "staff"}),
    )

    assert warnings == []
    assert policy.groups == {"members", "staff"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("allow: {groups: [staff]}", "allow: {groups: [members]}", id="another group"),
        pytest.param("path: /staff/**", "path: /staff/rota", id="another path"),
        pytest.param("[/, /public/**", "[/**", id="everything is public"),
    ],
)
def test_the_tests_of_the_demonstration_notice_a_hole(tmp_path: Path, old: str, new: str) -> None:
    text = (DEMONSTRATION / "10-demo.yaml").read_text(encoding="utf-8")
    assert old in text

    assert any("tests." in problem for problem in refused(tmp_path, text.replace(old, new)))


def test_the_commented_example_of_the_demonstration_is_valid(tmp_path: Path) -> None:
    lines = (DEMONSTRATION / "10-demo.yaml").read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if "- name: Reports" in line)
    example = [line.replace("  # ", "  ", 1) for line in lines[start : start + 6]]

    content = document("\n".join(["rules:", *example]), "example").validate(PolicyFile)

    assert content.rules[0].name == "Reports, read from the office"
