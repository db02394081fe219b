"""A refusal is one line that no visitor can forge and that holds no secret."""

from __future__ import annotations

import json
import logging

import pytest

from ssogate.errors import BadSignature, DatabaseError, Forbidden, GateError
from ssogate.http.log import MAX_LOGGED, log_refusal

FORGERY = 'x\r\n{"event": "signed in", "user": "admin"}\x1b[2J\u2028\x00"'


def logged(caplog: pytest.LogCaptureFixture, error: GateError, **environ: str) -> dict[str, object]:
    caplog.set_level(logging.INFO, "ssogate")
    usual = {"REQUEST_METHOD": "GET", "PATH_INFO": "/a", "REMOTE_ADDR": "1.2.3.4"}
    log_refusal(error, {**usual, **environ}, rule="members")
    (line,) = caplog.messages
    assert line.isascii()
    assert line.isprintable(), "one line, without a control character"
    fields: dict[str, object] = json.loads(line)
    return fields


def test_a_refusal_says_what_who_and_where(caplog: pytest.LogCaptureFixture) -> None:
    fields = logged(caplog, Forbidden("members only"))

    assert fields.pop("timestamp")
    assert fields.pop("request_id")
    assert fields == {
        "event": "refused",
        "level": "info",
        "code": "forbidden",
        "status": 403,
        "rule": "members",
        "detail": "members only",
        "method": "GET",
        "path": "/a",
        "client": "1.2.3.4",
    }


def test_a_failure_of_ours_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, DatabaseError("locked"))["level"] == "error"


def test_a_visitor_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    fields = logged(
        caplog, GateError(FORGERY), PATH_INFO=f"/{FORGERY}", REQUEST_METHOD=FORGERY, REMOTE_ADDR="?"
    )

    assert fields["event"] == "refused"
    assert fields["detail"] == FORGERY
    assert fields["client"] is None


def test_what_a_visitor_chose_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    fields = logged(caplog, GateError("d" * 9999), PATH_INFO="p" * 9999, REQUEST_METHOD="M" * 999)

    assert fields["detail"] == "d" * MAX_LOGGED
    assert fields["path"] == "p" * MAX_LOGGED
    assert fields["method"] == "M" * 32


def test_no_query_cookie_or_referrer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    secret = "TOP-SECRET"
    logged(
        caplog,
        BadSignature(),
        QUERY_STRING=secret,
        RAW_URI=f"/a?{secret}",
        REQUEST_URI=f"/a?{secret}",
        HTTP_COOKIE=secret,
        HTTP_REFERER=secret,
        HTTP_AUTHORIZATION=secret,
    )

    assert secret not in caplog.text


def test_a_log_that_is_turned_off_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "ssogate")

    log_refusal(DatabaseError(), {"PATH_INFO": "/"})

    assert caplog.messages == []
