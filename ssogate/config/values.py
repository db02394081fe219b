"""The kinds of values that settings are made of: amounts with a unit, and the class of them all.

A file says `90s`; the settings object holds `90.0`. Code (and tests) that builds settings without
a file gives plain numbers in seconds or bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
)

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


class Settings(BaseModel):
    """A room's settings: frozen, and an unknown key is a mistake, never ignored.

    The docstring below a field is its description in the JSON Schema.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


def written(amount: float, units: Mapping[str, float]) -> str:
    """Give an amount as one writes it: `12h`, in the largest unit that leaves a whole number."""
    sizes = sorted(units.items(), key=lambda unit: unit[1], reverse=True)
    whole = (f"{amount / size:.0f}{name}" for name, size in sizes if (amount / size).is_integer())
    one = next(name for name, size in sizes if size == 1)
    return next(whole, f"{amount:g}{one}") if amount else f"0{one}"


# Nine digits are thirty years of seconds or a terabyte in KiB; more is a slip of the keyboard.
def _pattern(units: Mapping[str, float]) -> str:
    return rf"([0-9]{{1,9}}(?:\.[0-9]{{1,6}})?) ?({'|'.join(units)})"


def _amount(units: Mapping[str, float], example: str) -> BeforeValidator:
    grammar = re.compile(_pattern(units))

    def parse(value: Any, info: ValidationInfo) -> float:
        from_code = info.context is None and isinstance(value, int | float)
        if from_code and not isinstance(value, bool) and 0 <= value < math.inf:
            return float(value)
        found = grammar.fullmatch(value) if isinstance(value, str) else None
        if not found:
            raise ValueError(f"write a number with a unit, such as {example}")
        return float(found[1]) * units[found[2]]

    return BeforeValidator(parse)


def _described(units: Mapping[str, float], *examples: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "pattern": f"^{_pattern(units)}$", "examples": list(examples)}
    )


Duration = Annotated[
    float,
    _amount(SECONDS, "90s, 30m, 12h or 7d"),
    _described(SECONDS, "90s", "30m", "12h", "7d"),
]
"""Seconds, written with a unit: a bare number would be read as minutes by some and seconds by
others."""

Size = Annotated[
    int,
    BeforeValidator(round),  # runs second: validators of an Annotated run from right to left
    _amount(BYTES, "64KiB, 10MiB or 2GB"),
    _described(BYTES, "64KiB", "10MiB", "2GB"),
]
"""Bytes, written with a unit."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,31}$")]
"""A short word by which something is named elsewhere: in logs, in another setting."""
