"""How long a body is, said in one way, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from ssogate.errors import BadHeaders, CodingRefused, GateError
from ssogate.http.framing import body_length

CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


@pytest.mark.parametrize(
    ("environ", "length"),
    [
        pytest.param({}, None, id="no body"),
        pytest.param({"CONTENT_LENGTH": ""}, None, id="empty length"),
        pytest.param({"CONTENT_LENGTH": "0"}, 0, id="zero"),
        pytest.param({"CONTENT_LENGTH": "42"}, 42, id="a length"),
        pytest.param({"CONTENT_LENGTH": "007"}, 7, id="zeros in front"),
        pytest.param(CHUNKED, "chunks", id="chunks"),
        pytest.param({**CHUNKED, "HTTP_TRANSFER_ENCODING": "Chunked"}, "chunks", id="in any case"),
        pytest.param({**CHUNKED, "CONTENT_LENGTH": ""}, "chunks", id="chunks, empty length"),
    ],
)
def test_a_body_has_one_length(environ: dict[str, Any], length: object) -> None:
    assert body_length(environ) == length


@pytest.mark.parametrize(
    ("environ", "error"),
    [
        pytest.param({**CHUNKED, "CONTENT_LENGTH": "5"}, BadHeaders, id="both"),
        pytest.param({**CHUNKED, "CONTENT_LENGTH": "0"}, BadHeaders, id="both, zero"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked"}, BadHeaders, id="chunks left in"),
        *(
            pytest.param({**CHUNKED, "HTTP_TRANSFER_ENCODING": text}, CodingRefused, id=repr(text))
            for text in (
                "gzip, chunked",
                "chunked, chunked",
                "xchunked",
                "identity",
                "",
                " chunked",
                "chunked ",
                "\x0bchunked",
                "chunked;x=1",
                "gzip",
            )
        ),
        *(
            pytest.param({"CONTENT_LENGTH": text}, BadHeaders, id=repr(text))
            for text in ("-1", "+5", "5,5", "5, 5", "0x5", "5_0", " 5", "5 ", "1e3", "٥", "9" * 20)
        ),
    ],
)
def test_a_body_whose_length_is_in_doubt_is_refused(
    environ: dict[str, Any], error: type[GateError]
) -> None:
    with pytest.raises(error):
        body_length(environ)
