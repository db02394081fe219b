"""The members' house: a web site where people have an account already, and a link to the gate.

`signed_link` is all that a site needs to bring its people through the gate. The rest is a small
site around it. A demonstration: whoever clicks a name is that person, no password is asked.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HERE = Path(__file__).parent
COOKIE = "house"
MAX_LOGINS = 1000  # sessions kept in memory; the oldest ends first
WANTED = ("redirect", "redirecttype", "redirectid")  # where the visitor was going, from the gate


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    name: str
    email: str
    groups: str
    about: str


PEOPLE = {
    person.username: person
    for person in (
        Person("john", "John Smith", "john@example.com", "members", "rows in the second eight"),
        Person("sue", "Sue Baker", "sue@example.com", "members,staff", "runs the boathouse"),
        Person("max", "Max Müller", "max@example.com", "", "joined yesterday, in no group yet"),
    )
}


def signed(fields: Mapping[str, str], secret: str) -> dict[str, str]:
    """Sign `fields`: base64 of them, and the SHA-256 of that text followed by the secret."""
    query = base64.b64encode(urlencode(fields).encode()).decode()
    return {"query": query, "hash": hashlib.sha256((query + secret).encode()).hexdigest()}


def signed_link(gate: str, fields: Mapping[str, str], secret: str) -> str:
    """Give the link that signs a person in: it works once, for a few minutes."""
    return f"{gate}/sso.php?{urlencode({'mode': 'login', **signed(fields, secret)})}"


@dataclass(frozen=True, slots=True)
class MembersHouse:
    """The WSGI application. Who is logged in lives in memory and is gone when it stops."""

    gate: str
    secret: str = field(repr=False)
    logins: dict[str, Person] = field(default_factory=dict, repr=False)
    pages: Environment = field(
        default_factory=lambda: Environment(
            autoescape=True, loader=FileSystemLoader(HERE / "pages")
        )
    )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self.answer(request)
        except HTTPException as error:
            response = self.page("house/error.html", None, error=error)
            response.status_code = error.code or 500
        response.headers["Cache-Control"] = "no-store"  # a signed link must not be kept
        return response(environ, start_response)

    def answer(self, request: Request) -> Response:
        person = self.logins.get(request.cookies.get(COOKIE, ""))
        match (request.method, request.path):
            case ("GET" | "HEAD", "/"):
                return self.page("house/home.html", person)
            case ("GET" | "HEAD", "/sso"):
                return self.sso(request, person)
            case ("POST", "/login"):
                return self.login(request)
            case ("POST", "/logout"):
                return self.logout(request, person)
        raise NotFound

    def sso(self, request: Request, person: Person | None) -> Response:
        """Where the gate sends people who are not signed in; `return_url` in gateway.yaml."""
        wanted = {key: request.args[key] for key in WANTED if request.args.get(key)}
        if person is None:
            return self.page("house/login.html", None, wanted=wanted)
        # Signed at the moment of asking, so that the timestamp is fresh; the gate judges `wanted`.
        fields = {**self.fields(person), **wanted}
        link = signed_link(self.gate, fields, self.secret)
        return self.page("house/continue.html", person, link=link, wanted=wanted, fields=fields)

    def fields(self, person: Person) -> dict[str, str]:
        return {
            "username": person.username,
            "name": person.name,
            "email": person.email,
            "groups": person.groups,
            "t": str(int(time.time())),
        }

    def login(self, request: Request) -> Response:
        person = PEOPLE.get(request.form.get("person", ""))
        if person is None:
            raise NotFound
        self.logins.pop(request.cookies.get(COOKIE, ""), None)
        if len(self.logins) >= MAX_LOGINS:
            self.logins.pop(next(iter(self.logins)), None)
        token = secrets.token_urlsafe(32)
        self.logins[token] = person
        wanted = {key: request.form[key] for key in WANTED if request.form.get(key)}
        response = redirect(f"/sso?{urlencode(wanted)}" if wanted else "/", 303)
        response.set_cookie(COOKIE, token, httponly=True, samesite="Lax")
        return response

    def logout(self, request: Request, person: Person | None) -> Response:
        """Log out here, and tell the gate to end this person's sessions there."""
        self.logins.pop(request.cookies.get(COOKIE, ""), None)
        told = person is not None and self.tell_gate(person)
        response = self.page("house/goodbye.html", None, told=told, left=person)
        response.delete_cookie(COOKIE, httponly=True, samesite="Lax")
        return response

    def tell_gate(self, person: Person) -> bool:
        """From server to server, so that it works when the browser is long gone."""
        form = {"mode": "logout", **signed(self.fields(person), self.secret)}
        try:
            with urllib.request.urlopen(
                f"{self.gate}/sso.php", urlencode(form).encode(), timeout=5
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def page(self, name: str, person: Person | None, **values: object) -> Response:
        html = self.pages.get_template(name).render(
            person=person, people=PEOPLE.values(), gate=self.gate, **values
        )
        return Response(html, mimetype="text/html")


def members_house() -> SharedDataMiddleware:
    """What gunicorn serves. `DEMO_GATE` is the gate's URL, `DEMO_SECRET` the secret's file."""
    secret = Path(os.environ["DEMO_SECRET"]).read_text("ascii").strip()
    house = MembersHouse(os.environ["DEMO_GATE"], secret)
    return SharedDataMiddleware(house, {"/static": str(HERE / "static")})
