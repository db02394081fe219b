"""Start the demonstration with one command, and say what to open: `make run`.

Four servers on this machine only: the gate, the old club app behind it, the members' house that
signs links, and a control panel that the gate signs people in to. Ctrl-C ends all of them.
`SSOGATE_DEMO_PORT` moves them (four ports from there on), `SSOGATE_DEMO_VAR` the folder for what
they keep. A gate that is new is given the people, accounts and servers of examples/directory.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
PORT = 8000  # what gateway.yaml is written for
PATIENCE = 30  # seconds until a server must answer; a cold disk needs some
# The demonstration's gate, and never one that the environment names: its passwords are no secret.
GATE = {"SSOGATE_CONFIG": "gateway.yaml", "PYTHONPATH": str(PROJECT)}

BOX = """
  The demonstration runs.

    {gate:<24}  the club pages, behind the gate
    {house:<24}  the members' house, where people have an account
    {club:<24}  the club's old app itself: it believes anybody
    {panel:<24}  a control panel, which has never heard of the gate

  Try this:
    1. Open {gate}/members/ and sign in as ann. The password is
       correct horse battery staple
    2. Follow My account, and switch a second factor on. Then sign out, press the
       browser's back button, and sign in again. Is your browser German? So are the pages.
    3. Open My services, and Boathouse panel: the button signs you in over there.
    4. Come in by a signed link: Continue with Members' House, click John, Continue.
       Open Staff as John: the gate says why not.
    5. As ann, open My account, Application credentials, New application. Whatever
       speaks OpenID Connect can sign people in here: try one of examples/relying-parties.

  In another terminal: .venv/bin/ssogate account list (or: user, service, server; --help).
  What the servers say: {logs}/demo-*.log.   Stop: Ctrl-C.
"""


@dataclass(frozen=True, slots=True)
class Demo:
    """Where everything is. Cookies are kept by host name and not by port: so that the two sites
    do not see each other's, one is `localhost` and the other `127.0.0.1`, as if they were two."""

    port: int
    var: Path

    @property
    def gate(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def club(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def house(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}"

    @property
    def panel(self) -> str:
        return f"http://127.0.0.1:{self.port + 3}"

    @property
    def secret(self) -> Path:
        return self.var / "link-secret"

    @property
    def sealing_key(self) -> Path:
        return self.var / "sealing-key"

    @property
    def store(self) -> Path:
        return self.var / "ssogate.sqlite"


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    url: str
    command: Sequence[str]
    cwd: Path
    environ: Mapping[str, str]


def prepare(demo: Demo) -> None:
    """Make the folder, its secrets, and what a new gate knows of people."""
    demo.var.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_secret(demo.secret)
    if make_secret(demo.sealing_key) or not demo.store.exists():
        load_directory(demo)


def make_secret(path: Path) -> bool:
    """Write a random text to a file that is not there yet; give whether there was none."""
    try:
        # Exclusive, so that a second start neither changes the secret nor finds half of it.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with open(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32))
    return True


def load_directory(demo: Demo) -> None:
    """Import examples/directory. It takes a second, so not at every start; and whoever tries out
    changes finds them again."""
    done = subprocess.run(
        [sys.executable, "-m", "ssogate", "import", str(PROJECT / "examples/directory")],
        cwd=gate_folder(demo),
        env={**os.environ, **GATE},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        sys.exit(f"The directory could not be loaded:\n\n{done.stderr.decode()}")


def gate_folder(demo: Demo) -> Path:
    """Give the folder with the gateway.yaml to serve: the project's own, or a copy that follows
    where the demonstration was moved. Paths in it are relative, so the copy has the same around it.
    """
    if demo == Demo(PORT, PROJECT / "var"):
        return PROJECT
    text = (PROJECT / "gateway.yaml").read_text("utf-8")
    for offset in range(4):
        moved = rf"\g<1>{demo.port + offset}"
        text = re.sub(rf"(localhost:|127\.0\.0\.1:|port: ){PORT + offset}\b", moved, text)
    folder = demo.var / "moved"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "gateway.yaml").write_text(text, "utf-8")
    for name, place in (("var", demo.var), ("policies", PROJECT / "policies")):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(place)
    return folder


def servers(demo: Demo) -> tuple[Server, ...]:
    """The four servers, in the order of their starting: the gate last, so that all is there."""

    def app(name: str, url: str, spec: str, **environ: str) -> Server:
        # Not from the project's folder, where gunicorn would take the gate's gunicorn.conf.py.
        options = ["--no-control-socket", "--threads", "8", "--log-level", "warning"]
        bind = ["--bind", url.removeprefix("http://")]
        command = [sys.executable, "-m", "gunicorn", *options, *bind, spec]
        return Server(name, url, command, HERE, environ)

    gate = Server(
        "gate",
        demo.gate,
        [sys.executable, "-m", "gunicorn", "-c", str(PROJECT / "gunicorn.conf.py")],
        gate_folder(demo),
        {"SSOGATE_BIND": f"127.0.0.1:{demo.port}", **GATE},
    )
    return (
        app("club", demo.club, "legacy_app:application"),
        app(
            "house",
            demo.house,
            "member_site:members_house()",
            DEMO_GATE=demo.gate,
            DEMO_SECRET=str(demo.secret),
        ),
        app("panel", demo.panel, "control_panel:panel()", DEMO_PANEL=demo.panel),
        gate,
    )


def refuse_taken_ports(demo: Demo) -> None:
    for port in range(demo.port, demo.port + 4):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                sys.exit(
                    f"Port {port} is taken. Stop what listens there, or choose four other ports: "
                    f"SSOGATE_DEMO_PORT={port + 1000 - port % 1000} make run"
                )


@contextmanager
def running(server: Server, var: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `server`, its words going to a file, and end it however this ends."""
    with open(var / f"demo-{server.name}.log", "wb") as log:
        process = subprocess.Popen(
            server.command,
            cwd=server.cwd,
            env={**os.environ, **server.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches this program only, which then ends the servers in order.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(server: Server, process: subprocess.Popen[bytes], var: Path) -> None:
    """Return when `server` answers HTTP, whatever it says; exit if it does not start."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(server.url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    said = (var / f"demo-{server.name}.log").read_text("utf-8", "replace")
    print(f"{server.name} did not start:\n\n{said}", file=sys.stderr)
    sys.exit(process.poll() or 1)


def stay(processes: Sequence[tuple[Server, subprocess.Popen[bytes]]]) -> NoReturn:
    """Stay until one of the servers ends; Ctrl-C leaves by an exception."""
    while True:
        for server, process in processes:
            if process.poll() is not None:
                sys.exit(f"{server.name} has ended: see its log.")
        time.sleep(0.5)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Said explicitly, because a shell starts programs in the background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    port = int(os.environ.get("SSOGATE_DEMO_PORT", PORT))
    demo = Demo(port, Path(os.environ.get("SSOGATE_DEMO_VAR", PROJECT / "var")).resolve())
    refuse_taken_ports(demo)
    prepare(demo)
    try:
        with ExitStack() as running_ones:
            started = [
                (server, running_ones.enter_context(running(server, demo.var)))
                for server in servers(demo)
            ]
            for server, process in started:
                wait_for(server, process, demo.var)
            places = {"gate": demo.gate, "house": demo.house, "club": demo.club}
            print(BOX.format(**places, panel=demo.panel, logs=demo.var))
            sys.stdout.flush()
            stay(started)
    except KeyboardInterrupt:
        print("\nStopped.")


if __name__ == "__main__":
    main()
