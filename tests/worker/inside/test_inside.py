"""The very tests; pytest finds the fixtures beside this file."""

from __future__ import annotations

import pytest

from tests.worker import test_http_1_0 as old
from tests.worker import test_lane_failures as failures
from tests.worker import test_lane_pipelining as pipelining
from tests.worker import test_lane_real as real
from tests.worker import test_lane_uploads as uploads

pytestmark = pytest.mark.server

OF_PROCESSES = {"access_lines", "memory", "visitors", "worker", "workers"}

globals().update(
    {
        name: test
        for module in (real, failures, uploads, pipelining, old)
        for name, test in vars(module).items()
        if name.startswith("test_") and OF_PROCESSES.isdisjoint(test.__code__.co_names)
    }
)
