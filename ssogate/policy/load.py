"""Policy files to a policy: every mistake at once, the files' own tests run, doubtful rules told.

A policy whose tests fail is not a policy: whoever reloads keeps the one that is in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from ssogate.config import Document, read
from ssogate.errors import ConfigurationError, Problem
from ssogate.policy.compile import Case, Policy, compile_policy
from ssogate.policy.networks import networks
from ssogate.policy.rule import Access, Rule
from ssogate.policy.settings import Listed, PolicyFile, RuleSettings
from ssogate.policy.spelling import fold_pattern
from ssogate.policy.trial import failure


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule and where it stands."""

    rule: Rule
    document: Document
    index: int

    def problem(self, message: str, *path: str | int, warning: bool = False) -> Problem:
        return self.document.problem(("rules", self.index, *path), message, warning=warning)


def policy_files(base: Path, pattern: str) -> list[Path]:
    """Find the files of `policy.files`. Hidden ones (an editor's) are none."""
    return [base / name for name in glob(pattern, root_dir=base)]


def load_policies(
    files: Sequence[Path], case: Case = "sensitive", known_groups: frozenset[str] | None = None
) -> tuple[Policy, list[Problem]]:
    """Read files, in the order of their names, into one policy; give it with the warnings.

    `known_groups` are those that somebody can be in; None: not known, so nothing is told.
    Raises `ConfigurationError` with every problem, failed tests and warnings included.
    """
    contents, problems = _read_all(sorted(files, key=lambda path: (path.name, path)))
    placed = [
        _Placed(_rule(settings, document, index), document, index)
        for document, content in contents
        for index, settings in enumerate(content.rules)
    ]
    problems += _taken_names(placed)
    if case == "ignore":
        problems += _unfoldable(placed)
    if problems:
        raise ConfigurationError(sorted(problems))
    policy = compile_policy((entry.rule for entry in placed), case)
    warnings = [*_never_matching(policy, placed), *_unknown_groups(placed, known_groups)]
    if not placed:
        where = str(files[0]) if files else "policies"
        warnings.append(Problem(where, 0, "rules", "there is no rule: all is denied", warning=True))
    if failures := [*_failed_tests(policy, contents)]:
        raise ConfigurationError(sorted(failures + warnings))
    return policy, warnings


def _read_all(files: Iterable[Path]) -> tuple[list[tuple[Document, PolicyFile]], list[Problem]]:
    contents: list[tuple[Document, PolicyFile]] = []
    problems: list[Problem] = []
    for path in files:
        try:
            document = read(path)
            contents.append((document, document.validate(PolicyFile)))
        except ConfigurationError as error:
            problems += error.problems
    return contents, problems


def _rule(settings: RuleSettings, document: Document, index: int) -> Rule:
    listed = settings.allow if isinstance(settings.allow, Listed) else None
    methods = frozenset(settings.methods)
    if "GET" in methods:  # RFC 9110, section 9.3.2: HEAD is GET without the content
        methods |= {"HEAD"}
    return Rule(
        name=settings.name,
        paths=settings.path,
        access=Access.LISTED if listed else Access(settings.allow),
        groups=frozenset(listed.groups if listed else ()),
        users=frozenset(listed.users if listed else ()),
        hosts=settings.host,
        methods=methods or None,
        networks=networks(settings.networks) if settings.networks else None,
        file=document.file,
        line=document.line(("rules", index)),
    )


def _taken_names(placed: Iterable[_Placed]) -> Iterator[Problem]:
    seen: dict[str, Rule] = {}
    for entry in placed:
        first = seen.setdefault(entry.rule.name, entry.rule)
        if first is not entry.rule:
            yield entry.problem(f"the rule at {first.place} has this name already", "name")


def _unfoldable(placed: Iterable[_Placed]) -> Iterator[Problem]:
    for entry in placed:
        for index, pattern in enumerate(entry.rule.paths):
            try:
                fold_pattern(pattern)
            except ValueError as error:
                yield entry.problem(str(error), "path", index)


def _never_matching(policy: Policy, placed: Iterable[_Placed]) -> Iterator[Problem]:
    for number, entry in enumerate(placed):
        if earlier := policy.covering(number):
            message = f"rule {entry.rule.name!r} can never match: {earlier} covers it"
            yield entry.problem(message, warning=True)


def _unknown_groups(placed: Iterable[_Placed], known: frozenset[str] | None) -> Iterator[Problem]:
    if known is None:
        return
    for entry in placed:
        for group in sorted(entry.rule.groups - known):
            message = f"nobody can be in the group {group!r}"
            yield entry.problem(message, "allow", "groups", warning=True)


def _failed_tests(
    policy: Policy, contents: Iterable[tuple[Document, PolicyFile]]
) -> Iterator[Problem]:
    for document, content in contents:
        for index, test in enumerate(content.tests):
            if message := failure(policy, test):
                yield document.problem(("tests", index), message)
