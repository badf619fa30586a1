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
from tui.screens.runs import compare
from tui.screens.runs.compare import LoggedRun
from tui.screens.runs.history_cache import HistoryCache


def logged(log: Sequence[Event], config: RunConfig | None = None, name: str = "a") -> LoggedRun:
    return LoggedRun(name, config or RunConfig(), scripts.history(log).copy())


def with_data(log: Sequence[Event], **changes: object) -> list[Event]:
    return [replace(event, **changes) if isinstance(event, events.DataPrepared) else event for event in log]


# ---- curves


def test_a_loss_lies_over_each_axis_and_in_either_unit() -> None:
    run = logged(scripts.training(100))
    for axis, last in (("tokens", 100 * 1536), ("steps", 100), ("time", 2 + 25)):
        xs, ys = compare.curve(run, axis, "loss", unit="nats")
        assert len(xs) == len(ys) == 100
        assert xs[-1] == last
    assert np.array_equal(ys, scripts.history(scripts.training(100)).loss.smoothed(compare.SMOOTHING))
    _, bits = compare.curve(run, "steps", "loss", unit="bits")
    assert bits[-1] == pytest.approx(ys[-1] / math.log(2) * 47_900 / 200_059)


def test_held_out_values_lie_where_they_were_measured() -> None:
    run = logged(scripts.training(100))
    xs, ys = compare.curve(run, "tokens", "held-out", unit="bits")
    assert list(xs) == [1536 * step for step in (20, 40, 60, 80, 100)]
    assert ys[0] == pytest.approx(scripts.evaluation(20).val_bpb)
    seconds, _ = compare.curve(run, "time", "held-out", unit="bits")
    assert seconds[-1] == 27
    late = [replace(e, seconds=e.seconds + 3) if isinstance(e, events.EvalDone) else e for e in scripts.training(100)]
    ended, _ = compare.curve(logged(late), "time", "held-out", unit="bits")
    assert ended[-1] == 30, "where the evaluation ended, not at its step"
    _, nats = compare.curve(run, "tokens", "held-out", unit="nats")
    assert nats[0] == pytest.approx(scripts.evaluation(20).val_loss)


def test_a_copy_stays_as_it_was_and_measured_twice_counts_once() -> None:
    history = scripts.history([*scripts.training(60), scripts.evaluation(40, bpb=0.5)])
    run = LoggedRun("a", None, history.copy())
    history.apply(scripts.step(61))
    history.apply(scripts.evaluation(61))
    assert len(run.history.step) == len(run.history.loss.smoothed(0.9)) == 60
    xs, ys = compare.curve(run, "steps", "held-out", unit="bits")
    assert list(xs) == [20, 40, 60]
    assert ys[1] == pytest.approx(0.5)


def test_an_empty_run_has_empty_curves() -> None:
    run = logged(scripts.opening())
    for measure in compare.MEASURES:
        xs, ys = compare.curve(run, "tokens", measure, unit="bits")
        assert len(xs) == len(ys) == 0
    assert math.isnan(logged([]).unit("bits").factor)


# ---- at equal length


def test_runs_are_compared_where_the_shortest_ends() -> None:
    short, long = logged(scripts.training(70)), logged(scripts.training(200))
    equal = compare.at_equal([short, long], "steps")
    assert equal.position == 70
    assert equal.held_out[0] == equal.held_out[1] == pytest.approx(scripts.evaluation(60).val_bpb)
    assert equal.tokens == (70 * 1536, 70 * 1536)
    assert equal.seconds == (2 + 70 / 4, 2 + 70 / 4)


def test_held_out_text_is_compared_at_one_place_wherever_the_runs_were_evaluated() -> None:
    done = logged([*scripts.training(70), scripts.evaluation(70)])
    longer = logged(scripts.training(100))  # evaluated at 60 and 80
    equal = compare.at_equal([done, longer], "steps")
    assert equal is not None
    between = [scripts.evaluation(step).val_bpb or 0.0 for step in (60, 80)]
    assert equal.held_out == pytest.approx((scripts.evaluation(70).val_bpb, sum(between) / 2))


def test_nothing_is_equal_before_the_first_step_or_evaluation() -> None:
    assert compare.at_equal([logged(scripts.training(70)), logged(scripts.opening())], "steps") is None
    assert compare.at_equal([], "steps") is None
    early = compare.at_equal([logged(scripts.training(10)), logged(scripts.training(70))], "tokens")
    assert early.held_out == (None, None)


# ---- verdict


def judged(
    groups: Mapping[str, Mapping[str, object]], log: Sequence[Event] | None = None, first: RunConfig | None = None
) -> compare.Verdict:
    first = first or RunConfig()
    other = resolve.with_values(first, **groups)
    return compare.verdict(
        [logged(scripts.training(20), first), logged(scripts.training(20) if log is None else log, other)]
    )


def test_the_same_text_and_tokens_may_be_compared() -> None:
    verdict = judged({"model": {"n_layer": 2}, "train": {"seed": 5}})
    assert (verdict.comparable, verdict.bits) == (True, False)
    assert "may be compared" in verdict.sentence


@pytest.mark.parametrize(
    ("groups", "beginning"),
    [
        ({"data": {"sources": ["/texts/moby.txt"]}}, "Different texts"),
        ({"data": {"val_fraction": 0.1}}, "Different parts held out"),
        ({"data": {"val_placement": "tail"}}, "Different parts held out"),
        ({"data": {"unwrap": "off"}}, "The text has changed"),
    ],
)
def test_other_texts_may_not(groups: dict[str, dict[str, object]], beginning: str) -> None:
    verdict = judged(groups)
    assert (verdict.comparable, verdict.bits) == (False, True)
    assert verdict.sentence.startswith(beginning)
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


def test_another_mixture_is_reported() -> None:
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
    settings = compare.differences([first, other])
    assert [(row.label, row.values) for row in settings] == [
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
    assert [row for row in everything if row.differs] == settings


def test_phases_are_numbered() -> None:
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


def test_positions_on_an_axis() -> None:
    assert [compare.position_words(axis, 4000) for axis in compare.AXES] == ["4.0 k tokens", "step 4,000", "1:06:40"]


def test_a_log_that_was_cut_back_and_has_grown_since_is_read_anew(home):
    """Going on with a run that broke off cuts its log back, and it may be longer when it is looked at again."""
    run = scripts.write_run(home, "one", scripts.training(60))
    cache = HistoryCache()
    assert cache.load(run, "one") is not None
    log = [*scripts.opening(), *(scripts.step(n, loss=3.0) for n in range(1, 101))]
    run.events_file.write_text("".join(events.to_json(event) + "\n" for event in log), encoding="utf-8")
    logged = cache.load(run, "one")
    assert list(logged.history.step.values) == list(range(1, 101))
    assert set(logged.history.loss.values) == {3.0}
