"""The presets: each is valid and short, and `seed` is the published recipe to the last number."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tinylm import paths
from tinylm.config import resolve
from tinylm.config.schema import Budget, Phase, RunConfig
from tinylm.errors import ConfigError
from tinylm.planning.schedule import plan

OURS = sorted((paths.assets() / "presets").glob("*.toml"))


def load(path: Path) -> RunConfig:
    return resolve.validate(resolve.merge(RunConfig().model_dump(), tomllib.loads(path.read_text())))


def test_there_are_presets() -> None:
    assert {path.stem for path in OURS} >= {"quick", "seed", "char"}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_preset_validates_alone_and_begins_with_a_comment(path: Path) -> None:
    config = load(path)
    assert path.read_text().startswith("# ")
    assert plan(config.train.phases, 1000).steps == 1000
    if config.train.budget:
        assert Budget.parse(config.train.budget)


# The seed is a published recipe, spelled out whole: it must not change where our defaults do.
@pytest.mark.parametrize("path", [path for path in OURS if path.stem != "seed"], ids=lambda path: path.stem)
def test_a_preset_lists_only_what_differs_from_the_defaults(path: Path) -> None:
    defaults = RunConfig().model_dump()
    of_a_phase = {name: field.default for name, field in Phase.model_fields.items()}

    def same(table: dict[str, Any], default: dict[str, Any], prefix: str) -> list[str]:
        equal = []
        for key, value in table.items():
            if isinstance(value, dict):
                equal += same(value, default[key], f"{prefix}{key}.")
            elif key == "phases":
                for i, phase in enumerate(value):
                    equal += same(phase, of_a_phase, f"{prefix}{key}.{i}.")
            elif value == (list(default[key]) if isinstance(default[key], tuple) else default[key]):
                equal.append(prefix + key)
        return equal

    assert same(tomllib.loads(path.read_text()), defaults, "") == []


def test_seed_is_the_published_recipe() -> None:
    config = resolve.validate(
        resolve.merge(RunConfig().model_dump(), resolve.read_preset("seed", Path("/nonexistent")))
    )
    model, train, sample = config.model, config.train, config.sample
    assert (model.n_layer, model.n_embd, model.n_head, model.n_kv_head, model.head_size) == (3, 256, 8, 4, 32)
    assert (model.block_size, model.dropout, model.attention_dropout) == (256, 0.2, 0.0)
    assert (model.norm_eps, model.rope_theta) == (2e-4, 1e5)
    assert (model.qk_norm, model.tie_embeddings) == (False, False)
    assert (config.tokenizer.kind, config.tokenizer.vocab_size) == ("bpe", 5000)
    assert config.data.windows == "every_offset"
    assert (train.batch_size, train.accumulation_steps) == (56, 1)
    assert (train.optimizer, train.betas, train.weight_decay) == ("adamw", (0.9, 0.95), 0.99)
    assert (train.grad_clip, train.precision) == (0.0, "fp32")
    assert (train.eval_interval, train.eval_iters) == (500, 150)
    assert (train.checkpoint_interval, train.sample_interval) == (5000, 5000)
    assert (sample.temperature, sample.top_k, sample.top_p) == (0.75, 5, 0.92)
    assert train.budget is None
    first, second = train.phases
    assert (first.schedule, first.steps, first.base_lr, first.max_lr) == ("cyclic", 42_000, 5e-5, 3e-4)
    assert (first.steps_up, first.steps_down) == (2500, 15_000)
    assert (second.schedule, second.steps, second.max_lr) == ("cosine", 42_000, 3e-4)
    assert (second.min_lr, second.warmup_steps) == (1.5e-5, 3000)
    assert plan(train.phases).steps == 84_000


def test_seed_comments_where_it_differs_from_the_original() -> None:
    comments = " ".join(
        line for line in (paths.assets() / "presets" / "seed.toml").read_text().splitlines() if "#" in line
    )
    assert "attention" in comments
    assert "dropout" in comments


def test_quick_is_what_the_contract_promises() -> None:
    assert load(paths.assets() / "presets" / "quick.toml").train.budget == "2m"


def test_a_persons_own_presets_are_found_and_cannot_replace_ours(tmp_path: Path) -> None:
    own = tmp_path / "presets"
    own.mkdir()
    (own / "mine.toml").write_text("[model]\nn_layer = 2\n")
    (own / "quick.toml").write_text("[model]\nn_layer = 96\n")
    (own / "notes.txt").write_text("not a preset")
    known = resolve.presets(tmp_path)
    assert known["mine"] == own / "mine.toml"
    assert known["quick"] == paths.assets() / "presets" / "quick.toml"
    assert "notes" not in known
    assert resolve.read_preset("mine", tmp_path) == {"model": {"n_layer": 2}, "preset": "mine"}
    assert resolve.read_preset("quick", tmp_path)["model"] != {"n_layer": 96}


@pytest.mark.parametrize("name", ["nope", "../presets/seed", "", "seed.toml"])
def test_a_preset_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve.read_preset(name, tmp_path)
    for known in ("quick", "seed", "char"):
        assert known in caught.value.hint
