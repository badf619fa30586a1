"""Fields, notches, typed values, fixes, presets and numbers behind Plan, without an app."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest

from tests.tui.rehearsals import MadeUp, fitted, rehearsal
from tinylm.config import resolve
from tinylm.config.schema import Budget, RunConfig
from tinylm.errors import ConfigError, DataError
from tui.screens.plan import edits, explain, fields, increments
from tui.screens.plan import rehearsal as pane
from tui.screens.plan.debounce import Debouncer
from tui.screens.plan.rehearsal import JobOutcome, PlanState
from tui.screens.plan.screen import PlanScreen
from tui.terminal import glyphs


def preset(name: str, home: Path) -> RunConfig:
    return resolve.validate(resolve.read_preset(name, home))


def put(config: RunConfig, **values: Any) -> RunConfig:
    """`put(config, model__n_layer=2)`."""
    table: resolve.Table = config.model_dump()
    for key, value in values.items():
        table = resolve.put(table, key.split("__"), value)
    return resolve.validate(table)


def field(key: str, config: RunConfig | None = None) -> fields.Field:
    return fields.field_of(config or RunConfig(), key)


# ---- fields -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["quick", "seed"])
def test_every_setting_is_in_exactly_one_section(name: str, home: Path) -> None:
    config = preset(name, home)
    keys = [one.key for section in fields.sections(config) for _, one in section.rows]
    wanted = {
        key.replace(".N.", f".{number}.")
        for key in resolve.settings()
        for number in range(len(config.train.phases) if ".N." in key else 1)
    }
    assert len(keys) == len(set(keys))
    assert set(keys) == wanted


def test_the_question_comes_first_and_then_what_matters_most() -> None:
    labels = [label for label, _ in fields.sections(RunConfig())[0].rows]
    assert labels[:4] == ["How long do you have?", "Preset", "Fit", "Layers"]


def test_fields_know_their_bounds_words_and_kinds() -> None:
    layers, threads, dropout = field("model.n_layer"), field("train.threads"), field("model.dropout")
    assert (layers.kind, layers.low, layers.high, layers.bounds) == ("integer", 1, 96, "1 to 96")
    assert (threads.kind, threads.words, threads.low, threads.high) == ("integer", ("auto",), 1, 1024)
    assert (dropout.low, dropout.high, dropout.high_open) == (0, 1, True)
    assert (field("train.stop_at").optional, field("train.optimizer").words) == (True, ("adamw", "muon"))
    assert [field(key).kind for key in ("model.qk_norm", "data.sources", "train.betas", "train.phases")] == [
        "switch", "texts", "numbers", "phases",
    ]  # fmt: skip


# ---- notches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "up", "expected"),
    [
        ("model.n_embd", 128, True, 256),
        ("model.n_embd", 192, True, 256),
        ("model.n_embd", 192, False, 128),
        ("model.n_embd", 8, False, 8),
        ("model.n_embd", 8192, True, 8192),
        ("model.n_layer", 3, True, 4),
        ("model.n_layer", 1, False, 1),
        ("train.phases.0.max_lr", 0.012, True, 0.02),
        ("train.phases.0.max_lr", 0.012, False, 0.01),
        ("train.phases.0.max_lr", 0.01, False, 0.005),
        ("train.phases.0.max_lr", 1e-6, False, 1e-6),
        ("train.phases.0.min_lr", 0.0, True, 1e-6),
        ("train.phases.0.min_lr", 1e-6, False, 0.0),
        ("model.dropout", 0.0, True, 0.05),
        ("model.dropout", 0.95, True, 0.95),
        ("model.dropout", 0.05, False, 0.0),
        ("model.rope_theta", 1e4, True, 2e4),
        ("sample.temperature", 0.3, True, 0.4),
        ("sample.top_k", 0, True, 1),
        ("sample.top_k", 1, False, 0),
        ("train.optimizer", "muon", True, "adamw"),
        ("model.qk_norm", False, True, True),
        ("train.threads", "auto", True, 1),
        ("train.threads", 1, False, "auto"),
        ("train.eval_interval", "auto", True, 50),
        ("train.stop_at", None, True, 100),
        ("train.stop_at", 1, False, None),
        ("train.stop_at", None, False, None),
        ("train.budget", "2m", True, "15m"),
        ("train.budget", "90s", True, "2m"),
        ("train.budget", "90s", False, "30s"),
        ("train.budget", "8h", True, "8h"),
        ("train.budget", "500 steps", True, "1000 steps"),
        ("train.budget", None, True, "30s"),
        ("format", 1, True, 1),
    ],
)
def test_notches(key: str, value: object, up: bool, expected: object) -> None:
    got = increments.next_value(field(key), value, up)
    assert got == expected
    assert type(got) is type(expected)


def test_every_notch_fits_or_has_a_fix(home: Path) -> None:
    config = preset("quick", home)
    for one in fields.fields(config):
        for up in (True, False):
            value = fields.value_of(config, one.key)
            new = increments.next_value(one, value, up, ["quick", "seed"])
            if new == value or one.kind == "phases" or one.name == "share":  # one phase is the whole
                continue
            assert fits(config, one.key, new, home) or edits.propose_repair(config, one.key, new), (one.key, new)


def fits(config: RunConfig, key: str, value: object, home: Path) -> bool:
    try:
        edits.change(config, key, value, home)
    except ConfigError:
        return False
    return True


# ---- typed values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("model.n_embd", "1,024", 1024),
        ("model.n_embd", "1k", 1000),
        ("model.dropout", "10%", 0.1),
        ("train.phases.0.max_lr", "3e-4", 3e-4),
        ("train.phases.0.max_lr", ".01", 0.01),
        ("train.budget", "2 min", "2m"),
        ("train.budget", "90 seconds", "90s"),
        ("train.budget", "an hour", "1h"),
        ("train.budget", "overnight", "8h"),
        ("train.budget", "1,500 steps", "1500 steps"),
        ("train.budget", "0.5 epochs", "0.5 epochs"),
        ("train.budget", "", None),
        ("train.threads", "AUTO", "auto"),
        ("train.stop_at", "off", None),
        ("train.betas", "0.8, 0.99", [0.8, 0.99]),
        ("data.sources", "stories; /a/b, c.txt", ["stories", "/a/b, c.txt"]),
        ("data.sources", '["x;y"]', ["x;y"]),
        ("sample.prompt", " Once ", " Once "),
    ],
)
def test_typed_values(key: str, text: str, expected: object) -> None:
    assert fields.parse(field(key), text) == expected


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("model.n_embd", "2.5", "whole"),
        ("model.n_embd", "", "missing"),
        ("model.dropout", "0,5", "with a point"),
        ("model.dropout", "nan", "finite"),
        ("train.budget", "90", "90 of what"),
        ("train.budget", "soon", "cannot be read"),
        ("train.budget", "0.5 steps", "whole one"),
        ("data.sources", '["x', "between"),
    ],
)
def test_what_cannot_be_read_says_what_would_be_right(key: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        fields.parse(field(key), text)


@pytest.mark.parametrize("name", ["quick", "seed", "char"])
def test_the_text_of_every_value_reads_as_that_value(name: str, home: Path) -> None:
    config = preset(name, home)
    for one in fields.fields(config):
        value = fields.value_of(config, one.key)
        if not one.typed or one.key == "preset":
            continue
        got = fields.parse(one, fields.text_of(one, value))
        if one.kind == "phases":
            assert got == len(value)
        elif one.kind == "budget" and value is not None:
            assert Budget.parse(got) == Budget.parse(value)
        else:
            assert got == (list(value) if isinstance(value, tuple) else value), one.key


# ---- changes and fixes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "other", "becomes"),
    [
        ("model.n_head", 6, "model.n_kv_head", 6),
        ("model.n_kv_head", 3, "model.n_head", 6),
        ("model.head_size", 33, "model.head_size", 34),
        ("tokenizer.vocab_size", 100, "tokenizer.vocab_size", 257),
        ("train.phases.0.max_lr", 1e-4, "train.phases.0.min_lr", 1e-4),
        ("train.phases.0.share", 1.0, "train.budget", "1000 steps"),
    ],
)
def test_what_does_not_fit_alone_has_a_fix(key: str, value: object, other: str, becomes: object, home: Path) -> None:
    config = put(RunConfig(), train__phases__0__min_lr=1e-3)
    with pytest.raises(ConfigError):
        edits.change(config, key, value, home)
    fix = edits.propose_repair(config, key, value)
    assert fields.value_of(fix.config, other) == becomes


@pytest.mark.parametrize(
    ("heads", "shared", "wanted", "becomes"),
    [(4, 4, 5, 5), (4, 2, 6, 3), (8, 4, 6, 3), (12, 4, 10, 5), (4, 4, 2, 2), (8, 2, 3, 1), (8, 4, 7, 7)],
)
def test_heads_share_keys_and_values_as_before_or_nearly_so(heads: int, shared: int, wanted: int, becomes: int) -> None:
    config = put(RunConfig(), model__n_head=heads, model__n_kv_head=shared)
    fix = edits.propose_repair(config, "model.n_head", wanted)
    assert (fix.config.model.n_head, fix.config.model.n_kv_head) == (wanted, becomes)
    assert fix.also == f"sets Key/value heads to {becomes}"


def test_what_is_set_together_is_named(home: Path) -> None:
    quick = preset("quick", home)
    heads = put(quick, model__n_head=5, model__n_kv_head=5)
    assert edits.side_effects(quick, heads, "model.n_head") == "Set with it: Key/value heads 5 (was 4)."
    assert edits.side_effects(quick, put(quick, model__n_layer=5), "model.n_layer") == ""
    assert edits.side_effects(quick, preset("seed", home), "preset") == "", "a preset is there to set others"
    two = put(edits.with_phase(quick, 0), train__fit=True)
    shared = edits.change(two, "train.phases.1.share", 0.2, home)
    expected = "Set with it: Fit off (was on), Phase 1: Share 0.8 (was 0.5)."
    assert edits.side_effects(two, shared, "train.phases.1.share") == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.n_layer", 5),
        ("model.n_embd", 256),
        ("model.n_head", 8),
        ("model.n_kv_head", 2),
        ("model.dropout", 0.1),
        ("train.batch_size", 8),
        ("train.phases", 2),
        ("train.phases.0.max_lr", 1e-3),
        ("train.phases.0.name", "mine"),
    ],
)
def test_what_fit_chooses_turns_it_off_when_it_is_set_and_says_so(key: str, value: object, home: Path) -> None:
    quick = preset("quick", home)
    changed = edits.change(quick, key, value, home)
    assert not changed.train.fit
    if key != "train.phases":  # the number of phases is there to change others, and needs no word
        assert edits.side_effects(quick, changed, key) == "Set with it: Fit off (was on)."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.optimizer", "adamw"),
        ("train.budget", "15m"),
        ("train.accumulation_steps", 2),
        ("model.qk_norm", False),
        ("model.attention_dropout", 0.1),
        ("tokenizer.kind", "char"),
    ],
)
def test_what_fit_does_not_choose_leaves_it_on(key: str, value: object, home: Path) -> None:
    quick = preset("quick", home)
    changed = edits.change(quick, key, value, home)
    assert [one.key for one in edits.difference(changed, quick)] == [key]


def test_what_is_set_to_what_it_was_changes_nothing(home: Path) -> None:
    quick = preset("quick", home)
    assert edits.change(quick, "model.n_layer", quick.model.n_layer, home) == quick


def test_phases_that_come_and_go_turn_fit_off(home: Path) -> None:
    quick = preset("quick", home)
    two = edits.with_phase(quick, 0)
    assert not two.train.fit
    assert not edits.without_phase(put(two, train__fit=True), 0).train.fit


def test_by_hand_is_what_changes_a_number_of_fit_while_it_is_on(home: Path) -> None:
    quick = preset("quick", home)
    layers, adamw = put(quick, model__n_layer=9), put(quick, train__optimizer="adamw")
    assert edits.fit_off_if_changed(quick, layers) == put(layers, train__fit=False)
    assert edits.fit_off_if_changed(quick, adamw) == adamw
    off = put(quick, train__fit=False)
    assert edits.fit_off_if_changed(off, layers) == layers, "who turns it on wants it on"


def test_the_numbers_that_fit_chose_are_taken_and_nothing_else(home: Path) -> None:
    quick = put(preset("quick", home), train__phases__0__sources=["./a.txt"])
    chosen = fitted(put(quick, train__phases__0__sources=["/there/a.txt"])).config
    run = put(chosen, train__threads=2, train__precision="bf16")
    taken = edits.with_fitted(quick, run)
    assert (taken.model.n_layer, taken.train.batch_size, taken.train.phases[0].max_lr) == (6, 12, 6e-3)
    assert taken.train.phases[0].sources == ["./a.txt"]
    assert all(resolve.is_fitted(one.key) for one in edits.difference(taken, quick))


@pytest.mark.parametrize("name", ["quick", "seed"])
def test_fit_itself_is_switched_alone(name: str, home: Path) -> None:
    config = preset(name, home)
    switched = edits.change(config, "train.fit", not config.train.fit, home)
    assert [one.key for one in edits.difference(switched, config)] == ["train.fit"]
    assert edits.side_effects(config, switched, "train.fit") == ""
    assert edits.reset(switched, field("train.fit"), config, home) == config


def test_a_fix_turns_fit_off_only_where_it_is_about_what_fit_chooses(home: Path) -> None:
    quick = preset("quick", home)
    heads = edits.propose_repair(quick, "model.n_head", 5)
    assert heads is not None
    expected = "Set with it: Key/value heads 5 (was 4), Fit off (was on)."
    assert edits.side_effects(quick, heads.config, "model.n_head") == expected
    size = edits.propose_repair(quick, "model.head_size", 33)
    assert [one.key for one in edits.difference(size.config, quick)] == ["model.head_size"]


def test_what_is_out_of_bounds_has_none() -> None:
    assert edits.propose_repair(RunConfig(), "model.n_layer", 200) is None
    assert edits.propose_repair(RunConfig(), "model.n_head", 10**12) is None


@pytest.mark.parametrize(("kind", "shown"), [("bpe", "2,048"), ("char", "characters"), ("byte", "256 bytes")])
def test_a_size_that_is_no_choice_is_not_shown_as_one(kind: str, shown: str) -> None:
    config = put(RunConfig(), tokenizer__kind=kind)
    size = field("tokenizer.vocab_size")
    assert fields.display_value(config, size) == shown
    assert fields.display_value(config, field("model.n_layer")) == "4"
    paragraphs = explain.paragraphs(size, config, None, {})
    assert any("are the vocabulary" in part for part in paragraphs) is (kind != "bpe")


FIT_CHOOSES = (
    "model.n_layer", "model.n_embd", "model.n_head", "model.n_kv_head", "model.mlp_ratio", "model.block_size",
    "model.dropout", "train.batch_size", "train.phases.0.max_lr", "train.phases.0.min_lr", "train.phases.0.base_lr",
    "data.windows",
)  # fmt: skip


def test_what_fit_chooses_is_in_parentheses_and_explained(home: Path) -> None:
    quick = preset("quick", home)
    assert {one.key for one in fields.fields(quick) if fields.chosen_by_fit(quick, one)} == set(FIT_CHOOSES)
    layers = field("model.n_layer")
    assert fields.display_value(quick, layers) == "(4)"
    assert "Fit chooses it" in explain.paragraphs(layers, quick, None, {})[0]
    for own in (put(quick, train__fit=False), put(quick, train__budget="500 steps")):
        assert not any(fields.chosen_by_fit(own, one) for one in fields.fields(own)), "its numbers count"
        assert fields.display_value(own, layers) == "4"
        assert "Fit" not in explain.paragraphs(layers, own, None, {})[0]


def test_fit_itself_is_explained(home: Path) -> None:
    *_, last = explain.paragraphs(field("train.fit"), preset("quick", home), None, {})
    assert "**Fit** is a rule" in PlanScreen.HELP
    assert last == "A rule fitted to measured runs. It needs a time as budget; choosing one of them by hand ends it."


def test_shares_of_phases_stay_a_whole(home: Path) -> None:
    three = edits.with_phase(edits.with_phase(preset("quick", home), 0), 0)
    assert [phase.share for phase in three.train.phases] == [0.25, 0.25, 0.5]
    assert len({phase.name for phase in three.train.phases}) == 3
    changed = edits.change(three, "train.phases.2.share", 0.4, home)
    assert [phase.share for phase in changed.train.phases] == pytest.approx([0.3, 0.3, 0.4])
    two = edits.without_phase(changed, 0)
    assert [phase.share for phase in two.train.phases] == pytest.approx([3 / 7, 4 / 7])


def test_taking_the_budget_away_gives_the_phases_steps(home: Path) -> None:
    fix = edits.propose_repair(preset("quick", home), "train.budget", None)
    assert (fix.config.train.budget, fix.config.train.phases[0].steps) == (None, 1000)


def test_the_last_phase_stays() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        edits.without_phase(RunConfig(), 0)


# ---- presets ------------------------------------------------------------------------------------------------------


def test_a_preset_keeps_the_texts_and_the_budget_that_were_chosen(home: Path) -> None:
    quick = preset("quick", home)
    mine = put(quick, data__sources=["/my/text"], train__budget="15m", model__n_layer=9)
    char = edits.from_preset(mine, "char", home)
    assert (char.preset, char.data.sources, char.train.budget) == ("char", ["/my/text"], "15m")
    assert (char.model.n_layer, char.tokenizer.kind) == (4, "char")


def test_a_preset_brings_its_own_budget_where_none_was_chosen(home: Path) -> None:
    seed = edits.from_preset(preset("quick", home), "seed", home)
    assert (seed.train.budget, len(seed.train.phases)) == (None, 2)
    assert edits.from_preset(seed, "quick", home) == preset("quick", home)


def test_the_difference_to_the_preset_and_back(home: Path) -> None:
    quick = preset("quick", home)
    mine = put(quick, model__n_layer=9, train__phases__0__max_lr=1e-3, train__budget="90s")
    differences = {one.key: (one.theirs, one.mine) for one in edits.difference(mine, quick)}
    assert differences == {
        "model.n_layer": ("4", "9"),
        "train.phases.0.max_lr": ("0.012", "0.001"),
        "train.budget": ("2 min", "90 s"),
    }
    for key in differences:
        mine = edits.reset(mine, field(key), quick, home)
    assert mine == quick


def test_the_last_of_fits_numbers_that_is_reset_brings_fit_back(home: Path) -> None:
    quick = preset("quick", home)
    mine = edits.change(quick, "model.n_layer", 9, home)
    mine = edits.change(mine, "train.phases.0.max_lr", 1e-3, home)
    mine = edits.change(mine, "train.optimizer", "adamw", home)
    mine = edits.reset(mine, field("model.n_layer"), quick, home)
    assert not mine.train.fit, "the rate is still one's own"
    mine = edits.reset(mine, field("train.phases.0.max_lr"), quick, home)
    assert mine.train.fit
    assert [one.key for one in edits.difference(mine, quick)] == ["train.optimizer"]


def test_phases_that_are_reset_last_bring_fit_back(home: Path) -> None:
    quick = preset("quick", home)
    mine = edits.change(quick, "model.n_layer", 9, home)
    mine = edits.with_phase(mine, 0)
    mine = edits.reset(mine, field("train.phases"), quick, home)
    assert not mine.train.fit, "the layers are still one's own"
    two = edits.with_phase(quick, 0)
    assert edits.reset(two, field("train.phases"), quick, home) == quick


@pytest.mark.parametrize("key", ["model.n_embd", "train.batch_size", "train.phases", "train.phases.0.name"])
@pytest.mark.parametrize("on", [False, True])
def test_resetting_what_is_as_in_the_preset_changes_nothing(key: str, on: bool, home: Path) -> None:
    quick = preset("quick", home)
    for mine in (put(quick, train__fit=on), put(quick, model__n_layer=9, train__phases__0__max_lr=1e-3, train__fit=on)):
        assert edits.reset(mine, field(key), quick, home) == mine


def test_heads_that_are_reset_together_bring_fit_back(home: Path) -> None:
    quick = preset("quick", home)
    mine = put(quick, model__n_head=5, model__n_kv_head=5, train__fit=False)
    assert edits.reset(mine, field("model.n_head"), quick, home) == quick


def test_resetting_something_else_leaves_fit_as_it_is(home: Path) -> None:
    quick = preset("quick", home)
    mine = put(quick, train__fit=False, train__optimizer="adamw")
    mine = edits.reset(mine, field("train.optimizer"), quick, home)
    assert [one.key for one in edits.difference(mine, quick)] == ["train.fit"], "somebody turned it off"


def test_a_preset_without_fit_gets_none_by_resetting(home: Path) -> None:
    seed = preset("seed", home)
    mine = edits.change(seed, "model.n_layer", 9, home)
    assert edits.reset(mine, field("model.n_layer"), seed, home) == seed


def test_resetting_takes_along_what_has_to_go_with_it(home: Path) -> None:
    seed = preset("seed", home)
    mine = put(seed, model__n_head=6, model__n_kv_head=3)
    assert edits.reset(mine, field("model.n_kv_head"), seed, home).model.n_head == 8


def test_a_saved_preset_reads_back_without_the_texts(home: Path) -> None:
    mine = put(preset("quick", home), model__n_layer=2, data__sources=["/my/text"], train__budget="90s")
    saved = edits.save_preset(mine, "mine", home)
    assert saved.preset == "mine"
    read = preset("mine", home)
    assert read == put(saved, data__sources=["stories"])
    assert "/my/text" not in (home / "presets" / "mine.toml").read_text()
    assert edits.preset_summary(home / "presets" / "mine.toml") == "As quick, but Layers 2, Budget 90 s."
    assert [path.name for path in (home / "presets").iterdir()] == ["mine.toml"]


@pytest.mark.parametrize("name", ["quick", "", "a b", "../up", ".hidden", "x" * 65, "a\u202eb", "con"])
def test_names_that_no_preset_can_have(name: str) -> None:
    assert edits.preset_name_fault(name)
    assert edits.preset_name_fault("mine-2") is None


# ---- what it means ------------------------------------------------------------------------------------------------


def test_an_effect_is_in_numbers(home: Path) -> None:
    quick = preset("quick", home)
    wide = put(quick, model__n_embd=256)
    effect = explain.effect(quick, field("model.n_embd"), wide)
    assert "4,718,592 parameters, now 1,572,864" in effect
    assert "2.8 x" in effect
    batch = put(quick, train__batch_size=8)
    assert "2,048 tokens in each step, now 1,536" in explain.effect(quick, field("train.batch_size"), batch)
    assert explain.effect(quick, field("train.seed"), put(quick, train__seed=1)) == ""


def test_characters_are_counted_by_the_text(home: Path) -> None:
    assert explain.size_text(preset("char", home)) == "1,048,576 + 256 a character"
    assert explain.first_loss(preset("char", home)) is None
    assert explain.first_loss(preset("quick", home)) == math.log(2048)


def test_every_why_is_about_a_setting_that_there_is() -> None:
    assert set(explain.WHY) <= set(resolve.settings())


# ---- debouncing -----------------------------------------------------------------------------------------------------


def test_work_begins_when_changes_have_come_to_rest() -> None:
    debouncer = Debouncer(0.7)
    assert debouncer.start(0.0) is None
    debouncer.request(1.0)
    debouncer.request(1.5)
    assert debouncer.start(2.1) is None
    assert debouncer.start(2.2) is not None
    assert (debouncer.running, debouncer.waiting) == (True, False)


def test_a_change_calls_off_what_runs_and_the_next_waits_for_its_end() -> None:
    debouncer = Debouncer(0.7)
    debouncer.request(0.0, at_once=True)
    first = debouncer.start(0.0)
    assert first is not None
    debouncer.request(1.0)
    assert first.is_set()
    assert debouncer.start(9.0) is None, "the first still uses the machine"
    assert not debouncer.finish(first), "its outcome counts no more"
    second = debouncer.start(9.0)
    assert second is not None
    assert debouncer.finish(second)


# ---- the pane ------------------------------------------------------------------------------------------------------


def shown(state: PlanState) -> str:
    return pane.table(state, 36, glyphs.ASCII).plain


def test_numbers_of_a_rehearsal(home: Path) -> None:
    quick = preset("quick", home)
    state = PlanState(quick, JobOutcome(quick, rehearsal=rehearsal(quick), free_disk_mb=41_000.0))
    assert shown(state).splitlines() == [
        "speed   6,144 tokens/s",
        "step    0.25 s on 2 threads",
        "memory  310 MB of 9.8 GB free      +",
        "2 min   480 steps, 2:00 min",
        "reads   0.81 x the text            +",
        "fit     4 layers of 128 at 0.012",
        "size    1,572,864 parameters",
        "batch   1,536 tokens a step",
        "loss    begins at 7.71, blind 7.62",
        "disk    71 MB of 41 GB free        +",
    ]
    assert pane.status(state, glyphs.ASCII) == "measured on cpu"


def test_without_fit_there_is_no_line_about_it(home: Path) -> None:
    alone = put(preset("quick", home), train__fit=False)
    state = PlanState(alone, JobOutcome(alone, rehearsal=rehearsal(alone), free_disk_mb=41_000.0))
    assert [name for name, _, _ in pane.lines(state)] == [
        "speed", "step", "memory", "2 min", "reads", "size", "batch", "loss", "disk",
    ]  # fmt: skip


def test_what_fit_chose_is_shown_with_dropout_where_there_is_some_and_room(home: Path) -> None:
    quick = preset("quick", home)
    state = PlanState(quick, JobOutcome(quick, rehearsal=fitted(quick)))
    rows = pane.table(state, 56, glyphs.ASCII).plain.splitlines()
    assert rows[5:8] == [
        "fit     6 layers of 256 at 0.006, dropout 0.1",
        "size    7,340,032 parameters",
        "batch   3,072 tokens a step",
    ]
    assert pane.table(state, 34, glyphs.ASCII).plain.splitlines()[5] == "fit     6 layers of 256 at 0.006"
    two = edits.with_phase(quick, 0)
    rates = put(two, train__phases__0__max_lr=1e-3, train__phases__1__max_lr=2e-3)
    assert pane.fit_summary(rates) == "4 layers of 128 at 0.002"


def test_what_fit_will_choose_is_not_known_before_a_rehearsal(home: Path) -> None:
    quick = preset("quick", home)
    first = PlanState(quick)
    assert [line for line in pane.lines(first) if line[0] != "loss"] == [
        ("fit", "by text, time and machine", ""),
        ("size", "1,572,864 parameters", "old"),
        ("batch", "1,536 tokens a step", "old"),
    ]
    outcome = JobOutcome(quick, rehearsal=fitted(quick))
    longer = {
        name: (value, sign) for name, value, sign in pane.lines(PlanState(put(quick, train__budget="15m"), outcome))
    }
    assert longer["fit"] == ("by text, time and machine", "")
    assert longer["size"] == ("was 7,340,032 parameters", "old")
    assert longer["batch"] == ("was 3,072 tokens a step", "old")


def test_fit_has_nothing_to_say_where_the_budget_is_no_time(home: Path) -> None:
    counted = put(preset("quick", home), train__budget="500 steps")
    outcome = JobOutcome(counted, rehearsal=rehearsal(counted))
    for state in (PlanState(counted), PlanState(counted, outcome)):
        known = {name: (value, sign) for name, value, sign in pane.lines(state)}
        assert known["fit"] == ("needs a time as budget", "")
        assert known["size"] == ("1,572,864 parameters", "")


def test_too_much_memory_disk_or_repetition_has_a_warning_sign(home: Path) -> None:
    seed = preset("seed", home)
    made = rehearsal(seed)
    tight = type(made)(**{**vars(made), "free_memory_mb": 320.0})
    state = PlanState(seed, JobOutcome(seed, rehearsal=tight, free_disk_mb=80.0))
    signs = {line.split()[0]: line[-1] for line in shown(state).splitlines()}
    assert (signs["memory"], signs["reads"], signs["disk"]) == ("!", "!", "!")


def test_an_error_is_shown_with_its_hint_and_without_numbers_of_another_plan(home: Path) -> None:
    quick = preset("quick", home)
    state = PlanState(quick, JobOutcome(quick, error=DataError("The text is too short.", "Add text.")))
    assert "The text is too short. Add text." in shown(state)
    assert "tokens/s" not in shown(state)
    assert state.fault is not None
    assert PlanState(put(quick, model__n_layer=2), state.outcome).fault is None


def test_numbers_are_about_the_plan_whatever_its_preset_is_called(home: Path) -> None:
    quick = preset("quick", home)
    outcome = JobOutcome(quick, rehearsal=rehearsal(quick))
    assert PlanState(put(quick, preset="mine"), outcome).fresh
    assert not PlanState(put(quick, train__seed=1), outcome).fresh


def test_numbers_of_the_plan_before_say_so_and_judge_nothing(home: Path) -> None:
    quick = preset("quick", home)
    outcome = JobOutcome(quick, rehearsal=rehearsal(quick), free_disk_mb=41_000.0)
    changed = PlanState(put(quick, train__budget="15m", train__fit=False, model__n_layer=5), outcome, "rehearsing")
    assert shown(changed).splitlines() == [
        "speed   was 6,144 tokens/s",
        "step    was 0.25 s on 2 threads",
        "memory  was 310 MB of 9.8 GB free",
        "2 min   was 480 steps, 2:00 min",
        "reads   was 0.81 x the text",
        "size    1,835,008 parameters",
        "batch   1,536 tokens a step",
        "loss    begins near 7.62 (blind)",
        "disk    was 71 MB of 41 GB free",
    ]
    dim = [str(span.style) for span in pane.table(changed, 36, glyphs.ASCII).spans][1::2]
    assert [style == pane.MUTED for style in dim] == [True] * 5 + [False] * 3 + [True]
    assert pane.status(changed, glyphs.ASCII).startswith("rehearsing")
    assert pane.two_lines(changed, glyphs.ASCII).plain.splitlines() == [
        "rehearsing... - was 6,144 tokens/s - 480 steps, 2:00 min",
        "1,835,008 parameters",
    ]


def test_a_line_that_is_too_long_loses_its_last_part_and_no_letters(home: Path) -> None:
    seed = preset("seed", home)
    state = PlanState(seed, JobOutcome(seed, rehearsal=rehearsal(seed)))
    assert "length  84,000 steps" in pane.table(state, 30, glyphs.ASCII).plain.splitlines()


def test_while_a_run_trains_the_size_is_shown_and_why_there_is_no_speed(home: Path) -> None:
    text = shown(PlanState(preset("quick", home), None, "training", "moby"))
    assert "moby is training" in text
    assert "1,572,864 parameters" in text
    assert "tokens/s" not in text


def test_the_schedule_of_two_phases_is_drawn_with_their_names(home: Path) -> None:
    picture = pane.schedule_picture(preset("seed", home), 84_000)
    assert [(border.x, border.label) for border in picture.borders] == [(1.0, "cyclic"), (42_001.0, "cosine")]
    (curve,) = picture.curves
    assert float(curve.ys.max()) == pytest.approx(3e-4, rel=0.01)
    assert (float(curve.xs[0]), float(curve.xs[-1])) == (1.0, 84_000.0)


def test_the_schedule_says_when_its_length_is_an_example(home: Path) -> None:
    quick, seed = preset("quick", home), preset("seed", home)
    assert PlanState(quick).steps() == (1000, False)
    assert PlanState(seed).steps() == (84_000, True)
    assert PlanState(put(quick, train__budget="500 steps")).steps() == (500, True)
    assert "room for 1" in pane.schedule_picture(seed, 1).empty


def test_the_made_up_rehearsal_has_the_fields_of_the_real_one() -> None:
    from tinylm.preview.rehearsal import Rehearsal  # loads torch

    assert [one.name for one in dataclasses.fields(MadeUp)] == [one.name for one in dataclasses.fields(Rehearsal)]
