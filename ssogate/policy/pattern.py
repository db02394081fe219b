"""Path patterns: text to a frozen value, or a message that says what to write instead.

A pattern is a row of decoded segments: literal, or with one `*` in it; `/**` at the end adds
everything below. There are no regexes and no `**` in the middle, because rules such as
`/**/*.css` are how gateways are walked around: `/admin/x.css` is still `/admin` to many an app.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_PATTERN = 1024  # characters; a longer pattern is a slip of the keyboard

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What may stand in no text of a rule: controls, line separators, lone surrogates."""

_REFUSED = {
    "%": "write the decoded text instead of percent escapes",
    "?": "a rule speaks about the path; the query is not judged",
    "#": "a fragment never reaches a server",
    "\\": "write / between segments; an address with a backslash is refused anyway",
}


@dataclass(frozen=True, slots=True)
class Glob:
    """A segment with one `*`: `before*after`. It never matches an empty segment."""

    before: str
    after: str

    def matches(self, segment: str) -> bool:
        """Tell whether one decoded segment fits; the `*` may stand for nothing beside a text."""
        return (
            segment != ""
            and len(segment) >= len(self.before) + len(self.after)
            and segment.startswith(self.before)
            and segment.endswith(self.after)
        )

    def __str__(self) -> str:
        return f"{self.before}*{self.after}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which paths are meant. Built by `parse_pattern` only."""

    text: str
    """As the operator wrote it."""
    segments: tuple[str | Glob, ...]
    subtree: bool
    """Whether everything below is meant too (`/**`)."""

    def matches(self, reading: tuple[str, ...]) -> bool:
        """Tell whether a reading of a target fits: one pattern at a time, for explanations."""
        if len(reading) < len(self.segments):
            return False
        if len(reading) > len(self.segments) and not self.subtree:
            return False
        return all(
            part == segment if isinstance(part, str) else part.matches(segment)
            for part, segment in zip(self.segments, reading, strict=False)
        )


def parse_pattern(text: str) -> Pattern:
    """Read a path pattern. Raises ValueError with a message for the operator."""
    if not text.startswith("/"):
        raise ValueError("a path begins with /, as in /staff/**")
    if len(text) > MAX_PATTERN:
        raise ValueError(f"a path has at most {MAX_PATTERN} characters")
    for character, advice in _REFUSED.items():
        if character in text:
            raise ValueError(f"{character} cannot stand in a path: {advice}")
    if UNPRINTABLE.search(text):
        raise ValueError("a control character cannot stand in a path")
    parts = text[1:].split("/")
    subtree = parts[-1] == "**"
    if subtree:
        parts.pop()
    if "" in (parts if subtree else parts[:-1]):
        raise ValueError("two slashes in a row: such an address is refused before any rule")
    return Pattern(text, tuple(map(_segment, parts)), subtree)


def _segment(part: str) -> str | Glob:
    if part.strip() in (".", ".."):
        raise ValueError("a . or .. segment: such an address is refused before any rule")
    if "**" in part:
        raise ValueError(
            "** may stand only at the end, as in /static/**: a rule for an ending anywhere, such "
            "as /**/*.css, also opens /admin/x.css, which many an app serves as /admin"
        )
    if part.count("*") > 1:
        raise ValueError("at most one * in a segment")
    before, star, after = part.partition("*")
    return Glob(before, after) if star else part
