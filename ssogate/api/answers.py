"""Answers in WHMCS's three forms: `json` as PHP writes it, `xml`, and the older `nvp`.

Texts of strangers stand in all of them, so each form escapes what could end a value in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from ssogate.api.call import Answer
from ssogate.http.pages import PRIVATE_HEADERS

SPOKEN = "8.13"  # the WHMCS whose API reference is followed; `xml` names it

# What XML 1.0, section 2.2 lets no document hold, not even escaped.
_NO_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENDS_A_VALUE = re.compile(r"[%;\x00-\x1f\x7f]")


def written(form: str, action: str, answer: Answer, *, status: int = 200) -> Response:
    """Write an answer in a form; in JSON if there is none of that name."""
    write, content_type = _FORMS.get(form, _FORMS["json"])
    text = write(action, answer)
    response = Response(text, status, PRIVATE_HEADERS, content_type=content_type)
    if status == 405:
        response.headers["Allow"] = "POST"
    return response


def moment(seconds: int) -> str:
    """Give a time as most of WHMCS's answers hold it, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _json(action: str, answer: Answer) -> str:
    text = json.dumps(answer, separators=(",", ":"))
    return text.replace("/", "\\/").replace("<", "\\u003c")  # both stand in texts only


def _xml(action: str, answer: Answer) -> str:
    elements = "".join(_elements({"action": action, **answer}))
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return f'{head}<whmcsapi version="{SPOKEN}">\n{elements}</whmcsapi>'


def _elements(values: Answer) -> Iterator[str]:
    """A list is its key's element as many times as it has values."""
    for key, value in values.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Mapping):
                inner = "".join(_elements(one))
                yield f"<{key}>\n{inner}</{key}>\n"
            else:
                yield f"<{key}>{escape(_NO_XML.sub('', _text(one)))}</{key}>\n"


def _nvp(action: str, answer: Answer) -> str:
    return "".join(f"{name}={_ENDS_A_VALUE.sub(_as_hex, text)};" for name, text in _flat(answer))


def _flat(values: Answer, within: str = "") -> Iterator[tuple[str, str]]:
    """Give single values, those of records and lists under names as PHP writes them."""
    for key, value in values.items():
        name = f"{within}[{key}]" if within else key
        if isinstance(value, list | tuple):
            yield from _flat({str(place): one for place, one in enumerate(value)}, name)
        elif isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            yield name, _text(value)


def _as_hex(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _text(value: object) -> str:
    """Give a value as PHP turns it into a text."""
    if isinstance(value, bool):
        return "1" if value else ""
    return "" if value is None else str(value)


_FORMS: Mapping[str, tuple[Callable[[str, Answer], str], str]] = {
    "json": (_json, "application/json"),
    "xml": (_xml, "application/xml; charset=utf-8"),
    "nvp": (_nvp, "text/plain; charset=utf-8"),
}
