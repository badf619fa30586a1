"""How much memory is free, by what the system says."""

from pathlib import Path

import pytest
import torch

from tinylm.hardware import memory


def test_free_memory_is_what_the_machine_and_the_container_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    cpu = torch.device("cpu")
    assert memory.free(cpu) == 4000 * 1024
    (tmp_path / "memory.current").write_text("1000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free(cpu) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    assert memory.free(cpu) == 2_000_000
    (tmp_path / "meminfo").write_text("nothing\n")
    (tmp_path / "memory.max").unlink()
    assert memory.free(cpu) is None
