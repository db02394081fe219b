"""What a worker keeps of the memory that it has freed."""

from __future__ import annotations

import subprocess
import sys

ROUNDS, BLOCKS, BYTES = 100, 8, 120 * 1024

PROGRAM = f"""
import resource
from ssogate.worker.memory import keep_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def take_and_free():
    for _ in range({ROUNDS}):
        [bytes({BYTES}) for _ in range({BLOCKS})]

keep_memory()
take_and_free()
before = faults()
take_and_free()
print(faults() - before)
"""


def test_what_was_freed_is_not_fetched_from_the_system_anew() -> None:
    command = [sys.executable, "-c", PROGRAM]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(said) < ROUNDS, "pages that the system had to give"
