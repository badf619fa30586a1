"""What a training is measured on, and what measuring takes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fake_time import FakeTime
from tinylm.config.schema import RunConfig
from tinylm.model.transformer import Transformer
from tinylm.training import setup
from tinylm.training.evaluate import Evaluator
from tinylm.training.session import Session


@pytest.fixture
def parts(home: Path, tiny_config: Callable[..., RunConfig]) -> Iterator[Session]:
    parts = setup.start(tiny_config(), home, "run")
    yield parts
    parts.close()


def test_what_the_end_will_take_is_known_from_the_way(
    fake_time: FakeTime, parts: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = Transformer.losses
    monkeypatch.setattr(Transformer, "losses", lambda *given: fake_time.work(1.0) or losses(*given))
    measure = Evaluator(parts)
    some, whole = measure.sequences
    assert 0 < some < whole
    assert measure.final_seconds == 0
    measure.validate(parts.batches[0].stream)
    assert measure.final_seconds == pytest.approx(whole / 4), "a second for each batch of four"


def test_the_same_windows_each_time(parts: Session) -> None:
    first, again = (Evaluator(parts).validate(parts.batches[0].stream) for _ in range(2))
    assert first == again
    assert first.train != first.val


@pytest.mark.parametrize("eval_iters", [2, 1000])
def test_what_was_measured_at_this_step_is_not_measured_again(
    eval_iters: int, home: Path, tiny_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = setup.start(tiny_config(train={"eval_iters": eval_iters}), home, "run")
    measure = Evaluator(parts)
    held_out = measure.validate(parts.batches[0].stream).val
    passes: list[object] = []
    losses = Transformer.losses
    monkeypatch.setattr(Transformer, "losses", lambda *given: passes.append(given) or losses(*given))
    whole = measure.evaluate_all()
    assert (passes == []) == (eval_iters == 1000)
    assert (whole == held_out) == (eval_iters == 1000)
    parts.state.step += 1
    measure.evaluate_all()
    assert passes
    parts.close()
