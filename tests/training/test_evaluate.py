"""Evaluation: nats per token and bits per byte, counted by hand; what is measured, when, and what it costs."""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests import models
from tests.fake_time import FakeTime
from tests.trainings import Configured, of
from tinylm.data.batches import Corpus, HeldOut
from tinylm.data.prepare import prepare
from tinylm.events import EvalDone, Finished
from tinylm.inference.load import load_model
from tinylm.model.transformer import IGNORE_INDEX, Transformer
from tinylm.runs import checkpoint, folder
from tinylm.training import setup
from tinylm.training.evaluate import Evaluator, Score, score
from tinylm.training.loop import train
from tinylm.training.session import Session

LENGTHS = np.array([3, 1, 0, 2, 5], dtype=np.int64)


def some_batches() -> list[tuple[Tensor, Tensor]]:
    ids = torch.randint(5, (6, 9), generator=torch.Generator().manual_seed(1))
    targets = ids[:, 1:].clone()
    targets[1, 3:] = IGNORE_INDEX
    targets[5] = IGNORE_INDEX
    return [(ids[:3, :-1], targets[:3]), (ids[3:, :-1], targets[3:])]


def test_a_score_by_hand() -> None:
    some = Score(nats=math.log(2) * 12, tokens=4, bytes=6)
    assert some.loss == pytest.approx(3 * math.log(2))
    assert some.bpb == pytest.approx(2)
    nothing = Score(0.0, 0, 0)
    assert nothing.loss is None
    assert nothing.bpb is None
    assert Score(1.0, 1, 0).bpb is None  # a special token alone has no bytes


def test_each_counted_target_counts_once() -> None:
    model, batches = models.build(5, dropout=0.3), some_batches()
    result = score(model, batches, LENGTHS, nullcontext())
    model.eval()
    nats, tokens, size = 0.0, 0, 0
    with torch.no_grad():
        for ids, targets in batches:
            for row, wanted in zip(ids, targets, strict=True):
                log_probs = model.logits(row[None])[0].log_softmax(-1)
                for position, target in enumerate(wanted.tolist()):
                    if target != IGNORE_INDEX:
                        nats -= log_probs[position, target].item()
                        tokens += 1
                        size += int(LENGTHS[target])
    assert (result.tokens, result.bytes) == (tokens, size) == (6 * 8 - 5 - 8, size)
    assert result.nats == pytest.approx(nats, rel=1e-5)


def test_a_model_is_measured_without_dropout_and_goes_back_to_training() -> None:
    model = models.build(5, dropout=0.3)
    torch.manual_seed(1)
    first = score(model, some_batches(), LENGTHS, nullcontext())
    torch.manual_seed(2)
    assert score(model, some_batches(), LENGTHS, nullcontext()) == first
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())


def test_nothing_to_measure() -> None:
    assert score(models.build(5, dropout=0.3), [], LENGTHS, nullcontext()) == Score(0.0, 0, 0)


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_the_end_of_a_run_is_measured_on_the_whole_held_out_text(
    kind: str, home: Path, tiny_config: Configured, tiny_text: str
) -> None:
    config = tiny_config(tokenizer={"kind": kind}, data={"val_placement": "tail"})
    events = list(train(config, home, "a"))
    finished = events[-1]
    assert isinstance(finished, Finished)

    run = folder.open_run(home, "a")
    assert finished.checkpoint == f"checkpoints/{checkpoint.find(run, 'latest').name}"
    model, tokenizer = load_model(run, "latest")
    held_out = tiny_text[int(len(tiny_text) * 0.9) :]
    ids = [tokenizer.end_of_text, *tokenizer.encode(held_out).tolist(), tokenizer.end_of_text]
    nats, tokens = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, 32):
            window = torch.tensor(ids[start : start + 33])
            nats += model.losses(window[None, :-1], window[None, 1:]).double().sum().item()
            tokens += len(window) - 1
    assert tokens == len(ids) - 1
    assert finished.val_loss == pytest.approx(nats / tokens, rel=1e-5)
    assert finished.val_bpb == pytest.approx(nats / math.log(2) / len(held_out.encode()), rel=1e-5)


def test_an_evaluation_uses_the_same_windows_each_time(home: Path, tiny_config: Configured) -> None:
    # A rate so low that the weights stay as they are: then only other windows could change a loss.
    phase = {"schedule": "constant", "steps": 6, "max_lr": 1e-30}
    config = tiny_config(train={"phases": [phase], "eval_interval": 2, "weight_decay": 0.0})
    evals = of(train(config, home, "a"), EvalDone)
    assert [event.step for event in evals] == [2, 4, 6]
    assert len({event.train_loss for event in evals}) == 1
    assert len({event.val_loss for event in evals}) == 1
    assert evals[0].train_loss != evals[0].val_loss
    assert [event.best for event in evals] == [True, False, False]


def test_held_out_windows_of_a_corpus_count_all_its_bytes(home: Path, tiny_config: Configured) -> None:
    corpus = Corpus(prepare(tiny_config(), home), torch.device("cpu"))
    windows = HeldOut.cut(corpus.layout.held_out, 32)
    size = sum(
        int(corpus.tokenizer.token_bytes[targets[targets != IGNORE_INDEX].numpy()].sum())
        for _, targets in windows.batches(corpus, 7, 32)
    )
    assert size == corpus.layout.val_bytes


@pytest.fixture
def parts(home: Path, tiny_config: Configured) -> Iterator[Session]:
    parts = setup.start(tiny_config(), home, "run")
    yield parts
    parts.close()


def test_the_time_of_the_last_evaluation_is_known_from_those_before(
    fake_time: FakeTime, parts: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = Transformer.losses
    monkeypatch.setattr(Transformer, "losses", lambda *given: fake_time.work(1.0) or losses(*given))
    evaluator = Evaluator(parts)
    some, whole = evaluator.sequences
    assert 0 < some < whole
    assert evaluator.final_evaluation_seconds == 0
    evaluator.validate(parts.batches[0].stream)
    assert evaluator.final_evaluation_seconds == pytest.approx(whole / 4), "a second for each batch of four"


@pytest.mark.parametrize("eval_iters", [2, 1000])
def test_what_was_evaluated_at_this_step_is_not_evaluated_again(
    eval_iters: int, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = setup.start(tiny_config(train={"eval_iters": eval_iters}), home, "run")
    evaluator = Evaluator(parts)
    held_out = evaluator.validate(parts.batches[0].stream).val
    passes: list[object] = []
    losses = Transformer.losses
    monkeypatch.setattr(Transformer, "losses", lambda *given: passes.append(given) or losses(*given))
    whole = evaluator.evaluate_held_out(parts.model)
    assert (passes == []) == (eval_iters == 1000)
    assert (whole == held_out) == (eval_iters == 1000)
    parts.state.step += 1
    evaluator.evaluate_held_out(parts.model)
    assert passes
    parts.close()
