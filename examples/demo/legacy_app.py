"""The club pages: a web application as they were written in 2009, and nobody dares to change.

It knows nothing of signing in. It believes the four `X-Remote-…` headers and shows every page to
everybody who reaches it; that is safe only because nobody reaches it but through the gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HERE = Path(__file__).parent
MAX_NOTICE = 200  # characters; a notice is a slip of paper
MAX_NOTICES = 20  # what the cork board holds; the oldest falls off

ARTICLES = {
    31: ("How to carry an eight", "club/article_31.html"),
    32: ("Rules of the river", "club/article_32.html"),
}
PAGES = {
    "/": "club/front.html",
    "/public/": "club/public.html",
    "/public/regatta": "club/regatta.html",
    "/members/": "club/members.html",
    "/members/rota": "club/rota.html",
    "/staff/": "club/staff.html",
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who the gate says is asking; empty for somebody who is not signed in."""

    username: str
    name: str
    email: str
    groups: tuple[str, ...]

    @classmethod
    def of(cls, headers: Headers) -> Visitor:
        """Believe the headers. They are UTF-8, which WSGI hands over as latin-1 (PEP 3333)."""

        def told(field: str) -> str:
            return headers.get(f"X-Remote-{field}", "").encode("latin-1").decode("utf-8", "replace")

        groups = tuple(filter(None, told("Groups").split(",")))
        return cls(told("User"), told("Name") or told("User"), told("Email"), groups)


@dataclass(frozen=True, slots=True)
class Notice:
    text: str
    author: str


class ClubPages:
    """The WSGI application. Its notice board lives in memory and is gone when it stops."""

    def __init__(self) -> None:
        self.pages = Environment(autoescape=True, loader=FileSystemLoader(HERE / "pages"))
        self.lock = Lock()
        self.notices: tuple[Notice, ...] = (
            Notice("The water pump is mended. Thank you, Ada!", "Sue Baker"),
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self.answer(request, Visitor.of(request.headers))
        except HTTPException as error:
            response = self.page("club/error.html", Visitor.of(request.headers), error=error)
            response.status_code = error.code or 500
        return response(environ, start_response)

    def answer(self, request: Request, visitor: Visitor) -> Response:
        """Look the page up. Nothing is checked here: see the module's first lines."""
        if request.method == "POST" and request.path == "/staff/":
            self.pin(request.form.get("notice", ""), visitor)
            return redirect("/staff/", 303)
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(["GET", "HEAD"])
        if request.path == "/article.php":
            title, page = ARTICLES.get(request.args.get("id", 0, int), ("", ""))
            if page:
                return self.page(page, visitor, title=title)
        if request.path in PAGES:
            return self.page(PAGES[request.path], visitor)
        raise NotFound

    def pin(self, text: str, visitor: Visitor) -> None:
        text = " ".join(text.split())[:MAX_NOTICE]
        if text:
            with self.lock:
                self.notices = (Notice(text, visitor.name), *self.notices)[:MAX_NOTICES]

    def page(self, name: str, visitor: Visitor, **values: object) -> Response:
        html = self.pages.get_template(name).render(
            visitor=visitor, notices=self.notices, articles=ARTICLES, **values
        )
        return Response(html, mimetype="text/html")


application = SharedDataMiddleware(ClubPages(), {"/static": str(HERE / "static")})
