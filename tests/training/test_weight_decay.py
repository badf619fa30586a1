"""Weight decay that is given in epochs: the number that a run makes of it, and how it trains with it."""

import math
from pathlib import Path

import pytest

from tests.trainings import Configured, go_on, kill_at, newest_files, notes_in
from tinylm.config import resolve
from tinylm.config.schema import Phase, TrainConfig
from tinylm.errors import ConfigError
from tinylm.preview.rehearsal import rehearse
from tinylm.runs import folder
from tinylm.training import setup
from tinylm.training.loop import train
from tinylm.training.weight_decay import weight_decay

TWO_PHASES = [
    {"name": "first", "schedule": "cosine", "steps": 8, "max_lr": 1e-2},
    {"name": "second", "schedule": "wsd", "steps": 6, "max_lr": 2e-3, "steps_down": 4},
]


def test_weight_decay_is_given_in_epochs() -> None:
    """900 tokens read in steps of 30: a pass is 30 steps, and two of them at a rate of 0.01 are 1 / (0.01 * 60)."""
    train, phase = TrainConfig(decay_epochs=2.0, weight_decay=0.1), Phase(max_lr=0.01, steps=5)
    assert weight_decay(train, phase, 900 / 30) == pytest.approx(1 / 0.6)
    assert weight_decay(TrainConfig(weight_decay=0.1), phase, 30) == 0.1


def test_after_as_many_steps_without_an_update_a_weight_has_fallen_to_its_eth_part() -> None:
    """That is what a memory of tau steps means, whatever the rate: exp(-1) of it is left after tau steps."""
    for lr in (1e-3, 1e-2):
        decay = weight_decay(TrainConfig(decay_epochs=2.0), Phase(max_lr=lr, steps=5), 50.0)
        assert (1 - lr * decay) ** 100 == pytest.approx(math.exp(-1), rel=0.01)


def test_a_memory_of_less_than_a_step_is_refused() -> None:
    phase = Phase(max_lr=0.01, steps=5)
    assert weight_decay(TrainConfig(decay_epochs=0.5), phase, 2.0) == pytest.approx(100.0)
    with pytest.raises(ConfigError, match=r"decay_epochs=0\.4 .* 0\.8 of a step") as caught:
        weight_decay(TrainConfig(decay_epochs=0.4), phase, 2.0)
    assert "0.5 or more" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        weight_decay(TrainConfig(decay_epochs=0.001), phase, 68.4)
    enough = float(caught.value.hint.split()[1])
    assert weight_decay(TrainConfig(decay_epochs=enough), phase, 68.4) > 0, "the advice works"


def test_the_number_by_hand_on_a_known_stream(home: Path, tmp_path: Path, tiny_config: Configured) -> None:
    """6,400 bytes behind the end of a text; a step reads 4 * 32 tokens, and a pass has 50 steps and 1 / 128."""
    text = tmp_path / "known.txt"
    text.write_bytes(b"abcdefg\n" * 799 + b"abcdefg.")
    config = tiny_config(
        tokenizer={"kind": "byte"},
        data={"sources": [str(text)], "val_fraction": 0.0},
        train={"phases": TWO_PHASES, "decay_epochs": 2.0},
    )
    parts = setup.start(config, home, "run")
    parts.close()
    assert parts.corpus.train_tokens == 6401
    steps = 2.0 * (50 + 1 / 128)
    assert parts.weight_decays == [pytest.approx(1 / (1e-2 * steps)), pytest.approx(1 / (2e-3 * steps))]
    [note] = [note for note in parts.notes if "0.9998 in first" in note]
    assert "4.999 in second" in note


def test_it_trains_as_with_that_number(home: Path, tiny_config: Configured) -> None:
    [note] = notes_in(train(tiny_config(train={"decay_epochs": 1.5}), home, "epochs"), "remember")
    epochs = folder.open_run(home, "epochs")
    parts = setup.resume(epochs.config(), epochs)
    parts.close()
    [number] = parts.weight_decays
    assert f"{number:.4g}" in note
    list(train(tiny_config(train={"weight_decay": number}), home, "number"))
    assert newest_files(epochs) == newest_files(folder.open_run(home, "number"))
    list(train(tiny_config(), home, "default"))
    assert newest_files(epochs) != newest_files(folder.open_run(home, "default"))


@pytest.mark.usefixtures("each_step")
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resumed_run_computes_the_same_number(optimizer: str, home: Path, tiny_config: Configured) -> None:
    own = {"phases": TWO_PHASES, "decay_epochs": 1.5, "embedding_lr": 0.5, "embedding_decay": 2.0}
    config = tiny_config(train={**own, "optimizer": optimizer, "checkpoint_interval": 3})
    list(train(config, home, "whole"))
    kill_at(5, train(config, home, "broken"))
    run = folder.open_run(home, "broken")
    assert run.config().train.decay_epochs == 1.5
    go_on(run)
    assert newest_files(run) == newest_files(folder.open_run(home, "whole"))


def test_what_is_refused_is_refused_before_anything_is_made(home: Path, tiny_config: Configured) -> None:
    config = tiny_config(train={"decay_epochs": 1e-3})
    with pytest.raises(ConfigError, match="decay_epochs"):
        list(train(config, home, "run"))
    assert not folder.list_runs(home)
    with pytest.raises(ConfigError, match="decay_epochs"):
        rehearse(config, home, lambda: False)


@pytest.mark.parametrize("change", [{"decay_epochs": 3.0}, {"embedding_lr": 0.5}, {"embedding_decay": 0.5}], ids=str)
def test_it_may_not_change_in_the_middle(change: dict[str, float], tiny_config: Configured) -> None:
    own = tiny_config(train={"decay_epochs": 2.0})
    with pytest.raises(ConfigError, match=f"train.{next(iter(change))}"):
        resolve.resumed(own, resolve.with_values(own, train=change))
