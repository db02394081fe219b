"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A loaded machine is slow now and then, which says nothing about the code: no deadline per
# example. `HYPOTHESIS_PROFILE=long` looks longer.
settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("usual"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))

pytest_plugins = ["tests.gate", "tests.databases"]
