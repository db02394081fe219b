"""Pairs as they were sent, or a refusal; never half of a body."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from werkzeug.wrappers import Request

from ssogate.errors import BadBody, BadHeaders, BodyTooLarge, GateError, InvalidParameter
from ssogate.http.form import MAX_FIELDS, MAX_FORM, form_pairs, query_pairs, sent_pairs

FORM = "application/x-www-form-urlencoded"


class Broken:
    """A body that its server cannot read."""

    def read(self, size: int) -> bytes:
        raise RuntimeError("chunk without an end")


def request(body: bytes | Broken = b"", **environ: Any) -> Request:
    stream = BytesIO(body) if isinstance(body, bytes) else body
    return Request({"CONTENT_TYPE": FORM, "wsgi.input": stream, **environ})


def sent(body: bytes, **environ: Any) -> Request:
    return request(body, CONTENT_LENGTH=str(len(body)), **environ)


def chunked(body: bytes | Broken) -> Request:
    return request(body, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True})


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("a=1&b=2", [("a", "1"), ("b", "2")], id="in order"),
        pytest.param("b=2&a=1&a=3", [("b", "2"), ("a", "1"), ("a", "3")], id="nothing is merged"),
        pytest.param("a=&b", [("a", ""), ("b", "")], id="blank values"),
        pytest.param("a=1+2%2B3", [("a", "1 2+3")], id="plus and escape"),
        pytest.param("a=b=c==", [("a", "b=c==")], id="equals signs"),
        pytest.param("%61[]=x", [("a[]", "x")], id="escaped name"),
        pytest.param("a=%C3%A9", [("a", "é")], id="UTF-8"),
        pytest.param("a=1;b=2", [("a", "1;b=2")], id="a semicolon separates nothing"),
        pytest.param("a=%zz", [("a", "%zz")], id="broken escape"),
    ],
)
def test_pairs_are_given_as_sent(query: str, pairs: list[tuple[str, str]]) -> None:
    assert query_pairs(request(QUERY_STRING=query)) == pairs
    assert form_pairs(sent(query.encode())) == pairs
    assert form_pairs(chunked(query.encode())) == pairs


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("a=%ff", id="not UTF-8"),
        pytest.param("%c0%ae=1", id="overlong name"),
        pytest.param("a=%ed%a0%80", id="surrogate"),
        pytest.param("&".join(f"a{n}=" for n in range(MAX_FIELDS + 1)), id="too many"),
    ],
)
def test_pairs_without_one_reading_are_refused(query: str) -> None:
    with pytest.raises(InvalidParameter):
        query_pairs(request(QUERY_STRING=query))
    with pytest.raises(InvalidParameter):
        form_pairs(sent(query.encode()))


@pytest.mark.parametrize(
    ("made", "error"),
    [
        pytest.param(request(b"a=1", CONTENT_LENGTH="4"), BadBody, id="cut short"),
        pytest.param(request(b"", CONTENT_LENGTH="1"), BadBody, id="nothing came"),
        pytest.param(request(Broken(), CONTENT_LENGTH="3"), BadBody, id="unreadable"),
        pytest.param(chunked(Broken()), BadBody, id="bad chunks"),
        pytest.param(
            request(b"", CONTENT_LENGTH=str(MAX_FORM + 1)), BodyTooLarge, id="length too large"
        ),
        pytest.param(request(Broken(), CONTENT_LENGTH="9" * 18), BodyTooLarge, id="huge"),
        pytest.param(request(Broken(), CONTENT_LENGTH="-5"), BadHeaders, id="length below 0"),
        pytest.param(request(Broken(), CONTENT_LENGTH="x"), BadHeaders, id="length of letters"),
        pytest.param(chunked(b"a" * (MAX_FORM + 1)), BodyTooLarge, id="chunks too large"),
    ],
)
def test_a_body_that_is_not_whole_is_refused(made: Request, error: type[GateError]) -> None:
    with pytest.raises(error):
        form_pairs(made)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(request(b"mode=logout"), id="no length"),
        pytest.param(request(b"mode=logout", CONTENT_LENGTH="0"), id="length 0"),
        pytest.param(sent(b"mode=logout", CONTENT_TYPE="application/json"), id="JSON"),
        pytest.param(sent(b"mode=logout", CONTENT_TYPE="multipart/form-data"), id="multipart"),
        pytest.param(sent(b"mode=logout", CONTENT_TYPE=""), id="no type"),
    ],
)
def test_what_is_no_form_has_no_pairs(made: Request) -> None:
    assert form_pairs(made) == []


def test_a_form_may_name_its_charset() -> None:
    assert form_pairs(sent(b"a=1", CONTENT_TYPE=f"{FORM}; charset=utf-8")) == [("a", "1")]


def test_a_form_as_large_as_may_be_is_read() -> None:
    assert form_pairs(sent(b"a=" + b"b" * (MAX_FORM - 2)))[0][0] == "a"


# --- What programs send ---------------------------------------------------------------------------


def parts(*pairs: tuple[str, str], boundary: str = "x", more: str = "") -> bytes:
    """A multipart body, as curl writes it."""
    lines = []
    for name, value in pairs:
        head = f'Content-Disposition: form-data; name="{name}"{more}'
        lines += [f"--{boundary}", head, "", value]
    return "\r\n".join([*lines, f"--{boundary}--", ""]).encode("utf-8", "surrogateescape")


def multipart(body: bytes, content_type: str = "multipart/form-data; boundary=x") -> Request:
    return sent(body, CONTENT_TYPE=content_type, QUERY_STRING="action=q")


def test_a_program_may_send_query_and_body_at_once() -> None:
    made = sent(b"b=2&a=3", QUERY_STRING="a=1")

    assert sent_pairs(made) == [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([], id="nothing"),
        pytest.param([("a", "1"), ("b", ""), ("a", "2")], id="in order, nothing merged"),
        pytest.param([("a", "é + %2B & =")], id="nothing is decoded twice"),
        pytest.param([("a", "1\r\n2\r\n--y")], id="line breaks"),
        pytest.param([("a[0]", "--x-")], id="almost the boundary"),
    ],
)
def test_a_program_may_send_a_multipart_form(pairs: list[tuple[str, str]]) -> None:
    assert sent_pairs(multipart(parts(*pairs))) == [("action", "q"), *pairs]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing at all"),
        pytest.param(b"a=1", id="another encoding"),
        pytest.param(parts(("a", "1"))[:-6], id="no end"),
        pytest.param(parts(("a", "1"), boundary="y"), id="another boundary"),
        pytest.param(parts(("a", "1"), more='; filename="f"'), id="a file"),
        pytest.param(parts(("a", "\udcff")), id="not UTF-8"),
        pytest.param(parts(("\udcff", "1")), id="a name that is not UTF-8"),
        pytest.param(b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", id="no name"),
        pytest.param(b"--x\r\nA: b\r\n\r\n1\r\n--x--", id="no disposition"),
        pytest.param(b"--x\r\n\r\n1\r\n--x--", id="no head"),
        pytest.param(parts(*[("a", "")] * (MAX_FIELDS + 1)), id="too many"),
    ],
)
def test_a_multipart_form_without_one_reading_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidParameter):
        sent_pairs(multipart(body))


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("multipart/form-data", id="none"),
        pytest.param("multipart/form-data; boundary=", id="empty"),
        pytest.param("multipart/form-data; boundary=é", id="not ASCII"),
    ],
)
def test_a_multipart_form_names_its_boundary(content_type: str) -> None:
    with pytest.raises(InvalidParameter):
        sent_pairs(multipart(parts(("a", "1")), content_type))


def test_a_multipart_form_is_held_to_its_length() -> None:
    body = parts(("a", "b" * MAX_FORM))

    with pytest.raises(BodyTooLarge):
        sent_pairs(multipart(body))
    with pytest.raises(BadBody):
        sent_pairs(
            request(body[:90], CONTENT_LENGTH="99", CONTENT_TYPE="multipart/form-data; boundary=x")
        )
