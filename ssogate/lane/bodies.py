"""Bodies on their way, an answer's and an upload: of known length as they come, and in chunks
otherwise."""

from __future__ import annotations

from ssogate.errors import BadBody, BodyTooLarge, UpstreamInvalid
from ssogate.lane.answers import Answer
from ssogate.upstream.wire import LAST_CHUNK, Chunks, chunk

BLOCK = 65_536  # bytes of a body that are here before anything is done with it
AT_A_TIME = 256  # lines between two chunks that are read before others have their turn


class Upload:
    """Takes what a visitor sends after a request's head: `length` bytes or, if that is None, plain
    chunks with at most so many bytes in them."""

    __slots__ = ("_chunks", "_length", "_most", "came", "ended")

    def __init__(self, length: int | None, most: int) -> None:
        self._length, self._most = length or 0, most
        self._chunks = Chunks(plain=True, lines=AT_A_TIME) if length is None else None
        self.came = 0
        """Bytes of the body so far, without framing."""
        self.ended = not length and self._chunks is None

    @property
    def more(self) -> bool:
        """Whether some of what has come is still to be taken, by `take(b"")`."""
        return self._chunks is not None and self._chunks.more

    def begin(self, head: bytes, data: bytes, at: int) -> tuple[bytes, bytes]:
        """Take what has come of the body, in `data` from `at` on: give what the upstream is sent
        after `head`, with that and the headers that frame chunks, and what came after the body.
        Raises as `take` does."""
        if self._chunks is None:
            end = min(at + self._length, len(data))
            self.came, self.ended = end - at, end - at == self._length
            return b"".join((head, memoryview(data)[at:end])), data[end:]
        body, rest = self._of_chunks(self._chunks, data[at:])
        if self.ended and self.came < BLOCK:  # its length is known after all
            return b"%bContent-Length: %d\r\n\r\n%b" % (head, self.came, body), rest
        return b"%bTransfer-Encoding: chunked\r\n\r\n%b" % (head, _framed(body, self.ended)), rest

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Give what the upstream is sent, and what came after the body.

        Raises `BadBody` for chunks that are malformed or not plain, and `BodyTooLarge`.
        """
        if self._chunks is not None:
            body, rest = self._of_chunks(self._chunks, data)
            return _framed(body, self.ended), rest
        left = self._length - self.came
        body, rest = data[:left], data[left:]
        self.came += len(body)
        self.ended = self.came == self._length
        return body, rest

    def _of_chunks(self, chunks: Chunks, data: bytes) -> tuple[bytes, bytes]:
        try:
            body = chunks.feed(data)
        except UpstreamInvalid as error:
            raise BadBody("malformed chunks, or such as were not announced") from error
        self.came, self.ended = self.came + len(body), chunks.ended
        if self.came > self._most:
            raise BodyTooLarge(f"more than {self._most} bytes")
        return body, chunks.rest if chunks.ended else b""


class Body:
    """Takes what an upstream sends after the head of an answer. A body of unknown length is given
    in chunks, or `plain`: then it ends with the connection."""

    __slots__ = ("_chunks", "_left", "_plain", "ended", "length", "surplus")

    def __init__(self, answer: Answer, *, plain: bool = False) -> None:
        self._plain, self._left = plain, answer.length
        self._chunks = Chunks() if answer.chunked else None
        self.length = 0
        """Bytes of the body so far, without framing."""
        self.ended = False
        self.surplus = False
        """Whether more has come than belongs to the answer."""

    def take(self, data: bytes) -> bytes:
        """Give what the visitor is to be sent. Raises `UpstreamInvalid`."""
        if self._chunks is not None:
            return self._of_chunks(self._chunks, data)
        if self._left is None:
            self.length += len(data)
            return self._framed(data)
        mine = data[: self._left]
        self._left -= len(mine)
        self.length += len(mine)
        self.ended, self.surplus = not self._left, len(data) > len(mine)
        return mine

    def close(self) -> bytes:
        """The upstream has hung up: give what ends the body for the visitor.

        Raises `UpstreamInvalid` where that was too early.
        """
        if self._chunks is not None or self._left is not None:
            raise UpstreamInvalid("the upstream's answer was cut short")
        self.ended = True
        return self._framed(b"")

    def _of_chunks(self, chunks: Chunks, data: bytes) -> bytes:
        body = chunks.feed(data)
        self.length += len(body)
        self.ended, self.surplus = chunks.ended, chunks.ended and bool(chunks.rest)
        return self._framed(body)

    def _framed(self, body: bytes) -> bytes:
        return body if self._plain else _framed(body, self.ended)


def _framed(body: bytes, last: bool) -> bytes:
    framed = chunk(body) if body else b""
    return framed + LAST_CHUNK if last else framed
