"""How each server is started. Strategy: a configuration file beside this module, filled in."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from gates import SESSIONS, fill_up, gate_folder, spread_uses
from measuring import PROJECT, free_port, gunicorn, process

from peers.openid import CLIENT, SECRET, provider, signed_in

PAGE, BIG, SLOW = "/members/page", "/members/big", "/members/slow"
EVENTS, SOCKET = "/members/events", "/members/socket"
APACHE_MODULES = Path("/usr/lib/apache2/modules")
LOG = "access.log"
COMPILED_PYTHON = PROJECT / ".venv-compiled/bin/python"
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is to be, and what it stands in front of."""

    folder: Path
    """Its own, and empty."""
    upstream: int
    """The port of one that answers at once."""
    slow: int
    """Of one that takes its time."""


@dataclass(frozen=True, slots=True)
class Running:
    port: int
    pid: int
    cookies: tuple[str, ...]
    """What signed-in visitors send, each a Cookie header."""
    guards: bool = True
    """Whether it refuses everybody else."""
    before: Callable[[], None] = lambda: None
    """What makes it ready to be asked by everybody."""


Start = Callable[[Place], AbstractContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    start: Start
    needs: str = "nginx"
    """A program, or a module of Apache's (`mod_….so`)."""
    remedy: str = "apt-get install nginx-light"
    """How to come by it."""

    @property
    def is_here(self) -> bool:
        if self.needs.endswith(".so"):
            return Path(tool("apache2")).exists() and (APACHE_MODULES / self.needs).exists()
        return Path(tool(self.needs)).exists()


def tool(name: str) -> str:
    """Where a program is; Debian has servers where only root looks for them."""
    return shutil.which(name) or f"/usr/sbin/{name}"


def written(place: Place, *names: str, **values: object) -> Path:
    """Write a server's configuration, of several parts; give the file."""
    values |= {"folder": place.folder, "upstream": place.upstream, "slow": place.slow}
    text = "\n".join((HERE / name).read_text() for name in names)
    file = place.folder / names[0]
    file.write_text(re.sub(r"@(\w+)@", lambda found: str(values[found[1]]), text))
    return file


@contextmanager
def upstream(place: Place) -> Iterator[Running]:
    (place.folder / "members").mkdir()
    (place.folder / BIG[1:]).write_bytes(b"x" * 2**20)
    place.folder.chmod(0o755)
    port = free_port()
    conf = written(place, "upstream.conf", port=port, body="x" * 1024)
    with process([tool("nginx"), "-c", str(conf), "-e", "stderr"], port) as pid:
        yield Running(port, pid, ("a=b",), guards=False)


@contextmanager
def nginx(place: Place) -> Iterator[Running]:
    port = free_port()
    conf = written(place, "nginx.conf", port=port)
    cookies = tuple(f"ssogate={secrets.token_urlsafe(32)}" for _ in range(SESSIONS))
    with process([tool("nginx"), "-c", str(conf), "-e", "stderr"], port) as pid:
        yield Running(port, pid, cookies, guards=False)


@contextmanager
def gate(
    place: Place,
    *,
    rules: int = 10,
    sessions: int = SESSIONS,
    unused: int = 0,
    more: Iterable[str] = (SLOW,),
    python: Path | None = None,
) -> Iterator[Running]:
    """Serve the gate as it is shipped, with sessions that are used and some that are not."""
    folder = place.folder / "gate"
    at_slow = dict.fromkeys(more, place.slow)
    tokens = gate_folder(folder, place.upstream, rules, sessions=sessions, more=at_slow)
    fill_up(folder, unused)
    log = str(place.folder / LOG)
    with gunicorn(folder, "ssogate.app:gateway()", folder, log=log, python=python) as (port, pid):
        cookies = tuple(f"ssogate={token}" for token in tokens)

        def before() -> None:
            spread_uses(folder, tokens)
            visit(port, cookies)

        yield Running(port, pid, cookies, before=before)


def visit(port: int, cookies: Iterable[str]) -> None:
    """Let everybody come once, as people have who use a gate all day."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        for cookie in cookies:
            connection.request("GET", PAGE, headers={"Cookie": cookie})
            connection.getresponse().read()


@contextmanager
def auth_request(place: Place, *, python: Path | None = None) -> Iterator[Running]:
    """Serve by nginx, which asks the gate; only nginx's own CPU time is counted."""
    port = free_port()
    with gate(place, python=python) as asked:
        conf = written(place, "auth_request.conf", port=port, gate=asked.port)
        with process([tool("nginx"), "-c", str(conf), "-e", "stderr"], port) as pid:
            yield Running(port, pid, asked.cookies, before=asked.before)


@contextmanager
def haproxy(place: Place) -> Iterator[Running]:
    port, secret = free_port(), secrets.token_urlsafe(32)
    conf = written(place, "haproxy.cfg", port=port, secret=secret)
    now = int(time.time())
    cookies = tuple(
        "login=" + jwt.encode({"sub": f"user{n}", "iat": now, "exp": now + 36_000}, secret, "HS256")
        for n in range(SESSIONS)
    )
    # It writes no files, but to where it is sent.
    logged = ["sh", "-c", 'exec "$@" >> "$0"', str(place.folder / LOG)]
    with process([*logged, tool("haproxy"), "-db", "-f", str(conf)], port) as pid:
        yield Running(port, pid, cookies)


@contextmanager
def pubtkt(place: Place) -> Iterator[Running]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (place.folder / "public.pem").write_bytes(public)
    ticket = f"uid=sue;validuntil={int(time.time()) + 36_000};tokens=members;udata="
    signature = b64encode(key.sign(ticket.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    cookie = "auth_pubtkt=" + quote(f"{ticket};sig={signature}", safe="")
    with _apache(place, "pubtkt.conf") as (port, pid):
        yield Running(port, pid, (cookie,))


@contextmanager
def openidc(place: Place) -> Iterator[Running]:
    asked: Mapping[str, object] = {"client": CLIENT, "secret": SECRET}
    with (
        provider() as issuer,
        _apache(place, "openidc.conf", issuer=issuer, **asked) as (port, pid),
    ):
        yield Running(port, pid, (signed_in(f"http://127.0.0.1:{port}{PAGE}"),))


@contextmanager
def _apache(place: Place, module: str, **values: object) -> Iterator[tuple[int, int]]:
    port = free_port()
    place.folder.chmod(0o755)  # its workers are not root
    conf = written(place, "apache.conf", module, port=port, modules=APACHE_MODULES, **values)
    with process([tool("apache2"), "-D", "FOREGROUND", "-f", str(conf)], port) as pid:
        yield port, pid


@contextmanager
def caddy(place: Place) -> Iterator[Running]:
    port = free_port()
    conf = written(place, "Caddyfile", port=port)
    homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(place.folder))
    command = [tool("caddy"), "run", "--config", str(conf), "--adapter", "caddyfile"]
    with process(command, port, env=homes) as pid:
        yield Running(port, pid, ("a=b",), guards=False)


@contextmanager
def oauth2_proxy(place: Place) -> Iterator[Running]:
    port = free_port()
    with provider() as issuer:
        options = {
            "http-address": f"127.0.0.1:{port}",
            "provider": "oidc",
            "oidc-issuer-url": issuer,
            "redirect-url": f"http://127.0.0.1:{port}/oauth2/callback",
            "client-id": CLIENT,
            "client-secret": SECRET,
            "cookie-secret": secrets.token_hex(16),
            "cookie-secure": "false",
            "email-domain": "*",
            "skip-provider-button": "true",
            "upstream": f"http://127.0.0.1:{place.upstream}/",
        }
        options |= {"logging-filename": str(place.folder / LOG)}
        command = [tool("oauth2-proxy"), *(f"--{name}={value}" for name, value in options.items())]
        with process(command, port) as pid:
            yield Running(port, pid, (signed_in(f"http://127.0.0.1:{port}{PAGE}"),))


NGINX, GATE, HAPROXY = "nginx, plain proxy", "the gate", "HAProxy, JWT"
OPENIDC, PUBTKT, CADDY = "Apache, mod_auth_openidc", "Apache, mod_auth_pubtkt", "Caddy, plain proxy"
OAUTH2_PROXY, MANY_RULES = "oauth2-proxy", "the gate, 10 000 rules"
AUTH_REQUEST = "nginx, auth_request to the gate"
COMPILED, COMPILED_AUTH_REQUEST = "the gate, compiled", "nginx, auth_request to the gate, compiled"
FEW_SESSIONS, MANY_SESSIONS = "the gate, 1 000 sessions", "the gate, 1 000 000 sessions"

_BUILD = {"needs": str(COMPILED_PYTHON), "remedy": "make compiled"}
_APT = "apt-get install apache2 libapache2-mod-auth-{}"

PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(NGINX, nginx),
        Peer(GATE, gate),
        Peer(COMPILED, partial(gate, python=COMPILED_PYTHON), **_BUILD),
        Peer(AUTH_REQUEST, auth_request),
        Peer(COMPILED_AUTH_REQUEST, partial(auth_request, python=COMPILED_PYTHON), **_BUILD),
        Peer(MANY_RULES, partial(gate, rules=10_000)),
        Peer(FEW_SESSIONS, partial(gate, sessions=1000)),
        Peer(MANY_SESSIONS, partial(gate, sessions=1000, unused=999_000)),
        Peer(HAPROXY, haproxy, "haproxy", "apt-get install haproxy"),
        Peer(OPENIDC, openidc, "mod_auth_openidc.so", _APT.format("openidc")),
        Peer(PUBTKT, pubtkt, "mod_auth_pubtkt.so", _APT.format("pubtkt")),
        Peer(CADDY, caddy, "caddy", "apt-get install caddy"),
        Peer(OAUTH2_PROXY, oauth2_proxy, "oauth2-proxy", "it is on no PATH here"),
    )
}
