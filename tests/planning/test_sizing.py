"""The sizing rule against the runs that it was fitted to, and where it does not apply."""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.texts import made_up_text
from tests.trainings import Configured, notes_in
from tinylm import paths
from tinylm.cli.main import parser
from tinylm.config import flags as flags_
from tinylm.config import resolve
from tinylm.config.schema import FITTED, RunConfig
from tinylm.errors import ConfigError, DataError, TinyLMError
from tinylm.events import Finished
from tinylm.model.size import block_parameters
from tinylm.planning import sizing
from tinylm.preview.rehearsal import rehearse
from tinylm.training import calibrate
from tinylm.training.loop import train

TEXT = sizing.TextStats(tokens=2_350_000, document_length=500_000)
"""Three novels."""


def quick(time: str = "2m", **model: object) -> RunConfig:
    table = resolve.read_preset("quick", Path())
    changes = {"model": model, "train": {"budget": time}, "data": {"sources": ["novel.txt"]}}
    return resolve.validate(resolve.merge(table, changes))


def step_tokens(config: RunConfig) -> int:
    return config.train.batch_size * config.model.block_size


def fitted(time: str, token_seconds: float = 5e-5, tokens: int = TEXT.tokens) -> RunConfig:
    return sizing.fitted(quick(time), 2048, sizing.TextStats(tokens, tokens), token_seconds).config


# ---- the rule -----------------------------------------------------------------------------------------------------


def runs() -> list[dict[str, float]]:
    table = json.loads((paths.assets() / "results" / "sizes.json").read_text(encoding="utf-8"))
    table_runs: list[dict[str, float]] = table["runs"]
    return table_runs


def predicted(run: dict[str, float]) -> float:
    heads = int(run["n_embd"]) // 32
    shape = quick(n_layer=int(run["n_layer"]), n_embd=int(run["n_embd"]), n_head=heads, n_kv_head=heads).model
    return sizing.expected_bpb(shape, run["tokens"], TEXT.tokens)


def test_the_law_predicts_the_runs_that_it_was_fitted_to() -> None:
    misses = [abs(predicted(run) - run["val_bpb"]) for run in runs()]
    assert len(misses) >= 10
    assert max(misses) < 0.014, "bits per byte"
    assert sum(misses) / len(misses) < 0.007


def test_more_time_and_a_faster_machine_are_never_spent_on_a_smaller_model() -> None:
    for choices in (
        [fitted(time) for time in ("5s", "20s", "1m", "2m", "10m", "1h", "10h")],
        [fitted("2m", 1 / speed) for speed in (1e3, 1e4, 1e5, 1e6, 1e7)],
    ):
        sizes = [sizing.SIZES.index((one.model.n_layer, one.model.n_embd)) for one in choices]
        assert sizes == sorted(sizes)
        assert sizes[0] == 0
        assert sizes[-1] > 3
        for small, large in pairwise(choices):
            assert step_tokens(small) <= step_tokens(large)
            assert small.train.phases[0].max_lr >= large.train.phases[0].max_lr


def test_the_size_that_is_chosen_is_expected_to_be_the_best() -> None:
    chosen = sizing.fitted(quick("2m"), 2048, TEXT, 5e-5)
    mine = sizing.expected_bpb(chosen.config.model, chosen.tokens, TEXT.tokens)
    for size in sizing.SIZES:
        other = sizing.with_size(chosen.config.model, *size)
        same_time = chosen.tokens * sizing.token_cost(chosen.config.model, 2048) / sizing.token_cost(other, 2048)
        assert sizing.expected_bpb(other, same_time, TEXT.tokens) >= mine


def test_stories_ask_for_a_larger_model_in_the_same_time() -> None:
    novel = quick("2m")
    stories = resolve.with_values(novel, data={"sources": ["stories"]})
    small, large = (sizing.fitted(config, 2048, TEXT, 5e-5).config.model for config in (novel, stories))
    assert block_parameters(small) < block_parameters(large)


def test_a_preset_is_right_for_its_own_size_and_length() -> None:
    config = quick("100s", n_layer=4, n_embd=128)
    at_home = sizing.TRAINING_SHARE * 100 / sizing.REFERENCE_TOKENS
    chosen = sizing.fitted(config, 2048, TEXT, at_home * 4).config  # so slow that another size may be chosen
    relative_cost = sizing.token_cost(chosen.model, 2048) / sizing.token_cost(config.model, 2048)
    read = sizing.TRAINING_SHARE * 100 / (4 * at_home) / relative_cost
    right = config.train.batch_size * (read / sizing.REFERENCE_TOKENS) ** sizing.BATCH_POWER
    assert right / 1.25 < chosen.train.batch_size < right * 1.25
    wide = config.model.n_embd / chosen.model.n_embd
    assert chosen.train.phases[0].max_lr == pytest.approx(
        config.train.phases[0].max_lr * wide**sizing.LR_POWER, rel=0.01
    )


def test_what_is_not_fitted_stays_as_it_was() -> None:
    before, after = quick("1h"), fitted("1h")
    same = {group: set(type(getattr(before, group)).model_fields) - set(names) for group, names in FITTED.items()}
    for group, names in same.items():
        changed = {
            name for name in names if getattr(getattr(before, group), name) != getattr(getattr(after, group), name)
        }
        assert changed == ({"fit"} if group == "train" else set())
    assert (before.tokenizer, before.sample) == (after.tokenizer, after.sample)
    assert not after.train.fit


def test_heads_have_their_size_and_share_keys_as_before() -> None:
    shared = resolve.with_values(quick("1h"), model={"n_head": 4, "n_kv_head": 2})
    model = sizing.fitted(shared, 2048, TEXT, 5e-5).config.model
    assert model.n_head * model.head_size == model.n_embd > 128
    assert model.n_head == 2 * model.n_kv_head


def test_a_short_run_has_half_the_context_and_as_many_tokens_a_step() -> None:
    short, long = (sizing.fitted(quick("2m"), 2048, TEXT, 1e-4 / share) for share in (0.2, 2))
    assert (short.config.model.block_size, long.config.model.block_size) == (128, 256)
    assert short.tokens < sizing.SHORT_TOKENS < long.tokens
    step = 6 * 256 * (short.tokens / sizing.REFERENCE_TOKENS) ** sizing.BATCH_POWER
    assert step / 1.25 < step_tokens(short.config) < step * 1.25


@pytest.mark.parametrize(
    ("document", "share", "block_size"),
    [(180, 2, 192), (192, 2, 192), (193, 2, 224), (300, 2, 256), (3, 2, 32), (180, 0.2, 128), (100, 0.2, 128)],
)
def test_a_context_is_no_longer_than_documents_are(document: int, share: float, block_size: int) -> None:
    fit = sizing.fitted(quick("2m"), 2048, sizing.TextStats(TEXT.tokens, document), 1e-4 / share)
    assert fit.config.model.block_size == block_size
    step = 6 * 256 * (fit.tokens / sizing.REFERENCE_TOKENS) ** sizing.BATCH_POWER
    assert step / 1.25 < step_tokens(fit.config) < step * 1.25


def test_stories_have_numbers_of_their_own() -> None:
    config = resolve.with_values(quick("2m"), data={"sources": ["stories"]})
    stories = sizing.fitted(config, 2048, TEXT, 5e-5)
    own, model, train = sizing.STORIES_ADJUSTMENT, stories.config.model, stories.config.train
    assert model.mlp_ratio == own.mlp_ratio != config.model.mlp_ratio
    assert stories.config.data.windows == own.windows != fitted("2m").data.windows == config.data.windows
    wide = (config.model.n_embd / model.n_embd) ** sizing.LR_POWER
    assert train.phases[0].max_lr == pytest.approx(own.lr_factor * wide * config.train.phases[0].max_lr, rel=0.01)


def test_a_text_that_any_size_learns_by_heart_gets_the_smallest() -> None:
    for tokens in (50, sizing.SHORTEST_TEXT - 1):
        model = fitted("10m", tokens=tokens).model
        assert (model.n_layer, model.n_embd) == sizing.SIZES[0]


def test_every_phase_is_slowed_alike_and_none_beyond_what_is_allowed() -> None:
    two = resolve.with_values(
        quick("1s"),
        train={
            "phases": [
                {"share": 0.5, "schedule": "cyclic", "base_lr": 1e-3, "max_lr": 9.0},
                {"share": 0.5, "max_lr": 2e-3, "min_lr": 1e-3},
            ]
        },
    )
    first, second = sizing.fitted(two, 2048, TEXT, 5e-5).config.train.phases
    assert first.max_lr == 10
    assert second.max_lr == pytest.approx(2 * second.min_lr)
    assert second.max_lr > 2e-3


def test_dropout_begins_where_a_text_is_read_again_and_again() -> None:
    assert [sizing.dropout(passes) for passes in (0.1, 1, sizing.DROPOUT[0][0])] == [0, 0, sizing.DROPOUT[0][1]]
    amounts = [sizing.dropout(passes) for passes in (4, 7, 8, 12, 20, 40, 1e6)]
    assert amounts == sorted(amounts)
    assert amounts[-1] == amounts[-2] == sizing.DROPOUT[-1][1]
    assert fitted("1h", tokens=100_000).model.dropout > fitted("1h", tokens=10_000_000).model.dropout == 0


def test_what_is_lost_before_a_run_goes_at_its_speed_is_not_planned_with() -> None:
    fast, slow = (sizing.fitted(quick("2m"), 2048, TEXT, 5e-5, lost) for lost in (0.0, 25.0))
    assert slow.tokens * sizing.token_cost(slow.config.model, 2048) == pytest.approx(
        (1 - 25 / (sizing.TRAINING_SHARE * 120)) * fast.tokens * sizing.token_cost(fast.config.model, 2048)
    )
    assert sizing.fitted(quick("5s"), 2048, TEXT, 5e-5, 25.0).tokens > 0


@pytest.mark.parametrize(
    ("token_seconds", "amount"), [(1e-4, " million tokens, "), (1e-2, ",000 tokens, "), (1e-7, " million tokens, ")]
)
def test_the_fit_in_words(token_seconds: float, amount: str) -> None:
    sentence = sizing.fitted(quick("2m"), 2048, TEXT, token_seconds).in_words()
    assert "2m" in sentence
    assert amount in sentence
    assert "e+" not in sentence


# ---- where it is asked --------------------------------------------------------------------------------------------


def configured(home: Path, *flags: str) -> RunConfig:
    options: argparse.Namespace = parser().parse_args(["--train", *flags])
    return flags_.configuration(options, home, None)


@pytest.mark.parametrize(
    "setting", ["model.n_layer=6", "model.dropout=0.1", "train.batch_size=3", "train.phases.0.max_lr=1e-3"]
)
def test_one_chosen_number_turns_the_fit_off(home: Path, setting: str) -> None:
    assert not configured(home, "--set", setting).train.fit
    assert configured(home, "--set", setting, "--set", "train.fit=true").train.fit


def test_one_chosen_number_in_a_file_turns_the_fit_off_too(home: Path) -> None:
    (home / "a.toml").write_text("[train]\nphases = [{share = 1.0}]\n")
    assert not configured(home, "--config", str(home / "a.toml")).train.fit
    (home / "a.toml").write_text("[train]\nseed = 3\n")
    assert configured(home, "--config", str(home / "a.toml")).train.fit


def test_other_settings_leave_it_on(home: Path) -> None:
    assert configured(home).train.fit
    assert configured(home, "--set", "model.qk_norm=false", "--seed", "3", "--time", "5m").train.fit


@pytest.mark.parametrize("budget", ["20 steps", "1 epochs"])
def test_where_no_time_is_given_the_numbers_stand(home: Path, tiny_config: Configured, budget: str) -> None:
    config = tiny_config(train={"fit": True, "budget": budget, "phases": [{"share": 1.0}]})
    assert not sizing.wanted(config)
    list(train(config, home, "run"))
    kept = resolve.from_run_folder(home / "runs" / "run" / "config.toml")[0]
    assert (kept.model, kept.train.batch_size, kept.train.fit) == (config.model, config.train.batch_size, False)


def test_a_run_keeps_the_numbers_and_resumes_with_them(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate.autotune, "timed", lambda *_: 1e-3)
    config = tiny_config(train={"fit": True, "budget": "1s", "phases": [{"share": 1.0, "max_lr": 1e-2}]})
    stream = list(train(config, home, "run"))
    [note] = notes_in(stream, "For 1s")
    kept = resolve.from_run_folder(home / "runs" / "run" / "config.toml")[0]
    assert f"{kept.model.n_layer} layers of {kept.model.n_embd}" in note
    assert (kept.model.n_layer, kept.model.n_embd) in sizing.SIZES
    assert not kept.train.fit

    longer = resolve.with_values(config, train={"budget": "2s"})
    resumed = resolve.resumed(kept, longer)
    assert resolve.with_values(resumed, train={"budget": "1s"}) == kept
    with pytest.raises(ConfigError, match=r"train\.eval_iters"):
        resolve.resumed(kept, resolve.with_values(longer, train={"eval_iters": 9}))
    with pytest.raises(ConfigError, match=r"model\.n_layer"):
        resolve.resumed(kept, resolve.with_values(longer, train={"fit": False}, model={"n_layer": 5}))


@pytest.mark.parametrize(("slower", "same"), [(1.15, True), (0.85, True), (2.0, False)])
def test_the_same_command_twice_chooses_the_same_numbers(
    slower: float, same: bool, home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timings vary, and so would the batch and the rates of two runs."""
    config = tiny_config(train={"fit": True, "budget": "20s", "stop_at": 1, "phases": [{"share": 1.0}]})
    kept = []
    for name, seconds in (("one", 1e-3), ("two", slower * 1e-3)):
        monkeypatch.setattr(calibrate.autotune, "timed", lambda *_, seconds=seconds: seconds)
        list(train(config, home, name))
        chosen = resolve.from_run_folder(home / "runs" / name / "config.toml")[0]
        kept.append((chosen.model, chosen.train.batch_size, chosen.train.phases))
    assert (kept[0] == kept[1]) == same


def test_a_giant_to_begin_from_is_refused_before_it_is_built(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "initial_model", lambda *_: pytest.fail("it was built"))
    config = tiny_config(
        model={"n_layer": 96, "n_embd": 8192},
        train={"fit": True, "budget": "1s", "phases": [{"share": 1.0, "max_lr": 1e-2}]},
    )
    with pytest.raises(TinyLMError, match="GB to train"):
        list(train(config, home, "run"))
    assert not list((home / "runs").iterdir())


def test_a_rehearsal_settles_on_what_the_run_would(
    home: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate.autotune, "timed", lambda *_: 1e-3)
    config = tiny_config(train={"fit": True, "budget": "1s", "phases": [{"share": 1.0, "max_lr": 1e-2}]})
    rehearsal = rehearse(config, home, lambda: False)
    list(train(config, home, "run"))
    kept = resolve.from_run_folder(home / "runs" / "run" / "config.toml")[0]
    assert rehearsal.config.model == kept.model
    assert rehearsal.config.train.phases == kept.train.phases
    assert rehearsal.config.tokens_per_step == kept.train.batch_size * kept.model.block_size


@pytest.mark.parametrize(
    ("size", "budget"), [(300, "1s"), (1_000, "1s"), (3_000, "1s"), (300, "3 steps"), (1_000, "3 steps")]
)
def test_a_short_text_gets_a_context_that_fits_it(
    size: int, budget: str, home: Path, tmp_path: Path, tiny_config: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate.autotune, "timed", lambda *_: 1e-3)
    (tmp_path / "short.txt").write_text(made_up_text(4, 3_000)[:size])
    config = tiny_config(
        model={"block_size": 256},
        data={"sources": [str(tmp_path / "short.txt")]},
        train={"fit": True, "budget": budget, "batch_size": 2, "phases": [{"share": 1.0, "max_lr": 1e-2}]},
    )
    stream = list(train(config, home, "run"))
    kept = resolve.from_run_folder(home / "runs" / "run" / "config.toml")[0]
    assert isinstance(stream[-1], Finished)
    assert 8 <= kept.model.block_size < 256
    fitted = (
        f"a context of {kept.model.block_size}," if budget == "1s" else f"context is {kept.model.block_size} tokens"
    )
    assert notes_in(stream, fitted)


def test_a_text_that_is_too_short_for_any_context_is_refused(
    home: Path, tmp_path: Path, tiny_config: Configured
) -> None:
    (tmp_path / "word.txt").write_text("word")
    config = tiny_config(
        data={"sources": [str(tmp_path / "word.txt")]},
        train={"fit": True, "budget": "1s", "phases": [{"share": 1.0, "max_lr": 1e-2}]},
    )
    with pytest.raises(DataError, match="context of 8"):
        list(train(config, home, "run"))


def test_a_setting_that_ends_the_fit_is_named(home: Path) -> None:
    def note(*arguments: str) -> str:
        options = parser().parse_args(["--train", *arguments])
        return flags_.note_on_fit(options, home, flags_.configuration(options, home, None)) or ""

    assert "model.n_layer" in note("--set", "model.n_layer=3")
    for silent in (
        (),
        ("--set", "train.seed=3"),
        ("--set", "model.n_layer=3", "--set", "train.fit=true"),
        ("--set", "model.n_layer=3", "--preset", "seed", "--time", "2m"),
        ("--set", "model.n_layer=3", "--steps", "5"),
    ):
        assert not note(*silent), silent
