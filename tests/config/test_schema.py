"""The settings classes: every promised key, its bounds, and the contradictions that are refused."""

import math

import pytest
from pydantic import ValidationError

from tinylm.config import resolve
from tinylm.config.schema import Budget, Phase, RunConfig, TrainConfig
from tinylm.errors import ConfigError

CONTRACT = {
    "model": "n_layer n_head n_kv_head n_embd head_size block_size dropout attention_dropout norm_eps rope_theta "
    "qk_norm tie_embeddings",
    "tokenizer": "kind vocab_size",
    "data": "sources val_fraction val_placement windows encoding unwrap",
    "train": "batch_size accumulation_steps optimizer betas weight_decay grad_clip precision compile threads device "
    "seed budget stop_at eval_interval eval_iters sample_interval checkpoint_interval checkpoint_seconds "
    "keep_checkpoints phases",
    "train.phases.N": "name schedule share steps base_lr max_lr min_lr warmup_steps steps_up steps_down sources",
    "sample": "temperature top_k top_p min_p repetition_penalty max_new_tokens seed",
}
"""The list in the contract, word for word."""

OURS = {
    "format", "preset", "sample.prompt", "model.embedding_std", "model.zero_head", "model.attention_scale",
    "model.mlp_ratio", "data.weights", "data.split", "train.patience",
    "train.average", "train.decay_epochs", "train.embedding_decay", "train.embedding_lr", "train.fit",
}  # fmt: skip
"""What there is besides."""


def refusal(**groups: object) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve.validate(groups)
    return f"{caught.value.message} {caught.value.hint}"


def test_the_settings_are_those_of_the_contract() -> None:
    promised = {f"{group}.{name}" for group, names in CONTRACT.items() for name in names.split()}
    assert set(resolve.settings()) == promised | OURS


def test_every_setting_has_a_label_and_a_help_sentence() -> None:
    bare = [name for name, field in resolve.settings().items() if not field.title or not field.description]
    assert bare == []
    assert [name for name, field in resolve.settings().items() if not field.description.endswith(".")] == []


def test_promised_defaults() -> None:
    config = RunConfig()
    assert config.train.checkpoint_seconds == 15
    assert config.train.keep_checkpoints == 3
    assert config.model.attention_dropout == 0
    assert config.data.sources == ["stories"]


@pytest.mark.parametrize(
    ("group", "key", "good", "bad"),
    [
        ("model", "n_layer", 1, 0),
        ("model", "n_embd", 8, 7),
        ("model", "head_size", 2, 0),
        ("model", "block_size", 8, 7),
        ("model", "dropout", 0.0, 1.0),
        ("model", "dropout", 0.99, -0.01),
        ("model", "attention_dropout", 0.5, 1.0),
        ("model", "norm_eps", 1e-9, 0.0),
        ("model", "rope_theta", 1.5, 1.0),
        ("tokenizer", "vocab_size", 257, 1),
        ("tokenizer", "vocab_size", 200_000, 200_001),
        ("data", "val_fraction", 0.0, -0.1),
        ("data", "val_fraction", 0.5, 0.51),
        ("data", "sources", ["a"], []),
        ("train", "batch_size", 1, 0),
        ("train", "accumulation_steps", 1, 0),
        ("train", "weight_decay", 0.0, -1.0),
        ("train", "decay_epochs", 1e-3, 0.0),
        ("train", "average", 0.0, -0.1),
        ("train", "average", 1.0, 1.1),
        ("train", "embedding_decay", 0.0, -0.1),
        ("train", "embedding_lr", 0.0, -0.1),
        ("train", "grad_clip", 0.0, -1.0),
        ("train", "threads", 1, 0),
        ("train", "eval_interval", 1, 0),
        ("train", "sample_interval", 1, 0),
        ("train", "checkpoint_interval", 1, 0),
        ("train", "checkpoint_seconds", 0.1, 0.0),
        ("train", "keep_checkpoints", 1, 0),
        ("train", "eval_iters", 1, 0),
        ("train", "patience", 0, -1),
        ("train", "stop_at", 1, 0),
        ("train", "seed", 0, -1),
        ("train", "seed", 2**63 - 1, 2**63),
        ("train", "betas", [0.0, 0.999], [0.9, 1.0]),
        ("sample", "temperature", 0.0, -0.1),
        ("sample", "top_k", 0, -1),
        ("sample", "top_p", 1.0, 0.0),
        ("sample", "min_p", 1.0, 1.1),
        ("sample", "repetition_penalty", 1.0, 0.0),
        ("sample", "max_new_tokens", 1, 0),
        ("sample", "seed", 0, -1),
    ],
)
def test_bounds(group: str, key: str, good: object, bad: object) -> None:
    kept = getattr(getattr(resolve.validate({group: {key: good}}), group), key)
    assert kept == (tuple(good) if key == "betas" and isinstance(good, list) else good)
    assert key in refusal(**{group: {key: bad}})


@pytest.mark.parametrize(
    ("group", "key", "wrong"),
    [
        ("model", "n_layer", "4"),
        ("model", "n_layer", 4.0),
        ("model", "n_layer", True),
        ("model", "qk_norm", 1),
        ("model", "dropout", "0.1"),
        ("data", "sources", "book.txt"),
        ("data", "sources", [3]),
        ("train", "batch_size", 2.5),
        ("train", "betas", [0.9]),
        ("train", "betas", [0.9, 0.9, 0.9]),
        ("train", "threads", "many"),
        ("train", "threads", 2.0),
        ("train", "compile", True),
        ("train", "weight_decay", math.nan),
        ("train", "weight_decay", math.inf),
        ("train", "phases", {}),
        ("train", "budget", 120),
        ("sample", "temperature", False),
    ],
)
def test_types_are_strict(group: str, key: str, wrong: object) -> None:
    assert f"{group}.{key}" in refusal(**{group: {key: wrong}})


def test_a_whole_number_may_stand_for_a_broken_one() -> None:
    assert resolve.validate({"model": {"rope_theta": 100000}}).model.rope_theta == 1e5


def phases(*phases: dict[str, object], budget: str | None = "2m") -> dict[str, object]:
    return {"train": {"budget": budget, "phases": list(phases)}}


@pytest.mark.parametrize(
    ("groups", "named"),
    [
        ({"model": {"n_head": 7, "n_kv_head": 4}}, ["model.n_head=7", "model.n_kv_head=4"]),
        ({"model": {"n_head": 2, "n_kv_head": 4}}, ["n_kv_head"]),
        ({"model": {"head_size": 33}}, ["head_size=33"]),
        ({"tokenizer": {"kind": "bpe", "vocab_size": 256}}, ["256"]),
        (phases({"share": 0.5}, {"steps": 5}), ["share", "steps"]),
        (phases({"share": 0.5}, {"share": 0.4}), ["0.9"]),
        (phases({"share": 1.0}, budget=None), ["train.budget"]),
        (phases({}), ["share", "steps"]),
        (phases({"share": 1.0, "steps": 5}), ["share", "steps"]),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_name(groups: dict[str, object], named: list[str]) -> None:
    assert [part for part in named if part not in refusal(**groups)] == []


def test_what_is_close_to_a_contradiction_is_none() -> None:
    assert resolve.validate({"tokenizer": {"kind": "char", "vocab_size": 2}}).tokenizer.vocab_size == 2
    assert len(resolve.validate(phases(*[{"share": 1 / 3}] * 3)).train.phases) == 3


@pytest.mark.parametrize(
    ("phase", "fine"),
    [
        ({"schedule": "cyclic", "base_lr": 2e-3, "max_lr": 1e-3}, False),
        ({"schedule": "cosine", "min_lr": 2e-3, "max_lr": 1e-3}, False),
        ({"schedule": "wsd", "min_lr": 2e-3, "max_lr": 1e-3}, False),
        ({"schedule": "cyclic", "min_lr": 2e-3, "max_lr": 1e-3}, True),
        ({"schedule": "cosine", "base_lr": 2e-3, "max_lr": 1e-3}, True),
        ({"schedule": "wsd", "min_lr": 1e-3, "max_lr": 1e-3}, True),
    ],
)
def test_the_lowest_rate_that_a_schedule_uses_is_not_above_the_highest(phase: dict[str, object], fine: bool) -> None:
    table = {"train": {"phases": [{"steps": 5, **phase}]}}
    if fine:
        assert resolve.validate(table).train.phases[0].max_lr == 1e-3
    else:
        assert "max_lr" in refusal(**table)


def test_settings_never_change_in_place() -> None:
    config = RunConfig()
    with pytest.raises(ValidationError):
        config.model.n_layer = 5  # type: ignore[misc]
    with pytest.raises(ValidationError):
        TrainConfig().batch_size = 5  # type: ignore[misc]


def test_a_phase_may_bring_its_own_texts() -> None:
    assert Phase(steps=3, sources=["second.txt"]).sources == ["second.txt"]
    with pytest.raises(ValidationError):
        Phase(steps=3, sources=[])


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("90s", "time", 90),
        ("2m", "time", 120),
        ("1h", "time", 3600),
        ("1.5h", "time", 5400),
        (" 2 m ", "time", 120),
        (".5s", "time", 0.5),
        ("500 steps", "steps", 500),
        ("1 step", "steps", 1),
        ("1step", "steps", 1),
        ("3 epochs", "epochs", 3),
        ("0.25 epochs", "epochs", 0.25),
        ("1 epoch", "epochs", 1),
    ],
)
def test_budgets_that_can_be_read(text: str, kind: str, amount: float) -> None:
    assert Budget.parse(text) == Budget(kind, amount)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0s",
        "0 steps",
        "-3 steps",
        "5",
        "abc",
        "2 m 3 s",
        "nan s",
        "inf steps",
        "1e400s",
        "9" * 400 + "s",
        "2.5 steps",
        "3 weeks",
        "s",
        ".",
        "steps",
        "2m\n3",
        "2mm",
        "0.0 epochs",
        "--2m",
        "2,5m",
        "\x00",
    ],
)
def test_budgets_that_cannot(text: str) -> None:
    with pytest.raises(ValueError, match="budget"):
        Budget.parse(text)
    assert "budget" in refusal(train={"budget": text})


def test_a_step_reads_all_sequences_of_its_batches() -> None:
    config = RunConfig.model_validate(
        {"model": {"block_size": 64}, "train": {"batch_size": 6, "accumulation_steps": 3}}
    )
    assert config.train.sequences_per_step == 18
    assert config.tokens_per_step == 1152
