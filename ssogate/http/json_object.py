"""JSON from strangers: one reading or none.

Programs differ over a name that stands twice, NaN and half a surrogate pair; what one of them
checks and the next one uses must be the same.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn


def json_object(raw: bytes) -> dict[str, Any]:
    """Read one object in UTF-8 (RFC 8259, section 8.1). The caller bounds its length.

    Raises ValueError, also for depths that nobody needs.
    """
    try:
        text = raw.decode()
        found = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
        if "\\" in text:
            json.dumps(found, ensure_ascii=False).encode()  # finds an escaped half of a pair
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
