"""Runs side by side: curves, what differs, and whether losses may be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.tui import scripts
from tinylm import events
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.events import Event
from tui.live.history import History
from tui.screens.runs import compare
from tui.screens.runs.compare import LossTrace
from tui.screens.runs.log_reader import Traces
from tui.terminal import numbers


def traced(told: Sequence[Event], config: RunConfig | None = None, name: str = "a") -> LossTrace:
    history = History()
    for event in told:
        history.apply(event)
    return compare.trace(history, name, config or RunConfig())


def with_data(told: Sequence[Event], **changes: object) -> list[Event]:
    return [replace(event, **changes) if isinstance(event, events.DataPrepared) else event for event in told]  # type: ignore[arg-type]


# ---- curves


def test_a_loss_lies_over_each_axis_and_in_either_unit() -> None:
    told = traced(scripts.training(100))
    for axis, last in (("tokens", 100 * 1536), ("steps", 100), ("time", 2 + 25)):
        xs, ys = compare.curve(told, axis, "loss", bits=False)  # type: ignore[arg-type]
        assert len(xs) == len(ys) == 100
        assert xs[-1] == last
    history = History()
    for event in scripts.training(100):
        history.apply(event)
    assert np.array_equal(ys, history.loss.smoothed(compare.SMOOTHING))
    _, bits = compare.curve(told, "steps", "loss", bits=True)
    assert bits[-1] == pytest.approx(ys[-1] / math.log(2) * 47_900 / 200_059)


def test_held_out_values_lie_where_they_were_measured() -> None:
    told = traced(scripts.training(100))
    xs, ys = compare.curve(told, "tokens", "held-out", bits=True)
    assert list(xs) == [1536 * step for step in (20, 40, 60, 80, 100)]
    assert ys[0] == pytest.approx(scripts.evaluation(20).val_bpb)
    seconds, _ = compare.curve(told, "time", "held-out", bits=True)
    assert seconds[-1] == 27
    _, nats = compare.curve(told, "tokens", "held-out", bits=False)
    assert nats[0] == pytest.approx(scripts.evaluation(20).val_loss)


def test_a_trace_is_a_copy_and_measured_twice_counts_once() -> None:
    history = History()
    for event in [*scripts.training(60), scripts.evaluation(40, bpb=0.5)]:
        history.apply(event)
    told = compare.trace(history, "a", None)
    history.apply(scripts.step(61))
    assert len(told.loss.step) == 60
    assert list(told.held_out.step) == [20, 40, 60]
    assert told.held_out.values[1] == pytest.approx(0.5)


def test_an_empty_run_has_empty_curves() -> None:
    told = traced(scripts.opening())
    for measure in compare.MEASURES:
        xs, ys = compare.curve(told, "tokens", measure, bits=True)
        assert len(xs) == len(ys) == 0
    assert math.isnan(traced([]).bits_per_nat)


# ---- at equal length


def test_runs_are_compared_where_the_shortest_ends() -> None:
    short, long = traced(scripts.training(70)), traced(scripts.training(200))
    equal = compare.at_equal([short, long], "steps")
    assert equal is not None
    assert equal.place == 70
    assert equal.held_out[0] == equal.held_out[1] == pytest.approx(scripts.evaluation(60).val_bpb)
    assert equal.tokens == (70 * 1536, 70 * 1536)
    assert equal.seconds == (2 + 70 / 4, 2 + 70 / 4)


def test_held_out_text_is_compared_at_one_place_wherever_the_runs_were_evaluated() -> None:
    done = traced([*scripts.training(70), scripts.evaluation(70)])
    longer = traced(scripts.training(100))  # evaluated at 60 and 80
    equal = compare.at_equal([done, longer], "steps")
    assert equal is not None
    between = [scripts.evaluation(step).val_bpb or 0.0 for step in (60, 80)]
    assert equal.held_out == pytest.approx((scripts.evaluation(70).val_bpb, sum(between) / 2))


def test_nothing_is_equal_before_the_first_step_or_evaluation() -> None:
    assert compare.at_equal([traced(scripts.training(70)), traced(scripts.opening())], "steps") is None
    assert compare.at_equal([], "steps") is None
    early = compare.at_equal([traced(scripts.training(10)), traced(scripts.training(70))], "tokens")
    assert early is not None
    assert early.held_out == (None, None)


# ---- verdict


def judged(
    groups: Mapping[str, Mapping[str, object]], told: Sequence[Event] | None = None, first: RunConfig | None = None
) -> compare.Verdict:
    first = first or RunConfig()
    other = resolve.with_values(first, **groups)
    return compare.verdict(
        [traced(scripts.training(20), first), traced(scripts.training(20) if told is None else told, other)]
    )


def test_the_same_text_and_tokens_may_be_compared() -> None:
    verdict = judged({"model": {"n_layer": 2}, "train": {"seed": 5}})
    assert (verdict.comparable, verdict.bits) == (True, False)
    assert "may be compared" in verdict.sentence


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"data": {"sources": ["/texts/moby.txt"]}}, "Different texts"),
        ({"data": {"val_fraction": 0.1}}, "Different parts held out"),
        ({"data": {"val_placement": "tail"}}, "Different parts held out"),
        ({"data": {"unwrap": "off"}}, "The text has changed"),
    ],
)
def test_other_texts_may_not(groups: dict[str, dict[str, object]], said: str) -> None:
    verdict = judged(groups)
    assert (verdict.comparable, verdict.bits) == (False, True)
    assert verdict.sentence.startswith(said)
    assert "may not be compared" in verdict.sentence


def test_a_file_that_changed_is_another_text() -> None:
    assert not judged({}, with_data(scripts.training(20), bytes=4_000_303)).comparable
    assert not judged({}, with_data(scripts.training(20), val_bytes=1)).comparable


def test_other_tokens_are_compared_in_bits() -> None:
    verdict = judged({"tokenizer": {"kind": "byte"}})
    assert (verdict.comparable, verdict.bits) == (True, True)
    smaller = judged({"tokenizer": {"vocab_size": 1024}}, with_data(scripts.training(20), vocab_size=1024))
    assert smaller == verdict


def test_a_vocabulary_that_a_byte_tokenizer_has_no_use_for_is_no_difference() -> None:
    first = resolve.with_values(RunConfig(), tokenizer={"kind": "byte"})
    assert not judged({"tokenizer": {"vocab_size": 999}}, first=first).bits


def test_another_mixture_is_said() -> None:
    first = resolve.with_values(RunConfig(), data={"sources": ["stories", "/texts/a.txt"]})
    verdict = judged({"data": {"weights": [3, 1]}}, first=first)
    assert verdict.comparable
    assert "mixed otherwise" in verdict.sentence


def test_what_is_unknown_is_not_compared() -> None:
    verdict = judged({}, scripts.training(20)[:1])
    assert not verdict.comparable
    assert "not known" in verdict.sentence


# ---- differences


def test_settings_that_differ_the_telling_ones_first() -> None:
    first = RunConfig()
    other = resolve.with_values(
        first,
        data={"sources": ["/home/u/moby dick.txt"]},
        model={"n_layer": 6, "tie_embeddings": True},
        train={"eval_iters": 5, "betas": (0.9, 0.99)},
        sample={"seed": 4},
    )
    found = compare.differences([first, other])
    assert [(row.label, row.values) for row in found] == [
        ("Texts", ("stories", "moby dick.txt")),
        ("Layers", ("4", "6")),
        ("Tied embeddings", ("no", "yes")),
        ("Betas", ("0.9, 0.95", "0.9, 0.99")),
        ("Evaluation batches", ("20", "5")),
        ("Seed (samples)", ("0", "4")),
    ]
    assert compare.differences([first, first]) == []
    everything = compare.differences([first, other], everything=True)
    assert len(everything) > 40
    assert [row for row in everything if row.differs] == found


def test_phases_are_told_apart() -> None:
    first = RunConfig()
    phase = first.train.phases[0].model_dump()
    faster = resolve.with_values(first, train={"phases": [phase | {"max_lr": 1e-2}]})
    assert [(row.label, row.values) for row in compare.differences([first, faster])] == [
        ("Top rate", ("0.003", "0.01"))
    ]
    two = resolve.with_values(first, train={"phases": [phase, phase | {"name": "cool", "max_lr": 1e-4}]})
    rows = {row.label: row.values for row in compare.differences([first, two])}
    assert rows["Top rate (2)"] == ("-", "0.0001")
    assert "Top rate (1)" not in rows


# ---- in words


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"), (math.nan, "-"), (0, "0"), (840, "840"), (12_500, "12 k"), (99_900, "100 k"), (956_426, "0.96 M"),
        (1_310_720, "1.3 M"), (31e6, "31 M"), (210e6, "210 M"), (3.2e9, "3.2 G"),
    ],
)  # fmt: skip
def test_amounts(number: float | None, text: str) -> None:
    assert compare.amount(number) == text


@pytest.mark.parametrize(("number", "text"), [(12, "12 B"), (310_000, "310 kB"), (1.25e6, "1.2 MB"), (16e6, "16 MB")])
def test_sizes(number: float, text: str) -> None:
    assert numbers.size(int(number)) == text


def test_places_on_an_axis() -> None:
    assert [compare.along(axis, 4000) for axis in compare.AXES] == ["4.0 k tokens", "step 4,000", "1:06:40"]


def test_a_log_that_was_cut_back_and_has_grown_since_is_read_anew(home):
    """Going on with a run that broke off cuts its log back, and it may be longer when it is looked at again."""
    run = scripts.write_run(home, "one", scripts.training(60))
    traces = Traces()
    assert traces.load(run, "one") is not None
    told = [*scripts.opening(), *(scripts.step(n, loss=3.0) for n in range(1, 101))]
    run.events_file.write_text("".join(events.to_json(event) + "\n" for event in told), encoding="utf-8")
    traces.load(run, "one")
    (log,) = traces._logs.values()
    assert list(log.history.step.values) == list(range(1, 101))
    assert set(log.history.loss.values) == {3.0}
