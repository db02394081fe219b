"""Writers let each other in, and nobody waits for long for who will not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from ssogate.storage import turns
from ssogate.storage.turns import Turns

HOLDER = """
import sys, time
from pathlib import Path
from ssogate.storage.turns import Turns
with Turns(Path(sys.argv[1])).turn():
    print("mine", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "turns"


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process has the turn, and keeps it."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == b"mine\n"
            yield holder
        finally:
            holder.kill()


def test_threads_have_the_turn_one_after_another(path: Path) -> None:
    ours = Turns(path)
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(50):
            with ours.turn():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0)
                inside.pop()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(most) == 400
    assert max(most) == 1


def test_a_turn_that_another_process_keeps_is_waited_for(path: Path) -> None:
    ended: list[int] = []
    with held_elsewhere(path) as holder:

        def kill() -> None:
            time.sleep(0.2)
            ended.append(1)
            holder.kill()

        Thread(target=kill).start()
        with Turns(path).turn():
            assert ended == [1], "its lock ended with it: whoever is killed leaves none behind"


def test_nobody_waits_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    with held_elsewhere(path) as holder:
        os.kill(holder.pid, signal.SIGSTOP)
        with Turns(path).turn():
            assert holder.poll() is None, "it has the turn, and we went on without"


def test_a_thread_that_keeps_the_turn_is_not_waited_for_either(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    ours = Turns(path)
    been: list[int] = []

    def other() -> None:
        with ours.turn():
            been.append(1)

    with ours.turn():
        thread = Thread(target=other)
        thread.start()
        thread.join(5)
        assert been == [1]
    with ours.turn():
        assert been == [1], "what was not taken was not given back either"


def test_a_turn_ends_with_its_block_however_it_ends(path: Path) -> None:
    ours, others = Turns(path), Turns(path)
    for turn in (ours, others, ours):
        with pytest.raises(KeyError), turn.turn():
            raise KeyError
