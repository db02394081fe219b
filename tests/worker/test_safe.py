"""Whatever sets a gunicorn setting, an unsafe value is told before the server serves."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from ssogate.worker import GateWorker
from ssogate.worker.logger import GateLogger
from ssogate.worker.safe import CHECKS, SAFE, problems

SOMEBODY = 1000  # a user id that is not root's

KEY = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"


def config(**changes: Any) -> Config:
    """The safe settings, with changes."""
    cfg = Config()
    base = {"threads": 8, "user": SOMEBODY}
    for name, value in {**SAFE, **base, **changes}.items():
        cfg.set(name, value)
    return cfg


def told(cfg: Config, **known: Any) -> list[tuple[str, bool]]:
    """The settings at fault, and whether each is a warning only."""
    return [(problem.where, problem.warning) for problem in problems(cfg, **known)]


def test_the_safe_settings_are_safe() -> None:
    assert problems(config()) == []


def test_every_safe_setting_is_one_that_gunicorn_has() -> None:
    assert set(SAFE) <= set(Config().settings)


def test_gunicorn_s_own_defaults_are_refused() -> None:
    faults = {problem.where for problem in problems(Config()) if not problem.warning}

    assert faults >= {
        "http_parser",
        "header_map",
        "forwarder_headers",
        "forwarded_allow_ips",
        "secure_scheme_headers",
        "control_socket_disable",
        "logger_class",
        "access_log_format",
    }


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("http_parser", "auto"),
        ("http_parser", "fast"),
        ("header_map", "drop"),
        ("header_map", "dangerous"),
        ("forwarder_headers", "SCRIPT_NAME,PATH_INFO"),
        ("forwarder_headers", "*"),
        ("forwarded_allow_ips", "127.0.0.1"),
        ("forwarded_allow_ips", "*"),
        ("secure_scheme_headers", {"X-FORWARDED-PROTO": "https"}),
        ("permit_obsolete_folding", True),
        ("strip_header_spaces", True),
        ("permit_unconventional_http_method", True),
        ("permit_unconventional_http_version", True),
        ("casefold_http_method", True),
        ("limit_request_line", 0),
        ("limit_request_fields", 0),
        ("limit_request_fields", 30000),
        ("limit_request_field_size", 0),
        ("limit_request_field_size", 2**20),
        ("protocol", "uwsgi"),
        ("http_protocols", "h2,h1"),
        ("http2_cleartext", "upgrade"),
        ("proxy_allow_ips", "10.0.0.1,*"),
        ("control_socket_disable", False),
        ("reload", True),
        ("spew", True),
        ("preload_app", True),
        ("dirty_apps", ["a:b"]),
        ("dirty_workers", 1),
        ("timeout", 0),
        ("logger_class", "gunicorn.glogging.Logger"),
        ("logger_class", Logger),
        ("access_log_format", "%(h)s %(r)s"),
        ("access_log_format", "%(q)s"),
        ("access_log_format", '"%(f)s"'),
        ("access_log_format", "%({Cookie}i)s"),
        ("access_log_format", "%({authorization}i)s"),
        ("access_log_format", "%({set-cookie}o)s"),
        ("access_log_format", "%({raw_uri}e)s"),
        ("access_log_format", "%({http_cookie}e)s"),
        ("statsd_host", "192.0.2.1:8125"),
        ("statsd_host", "metrics.example:8125"),
        ("ciphers", "ALL:!aNULL"),
        ("ciphers", "ECDHE+AESGCM:RC4-SHA"),
        ("raw_env", ["A=b", "SCRIPT_NAME=/x"]),
        ("worker_class", "gunicorn.workers.gasgi.ASGIWorker"),
        ("worker_class", "tornado"),
        ("worker_class", "gunicorn.workers.ggevent.GeventPyWSGIWorker"),
        ("worker_class", "somebodys.Worker"),
    ],
    ids=str,
)
def test_refuses(setting: str, value: object) -> None:
    assert told(config(**{setting: value})) == [(setting, False)]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("loglevel", "DEBUG"),
        ("user", 0),
        ("threads", 1),
        ("bind", "0.0.0.0:8000"),
        ("bind", ":8000"),
        ("bind", "[::]:8000"),
        ("bind", "gate.example:80"),
    ],
    ids=str,
)
def test_warns(setting: str, value: object) -> None:
    assert told(config(**{setting: value})) == [(setting, True)]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"worker_class": GateWorker}, id="a class is known as its name is"),
        pytest.param({"logger_class": GateLogger}, id="our logger"),
        pytest.param(
            {"logger_class": type("Mine", (GateLogger,), {})}, id="one made of our logger"
        ),
        pytest.param({"statsd_host": "localhost:8125"}, id="metrics on this machine"),
        pytest.param({"statsd_host": "unix:///run/statsd.sock"}, id="metrics by a socket"),
        pytest.param({"access_log_format": "%(h)s %(m)s %(U)s %(a)s"}, id="a log without queries"),
        pytest.param({"ciphers": "ECDHE+AESGCM:!aNULL:!RC4"}, id="weak ciphers excluded"),
        pytest.param({"proxy_protocol": "v2", "proxy_allow_ips": "10.0.0.1"}, id="PROXY, listed"),
        pytest.param({"bind": ["127.0.0.1:1", "[::1]:1", "localhost:1"]}, id="loopback"),
        pytest.param({"bind": "unix:/run/gate.sock"}, id="unix socket"),
        pytest.param({"bind": "fd://999"}, id="a socket that is not there yet"),
        pytest.param({"syslog": True, "syslog_addr": "udp://localhost:514"}, id="syslog here"),
        pytest.param({"syslog": True, "syslog_addr": "unix:///dev/log"}, id="syslog socket"),
        pytest.param({"syslog_addr": "udp://192.0.2.1:514"}, id="syslog that is off"),
    ],
)
def test_is_content_with(changes: dict[str, Any]) -> None:
    assert problems(config(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"worker_class": "sync", "threads": 1}, "slow visitor", id="sync"),
        pytest.param({"worker_class": "sync"}, "hang up", id="sync with threads is gthread"),
        pytest.param({"worker_class": "gthread"}, "hang up", id="gthread"),
        pytest.param({"worker_class": ThreadWorker}, "hang up", id="gthread as a class"),
        pytest.param({"worker_class": "gevent", "threads": 1}, "not tested", id="gevent"),
    ],
)
def test_another_worker_is_warned_of(changes: dict[str, Any], words: str) -> None:
    (problem,) = problems(config(**changes))

    assert (problem.where, problem.warning) == ("worker_class", True)
    assert words in problem.message


@pytest.mark.parametrize("address", ["udp://192.0.2.1:514", "tcp://[2001:db8::1]:514", "udp://h:1"])
def test_a_log_that_leaves_the_machine_is_warned_of(address: str) -> None:
    assert told(config(syslog=True, syslog_addr=address)) == [("syslog_addr", True)]


def test_script_name_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPT_NAME", "/x")

    assert told(config()) == [("raw_env", False)]


# --- Addresses ----------------------------------------


def test_plain_http_on_a_public_address_is_refused_when_the_public_url_is_http() -> None:
    assert told(config(bind="0.0.0.0:80"), public_scheme="http") == [("bind", False)]


def test_plain_http_on_a_public_address_is_warned_of_when_a_proxy_speaks_https() -> None:
    assert told(config(bind="0.0.0.0:80"), public_scheme="https") == [("bind", True)]


def test_plain_http_on_loopback_is_for_development() -> None:
    assert told(config(), public_scheme="http") == []


def test_each_of_several_addresses_is_judged() -> None:
    cfg = config(bind=["127.0.0.1:80", "192.0.2.1:80"])

    assert told(cfg, public_scheme="http") == [("bind", False)]


def test_a_socket_handed_over_is_judged_by_its_address() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        cfg = config(bind=f"fd://{listener.fileno()}")

        assert told(cfg, public_scheme="http") == [("bind", False)]


def test_a_unix_socket_for_everybody_is_refused() -> None:
    assert told(config(bind="unix:/run/gate.sock", umask=0)) == [("umask", False)]


# --- Files ----------------------------------------


def file(path: Path, content: str, mode: int) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    certificate = file(tmp_path / "tls.crt", "-----BEGIN CERTIFICATE-----\n", 0o644)
    key = file(tmp_path / "tls.key", KEY, 0o640)

    assert told(config(certfile=certificate, keyfile=key)) == [("keyfile", False)]


def test_a_private_key_behind_a_link_is_judged_where_it_is(tmp_path: Path) -> None:
    key = file(tmp_path / "tls.key", KEY, 0o644)
    (tmp_path / "link").symlink_to(key)

    assert told(config(keyfile=str(tmp_path / "link"))) == [("keyfile", False)]


def test_a_key_inside_the_certificate_s_file_is_found(tmp_path: Path) -> None:
    both = file(tmp_path / "tls.pem", KEY, 0o644)

    assert told(config(certfile=both)) == [("certfile", False)]


def test_a_private_key_is_safe_with_its_owner(tmp_path: Path) -> None:
    certificate = file(tmp_path / "tls.crt", "-----BEGIN CERTIFICATE-----\n", 0o644)
    key = file(tmp_path / "tls.key", KEY, 0o600)

    assert told(config(bind="0.0.0.0:443", certfile=certificate, keyfile=key)) == []


@pytest.mark.parametrize("setting", ["chdir", "pythonpath"])
def test_a_folder_where_anybody_can_put_code_is_refused(tmp_path: Path, setting: str) -> None:
    tmp_path.chmod(0o777)

    assert told(config(**{setting: str(tmp_path)})) == [(setting, False)]


def test_a_configuration_that_anybody_can_change_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path / "gunicorn.conf.py", "", 0o666)

    assert told(config(config=path)) == [("config", False)]
    assert told(config(config=f"file:{path}")) == [("config", False)]


# --- How it is told ----------------------------------------


def test_each_problem_is_one_line_that_says_what_to_write() -> None:
    for check in CHECKS:
        assert "\n" not in check.message
        assert len(check.message) > 20

    (problem,) = problems(config(header_map="drop"))
    assert str(problem) == (
        "gunicorn: header_map: a header with an underscore can pass: write 'refuse'"
    )
