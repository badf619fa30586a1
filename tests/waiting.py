"""How long tests wait for what others bring about."""

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds until a test that waits for a thread, a timer or a process fails; a busy machine may need many of them."""


def until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for what another thread or process brings about."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.005)
