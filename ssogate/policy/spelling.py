"""Which spellings a case-insensitive file system takes for the same file: for `case: ignore`.

Strategy: fold rules and requests to one form. Where such systems differ (a `:` that opens a stream
of the file before it) every form is judged, and what no form can stand for (an 8.3 short name) is
undecidable, which means denied.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from ssogate.policy.pattern import Glob, Pattern

_ABSENT = ". "  # Windows drops them from the end of a name
# What Windows also calls a longer name; it cannot be told which one without asking the disk.
_SHORT_NAME = re.compile(r"[^.~]+~[0-9]+(?:\.[^.]*)?")


# Unicode's Default_Ignorable_Code_Point: ext4 and HFS+ overlook them when they look for a name.
_IGNORABLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def fold(text: str) -> str:
    """Give the form in which names are compared: caseless matching (Unicode, D145) without what
    nobody sees."""
    if text.isascii():
        return text.lower()
    seen = _IGNORABLE.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFD", seen.casefold())


def fold_pattern(pattern: Pattern) -> Pattern:
    """Fold a pattern; its text stays as written. Raises ValueError with advice."""
    for segment in pattern.segments:
        text = str(segment)
        if text.endswith(tuple(_ABSENT)):
            raise ValueError("case: ignore takes dots and spaces at a segment's end for absent")
        if ":" in text or _SHORT_NAME.fullmatch(text):
            raise ValueError("case: ignore cannot match a : or a short name such as progra~1")
    return replace(pattern, segments=tuple(map(_fold_segment, pattern.segments)))


def _fold_segment(segment: str | Glob) -> str | Glob:
    if isinstance(segment, str):
        return fold(segment)
    return Glob(fold(segment.before), fold(segment.after))


def foldings(reading: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Give every folded form of a reading; none at all when it is undecidable."""
    whole = tuple(fold(segment).rstrip(_ABSENT) for segment in reading)
    cut = tuple(segment.partition(":")[0].rstrip(_ABSENT) for segment in whole)
    for segment, folded in zip(reading, cut, strict=True):
        if (segment and not folded) or _SHORT_NAME.fullmatch(folded):
            return ()
    return (whole,) if whole == cut else (whole, cut)
