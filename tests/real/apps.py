"""Real legacy apps that believe a header, started as their own operators would start them.

Radicale (a calendar server, from PyPI) and DokuWiki (from Debian, under PHP's own server). Each
runs on a free port, keeps everything in a folder of the test, and knows nothing of the gate.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from urllib.parse import quote

from tests.servers import PROJECT, Answer, Gunicorn, Process, ask, request

WIKI = Path("/usr/share/dokuwiki")
WIKI_CONF = Path("/etc/dokuwiki")
WIKI_PLUGINS = Path("/var/lib/dokuwiki/lib/plugins")

_STARTED = re.compile(r"Development Server \(http://127\.0\.0\.1:(\d+)\) started")

_RADICALE = """\
[auth]
type = http_x_remote_user
[rights]
type = owner_only
[storage]
filesystem_folder = {folder}
[web]
type = none
"""

_WIKI_SETTINGS = """\
<?php
$conf['title'] = 'Club wiki';
$conf['savedir'] = '{folder}/data';
$conf['useacl'] = 1;
$conf['authtype'] = 'authssogate';
$conf['superuser'] = '@admins';
$conf['disableactions'] = 'register,resendpwd,profile,profile_delete';
$conf['updatecheck'] = 0;
"""

_WIKI_RIGHTS = """\
*        @ALL      0
*        @members  8
staff:*  @members  0
staff:*  @staff    8
"""

_WIKI_PAGES = {
    "start.txt": "====== Welcome ======\nEverybody in the club reads this.\n",
    "staff/start.txt": "====== Key safe ======\nThe code is under the kettle.\n",
}
_WIKI_FOLDERS = (
    *("attic", "cache", "index", "locks", "log", "media"),
    *("media_attic", "media_meta", "meta", "pages", "tmp"),
)


def send(
    port: int,
    target: str,
    method: str = "GET",
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request, with header values as UTF-8."""
    lines = [f"{name}: {value}".encode() for name, value in (headers or {}).items()]
    data = request(target, *lines, method=method, body=body, host=f"127.0.0.1:{port}")
    return ask(port, data, timeout=20)


def identity(username: str, *groups: str, name: str = "", email: str = "") -> dict[str, str]:
    """The four headers by which a gate says who is asking."""
    return {
        "X-Remote-User": username,
        "X-Remote-Name": name,
        "X-Remote-Email": email,
        "X-Remote-Groups": ",".join(groups),
    }


def radicale(folder: Path) -> Gunicorn:
    """Radicale as its documentation runs it under gunicorn: every user owns his own calendars."""
    settings = folder / "radicale.ini"
    settings.write_text(_RADICALE.format(folder=folder / "collections"), "utf-8")
    nothing = folder / "gunicorn.py"
    nothing.write_text("control_socket_disable = True\n", "utf-8")
    return Gunicorn(
        "radicale", "--threads", "4", conf=nothing, env={"RADICALE_CONFIG": str(settings)}
    )


class DokuWiki(Process):
    """Debian's DokuWiki under `php -S`, with our plug-in and a configuration of its own."""

    port: int

    def __init__(self, folder: Path) -> None:
        prepended = _lay_out(folder)
        settings = ["-d", f"auto_prepend_file={prepended}", "-d", "display_errors=0"]
        command = ["php", *settings, "-S", "127.0.0.1:0", "-t", str(WIKI)]
        super().__init__(command, env={"PHP_CLI_SERVER_WORKERS": "4"}, cwd=WIKI)

    def wait_until_ready(self) -> None:
        self.port = int(self.until(_STARTED.pattern)[1])

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def _lay_out(folder: Path) -> Path:
    """Write configuration, pages and plug-ins, and the PHP file that points the wiki to them."""
    conf, plugins, data = folder / "conf", folder / "plugins", folder / "data"
    conf.mkdir()
    for file in WIKI_CONF.iterdir():
        if not file.is_symlink():  # those lead to the machine's own users and rights
            shutil.copy(file, conf)
    (conf / "local.php").write_text(_WIKI_SETTINGS.format(folder=folder), "utf-8")
    (conf / "acl.auth.php").write_text(_WIKI_RIGHTS, "utf-8")
    plugins.mkdir()
    for plugin in WIKI_PLUGINS.iterdir():
        (plugins / plugin.name).symlink_to(plugin)
    (plugins / "authssogate").symlink_to(PROJECT / "examples/dokuwiki/authssogate")
    for name in _WIKI_FOLDERS:
        (data / name).mkdir(parents=True)
    for page, text in _WIKI_PAGES.items():
        (data / "pages" / page).parent.mkdir(exist_ok=True)
        (data / "pages" / page).write_text(text, "utf-8")
    prepended = folder / "where.php"
    defined = {"DOKU_CONF": f"{conf}/", "DOKU_PLUGIN": f"{plugins}/"}
    lines = "".join(f"define('{name}', '{value}');\n" for name, value in defined.items())
    prepended.write_text(f"<?php\n{lines}", "utf-8")
    return prepended


def wiki_page(page: str) -> str:
    """The address of a wiki page."""
    return f"/doku.php?id={quote(page)}"


def sign_out_link(page: str) -> str:
    """The address behind "Log Out" on a page of the wiki, which guards it with a token."""
    found = re.search(r'href="([^"]*do=logout[^"]*)"', page)
    assert found, page
    return unescape(found[1])
