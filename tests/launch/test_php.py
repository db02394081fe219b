"""WHMCS modules in PHP, run by a real `php`: what they may return, and what they may not do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ValidationError

from ssogate.launch.masking import mask
from ssogate.launch.module import LaunchResult, PanelError
from ssogate.launch.modules.php import Php, PhpSettings
from tests.launch.making import HOST, PARAMS, PASSWORD, MemoryPanel

pytestmark = pytest.mark.server

HERE = Path(__file__).parent / "php"
FULL = replace(PARAMS, serverport=1112)


class LoggedPanel(MemoryPanel):
    """Keeps the module log, as the gate writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[list[str]] = []

    def log(
        self,
        action: str,
        request: object,
        response: object,
        processed: object = "",
        replace: Iterable[str] = (),
    ) -> None:
        hidden = (*FULL.secrets, *replace)
        self.lines.append([mask(text, hidden) for text in (action, request, response, processed)])

    @property
    def text(self) -> str:
        return "\n".join("\t".join(line) for line in self.lines)


@pytest.fixture
def panel() -> LoggedPanel:
    return LoggedPanel()


@pytest.fixture(autouse=True)
def leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield
    assert not list(folder.iterdir())


def module(path: Path, *, limit: float = 20.0, php: str = "php", port: int | None = None) -> Php:
    return Php(
        PhpSettings(kind="php", file=Path(path.name), php=php, port=port), path.parent, limit
    )


def written(folder: Path, body: str, *, limit: float = 20.0, before: str = "") -> Php:
    """A module of one function, with `body`."""
    file = folder / "tried.php"
    file.write_text(f"<?php {before} function tried_ServiceSingleSignOn($params) {{ {body} }}")
    return module(file, limit=limit)


def test_an_unmodified_module_signs_a_services_user_in(panel: LoggedPanel) -> None:
    params = replace(FULL, app="Email_Accounts")

    result = module(HERE / "mypanel.php").service_single_sign_on(params, panel)

    assert result.success
    url = urlsplit(result.redirect_to)
    assert url.netloc == f"{HOST}:1112"
    assert dict(parse_qsl(url.query)) == {
        "as": "user",
        "domain": "shop.example",
        "app": "Email_Accounts",
    }


def test_it_does_however_many_files_the_gate_has_open(panel: LoggedPanel) -> None:
    with ExitStack() as many:
        for _ in range(200):
            many.enter_context(open(os.devnull, "rb"))

        assert module(HERE / "mypanel.php").service_single_sign_on(FULL, panel).success


def test_an_unmodified_module_signs_an_administrator_in(panel: LoggedPanel) -> None:
    result = module(HERE / "mypanel.php").admin_single_sign_on(FULL, panel)

    assert result.success
    assert "as=admin" in result.redirect_to


def test_a_modules_own_words_reach_the_visitor(panel: LoggedPanel) -> None:
    result = module(HERE / "mypanel.php").service_single_sign_on(replace(FULL, domain=""), panel)

    assert result == LaunchResult(False, error_msg="This service has no domain")


def test_what_a_module_logs_and_prints_stands_in_the_module_log(panel: LoggedPanel) -> None:
    module(HERE / "mypanel.php").service_single_sign_on(FULL, panel)

    (call, printed) = panel.lines
    assert call[0] == "mypanel_ServiceSingleSignOn"
    assert '"domain": "shop.example"' in call[1].replace('":"', '": "')
    assert '"redirectTo": "https://node1.example:1112/***"' in call[2]
    assert printed == ["ServiceSingleSignOn printed", "", "calling\\n", ""]
    assert PASSWORD not in panel.text
    assert "wörd" not in panel.text


def test_the_seeds_sample_logs_without_secrets_and_fails_because_it_returns_nothing(
    panel: LoggedPanel,
) -> None:
    params = replace(FULL, username="joseph", password="open sesame")

    with pytest.raises(PanelError, match="returned NULL, no array"):
        module(HERE / "mymodule.php").service_single_sign_on(params, panel)

    (line,) = panel.lines
    assert line[0] == "mymodule_ServiceSingleSignOn"
    assert "serverhostname" in line[1]
    for secret in ("joseph", "sesame", "wörd"):
        assert secret not in panel.text


def test_a_secret_may_be_told_by_its_name_in_params(tmp_path: Path, panel: LoggedPanel) -> None:
    body = "logModuleCall('tried', 'call', 'for ' . $params['domain'], '', '', ['domain']);"

    with pytest.raises(PanelError):
        written(tmp_path, body).service_single_sign_on(FULL, panel)

    assert panel.lines == [["call", "for ***", "", ""]]


def test_a_function_that_a_module_has_not_is_not_implemented(panel: LoggedPanel) -> None:
    with pytest.raises(NotImplementedError):
        module(HERE / "mymodule.php").admin_single_sign_on(FULL, panel)


def test_metadata_is_what_the_module_says() -> None:
    metadata = module(HERE / "mypanel.php").metadata

    assert (metadata.display_name, metadata.port, metadata.plain_port) == ("My Panel", 1112, 1111)
    assert metadata.service_label == "Login to Panel as User"
    assert metadata.admin_label == "Login to Panel as Admin"


def test_the_settings_port_counts_before_the_modules() -> None:
    assert module(HERE / "mypanel.php", port=2000).metadata.port == 2000


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="none"),
        pytest.param("function tried_MetaData() { return 7; }", id="no array"),
        pytest.param("function tried_MetaData() { throw new Exception; }", id="raises"),
        pytest.param(
            "function tried_MetaData() { return ['DisplayName' => [], 'DefaultSSLPort' => '70000',"
            " 'ServiceSingleSignOnLabel' => \"two\\nlines\"]; }",
            id="nonsense",
        ),
    ],
)
def test_metadata_that_makes_no_sense_falls_back(tmp_path: Path, before: str) -> None:
    metadata = written(tmp_path, "", before=before).metadata

    assert (metadata.display_name, metadata.port, metadata.plain_port) == ("tried", 443, None)
    assert metadata.service_label == "Log in to the control panel"


def test_params_have_every_key_of_whmcs(tmp_path: Path, panel: LoggedPanel) -> None:
    params = replace(FULL, configoption=("gold",), clientsdetails={"email": "joe@x.example"})
    body = """return ['success' => true, 'redirectTo' => implode(' ', [
        gettype($params['serviceid']), $params['configoption1'], $params['configoption24'],
        $params['clientsdetails']['email'], gettype($params['customfields']),
        var_export($params['server'], true), $params['serverpassword']])];"""

    result = written(tmp_path, body).service_single_sign_on(params, panel)

    assert result.redirect_to == f"integer gold  joe@x.example array true {PASSWORD}"


@pytest.mark.parametrize(
    "success",
    ["false", "null", "1", "'true'", "'false'", "[true]", "new ArrayObject"],
)
def test_only_true_is_success(tmp_path: Path, panel: LoggedPanel, success: str) -> None:
    body = f"return ['success' => {success}, 'redirectTo' => 'https://{HOST}/'];"

    assert not written(tmp_path, body).service_single_sign_on(FULL, panel).success


@pytest.mark.parametrize("answer", ["[]", "['https://node1.example/']"])
def test_an_array_that_says_nothing_is_no_success(
    tmp_path: Path, panel: LoggedPanel, answer: str
) -> None:
    result = written(tmp_path, f"return {answer};").service_single_sign_on(FULL, panel)

    assert result == LaunchResult(False)


def test_words_that_quote_a_secret_are_not_shown(tmp_path: Path, panel: LoggedPanel) -> None:
    body = "return ['success' => false, 'errorMsg' => 'no: ' . $params['serverpassword']];"

    assert written(tmp_path, body).service_single_sign_on(FULL, panel).error_msg == ""


FAILURES = {
    "returns a string": ("return 'https://node1.example/';", "string, no array"),
    "returns an object": (
        "return (object) ['success' => true, 'redirectTo' => 'x'];",
        "object, no array",
    ),
    "says success and no address": ("return ['success' => true];", "no redirectTo"),
    "gives an address that is no text": (
        "return ['success' => true, 'redirectTo' => ['https://node1.example/']];",
        "no redirectTo",
    ),
    "returns 10 MB": (
        "return ['success' => true, 'redirectTo' => str_repeat('x', 10000000)];",
        "gave no answer",
    ),
    "takes too much memory": ("$x = str_repeat('x', 1 << 28); return [];", "exit status 255"),
    "dies": ("die('bye');", "gave no answer: exit status 0"),
    "exits": ("exit(3);", "exit status 3"),
    "raises": ("throw new Exception('no');", "exit status 255"),
    "has a fatal error": ("unknown_function();", "exit status 255"),
    "has a syntax error": ("return [;", "exit status 255"),
    "writes a file without end": (
        "while (true) { file_put_contents('x', str_repeat('x', 65536), FILE_APPEND); }",
        "killed by signal 25",
    ),
    "closes standard output": ("fclose(STDOUT); exit;", "exit status"),
    "answers twice": (
        "ssogate_send('answer', ['success' => true]); return ['success' => true];",
        "gave no answer",
    ),
    "writes to the pipe": (
        "$pipe = fopen('php://fd/' . $GLOBALS['argv'][1], 'w'); fwrite($pipe, \"[]\\n\");"
        "return ['success' => true, 'redirectTo' => 'https://node1.example/'];",
        "wrote to the pipe",
    ),
    "lies to the pipe": (
        "ssogate_send('log', 7); return ['success' => true, 'redirectTo' => 'x'];",
        "wrote to the pipe",
    ),
}


@pytest.mark.parametrize(("body", "told"), FAILURES.values(), ids=FAILURES)
def test_a_broken_module_fails_with_a_reason_for_the_log(
    tmp_path: Path, panel: LoggedPanel, body: str, told: str
) -> None:
    with pytest.raises(PanelError, match=told):
        written(tmp_path, body).service_single_sign_on(FULL, panel)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("while (true) {}", id="loops"),
        pytest.param("sleep(300);", id="sleeps"),
        pytest.param("while (true) { echo str_repeat('x', 65536); }", id="prints without end"),
        pytest.param("register_shutdown_function('sleep', 300);", id="sleeps at its end"),
        pytest.param(
            "set_time_limit(0); fclose(STDOUT); fclose(STDERR); sleep(300);",
            id="sleeps and hides",
        ),
    ],
)
def test_a_module_that_does_not_end_is_ended(tmp_path: Path, panel: LoggedPanel, body: str) -> None:
    pid = tmp_path / "pid"
    pid.touch()
    body = f"file_put_contents('{pid}', getmypid()); {body}"

    with pytest.raises(PanelError, match="took too long"):
        written(tmp_path, body, limit=1.0).service_single_sign_on(FULL, panel)

    assert not Path("/proc", pid.read_text()).exists()


def test_much_noise_is_no_failure_and_is_not_kept(tmp_path: Path, panel: LoggedPanel) -> None:
    body = """
        echo str_repeat("noise\\n", 100000);
        for ($i = 0; $i < 1000; $i++) { logModuleCall('tried', 'call', $i, NAN, "\\xff", 'word'); }
        return ['success' => true, 'redirectTo' => 'https://node1.example/'];"""

    result = written(tmp_path, body).service_single_sign_on(FULL, panel)

    assert result.success
    assert len(panel.lines) == 51
    assert max(map(len, panel.lines[-1])) <= 4000


FORBIDDEN = {
    "run a program": "shell_exec('id');",
    "fork": "pcntl_fork();",
    "leave its session": "posix_setsid();",
    "send mail": "mail('a@x.example', 'b', 'c');",
    "load libc": "FFI::cdef('int getpid();', 'libc.so.6')->getpid();",
    "read what is not its own": "if (!file_get_contents('/etc/passwd')) { exit(9); }",
    "read a neighbour": "if (!file_get_contents(__DIR__ . '/../neighbour')) { exit(9); }",
    "read a folder of a like name": (
        "if (!file_get_contents(__DIR__ . '-like/neighbour')) { exit(9); }"
    ),
    "include an address": "if (!(include 'data:text/plain,<?php return 1;')) { exit(9); }",
}


@pytest.mark.parametrize("body", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_module_may_not(tmp_path: Path, panel: LoggedPanel, body: str) -> None:
    folder, like = tmp_path / "own", tmp_path / "own-like"
    folder.mkdir()
    like.mkdir()
    (tmp_path / "neighbour").write_text("secret")
    (like / "neighbour").write_text("secret")
    tried = written(folder, f"{body} return ['success' => true, 'redirectTo' => 'x'];")

    with pytest.raises(PanelError, match=r"exit status (255|9)"):
        tried.service_single_sign_on(FULL, panel)


def test_a_module_knows_nothing_of_the_gates_environment(
    tmp_path: Path, panel: LoggedPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSOGATE_SEALING_KEY", "secret")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        body = f"""
            $open = @fopen('php://fd/{file.fileno()}', 'w') ? 'open' : 'closed';
            $env = implode(',', array_keys(getenv()));
            $umask = decoct(umask());
            $here = count(scandir('.')) - 2;
            return ['success' => true, 'redirectTo' => "$env $open $umask $here"];"""

        result = written(tmp_path, body).service_single_sign_on(FULL, panel)

    assert result.redirect_to == "PATH closed 77 0"


def test_a_module_has_a_temporary_folder_and_curl(tmp_path: Path, panel: LoggedPanel) -> None:
    body = """
        $jar = tempnam(sys_get_temp_dir(), 'jar');
        $curl = curl_init('https://nowhere.invalid/');
        curl_setopt($curl, CURLOPT_COOKIEJAR, $jar);
        curl_exec($curl);
        return ['success' => true, 'redirectTo' => curl_errno($curl) . dirname($jar)];"""

    result = written(tmp_path, body).service_single_sign_on(FULL, panel)

    # CURLE_COULDNT_RESOLVE_HOST: it could start the thread that asks for names.
    assert result.redirect_to.startswith(f"6{tmp_path}/temporary/ssogate-php-")


def test_a_php_that_is_not_there_is_told(tmp_path: Path, panel: LoggedPanel) -> None:
    with pytest.raises(PanelError, match="cannot run php: No such file"):
        module(HERE / "mypanel.php", php="/no/php").service_single_sign_on(FULL, panel)


def test_a_module_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no file tried\.php"):
        module(tmp_path / "tried.php")


def test_a_folder_that_php_would_read_as_two_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a:"
    folder.mkdir()

    with pytest.raises(ValueError, match="must have only"):
        written(folder, "")


@pytest.mark.parametrize("file", ["my-panel.php", "panel", "1.php", "x.php.txt", "a b.php"])
def test_a_file_must_be_named_like_its_functions(file: str) -> None:
    with pytest.raises(ValidationError, match="name a file such as"):
        PhpSettings(kind="php", file=Path(file))
