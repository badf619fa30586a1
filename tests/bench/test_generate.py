"""`--bench generate`: its rows and what they count, on a model so small that no speed means anything."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import torch

from tinylm.bench import generate
from tinylm.config.schema import ModelConfig
from tinylm.model import size
from tinylm.model.transformer import Transformer

SHAPE = ModelConfig(
    n_layer=2, n_head=4, n_kv_head=2, n_embd=24, head_size=8, mlp_ratio=3, block_size=32, rope_theta=1e5
)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Transformer]:
    """A tiny model, and a short benchmark; torch's number of threads is restored."""
    for name, value in {"PROMPT": 3, "TOKENS": 4, "TEXTS": 3, "PAIRS": 2}.items():
        monkeypatch.setattr(generate, name, value)
    threads = torch.get_num_threads()
    yield Transformer(SHAPE, 50, torch.Generator().manual_seed(0)).eval()
    torch.set_num_threads(threads)


def test_rows_without_a_peer(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "find_spec", lambda _: None)
    one, several = generate.rows(model, None, flops=2e9)
    assert one.limit is not None
    assert one.ratio is not None
    assert one.unit == several.unit == "tokens/s"
    assert one.runs == several.runs == 2
    assert several.name == "generate.3_at_once"
    assert several.peer == "one alone, drawn too"
    assert several.peer_value is not None
    assert several.limit == pytest.approx(1e9 / (size.parameters(SHAPE, 50) - 50 * 24))
    assert min(one.value, one.ratio, several.value, several.peer_value) > 0


def test_the_limit_reads_every_weight_that_a_token_needs_once(model: Transformer) -> None:
    read = generate.bytes_per_token(SHAPE, 50) // 4
    assert read == size.parameters(SHAPE, 50) - 49 * 24  # all of them, and of the embedding one row
    assert [float(total) for total in generate.reading(model)()] == [float(read)] * 4


@pytest.mark.skipif(find_spec("transformers") is None, reason="needs transformers: pip install -e '.[bench]'")
def test_the_peer_computes_the_same(model: Transformer) -> None:
    rows = list(generate.rows(model, None, flops=2e9))
    assert len({row.name for row in rows}) == len(rows) == 4
    difference, *_, against_peer = rows
    assert difference.value < generate.AGREE
    assert against_peer.peer is not None
    assert against_peer.peer.startswith("transformers ")
    with torch.no_grad():
        model.head.weight.mul_(1.5)
    assert generate.difference_row(model, generate.as_gemma2(model), torch.tensor([[1, 2, 3]])).value < generate.AGREE


def test_a_peer_that_computes_something_else_is_no_peer(model: Transformer) -> None:
    class Other:
        def __call__(self, ids: torch.Tensor) -> "Other":
            self.logits = model.logits(ids) + 0.5
            return self

    with pytest.raises(RuntimeError, match=r"off by up to 0\.5"):
        generate.difference_row(model, Other(), torch.tensor([[1, 2, 3]]))
