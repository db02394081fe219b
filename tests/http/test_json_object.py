"""JSON from strangers has one reading, or it is refused."""

from __future__ import annotations

import pytest

from ssogate.http.json_object import json_object


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"{}", {}, id="empty"),
        pytest.param(b' {"a": [1, null, "x"]} ', {"a": [1, None, "x"]}, id="nested"),
        pytest.param('{"é": 1.5}'.encode(), {"é": 1.5}, id="UTF-8"),
        pytest.param(b'{"a": "\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}, id="whole pair"),
    ],
)
def test_reads_an_object(raw: bytes, expected: object) -> None:
    assert json_object(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a": 1, "a": 2}', id="twice"),
        pytest.param(b'{"x": {"a": 1, "\\u0061": 2}}', id="twice, escaped and inside"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": -Infinity}', id="infinity"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", id="a number of 5000 digits"),
        pytest.param(b'{"a": "\\ud800"}', id="half a pair"),
        pytest.param(b'{"\\udc00": 1}', id="half a pair in a name"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', id="byte order mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"a": 1} {}', id="more behind it"),
        pytest.param(b'{"a":' * 8000 + b"1" + b"}" * 8000, id="deep"),
    ],
)
def test_refuses_what_has_two_readings_or_none(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (which one is for the log)
        json_object(raw)
