"""Unmodified WHMCS provisioning modules: a PHP file, run by `php` in a confined child process.

The module sees `shim.php` around it, which tells us what it returns and logs. It opens connections
of its own, so `Panel` only logs here: the gate can confine neither where PHP's curl goes nor which
certificates it believes. A launch still leads nowhere but to the server's own hosts.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import Field, field_validator

from ssogate.config import Settings
from ssogate.http.log import log
from ssogate.launch.module import LaunchResult, Metadata, ModuleParams, Panel, PanelError
from ssogate.launch.modules.confined import Heard, run

MOST_LOGGED = 50  # lines of the module log that one call may write
_SHIM = Path(__file__).with_name("shim.php")

_FORBIDDEN = (
    # Other programs, and the ways to them that are known to get round this list.
    "exec,shell_exec,system,passthru,proc_open,popen,dl,mail,mb_send_mail,error_log,putenv,"
    "pcntl_exec,pcntl_fork,pcntl_rfork,pcntl_unshare,"
    # Other processes, and the way out of the session that is killed whole.
    "posix_kill,posix_setsid,posix_setpgid,posix_setuid,posix_setgid,"
    # open_basedir is known to follow links too late.
    "symlink,link"
)


class PhpSettings(Settings):
    """A provisioning module of WHMCS's, as it is."""

    kind: Literal["php"]
    """A provisioning module of WHMCS's: a file in PHP, run by `php` on this machine."""
    file: Path
    """The module; its functions begin with the file's name, as in WHMCS. The path counts from this
    file. Everything in its folder can be read by the module."""
    php: str = Field(default="php", min_length=1)
    """The program `php`, by its name or path."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Of the panel over TLS; if not given, what the module's `MetaData` says."""
    memory: int = Field(default=128, ge=16, le=4096)
    """MiB that the module may take."""

    @field_validator("file")
    @classmethod
    def _named(cls, value: Path) -> Path:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\.php", value.name):
            raise ValueError("name a file such as modules/servers/mypanel/mypanel.php")
        return value


SAYING = 3.0  # seconds for a module to say what it is: a worker's start waits for it


class Php:
    """The module in `settings.file`, below the folder `base`; each call may take `limit` seconds.

    Raises ValueError if there is no such file, or if PHP could not be confined to its folder.
    """

    def __init__(self, settings: PhpSettings, base: Path, limit: float) -> None:
        file = base / settings.file
        if not file.is_file():
            raise ValueError(f"there is no file {settings.file}")
        self._name, self._file, self._port = file.stem, file.resolve(), settings.port
        self._php, self._memory, self._seconds = settings.php, settings.memory, limit
        _plain(self._file)
        _plain(_SHIM)

    @cached_property
    def metadata(self) -> Metadata:
        """What the module says of itself, asked once; defaults in place of what it does not say."""
        try:
            answer = self._called("MetaData", [], None, seconds=min(self._seconds, SAYING))
        except NotImplementedError:
            answer = None
        except PanelError as error:
            log.warning("module", module=self._name, problem=f"MetaData: {error}")
            answer = None
        facts = answer if isinstance(answer, dict) else {}
        said = Metadata(
            _line(facts.get("DisplayName")) or self._name,
            self._port or _port(facts.get("DefaultSSLPort")) or 443,
            _port(facts.get("DefaultNonSSLPort")),
        )
        return replace(
            said,
            service_label=_line(facts.get("ServiceSingleSignOnLabel")) or said.service_label,
            admin_label=_line(facts.get("AdminSingleSignOnLabel")) or said.admin_label,
        )

    def service_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        return self._launched("ServiceSingleSignOn", params, panel)

    def admin_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        return self._launched("AdminSingleSignOn", params, panel)

    def _launched(self, function: str, params: ModuleParams, panel: Panel) -> LaunchResult:
        answer = self._called(function, [params.as_dict()], _Log(panel, params))
        if not isinstance(answer, dict):
            raise PanelError(f"{function} returned {answer}, no array")
        if answer.get("success") is not True:
            return LaunchResult(False, error_msg=_words(answer.get("errorMsg"), params))
        url = answer.get("redirectTo")
        if not isinstance(url, str) or not url:
            raise PanelError(f"{function} returned no redirectTo")
        return LaunchResult(True, url)

    def _called(
        self,
        function: str,
        arguments: Sequence[Any],
        module_log: _Log | None,
        *,
        seconds: float | None = None,
    ) -> Any:
        """Give the array that a function returns, or the name of the type of anything else.

        Raises `NotImplementedError` if there is no such function, else `PanelError`.
        """
        nonce, seconds = secrets.token_hex(16), seconds or self._seconds
        request = {
            "nonce": nonce,
            "seconds": ceil(seconds) + 1,
            "file": str(self._file),
            "function": f"{self._name}_{function}",
            "arguments": arguments,
        }
        heard = self._heard(json.dumps(request, default=dict).encode(), seconds)
        answers = []
        try:
            for kind, value in _lines(heard.answers, nonce.encode()):
                if kind == "log" and module_log:
                    module_log.module_call(*value)
                elif kind in ("answer", "missing"):
                    answers.append((kind, value))
        except (ValueError, TypeError, RecursionError) as error:
            raise PanelError(f"{function} wrote to the pipe of answers") from error
        finally:
            if module_log:
                module_log.output(function, heard)
        if not heard.in_time or len(answers) != 1:
            raise PanelError(f"{function} gave no answer: {heard.ended}")
        ((kind, value),) = answers
        if kind == "missing":
            raise NotImplementedError
        return value

    def _heard(self, request: bytes, seconds: float) -> Heard:
        with TemporaryDirectory(prefix="ssogate-php-", ignore_cleanup_errors=True) as temporary:
            folder = Path(temporary).resolve()
            command = [self._php, *self._flags(folder), "-f", str(_SHIM), "--"]
            memory = self._memory * 2**20
            try:
                return run(command, request, folder=folder, seconds=seconds, memory=memory)
            except OSError as error:
                raise PanelError(f"cannot run php: {error.strerror}") from error

    def _flags(self, folder: Path) -> Iterator[str]:
        """Settings of PHP's, above those of php.ini, which says what extensions there are."""
        settings = {
            "allow_url_include": "0",
            "auto_append_file": "",
            "auto_prepend_file": "",
            "disable_functions": _FORBIDDEN,
            "display_errors": "stderr",
            "enable_dl": "0",
            "expose_php": "0",
            "ffi.enable": "0",
            "html_errors": "0",
            "log_errors": "0",
            "max_execution_time": str(ceil(self._seconds)),
            "memory_limit": f"{self._memory}M",
            "open_basedir": ":".join(map(_plain, (self._file.parent, _SHIM, folder))),
            "sendmail_path": "/bin/false",
            "sys_temp_dir": _plain(folder),
            "zend.exception_ignore_args": "1",  # no secrets in a stack trace
        }
        for name, value in settings.items():
            yield from ("-d", f"{name}={value}")


class _Log:
    """The module log of one call."""

    def __init__(self, panel: Panel, params: ModuleParams) -> None:
        self._panel, self._left = panel, MOST_LOGGED
        self._values = {name: str(value) for name, value in params.as_dict().items()}

    def module_call(
        self, action: str, request: str, response: str, processed: str, hide: Sequence[str]
    ) -> None:
        """`logModuleCall`. WHMCS wants secret values in `replaceVars`; its own sample gives their
        names in `$params`, so both are masked."""
        if self._left:
            self._left -= 1
            hidden = [*hide, *(self._values.get(word, "") for word in hide)]
            self._panel.log(action, request, response, processed, filter(None, hidden))

    def output(self, function: str, heard: Heard) -> None:
        """What a module prints is for nobody's eyes but the operator's."""
        if heard.output or heard.errors:
            texts = (text.decode("utf-8", "replace") for text in (heard.output, heard.errors))
            self._panel.log(f"{function} printed", "", *texts)


def _lines(answers: bytes, nonce: bytes) -> Iterator[tuple[str, Any]]:
    """Read what the shim sent; a last line that broke off is left out. Raises ValueError at a line
    that is not the shim's."""
    for line in answers.split(b"\n")[:-1]:
        if not line.startswith(nonce):
            raise ValueError("not the shim's")
        kind, value = json.loads(line[len(nonce) :])
        yield kind, value


def _plain(path: Path) -> str:
    """Give a path as it can stand in PHP's settings, where much has a meaning, and `:` stands
    between folders."""
    if not re.fullmatch(r"[\w/.+@-]+", str(path)):
        raise ValueError(f"the path {path} must have only letters, digits and /._+@-")
    return str(path)


def _line(fact: Any) -> str:
    """Give a label if it is one."""
    return fact.strip() if isinstance(fact, str) and fact.isprintable() and len(fact) < 100 else ""


def _port(fact: Any) -> int | None:
    """WHMCS's modules give ports as text."""
    text = str(fact)
    return int(text) if re.fullmatch(r"[1-9][0-9]{1,4}", text) and int(text) < 65536 else None


def _words(fact: Any, params: ModuleParams) -> str:
    """Give a module's words for the visitor, unless they quote a secret."""
    text = fact if isinstance(fact, str) else ""
    return "" if any(secret in text for secret in params.secrets) else text
