"""An app that records what reached it, and a client that holds layers to WSGI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

HOST = "app.example"
PAGE = {"Accept": "text/html"}


class Recorder:
    """The app behind a layer: it keeps every environ that it was given."""

    def __init__(self) -> None:
        self.seen: list[WSGIEnvironment] = []

    def __call__(self, environ: WSGIEnvironment, start_response: Any) -> Any:
        self.seen.append(dict(environ))
        return Response("the app")(environ, start_response)

    @property
    def only(self) -> WSGIEnvironment:
        """The one environ that reached the app."""
        (environ,) = self.seen
        return environ


class Strict(Client):
    """A server that keeps PEP 3333 to the letter, on both sides of a layer. It keeps no cookies."""

    def __init__(self, layer: WSGIApplication) -> None:
        super().__init__(validator(layer), use_cookies=False)

    def open(self, *args: Any, **options: Any) -> TestResponse:
        options.setdefault("base_url", f"http://{HOST}")
        return super().open(*args, buffered=True, **options)


def code(response: TestResponse) -> str | None:
    return response.headers.get("X-SSOGate-Error")
