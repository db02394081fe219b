"""The fields of a form of our own: each stands there exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssogate.errors import BadForm
from ssogate.http.form import form_pairs

if TYPE_CHECKING:
    from werkzeug.wrappers import Request


def fields(request: Request, *names: str) -> tuple[str, ...]:
    """Give the values of `names` in a form, in their order; other fields do not count.

    Raises `BadForm` for a field that is missing or there twice, and what
    `form_pairs` raises.
    """
    pairs = form_pairs(request)
    found = []
    for name in names:
        values = [value for key, value in pairs if key == name]
        if len(values) != 1:
            raise BadForm(f"{len(values)} fields {name!r} in a form")
        found += values
    return tuple(found)
