"""Rules to a trie by host and path segments; to find the first that matches is a few look-ups.

Strategy: each node knows the first rule, for each method, that ends there. A request walks all the
nodes that fit it at once, in step: a literal child is one dict look-up, globs one for each
*shape* (length before and after the `*`) at that node. So the cost grows with the path's length and
the number of different shapes, not with the number of rules.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from ssogate.policy.pattern import Glob
from ssogate.policy.rule import Rule
from ssogate.policy.spelling import fold_pattern, foldings

Case = Literal["sensitive", "ignore"]
NEVER = sys.maxsize  # as the number of a rule: none, and later than every other


@dataclass(slots=True)
class _Firsts:
    """The number of the first rule that ends at a node, by method."""

    default: int = NEVER
    by_method: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, methods: frozenset[str] | None) -> None:
        """Enter a rule. Rules come in order, so whatever stands here already stays first."""
        if self.default != NEVER:
            return
        if methods is None:
            self.default = number
        for method in methods or ():
            self.by_method.setdefault(method, number)

    def get(self, method: str | None) -> int:
        """Look up; a method of None asks for a rule that matches every method."""
        return self.default if method is None else self.by_method.get(method, self.default)


@dataclass(slots=True)
class _Node:
    here: _Firsts | None = None
    """Rules with a pattern that ends here."""
    below: _Firsts | None = None
    """Rules with a pattern that ends here with `/**`."""
    literal: dict[str, _Node] = field(default_factory=dict)
    globs: dict[tuple[int, int], dict[tuple[str, str], _Node]] = field(default_factory=dict)

    def grow(self, segment: str | Glob) -> _Node:
        """Give the child for a pattern's segment, made if need be."""
        if isinstance(segment, str):
            return self.literal.setdefault(segment, _Node())
        shape = len(segment.before), len(segment.after)
        same_shape = self.globs.setdefault(shape, {})
        return same_shape.setdefault((segment.before, segment.after), _Node())

    def step(self, segment: str | Glob, found: list[_Node]) -> None:
        """Add every child that fits a text, or that fits every text which a glob fits."""
        if isinstance(segment, str):
            head = tail = segment
            if (child := self.literal.get(segment)) is not None:
                found.append(child)
            if not segment:
                return
            room = len(segment)
        else:
            head, tail = segment.before, segment.after
            room = len(head) + len(tail)
        for (before, after), same_shape in self.globs.items():
            if room < before + after:  # the ends may not overlap
                continue
            child = same_shape.get((head[:before], tail[len(tail) - after :]))
            if child is not None:
                found.append(child)


@dataclass(slots=True)
class _Hosts:
    """The roots: of one host, of all hosts below a name, of any host."""

    exact: dict[str, _Node] = field(default_factory=dict)
    below: dict[str, _Node] = field(default_factory=dict)
    any: _Node = field(default_factory=_Node)

    def enter(self, number: int, rule: Rule) -> None:
        """Enter a rule at the end of each of its patterns, under each of its hosts."""
        for host in rule.hosts or ("",):
            for path in rule.paths:
                node = self._root(host)
                for segment in path.segments:
                    node = node.grow(segment)
                if path.subtree:
                    node.below = node.below or _Firsts()
                    node.below.add(number, rule.methods)
                else:
                    node.here = node.here or _Firsts()
                    node.here.add(number, rule.methods)

    def _root(self, host: str) -> _Node:
        if not host:
            return self.any
        table = self.below if host.startswith("*.") else self.exact
        return table.setdefault(host.removeprefix("*"), _Node())

    def fitting(self, host: str) -> list[_Node]:
        """Give the roots of all rules that speak about a host (or about all of `*.host`)."""
        roots = [self.any]
        if (root := self.exact.get(host)) is not None:
            roots.append(root)
        dot = host.find(".") if self.below else -1
        while dot >= 0:
            if (root := self.below.get(host[dot:])) is not None:
                roots.append(root)
            dot = host.find(".", dot + 1)
        return roots

    def first(
        self, method: str | None, host: str, segments: tuple[str | Glob, ...], *, subtree: bool
    ) -> int:
        """Give the number of the first rule that matches a path, or that covers a pattern."""
        best = NEVER
        nodes = self.fitting(host)
        for segment in segments:
            deeper: list[_Node] = []
            for node in nodes:
                if node.below is not None:
                    best = min(best, node.below.get(method))
                node.step(segment, deeper)
            nodes = deeper
        for node in nodes:
            if node.below is not None:
                best = min(best, node.below.get(method))
            if node.here is not None and not subtree:
                best = min(best, node.here.get(method))
        return best


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, ready to be asked. Made by `compile_policy`; never changed afterwards."""

    rules: tuple[Rule, ...]
    case: Case
    groups: frozenset[str]
    """Every group that some rule names."""
    _hosts: _Hosts = field(repr=False, compare=False)

    def first(self, method: str, host: str, reading: tuple[str, ...]) -> Rule | None:
        """Give the first rule that matches one reading (of `readings`) of a request."""
        number = self._hosts.first(method, host, reading, subtree=False)
        return None if number == NEVER else self.rules[number]

    def readings(self, literal: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        """Give a target's readings in the spelling that is compared; none if undecidable."""
        if self.case == "sensitive":
            return literal
        folded = tuple(map(foldings, literal))
        return tuple(form for forms in folded for form in forms) if all(folded) else ()

    def covering(self, number: int) -> Rule | None:
        """Give an earlier rule, if earlier ones match everything that this one does; else None."""
        rule = self.rules[number]
        earlier = [
            self._hosts.first(method, host, path.segments, subtree=path.subtree)
            for host in rule.hosts or ("",)
            for path in rule.paths
            for method in rule.methods or (None,)
        ]
        return self.rules[max(earlier)] if max(earlier) < number else None


def compile_policy(rules: Iterable[Rule], case: Case = "sensitive") -> Policy:
    """Compile rules, first match first. Raises ValueError for a pattern `case` cannot judge."""
    kept = tuple(rules)
    if case == "ignore":
        kept = tuple(replace(rule, paths=tuple(map(fold_pattern, rule.paths))) for rule in kept)
    hosts = _Hosts()
    for number, rule in enumerate(kept):
        hosts.enter(number, rule)
    return Policy(kept, case, frozenset().union(*(rule.groups for rule in kept)), hosts)
