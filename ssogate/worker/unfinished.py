"""Requests of which more is to come: how much is waited for, and what will never be one."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from ssogate.errors import UpstreamInvalid
from ssogate.lane.bodies import AT_A_TIME, BLOCK
from ssogate.lane.orders import Order
from ssogate.upstream.wire import Chunks

MAX_FORM = BLOCK
"""Bytes of a body that is waited for, for the layers."""

Here = Callable[[bytes], bool]
"""Whether as much of a request has come, from its first byte on, as is waited for."""

_START = re.compile(rb"[A-Z]+ [^ ]+ HTTP/1\.[01]")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTHS = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,19})[ \t]*(?=\r\n)", re.IGNORECASE)
_CODINGS = re.compile(rb"\r\ntransfer-encoding[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


def is_hopeless(data: bytes, first: int, searched: int) -> bool:
    """Whether `data`, which begins at `first`, cannot become a head. `searched` bytes were looked
    at before."""
    end = data.find(b"\r\n", first)
    begun_wrong = end >= max(searched - 1, 0) and not _START.fullmatch(data, first, end)
    return begun_wrong or _BARE_LF.search(data, searched) is not None


def first_block(order: Order, body: int) -> Here:
    """Wait for as much of a body, which begins at `body`, as is sent together with its head."""
    return (
        _InChunks(body, Chunks(plain=True, lines=AT_A_TIME))
        if order.chunked
        else partial(is_here, body + min(order.length or 0, BLOCK))
    )


def form(head: bytes) -> Here:
    """Wait for a whole form. More than a form is for the layers to refuse, or to read on the way;
    so is whatever is framed in any other way than the two usual ones."""
    lengths, codings = _LENGTHS.findall(head), _CODINGS.findall(head)
    if len(lengths) == 1 and not codings and int(lengths[0]) <= MAX_FORM:
        return partial(is_here, len(head) + int(lengths[0]))
    if [coding.strip(b" \t").lower() for coding in codings] == [b"chunked"] and not lengths:
        return _InChunks(len(head), Chunks(lines=AT_A_TIME))
    return partial(is_here, 0)


def expects_continue(head: bytes) -> bool:
    """Whether the visitor waits for a word before it sends the body."""
    return _EXPECTS.search(head) is not None


def is_here(end: int, data: bytes) -> bool:
    return len(data) >= end


class _InChunks:
    """Whether a body in `chunks`, which begins at `body`, is here, or a block of it; and if it is
    none, or is in crumbs, others may go on with it."""

    def __init__(self, body: int, chunks: Chunks) -> None:
        self._end = body + BLOCK
        self._read, self._chunks = body, chunks

    def __call__(self, data: bytes) -> bool:
        try:
            self._chunks.feed(data[self._read :])
        except UpstreamInvalid:
            return True
        self._read = len(data)
        return self._chunks.ended or self._chunks.more or len(data) > self._end
