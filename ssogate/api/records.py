"""What clients have, the servers it is on, and the activity log. Never a secret of any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ssogate.api.answers import moment
from ssogate.api.call import Answer, Call, Function, Parameters, Refused, page
from ssogate.directory import note
from ssogate.model import Activity, Server, Service
from ssogate.storage import Store

NEWEST = 10_000  # lines of the log that are searched: it grows without end


@dataclass(frozen=True, slots=True)
class Records:
    store: Store

    def functions(self) -> Mapping[str, Function]:
        return {
            "GetClientsProducts": self.products,
            "GetServers": self.servers,
            "GetActivityLog": self.activity,
            "LogActivity": self.log,
        }

    def products(self, call: Call) -> Answer:
        """Products have no numbers here: `pid` finds none."""
        asked = call.parameters
        client = asked.number("clientid")
        if client is not None and self.store.accounts.get(client) is None:
            raise Refused("Client ID Not Found")
        found = page(asked, lambda: self._services(asked), self._product)
        sought = {name: asked.text(name) or None for name in ("serviceid", "pid", "domain")}
        products = {"product": found.records}
        return {"clientid": client, **sought, **found.counts, "products": products}

    def servers(self, call: Call) -> Answer:
        return {"servers": [_server(server) for server in self.store.servers.listed()]}

    def activity(self, call: Call) -> Answer:
        """The newest first, among the newest lines that hold `description`."""
        asked = call.parameters
        lines = self.store.activity.latest(NEWEST, containing=asked.text("description"))
        found = page(asked, lambda: filter(lambda line: _wanted(asked, line), lines), _line)
        return {**found.counts, "activity": {"entry": found.records}}

    def log(self, call: Call) -> Answer:
        asked = call.parameters
        if not asked.text("description").strip():
            raise Refused("A description is required")
        about = f"client {client}: " if (client := asked.number("clientid")) else ""
        note(self.store, call.by, "activity.logged", about + asked.text("description"), call.now)
        return {}

    def _services(self, asked: Parameters) -> Iterator[Service]:
        client, number = asked.number("clientid"), asked.number("serviceid")
        where = {} if client is None else {"account": client}
        if number is not None:
            where["number"] = number
        for service in self.store.services.listed(**where):
            domain, username = asked.text("domain"), asked.text("username2")
            right = domain in ("", service.domain) and username in ("", service.username)
            if right and not asked.text("pid"):
                yield service

    def _product(self, service: Service) -> Answer:
        server = self.store.servers.get(service.server) if service.server else None
        return {
            "id": service.number,
            "clientid": service.account,
            "pid": 0,
            "name": service.product,
            "translated_name": service.product,
            "domain": service.domain,
            "serverid": service.server or 0,
            "servername": server.name if server else "",
            "serverhostname": server.hosts[0] if server else "",
            "status": str(service.status),
            "username": service.username,
        }


def _server(server: Server) -> Answer:
    return {
        "id": server.number,
        "name": server.name,
        "hostname": server.hosts[0],
        "module": server.module,
        "active": True,
    }


def _wanted(asked: Parameters, line: Activity) -> bool:
    return (
        asked.text("user") in line.actor
        and asked.text("ipaddress") in ("", line.client)
        and moment(line.at).startswith(asked.text("date"))
    )


def _line(line: Activity) -> Answer:
    return {
        "id": line.number,
        "userid": 0,
        "date": moment(line.at),
        "description": f"{line.action}: {line.text}",
        "username": line.actor,
        "ipaddress": line.client,
    }
