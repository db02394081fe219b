"""Real database servers for tests: a PostgreSQL and a MariaDB of their own, in a temporary folder.

Each listens on a free port of 127.0.0.1 and on a socket in its folder, never syncs, and is gone
at the end, however the tests end. The fixtures start one per test process, at its first use.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import pytest
from sqlalchemy import URL, NullPool, create_engine

from tests.servers import Process

USER, PASSWORD = "tests", "of-the-tests"


class _Served(Process):
    """A process that serves once its log says `ready`."""

    def __init__(self, command: Sequence[str], ready: str, cwd: Path) -> None:
        super().__init__(command, cwd=cwd)
        self._ready = ready

    def wait_until_ready(self) -> None:
        self.until(self._ready, timeout=60)

    def _end(self) -> None:
        # A postmaster's children are in groups of their own, and SIGTERM makes it wait until its
        # last client has gone; MariaDB's server ignores SIGINT.
        self.send_signal(signal.SIGINT)
        self.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.wait(5)
        super()._end()


class _Server:
    """What both have in common. `USER` may do everything there; each database is thrown away."""

    PACKAGE: ClassVar[str]
    ACCOUNT: ClassVar[str]
    """The system user that the package brings: the servers refuse to run as root."""
    DRIVER: ClassVar[str]
    MAIN: ClassVar[str]
    """The database that is always there."""
    READY: ClassVar[str]

    def __init__(self) -> None:
        self._names = (f"t{number}" for number in count())

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.ACCOUNT}-"))
        try:
            self.port = _free_port()
            if os.geteuid() == 0:
                shutil.chown(self.folder, self._account())
            self._make()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._signal_all(signal.SIGCONT)
        self._process.__exit__(kind, error, trace)
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start it again after `stop`, on the same port with the same data."""
        command = [*self._unprivileged(), *self._command()]
        self._process = _Served(command, self.READY, self.folder).__enter__()

    def stop(self) -> None:
        """End the server and all its connections; data is kept."""
        self._process.__exit__(None, None, None)

    def hang(self) -> None:
        """Have the whole server stand still: connections stay open, nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def url(self, database: str | None = None, **query: str) -> str:
        """The SQLAlchemy URL of a database, by TCP; `query` goes to the driver."""
        url = URL.create(
            self.DRIVER, USER, PASSWORD, "127.0.0.1", self.port, database or self.MAIN, query
        )
        return url.render_as_string(hide_password=False)

    def fresh(self) -> str:
        """Make an empty database and give its URL."""
        name = next(self._names)
        self.execute(self.url(), self._create(name))
        return self.url(name)

    def execute(self, url: str, *statements: str) -> None:
        """Run SQL statements there, each in a transaction of its own."""
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                # Not `exec_driver_sql`: that takes a % in the text for a parameter.
                connection.connection.cursor().execute(statement)

    def _signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of the server: they all work in its folder."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(FileNotFoundError, PermissionError, ProcessLookupError):
                if (process / "cwd").readlink().is_relative_to(self.folder):
                    os.kill(int(process.name), number)

    def _make(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _create(self, name: str) -> str:
        return f"CREATE DATABASE {name}"

    def _prepare(self, *command: str | Path) -> None:
        """Run what makes the data folder."""
        done = subprocess.run(
            [*self._unprivileged(), *map(str, command)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def _unprivileged(self) -> list[str]:
        """What to put before a command. It also ends with us, should we be killed."""
        before = ["setpriv", "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:
            account = self._account()
            before += ["--reuid", account, "--regid", account, "--clear-groups"]
        return before

    def _account(self) -> str:
        try:
            return pwd.getpwnam(self.ACCOUNT).pw_name
        except KeyError:
            raise self._missing(f"the system user {self.ACCOUNT!r}") from None

    def _program(self, name: str, *elsewhere: str) -> str:
        """The path of a program: the newest in the folders `elsewhere`, or on PATH."""
        path = os.pathsep.join([*elsewhere, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        if found := shutil.which(name, path=path):
            return found
        raise self._missing(name)

    def _missing(self, what: str) -> FileNotFoundError:
        return FileNotFoundError(
            f"these tests need {what}, which is not here: apt-get install {self.PACKAGE}"
        )


class PostgreSQL(_Server):
    """`with PostgreSQL() as server: create_engine(server.fresh())`."""

    PACKAGE, ACCOUNT, DRIVER, MAIN = "postgresql", "postgres", "postgresql+psycopg", "postgres"
    READY = "database system is ready to accept connections"

    def _make(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        options = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8"]
        options += ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}"]
        self._prepare(self._bin("initdb"), *options, "-D", self.folder / "data")

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self._bin("postgres"), "-D", str(self.folder / "data"), *options]

    def store(self, folder: Path) -> dict[str, Any]:
        """What gateway.yaml says of an empty database as its `store`; `folder` gets the password.

        `url` in it is without; `ssogate.gate.open_gate` opens it."""
        secret = folder / "database-password"
        secret.touch(0o600)
        secret.write_text(PASSWORD)
        name = self.fresh().rpartition("/")[2]
        url = f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"
        return {"kind": "postgresql", "url": url, "password": {"file": str(secret)}}

    def _bin(self, name: str) -> str:
        # Debian keeps them off PATH, a folder for each version.
        versions = Path("/usr/lib/postgresql").glob("[0-9]*")
        newest = sorted(versions, key=lambda folder: float(folder.name), reverse=True)
        return self._program(name, *(f"{folder}/bin" for folder in newest))


class MariaDB(_Server):
    """`with MariaDB() as server: create_engine(server.fresh())`."""

    PACKAGE, ACCOUNT, DRIVER, MAIN = "mariadb-server", "mysql", "mysql+pymysql", "mysql"
    READY = "ready for connections"

    def _make(self) -> None:
        self._prepare(
            self._program("mariadb-install-db"),
            "--no-defaults",
            "--skip-test-db",
            "--skip-name-resolve",
            "--auth-root-authentication-method=normal",
            f"--datadir={self.folder / 'data'}",
            *self._small(),
        )
        # `localhost` besides: a nameless user of that host would come before `%`.
        users = (f"'{USER}'@'{host}'" for host in ("localhost", "%"))
        grants = [f"GRANT ALL ON *.* TO {user} IDENTIFIED BY '{PASSWORD}';" for user in users]
        (self.folder / "init.sql").write_text("\n".join(grants))
        (self.folder / "init.sql").chmod(0o644)

    def _command(self) -> list[str]:
        return [
            self._program("mariadbd"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'init.sql'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            *self._small(),
        ]

    def _small(self) -> list[str]:
        return ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--skip-log-bin"]

    def _create(self, name: str) -> str:
        return f"CREATE DATABASE {name} CHARACTER SET utf8mb4"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A real PostgreSQL: `fresh()` gives the URL of an empty database."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A real MariaDB: `fresh()` gives the URL of an empty database."""
    with MariaDB() as server:
        yield server
