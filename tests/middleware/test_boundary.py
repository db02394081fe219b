"""Whatever nobody foresaw is a plain 500 and one line in the log."""

from __future__ import annotations

import json
from email import message_from_bytes
from io import BytesIO, StringIO
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.validate import validator

import pytest
from werkzeug.test import EnvironBuilder

from ssogate.errors import StoreFailure
from ssogate.http import environ as env
from ssogate.http.theme import Pages
from ssogate.middleware.boundary import Boundary
from tests.middleware.recording import Recorder, Strict


class Failing:
    """An app that raises, before or after it began its answer."""

    def __init__(self, error: BaseException, *, begun: bool = False) -> None:
        self.error, self.begun = error, begun

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if self.begun:
            start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=b")])
        raise self.error


def answer(app: Any, method: str = "GET") -> tuple[str, Any, bytes]:
    """What a server sends that follows PEP 3333 in the matter of `exc_info`."""
    environ = EnvironBuilder("/a?query=secret", method=method).get_environ()
    sent = BytesIO()
    SimpleHandler(BytesIO(), sent, StringIO(), environ).run(validator(app))
    head, _, body = sent.getvalue().partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    return status.decode(), message_from_bytes(headers), body


ESCAPES = [ValueError("secret <b>"), StoreFailure("/var/lib"), RecursionError(), KeyError(1)]


@pytest.mark.parametrize("error", ESCAPES, ids=repr)
@pytest.mark.parametrize("begun", [False, True], ids=["before", "begun"])
def test_an_escape_is_a_plain_500(error: Exception, begun: bool) -> None:
    status, headers, body = answer(Boundary(Failing(error, begun=begun)))

    assert status.endswith(" 500 Internal Server Error")
    assert headers["X-SSOGate-Error"] == "internal"
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Set-Cookie"] is None
    assert body == b"The gate met an error that it did not expect. Please try again in a minute.\n"
    assert int(headers["Content-Length"]) == len(body)


def test_an_escape_from_a_head_request_has_no_body() -> None:
    status, _, body = answer(Boundary(Failing(ValueError())), "HEAD")

    assert status.endswith("500 Internal Server Error")
    assert body == b""


def test_an_answer_that_is_on_its_way_is_cut_and_not_continued() -> None:
    """PEP 3333: once headers are out, `exc_info` makes the server drop the connection."""

    def too_late(status: str, headers: object, exc_info: Any = None) -> Any:
        raise exc_info[1]

    with pytest.raises(ValueError, match="cut"):
        Boundary(Failing(ValueError("cut")))({}, too_late)


def test_an_escape_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    answer(Boundary(Failing(ValueError("a\nb"))))

    (line,) = caplog.messages
    fields = json.loads(line)
    assert "\n" not in line
    assert "query" not in line
    assert (fields["event"], fields["level"]) == ("escaped", "error")
    assert "ValueError" in fields["exception"]
    assert len(fields["request_id"]) == 16


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_server_may_still_stop_its_worker(error: type[BaseException]) -> None:
    with pytest.raises(error):
        Boundary(Failing(error()))({}, lambda *_: lambda _: None)


def test_every_request_has_an_id_that_no_visitor_chose() -> None:
    app = Recorder()
    for _ in range(2):
        Strict(Boundary(app)).get("/", headers={"X-Request-Id": "mine"})

    ids = {environ[env.REQUEST_ID] for environ in app.seen}
    assert len(ids) == 2
    assert "mine" not in ids


def test_what_goes_well_passes_untouched() -> None:
    assert Strict(Boundary(Recorder())).get("/").data == b"the app"


@pytest.mark.parametrize("pages", [None, Pages()], ids=["our own", "the site's"])
def test_the_inner_layers_are_told_which_pages_to_show(pages: Pages | None) -> None:
    app = Recorder()
    Strict(Boundary(app, pages=pages)).get("/")

    assert env.pages(app.seen[0]) is pages
