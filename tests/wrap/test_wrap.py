"""The gate around apps of other people's frameworks, in process: Flask, Django, PasteDeploy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import flask
import pytest
from paste.deploy import loadapp
from werkzeug.test import Client, TestResponse

from ssogate.app import SSOGate
from tests.gate import HOST, link_path, site

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BASE = f"http://{HOST}"
PAGE = {"Accept": "text/html"}


class Reader(Client):
    """Reads and closes every answer, as a server does."""

    def open(self, *args: Any, **how: Any) -> TestResponse:
        return super().open(*args, **{"buffered": True, **how})


def flask_app() -> WSGIApplication:
    app = flask.Flask("legacy")

    @app.get("/<path:path>")
    def who(path: str) -> Mapping[str, Any]:
        return {
            "user": flask.request.remote_user,
            "groups": flask.request.headers.get("X-Remote-Groups"),
            "cookies": dict(flask.request.cookies),
            "path": flask.request.path,
        }

    @app.get("/pub/login-page")
    def sets_cookies() -> flask.Response:
        response = flask.make_response("hello")
        response.set_cookie("theme", "dark")
        response.headers.add("Set-Cookie", "ssogate=stolen; Path=/")
        response.headers.add("Set-Cookie", "__Host-ssogate=stolen; Path=/; Secure")
        return response

    return app


def django_app(folder: Path) -> WSGIApplication:
    """A Django site with `RemoteUserMiddleware`. Django can be set up once in a process."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.RemoteUserBackend"],
            DATABASES={
                "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "django.db"}
            },
            INSTALLED_APPS=[
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django.contrib.sessions",
            ],
            MIDDLEWARE=[
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.auth.middleware.RemoteUserMiddleware",
            ],
            ROOT_URLCONF="tests.wrap.django_urls",
            SECRET_KEY="only for a test",
            USE_TZ=True,
        )
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
    from django.core.wsgi import get_wsgi_application

    app: WSGIApplication = get_wsgi_application()
    return app


@pytest.fixture
def flask_client(tmp_path: Path) -> Reader:
    config = site(tmp_path / "gate", "http://127.0.0.1:9").config
    return Reader(validator(SSOGate(flask_app(), config)))


def test_a_flask_app_finds_the_visitor_in_remote_user(flask_client: Reader) -> None:
    signed_in = flask_client.get(link_path("john", groups="staff"), base_url=BASE)
    page = flask_client.get("/members/caf%C3%A9", base_url=BASE)

    assert (signed_in.status_code, page.status_code) == (303, 200)
    assert page.json == {
        "user": "john",
        "groups": "staff",
        "cookies": {},
        "path": "/members/café",
    }


def test_a_flask_app_never_sees_a_forged_visitor(flask_client: Reader) -> None:
    page = flask_client.get(
        "/pub/x",
        headers={"Remote-User": "admin", "X-Remote-User": "admin", "X-Remote-Groups": "staff"},
        environ_overrides={"REMOTE_USER": "admin"},
        base_url=BASE,
    )

    assert page.json == {"user": None, "groups": None, "cookies": {}, "path": "/pub/x"}


def test_a_wrapped_app_keeps_its_own_cookies_and_cannot_set_ours(flask_client: Reader) -> None:
    first = flask_client.get("/pub/login-page", base_url=BASE)
    second = flask_client.get("/pub/x", base_url=BASE)

    assert [cookie.partition(";")[0] for cookie in first.headers.getlist("Set-Cookie")] == [
        "theme=dark"
    ]
    assert second.json is not None
    assert second.json["cookies"] == {"theme": "dark"}


def test_a_signed_in_visitors_pages_stay_out_of_shared_caches(flask_client: Reader) -> None:
    anonymous = flask_client.get("/pub/x", base_url=BASE)
    flask_client.get(link_path("john"), base_url=BASE)
    page = flask_client.get("/pub/x", base_url=BASE)

    assert "Cache-Control" not in anonymous.headers
    assert (page.headers["Cache-Control"], page.headers["Vary"]) == ("no-store", "Cookie")


def test_a_wrapped_app_is_not_reached_without_a_session(flask_client: Reader) -> None:
    page = flask_client.get("/members/x?a=b", headers=PAGE, base_url=BASE)
    script = flask_client.get("/members/x", base_url=BASE)

    assert (page.status_code, script.status_code) == (303, 401)
    assert page.headers["Location"] == (
        "http://members.example/login?redirect=%2Fmembers%2Fx%3Fa%3Db"
    )


def test_django_signs_the_visitor_in_and_out_with_the_gate(tmp_path: Path) -> None:
    config = site(tmp_path / "gate", "http://127.0.0.1:9").config
    client = Reader(SSOGate(django_app(tmp_path), config))

    client.get(link_path("sue"), base_url=BASE)
    inside = client.get("/members/x", base_url=BASE).text
    client.get("/sso.php?mode=logout", base_url=BASE)
    outside = client.get("/pub/x", base_url=BASE).text

    assert (inside, outside) == ("sue True", " False")


def test_pastedeploy_puts_the_gate_around_an_app(tmp_path: Path) -> None:
    site(tmp_path / "gate", "http://127.0.0.1:9")
    (tmp_path / "gate" / "app.ini").write_text(
        "[filter-app:main]\nuse = egg:ssogate\nnext = legacy\nconfig = gateway.yaml\n"
        "[app:legacy]\npaste.app_factory = tests.wrap.test_wrap:paste_legacy\n"
    )
    client = Reader(loadapp(f"config:{tmp_path / 'gate' / 'app.ini'}"))

    client.get(link_path("john"), base_url=BASE)

    assert re.fullmatch("hello john", client.get("/members/x", base_url=BASE).text)


def test_pastedeploy_serves_the_gate_in_front_of_an_upstream(tmp_path: Path) -> None:
    site(tmp_path / "gate", "http://127.0.0.1:9")
    (tmp_path / "gate" / "app.ini").write_text(
        "[app:main]\nuse = egg:ssogate\nconfig = gateway.yaml\n"
    )
    client = Reader(loadapp(f"config:{tmp_path / 'gate' / 'app.ini'}"))

    closed = client.get("/members/x", base_url=BASE)
    unreachable = client.get("/pub/x", base_url=BASE)

    assert (closed.status_code, unreachable.status_code) == (401, 502)


def paste_legacy(_conf: Mapping[str, str]) -> Callable[..., Iterable[bytes]]:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"hello {environ.get('REMOTE_USER')}".encode()]

    return app
