"""What the tests of trainings share."""

import pytest

from tinylm.training import loop


@pytest.fixture
def each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are reported one by one, so that a test can act at a certain one."""
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
