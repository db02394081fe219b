"""A confined child: its limits, its end, and the end of its children."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from ssogate.launch.modules.confined import MOST_ANSWERS, MOST_OPEN, MOST_OUTPUT, Heard, run

pytestmark = pytest.mark.server


def shell(folder: Path, script: str, *, request: bytes = b"\n", seconds: float = 20.0) -> Heard:
    """Run a script of the shell; `$1` is the pipe of answers."""
    command = ["sh", "-c", script, "sh"]
    return run(command, request, folder=folder, seconds=seconds, memory=2**27)


def test_answers_and_output_come_apart(tmp_path: Path) -> None:
    heard = shell(tmp_path, "cat; echo two >&2; echo three >/dev/fd/$1", request=b"one")

    assert (heard.output, heard.errors, heard.answers) == (b"one", b"two\n", b"three\n")
    assert (heard.ended, heard.in_time) == ("exit status 0", True)


def test_a_large_request_arrives_whole_while_the_child_talks(tmp_path: Path) -> None:
    heard = shell(tmp_path, "tee /dev/stderr | wc -c", request=b"x" * 500_000)

    assert heard.output.strip() == b"500000"
    assert len(heard.errors) == MOST_OUTPUT


def test_a_child_need_not_listen(tmp_path: Path) -> None:
    heard = shell(tmp_path, "exec <&-; exit 7", request=b"x" * 500_000)

    assert (heard.ended, heard.in_time) == ("exit status 7", True)


def test_what_is_too_much_is_dropped(tmp_path: Path) -> None:
    heard = shell(tmp_path, "head -c 3000000 /dev/zero >/dev/fd/$1")

    assert len(heard.answers) == MOST_ANSWERS


def test_limits_hold_before_the_request_is_read(tmp_path: Path) -> None:
    heard = shell(tmp_path, "read x; ulimit -Ht; ulimit -Hv; ulimit -Hf; ulimit -Hn; ulimit -Hc")

    time_, room, written, files, core = map(int, heard.output.split())
    assert (time_, room, written, core) == (21, 655360, 2048, 0)
    assert files > MOST_OPEN  # by as much as the number of the pipe


@pytest.mark.parametrize(
    "last",
    [
        pytest.param("sleep 300", id="it waits"),
        pytest.param("exit 0", id="it has ended"),
    ],
)
def test_its_children_end_with_it(tmp_path: Path, last: str) -> None:
    heard = shell(tmp_path, f"sleep 300 & echo $! $$; {last}", seconds=1.0)

    assert (heard.ended, heard.in_time) == ("took too long", False)
    child, leader = heard.output.split()
    assert not Path("/proc", leader.decode()).exists()
    assert _gone(child.decode())


def test_children_that_hold_no_pipe_end_too(tmp_path: Path) -> None:
    script = (
        "from subprocess import DEVNULL, Popen;"
        "print(Popen(['sleep', '300'], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL).pid)"
    )

    heard = run([sys.executable, "-Ic", script], b"", folder=tmp_path, seconds=20.0, memory=2**27)

    assert heard.in_time
    assert _gone(heard.output.decode().strip())


def _gone(pid: str) -> bool:
    """A moment passes until a killed process is gone; an orphan stays as a zombie until init looks
    after it."""
    for _ in range(500):
        try:
            if Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(["/no/program"], b"", folder=tmp_path, seconds=1, memory=0)
