"""A visitor's services with their buttons and shortcuts, and an administrator's servers: as pages,
and the services as JSON for a site that shows them itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ssogate.directory.activity import by_visitor
from ssogate.directory.servers import may_open_server
from ssogate.directory.services import usable_service
from ssogate.errors import ActionFailed, LaunchRefused, NoRoute
from ssogate.http.audience import prefers_json
from ssogate.http.pages import page, redirect, reply_object
from ssogate.http.site import OWN
from ssogate.launch.client_area import NUMBER, SERVICES, refused
from ssogate.launch.launcher import Launcher
from ssogate.model import PersonalPage, Reply, Server, Service, Visitor

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

SERVERS = f"{OWN}admin/servers"


@dataclass(frozen=True, slots=True)
class Link:
    """A button: the front page of a panel, or one of its shortcuts."""

    app: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class ServicePages:
    """`base` is the path of the client area."""

    launcher: Launcher
    base: str

    def pages(self) -> Mapping[str, PersonalPage]:
        return {SERVICES: self.listed, f"{SERVICES}/": self.one}

    def listed(self, request: Request, visitor: Visitor) -> Response:
        services = list(self._usable(visitor))
        if prefers_json(request.environ):
            return reply_object({"services": [self._told(service) for service in services]})
        return page(request.environ, "services.html", services=services, services_url=SERVICES)

    def one(self, request: Request, visitor: Visitor) -> Reply:
        number = _number(request.path.removeprefix(f"{SERVICES}/"))
        try:
            service, _ = usable_service(self.launcher.store, visitor.user.identity.subject, number)
            links = self._links(service)
        except (LaunchRefused, ActionFailed) as error:
            return refused(error, request)
        if prefers_json(request.environ):
            return reply_object(self._told(service))
        response = page(
            request.environ,
            "service.html",
            service=service,
            button=links[0],
            shortcuts=links[1:],
            services_url=SERVICES,
        )
        # Where a browser does not say it (plain http), this tells where its links were followed.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def _usable(self, visitor: Visitor) -> Iterator[Service]:
        store, subject = self.launcher.store, visitor.user.identity.subject
        for member in store.memberships.listed(subject=subject):
            for service in store.services.listed(account=member.account):
                try:
                    yield usable_service(store, subject, service.number)[0]
                except LaunchRefused:
                    continue

    def _links(self, service: Service) -> list[Link]:
        """The panel's front page, then its shortcuts. Raises `ActionFailed` where there is none."""
        labels = {"": self.launcher.label(service)}
        labels |= {known.app: known.label for known in self.launcher.shortcuts(service)}
        return [Link(app, label, self._url(service, app)) for app, label in labels.items()]

    def _url(self, service: Service, app: str) -> str:
        asked = {"action": "productdetails", "id": str(service.number), "dosinglesignon": "1"}
        query = urlencode(asked | ({"app": app} if app else {}))
        return f"{self.base.rstrip('/')}/clientarea.php?{query}"

    def _told(self, service: Service) -> Mapping[str, object]:
        try:
            links = [asdict(link) for link in self._links(service)]
        except ActionFailed:
            links = []
        return {
            "id": service.number,
            "product": service.product,
            "domain": service.domain,
            "status": str(service.status),
            "login": links[0] if links else None,
            "shortcuts": links[1:],
        }


@dataclass(frozen=True, slots=True)
class ServerPages:
    """The servers that an administrator may sign in to; everybody else finds nothing here."""

    launcher: Launcher

    def pages(self) -> Mapping[str, PersonalPage]:
        return {SERVERS: self.listed, f"{SERVERS}/": self.launch}

    def listed(self, request: Request, visitor: Visitor) -> Response:
        servers = [*self._open(visitor)]
        rows = [(it, self._label(it), f"{SERVERS}/{it.number}/sso") for it in servers]
        response = page(request.environ, "servers.html", servers=rows)
        # A form's redirect must be allowed like its action (CSP Level 3, "form-action").
        policy = response.headers["Content-Security-Policy"]
        where = " ".join(self._origins(servers))
        response.headers["Content-Security-Policy"] = policy.replace(
            "form-action 'self'", f"form-action 'self' {where}".rstrip()
        )
        return response

    def launch(self, request: Request, visitor: Visitor) -> Reply:
        below = request.path.removeprefix(f"{SERVERS}/")
        if not below.endswith("/sso"):
            raise NoRoute
        if request.method != "POST":
            return redirect(SERVERS)
        number, subject = _number(below.removesuffix("/sso")), visitor.user.identity.subject
        try:
            return redirect(self.launcher.server(number, subject, by=by_visitor(visitor, request)))
        except (LaunchRefused, ActionFailed) as error:
            return refused(error, request)

    def _open(self, visitor: Visitor) -> Iterator[Server]:
        store = self.launcher.store
        administrator = store.administrators.get(visitor.user.identity.subject)
        if administrator is None:
            raise NoRoute
        return (it for it in store.servers.listed() if may_open_server(administrator, it))

    def _label(self, server: Server) -> str:
        try:
            return self.launcher.admin_label(server)
        except ActionFailed:
            return ""

    def _origins(self, servers: list[Server]) -> Iterator[str]:
        for server in servers:
            scheme = "https" if server.secure else "http"
            yield from (f"{scheme}://{host}:*" for host in self.launcher.hosts(server))


def _number(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise NoRoute
    return int(text)
