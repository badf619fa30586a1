"""`--bench train`: its rows and what they count, on a model so small that no speed means anything."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.test_cli import call
from tinylm.bench import limits, train
from tinylm.config import ModelConfig

SHAPE = ModelConfig(n_layer=3, n_head=2, n_kv_head=1, n_embd=16, mlp_ratio=2, head_size=8, block_size=8)


@pytest.fixture(autouse=True)
def of_a_moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A benchmark of a moment; threads are put back."""
    monkeypatch.setattr(limits, "ROUNDS", 1)
    monkeypatch.setattr(limits, "PASS_TOKENS", (16,))
    monkeypatch.setattr(limits, "PEAK_SIZE", 16)
    monkeypatch.setattr(train, "PAIRS", 2)
    monkeypatch.setattr(train, "_compile", lambda *_: False)
    monkeypatch.setattr(train, "_against_hugging_face", lambda *_: iter(()))  # a peer compiles for a minute
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_rows_of_a_cpu(home: Path) -> None:
    small = ["n_layer=1", "n_head=2", "n_kv_head=2", "n_embd=16", "head_size=8", "block_size=16"]
    shape = [part for name in small for part in ("--set", f"model.{name}")]
    said = call("--bench", "train", "--json", "--home", home, "--device", "cpu", *shape, "--set", "train.batch_size=2",
                "--set", "train.precision=fp32", "--set", "tokenizer.kind=byte")  # fmt: skip
    assert said.code == 0, said.err
    rows = {row["name"]: row for row in map(json.loads, said.out.splitlines())}
    fp32 = {name.removeprefix("train.fp32"): row for name, row in rows.items() if name.startswith("train.fp32")}
    assert {"", ".products", ".attention", ".loss", ".ceiling", ".under_ceiling", ".against_plain"} <= fp32.keys()
    assert all(row["value"] > 0 for row in rows.values())
    assert fp32[""]["limit"] == pytest.approx(1e6 / fp32[".products"]["value"])
    together = sum(fp32[part]["value"] for part in (".products", ".attention", ".loss"))
    assert fp32[".ceiling"]["value"] == fp32[".under_ceiling"]["limit"] == pytest.approx(1e6 / together)
    assert fp32[".ceiling"]["ratio"] < 1
    assert fp32[".under_ceiling"]["value"] == fp32[""]["value"]


def test_every_product_of_a_step_is_counted_at_its_own_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(limits, "_product", lambda k, n, _: asked.append((k, n)) or k * n)
    block = [(16, 32), (16, 16), (16, 64), (32, 16)]  # q, k and v; out; gate and up; down
    assert limits._products(SHAPE, 50, "fp32") == 3 * sum(k * n for k, n in block) + 16 * 50
    assert sorted(asked) == sorted({*block, (16, 50)})


def test_attention_counts_once_for_each_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"_products": 5.0, "_attention": 2.0, "_softmax": 1.0}.items():
        monkeypatch.setattr(limits, name, lambda *_, seconds=seconds: seconds)
    found = limits.alone(SHAPE, 50, "fp32")
    assert found == limits.Alone(products=5.0, attention=6.0, loss=1.0)
    assert (found.limit, found.ceiling) == (1 / 5, 1 / 12)


def test_the_best_number_of_threads_counts_and_none_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.device, "cores", lambda: 4)
    torch.set_num_threads(3)
    taken = {1: 4.0, 2: 1.0, 4: 9.0}
    monkeypatch.setattr(limits, "_products", lambda *_: taken[torch.get_num_threads()])
    monkeypatch.setattr(limits, "_attention", lambda _: 10 - taken[torch.get_num_threads()])
    monkeypatch.setattr(limits, "_softmax", lambda *_: 0.0)
    assert limits.alone(SHAPE, 50, "fp32") == limits.Alone(products=1.0, attention=3.0, loss=0.0)
    assert torch.get_num_threads() == 3
