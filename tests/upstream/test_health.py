"""One server's health: every state of the breaker, with the times given."""

from __future__ import annotations

import json
import logging

import pytest

from ssogate.upstream.health import Health

OUT, IN, TRIAL = "out", "in", "trial"


def health() -> Health:
    return Health("app", "http://a:8001", max_failures=3, ejected_for=10.0)


def may(it: Health, now: float) -> str:
    """What a request that comes now is told."""
    if not it.out:
        return IN
    return TRIAL if it.admits(now) else OUT


def after(steps: str, it: Health | None = None) -> Health:
    """Play `0-` (failed at 0), `1+` (succeeded), `2?` (a request asks), `3x` and `3o` (checks)."""
    it = it or health()
    for step in steps.split():
        now, event = float(step[:-1]), step[-1]
        match event:
            case "-":
                it.failed(now)
            case "+":
                it.succeeded()
            case "?":
                may(it, now)
            case "x":
                it.checked("no")
            case "o":
                it.checked(None)
    return it


@pytest.mark.parametrize(
    ("steps", "now", "told"),
    [
        pytest.param("", 0, IN, id="at first"),
        pytest.param("0- 1-", 2, IN, id="fewer failures than allowed"),
        pytest.param("0- 1- 2+ 3- 4-", 5, IN, id="not in a row"),
        pytest.param("0- 1- 2-", 2, OUT, id="as many as allowed, in a row"),
        pytest.param("0- 1- 2-", 11.9, OUT, id="just before its time"),
        pytest.param("0- 1- 2-", 12, TRIAL, id="time for a trial"),
        pytest.param("0- 1- 2- 12?", 12, OUT, id="one trial only"),
        pytest.param("0- 1- 2- 12?", 21.9, OUT, id="one trial at a time"),
        pytest.param("0- 1- 2- 12?", 22, TRIAL, id="the next, when the first does not end"),
        pytest.param("0- 1- 2- 12? 13+", 13, IN, id="the trial succeeded"),
        pytest.param("0- 1- 2- 12? 13+ 14- 15-", 15, IN, id="counted anew from there"),
        pytest.param("0- 1- 2- 12? 13+ 14- 15- 16-", 16, OUT, id="and out again"),
        pytest.param("0- 1- 2- 12? 13-", 21.9, OUT, id="the trial failed"),
        pytest.param("0- 1- 2- 12? 13-", 22, TRIAL, id="the next after a trial that failed"),
        pytest.param("0- 1- 2- 12? 30-", 39.9, OUT, id="a trial that failed late"),
        pytest.param("0- 1- 2- 12? 30-", 40, TRIAL, id="the next after one that failed late"),
        pytest.param("0- 1- 2- 3- 4- 5-", 12, TRIAL, id="stragglers prolong nothing"),
        pytest.param("0- 1- 2- 3+", 3, IN, id="a straggler that was answered"),
        pytest.param("1x 2x", 2, IN, id="fewer failed checks than allowed"),
        pytest.param("1x 2x 3x", 3, OUT, id="failed checks"),
        pytest.param("1x 2x 3x", 1000, OUT, id="no trial while checks fail"),
        pytest.param("1x 2x 3x 4+", 4, OUT, id="nor do answers bring it back"),
        pytest.param("1x 2x 3x 4o", 4, IN, id="a check does"),
        pytest.param("1x 2x 3o 4x 5x", 5, IN, id="failed checks, not in a row"),
        pytest.param("0- 1- 2- 3o", 3, OUT, id="a check does not close the breaker"),
        pytest.param("0- 1- 2- 3x 4x 5x 6o", 12, TRIAL, id="both, and the check is well"),
        pytest.param("0- 1- 2- 3x 4x 5x 6+", 12, OUT, id="both, and a request was answered"),
        pytest.param("0- 1- 2x", 3, IN, id="requests and checks are counted apart"),
    ],
)
def test_what_a_request_is_told(steps: str, now: float, told: str) -> None:
    assert may(after(steps), now) == told


def test_a_clock_that_began_just_now_is_a_clock_like_any_other() -> None:
    it = after("0- 0- 0-")

    assert [may(it, now) for now in (0.0, 9.9, 10.0)] == [OUT, OUT, TRIAL]


def test_who_asks_when_it_has_just_come_back_is_admitted() -> None:
    it = after("0- 1- 2-")
    it.succeeded()

    assert it.admits(3.0)


def test_going_out_and_coming_back_is_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ssogate")
    it = health()
    for now in range(5):
        it.failed(now, "connection refused")
    after("5x 6x 7x 12? 13+ 14+", it)
    assert [json.loads(line)["event"] for line in caplog.messages] == ["server out"]
    it.checked(None)
    it.checked(None)

    out, back = (json.loads(line) for line in caplog.messages)
    assert (out["upstream"], out["server"]) == ("app", "http://a:8001")
    assert (out["reason"], out["level"]) == ("connection refused", "warning")
    assert (back["event"], back["server"]) == ("server back", "http://a:8001")


def test_a_request_that_a_fork_forgot_may_end_all_the_same() -> None:
    it = health()
    it.under_way.append(None)
    it.forked()
    it.ended()

    assert len(it.under_way) == 0
