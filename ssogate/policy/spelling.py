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


def fold(text: str) -> str:
    """Give the form in which names are compared: canonical caseless matching (Unicode, D145)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


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
