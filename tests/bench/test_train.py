"""`--bench train`: its rows and what they count, on a model so small that no speed means anything."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.command_line import call
from tinylm.bench import limits, train
from tinylm.config.schema import ModelConfig
from tinylm.kernels import compiler

SHAPE = ModelConfig(n_layer=3, n_head=2, n_kv_head=1, n_embd=16, mlp_ratio=2, head_size=8, block_size=8)


@pytest.fixture(autouse=True)
def of_a_moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short benchmark; torch's number of threads is restored."""
    monkeypatch.setattr(limits, "ROUNDS", 1)
    monkeypatch.setattr(limits, "PASS_TOKENS", (16,))
    monkeypatch.setattr(limits, "PEAK_SIZE", 16)
    monkeypatch.setattr(limits, "TILE_SECONDS", 0.001)
    monkeypatch.setattr(train, "PAIRS", 2)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_rows_of_a_cpu(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "find", lambda: None)
    monkeypatch.setitem(sys.modules, "transformers", None)  # a peer compiles for a minute
    small = ["model.n_layer=1", "model.n_head=2", "model.n_kv_head=2", "model.n_embd=16", "model.head_size=8",
             "model.block_size=16", "train.batch_size=2", "train.precision=fp32", "tokenizer.kind=byte"]  # fmt: skip
    settings = [part for setting in small for part in ("--set", setting)]
    result = call("--bench", "train", "--json", "--home", home, "--device", "cpu", *settings)
    assert result.code == 0, result.err
    rows = {row["name"]: row for row in map(json.loads, result.out.splitlines())}
    fp32 = {name.removeprefix("train.fp32"): row for name, row in rows.items() if name.startswith("train.fp32")}
    assert {"", ".eager", ".flops", ".against_plain"} <= fp32.keys()
    assert all(row["value"] > 0 for row in rows.values())
    assert fp32[""]["limit"] == fp32[".eager"]["limit"]
    assert fp32[""]["ratio"] == pytest.approx(fp32[""]["value"] / fp32[""]["limit"])


def test_every_product_of_a_step_is_counted_at_its_own_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "product_seconds", lambda k, n, _: k * n)
    block = [(16, 32), (16, 16), (16, 64), (32, 16)]  # q, k and v; out; gate and up; down
    assert limits.products(SHAPE, 50, "fp32") == 3 * sum(k * n for k, n in block) + 16 * 50


@pytest.mark.skipif(compiler.find() is None, reason="there is no C++ compiler")
def test_our_tile_computes_something_and_needs_a_compiler(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.tile_flops("fp32", home) > 1e8
    monkeypatch.setattr(compiler, "find", lambda: None)
    assert limits.tile_flops("fp32", home / "another") == 0


@pytest.mark.parametrize("tile", [0.0, 1e18])
def test_the_peak_is_the_faster_of_a_large_product_and_of_our_tile(
    tile: float, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "tile_flops", lambda *_: tile)
    peak = limits.peak_flops("fp32", home)
    assert peak == tile if tile else 0 < peak < 1e18


def test_the_best_number_of_threads_counts_and_none_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.device, "cores", lambda: 4)
    torch.set_num_threads(3)
    seconds = {1: 4.0, 2: 1.0, 4: 9.0}
    monkeypatch.setattr(limits, "product_seconds", lambda *_: seconds[torch.get_num_threads()])
    assert limits.products(SHAPE, 50, "fp32") == 4 * 3 + 1
    assert torch.get_num_threads() == 3
