"""What a step of a diagnosis found, in words that are safe to print on an operator's terminal."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from ssogate.errors import GateError, MissingParameter
from ssogate.login.signed_link.link import INNER, OUTER

MAX_SHOWN = 120  # characters of a text that somebody else chose


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found. `detail` is printable; it holds no secret and no hash."""

    ok: bool
    title: str
    detail: str


T = TypeVar("T")
Steps = Generator[Finding, None, T]
"""Findings one by one, and at the end what the next step needs."""


def shown(text: str) -> str:
    """Give a stranger's text in quotes and in printable characters, not too many of them."""
    cut = text[:MAX_SHOWN] + ("…" if len(text) > MAX_SHOWN else "")
    return f"'{cut}'" if cut.isprintable() else ascii(cut)


def told(error: GateError, hint: str = "") -> str:
    """Give a refusal's code, its public words and the detail that only an operator sees."""
    detail = ": ".join(filter(None, (error.public.rstrip("."), error.detail)))
    return f"{error.code} {detail}{f' ({hint})' if hint else ''}"


def misspelt(error: GateError, keys: Iterable[str]) -> str:
    """Say which of the keys that there are stands for one that `error` misses; empty if none."""
    if not isinstance(error, MissingParameter):
        return ""
    there = {key.lower(): key for key in keys if key not in (*OUTER, *INNER)}
    for missing in error.detail.split(", "):
        if near := get_close_matches(missing, there, 1, 0.6):
            return f"there is {shown(there[near[0]])}; write {missing}"
    return ""
