"""No log line holds a secret, and none can be forged by a visitor."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from hypothesis import given
from hypothesis import strategies as st

from ssogate.http.environ import REQUEST_ID, SESSION
from ssogate.model import Identity, Session, SessionRecord
from ssogate.worker.logger import GateLogger, access_line, clean, harmless, path_of

NOW = "2026-01-02T03:04:05.678+00:00"
TOOK = timedelta(milliseconds=1, microseconds=500)


@dataclass
class Answered:
    status: str | None = "200 OK"
    sent: int = 1234


def environ(**changes: Any) -> dict[str, Any]:
    return {
        "REMOTE_ADDR": "192.0.2.7",
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/a/b?query=c2VjcmV0&hash=abc",
        "QUERY_STRING": "query=c2VjcmV0&hash=abc",
        "HTTP_REFERER": "https://x/?token=secret",
        "HTTP_COOKIE": "__Host-ssogate=secret",
        REQUEST_ID: "0011aabb",
        **changes,
    }


def session_of(username: str) -> Session:
    record = SessionRecord("k", "s", "m", "", 0, 0, 1)
    return Session(record, Identity("s", username, username), token="secret")


def line(env: dict[str, Any], resp: object = None) -> dict[str, Any]:
    text = access_line(resp or Answered(), env, TOOK, NOW)
    assert text.isascii()
    assert text.isprintable()
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_request_is_one_line_of_json() -> None:
    assert line(environ(**{SESSION: session_of("ann")})) == {
        "time": NOW,
        "client": "192.0.2.7",
        "method": "GET",
        "path": "/a/b",
        "status": 200,
        "bytes": 1234,
        "us": 1500,
        "user": "ann",
        "request_id": "0011aabb",
    }


def test_a_request_without_a_session_has_no_user() -> None:
    assert line(environ())["user"] is None


def test_a_request_that_could_not_be_read_has_a_line_too() -> None:
    found = line({"REQUEST_METHOD": None, "RAW_URI": None}, Answered(status=None, sent=0))

    assert (found["path"], found["status"], found["user"]) == ("", None, None)


def test_no_secret_of_a_request_is_in_its_line() -> None:
    assert "secret" not in access_line(Answered(), environ(), TOOK, NOW).replace("c2VjcmV0", "")
    assert "c2VjcmV0" not in access_line(Answered(), environ(), TOOK, NOW)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param("/a?b=c", "/a", id="query"),
        pytest.param("/a#token", "/a", id="fragment"),
        pytest.param("/?a?b", "/", id="query twice"),
        pytest.param("http://joe:pw@x/a?b", "x/a", id="user part"),
        pytest.param("/" + "x" * 9000, "/" + "x" * 511, id="endless"),
        pytest.param("*", "*", id="asterisk"),
        pytest.param("/%0a%22", "/%0a%22", id="escapes stay escapes"),
    ],
)
def test_of_a_target_the_path_is_logged(target: str, path: str) -> None:
    assert path_of(target) == path


@given(st.text(), st.text(), st.text())
def test_no_visitor_can_forge_a_line(path: str, method: str, username: str) -> None:
    env = environ(RAW_URI=path, REQUEST_METHOD=method, **{SESSION: session_of(username)})

    assert set(line(env)) == {
        *("time", "client", "method", "path", "status", "bytes", "us", "user", "request_id")
    }


# --- The error log ----------------------------------------


@pytest.mark.parametrize(
    ("message", "logged"),
    [
        pytest.param("Booting worker with pid: 7", "Booting worker with pid: 7", id="ordinary"),
        pytest.param(
            "Error handling request GET /sso.php?query=s&hash='s",
            "Error handling request GET /sso.php?...",
            id="query",
        ),
        pytest.param(
            f"Invalid request from ip=::1: {errors.InvalidRequestLine('user=a&password=s')}",
            "Invalid request from ip=::1: Invalid HTTP request line: ...",
            id="a body taken for a request line",
        ),
        pytest.param(
            f"Invalid request from ip=1.2.3.4: {errors.InvalidHeader('Cookie s=1')}",
            "Invalid request from ip=1.2.3.4: Invalid HTTP Header: ...",
            id="a cookie",
        ),
        pytest.param(
            f"Invalid request from ip=1.2.3.4: {errors.InvalidHeaderName('X_USER')}",
            "Invalid request from ip=1.2.3.4: Invalid HTTP header name: 'X_USER'",
            id="the name of a header is worth knowing",
        ),
        pytest.param(
            f"Invalid request from ip=1.2.3.4: {errors.InvalidHeaderName('a=b s')}",
            "Invalid request from ip=1.2.3.4: Invalid HTTP header name: ...",
            id="a name that is none",
        ),
        pytest.param(
            str(errors.NoMoreData(b"POST / HTTP/1.1 secret")), "No more data after: ...", id="cut"
        ),
        pytest.param(str(errors.InvalidChunkSize(b"s'\"")), "Invalid chunk size: ...", id="chunk"),
        pytest.param("a\nb\x1b[2J\x7f", "a\\x0ab\\x1b[2J\\x7f", id="control characters"),
        pytest.param("é\u2028\ud800", "\\xe9\\u2028\\ud800", id="not ASCII"),
        pytest.param("Perhaps out of memory?", "Perhaps out of memory?", id="a question"),
    ],
)
def test_what_gunicorn_says_is_logged_without_what_a_visitor_said(
    message: str, logged: str
) -> None:
    assert harmless(message) == logged


@given(st.text())
def test_whatever_is_said_is_one_printable_line(text: str) -> None:
    assert harmless(text).isprintable()
    assert harmless(text).isascii()


def record_of(error: BaseException) -> logging.LogRecord:
    try:
        raise error
    except type(error):
        made = logging.LogRecord("x", 40, "f", 1, "at %s", ("/a?token=s",), sys.exc_info())
    assert clean(made)
    return made


def test_a_trace_is_kept_without_locals_and_cannot_forge_an_entry() -> None:
    token = "secret-local"
    text = logging.Formatter("%(message)s").format(
        record_of(ValueError("oops /x?token=secret\n[2026] [INFO] ann signed in"))
    )

    first, *trace = text.splitlines()
    assert first == "at /a?..."
    assert all(line.startswith("    ") for line in trace)
    assert "    ValueError: oops /x?..." in trace
    assert token not in text


def config(**settings: Any) -> Config:
    cfg = Config()
    for name, value in settings.items():
        cfg.set(name, value)
    return cfg


@pytest.fixture
def logs(tmp_path: Any) -> Any:
    yield tmp_path / "error.log", tmp_path / "access.log"
    for name in ("gunicorn.error", "gunicorn.access", "ssogate"):
        log = logging.getLogger(name)
        for handler in list(log.handlers):
            log.removeHandler(handler)
            handler.close()
        log.filters.clear()
        log.propagate = True


def test_the_logger_writes_cleaned_errors_access_lines_and_the_gate_s_own_log(logs: Any) -> None:
    error_log, access_log = logs
    logger = GateLogger(config(errorlog=str(error_log), accesslog=str(access_log)))

    logger.warning("Error handling request %s", "/a?token=s")
    logger.access(Answered(), None, environ(), TOOK)
    logging.getLogger("ssogate").info('{"event":"refused"}')

    assert "Error handling request /a?...\n" in error_log.read_text()
    assert error_log.read_text().endswith('{"event":"refused"}\n')
    assert json.loads(access_log.read_text())["path"] == "/a/b"


def test_a_logger_set_up_twice_writes_once(logs: Any) -> None:
    cfg = config(errorlog="-", accesslog="-")
    logger = GateLogger(cfg)
    logger.setup(cfg)

    for log in (logger.error_log, logger.access_log, logging.getLogger("ssogate")):
        # pytest adds some of its own to loggers that do not propagate.
        assert [type(handler) for handler in log.handlers].count(logging.StreamHandler) == 1
    assert len(logger.error_log.filters) == 1


def test_an_access_log_that_is_off_is_not_written(logs: Any) -> None:
    logger = GateLogger(config(errorlog=str(logs[0])))

    logger.access(Answered(), None, {}, TOOK)  # an empty environ would raise
