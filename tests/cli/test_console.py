"""What a training looks like: numbers in words, and renderers fed with recorded events."""

import io
import math
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from itertools import islice

import pytest
from rich.cells import cell_len

from tests.waiting import until
from tinylm import events, words
from tinylm.cli import console
from tinylm.config.schema import RunConfig
from tinylm.runs import report
from tinylm.runs.state import KEPT_STEPS, RunState

PROMPT = "The fox"


def recorded(seconds: float | None = None, steps: int = 40, baselines: bool = True) -> Iterator[events.Event]:
    """What an ordinary training tells, with an odd sample."""
    yield events.RunStarted(
        "one", "/home/x/runs/one", 1, "0.1.0", "2026-01-01T00:00:00+00:00", 1_234_567, "cpu", "Made Up CPU, 2 cores",
        "2.13", 2, "fp32", False, None,
    )  # fmt: skip
    simpler = {"blind": 5.0, "counts": 4.25, "pairs": 3.25, "triples": 2.25, "gzip": 2.6, "xz": 2.5}
    yield events.DataPrepared(1_500_000, 400_000, 2048, 380_000, 20_000, 75_000, simpler if baselines else {})
    yield events.Note("One file was left out: \x1b[31mred\x1b[0m.")
    yield events.Planned(steps, seconds, (events.PhaseSpan("train", 1, steps),))
    for number in range(1, steps + 1):
        yield events.StepDone(
            number, "train", number * 4096, 8.0 / number, 1e-3, 1.0, 20.0, 40.0, 31_234.5, 2.0 + number * 0.5
        )
        if number % 20 == 0:
            best = 60.0 / number if baselines else None
            yield events.EvalDone(number, 3.0, best, best, baselines, 2.0 + number * 0.5)
            yield events.Sampled(
                number, PROMPT, " ran[red] [/] \x1b]0;title\x07\x1b[2J\r\x9b31m\x00\ufffd 漢字 " + "long " * 60
            )
            yield events.CheckpointSaved(number, f"checkpoints/step-{number:08d}", True, 2.0 + number * 0.5)
    yield events.Warned("Look at this", "The loss rose.", "Lower the rate.")
    bpb = 1.5 if baselines else None
    yield events.Finished("budget", steps, steps * 4096, 64.4, 3.0, bpb, bpb, steps, 31_000.0, 300.0, "checkpoints/x")


def state_of(sequence: Iterator[events.Event]) -> RunState:
    state = RunState()
    for event in sequence:
        state.apply(event)
    return state


def controls(text: str) -> set[str]:
    """Characters that steer a terminal."""
    return set(re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text))


# ---- small things -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0:00"),
        (5, "0:05"),
        (59.4, "0:59"),
        (59.6, "1:00"),
        (64, "1:04"),
        (3599.7, "1:00:00"),
        (7384, "2:03:04"),
        (360000, "100:00:00"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    assert words.duration(seconds) == expected


def test_spark_is_as_wide_as_asked_and_runs_from_low_to_high() -> None:
    assert console.spark([1.0, 2.0], 24) == "▁█"
    assert console.spark([float(i) for i in range(8)], 8) == console.SPARKS
    assert console.spark([float(-i) for i in range(800)], 8) == console.SPARKS[::-1]
    assert len(console.spark([float(i % 7) for i in range(1000)], 24)) == 24


def test_spark_of_little_or_nothing() -> None:
    assert console.spark([], 24) == ""
    assert console.spark([1.0], 24) == ""
    assert set(console.spark([2.0, 2.0, 2.0], 24)) == {"▁"}


def test_spark_takes_means() -> None:
    assert console.spark([0.0, 0.0, 10.0, 30.0], 2) == "▁█"
    assert console.spark([0.0, 20.0, 10.0, 10.0], 2) == "▁▁"


@pytest.mark.parametrize("bad", [math.nan, math.inf, None])
def test_a_step_without_a_finite_loss_does_not_break_the_line(bad: float | None) -> None:
    """In the process that trains, such a loss arrives as nan; only its JSON says null."""
    state = state_of(recorded())
    state.apply(events.StepDone(41, "train", 9, bad, 1e-3, bad, 20.0, bad, 100.0, 30.0))
    curve = console.Losses()
    for loss in (3.0, bad, 2.0, None):
        curve.add(loss)
    assert curve.means == [3.0, 2.0]
    assert "Step 41" in report.progress(state)


def test_the_curve_of_a_long_run_is_a_short_one() -> None:
    curve = console.Losses()
    for step in range(100_000):
        curve.add(step)
    assert console.CURVE_POINTS // 2 <= len(curve.means) < console.CURVE_POINTS
    assert curve.means == sorted(curve.means)
    assert curve.means[0] == pytest.approx(100_000 / len(curve.means) / 2, rel=0.05)
    assert console.spark(curve.means, 8) == "▁▂▃▄▅▆▇█"


def test_a_state_remembers_the_last_steps_of_a_long_run() -> None:
    state = state_of(recorded())
    for step in range(41, 5000):
        state.apply(events.StepDone(step, "train", 9, 2.0, 1e-3, 1.0, 20.0, 1.0, 100.0, 30.0))
    assert KEPT_STEPS <= len(state.steps) < 2 * KEPT_STEPS
    assert [step.step for step in state.steps] == list(range(5000 - len(state.steps), 5000))


def test_printable_lets_no_control_character_pass() -> None:
    everything = "".join(map(chr, range(0x110000)))
    left = words.printable(everything)
    assert len(left) == len(everything)
    assert controls(left) == set()
    assert not any(0xD800 <= ord(character) <= 0xDFFF for character in left)
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(left)
    assert words.printable("a\tb\nc é 漢 🦊") == "a\tb\nc é 漢 🦊"


def test_one_line_is_one_line_in_the_order_in_which_it_was_written() -> None:
    left = words.one_line("".join(map(chr, range(0x110000))))
    assert words.printable(left) == left
    assert len(left.splitlines()) == 1
    assert not set("\n\t\u2028\u2029\u200e\u200f\u061c\u200b\ufeff") & set(left)
    assert (
        words.one_line("[draft] é 漢 🦊 👩\u200d🔬 می\u200cخواهم.txt") == "[draft] é 漢 🦊 👩\u200d🔬 می\u200cخواهم.txt"
    )


# ---- sentences ----------------------------------------------------------------------------------------------------


def test_opening_and_data() -> None:
    first, second, *_ = recorded()
    assert isinstance(first, events.RunStarted)
    assert isinstance(second, events.DataPrepared)
    sentence = report.opening(first)
    assert "one" in sentence
    assert "1,234,567 parameters" in sentence
    assert "Made Up CPU" in sentence
    assert "compiled" not in sentence
    sentence = report.prepared(second)
    assert "1.50 MB" in sentence
    assert "400,000 tokens" in sentence
    assert "20,000" in sentence
    assert "never read" not in sentence
    assert "2.5% of the others are never read" in report.prepared(replace(second, unread=0.025))
    assert "never read" not in report.prepared(replace(second, unread=0.0001))


def test_opening_of_a_resumed_run_on_one_thread() -> None:
    sentence = report.opening(
        events.RunStarted("one", "/x", 1, "0", "u", 34_560, "cpu", "CPU", "2", 1, "fp32", True, 40)
    )
    assert "step 40" in sentence
    assert "compiled" in sentence
    assert "40 of 34,560" not in sentence
    assert "1 threads" not in sentence


def test_progress() -> None:
    state = state_of(event for event in recorded() if not isinstance(event, events.Finished))
    sentence = report.progress(state)
    for part in ("Step 40 of 40", "100%", "0.200 nats per token", "1.500 bits per byte", "31,23", " left"):
        assert part in sentence


def test_progress_before_anything_was_measured() -> None:
    state = RunState()
    state.apply(events.StepDone(1, "train", 9, 5.0, 1e-3, 1.0, 1.0, 1.0, 100.0, 0.5))
    assert "Step 1 of 1" in report.progress(state)
    assert "held-out" not in report.progress(state)


@pytest.mark.parametrize(("seconds", "left"), [(None, "0:15"), (100.0, "1:33")])
def test_time_left(seconds: float | None, left: str) -> None:
    sequence = [event for event in recorded(seconds, steps=40) if not isinstance(event, events.StepDone)][:4]
    steps = [event for event in recorded(seconds) if isinstance(event, events.StepDone)][:10]
    assert report.time_left(state_of(iter([*sequence, *steps]))) == left  # 30 more steps of 0.5 s; 100 - 7 s


def test_time_left_is_never_negative() -> None:
    state = state_of(event for event in recorded(seconds=3.0) if not isinstance(event, events.Finished))
    assert report.time_left(state) == "0:00"


def test_summary() -> None:
    summary = report.summary(state_of(recorded()))
    assert "40 steps" in summary
    assert "1:04" in summary
    assert "1.500 bits per byte" in summary
    assert "better than all simpler means" in summary
    assert "/home/x/runs/one" in summary
    assert 'tinylm-studio --generate "" --run one' in summary
    assert "--resume" not in summary
    assert f"{PROMPT} ran" in summary
    assert controls(summary) == set()
    assert not any(line != line.rstrip() for line in summary.splitlines() if not line.strip())


def test_summary_of_a_stopped_run_names_the_command_that_resumes() -> None:
    *before, finished = recorded()
    assert isinstance(finished, events.Finished)
    stopped = events.Finished(**{**finished.__dict__, "reason": "stopped"})
    summary = report.summary(state_of(iter([*before, stopped])))
    assert "tinylm-studio --train --resume --run one" in summary


def test_summary_without_held_out_text() -> None:
    assert "Nothing was held out" in report.summary(state_of(recorded(baselines=False)))


# ---- renderers ----------------------------------------------------------------------------------------------------


def shown(renderer: console.Json | console.Plain | console.Live, sequence: Iterator[events.Event]) -> tuple[str, str]:
    """What a renderer writes to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        if isinstance(renderer, console.Live):
            renderer = console.Live()  # bound to the stderr of now
        renderer.preparing(RunConfig())
        with renderer:
            for event in sequence:
                renderer.event(event)
    return out.getvalue(), err.getvalue()


def test_json_writes_every_event_and_nothing_else() -> None:
    out, err = shown(console.Json(), recorded())
    assert [events.from_json(line) for line in out.splitlines()] == list(recorded())
    assert err == ""


def test_json_survives_names_that_are_no_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file called caf\\xe9.txt arrives as a lone surrogate, and a note may name it."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8", errors="strict"))
    console.Json().event(events.Note("caf\udce9.txt was left out."))
    event = events.from_json(raw.getvalue())
    assert isinstance(event, events.Note)
    assert event.message.startswith("caf")


def test_plain_prints_the_course_on_stderr() -> None:
    out, err = shown(console.Plain(), recorded())
    lines = err.splitlines()
    assert lines[0].startswith("Reading stories")
    assert any(line.startswith("Run one:") for line in lines)
    assert any(line.startswith("Step 1 of 40") for line in lines)
    assert any("Look at this: The loss rose. Lower the rate." in line for line in lines)
    assert any(line.startswith("Step 20 writes:") for line in lines)
    assert controls(out + err) == set()


@pytest.mark.parametrize("renderer", [console.Plain, console.Live])
def test_a_rescue_is_shown_as_a_warning(renderer: type[console.Plain] | type[console.Live]) -> None:
    *before, finished = recorded()
    rescue = events.Rescued(40, 20, 1, 0.5, "It went back\x1b[2J to step 20.")
    _, err = shown(renderer(), iter([*before, rescue, finished]))
    assert "The training diverged: It went back" in err
    assert "\x1b[2J" not in err


def test_summary_of_a_run_that_ended_early() -> None:
    *before, finished = recorded()
    assert isinstance(finished, events.Finished)
    early = events.Finished(**{**finished.__dict__, "reason": "early_stop", "best_step": 20})
    summary = report.summary(state_of(iter([*before, early])))
    assert "better than step 20" in summary
    assert "--resume" not in summary
    assert "step 20" not in report.summary(state_of(recorded()))


def test_a_sample_is_not_glued_to_its_prompt() -> None:
    """A continuation begins with the space that parts it from the prompt."""
    _, err = shown(console.Plain(), recorded())
    assert f"{PROMPT} ran" in err


def test_plain_prints_few_progress_lines() -> None:
    _, err = shown(console.Plain(), recorded(steps=2000))
    assert len([line for line in err.splitlines() if "tokens per second" in line]) <= 3


def test_plain_says_that_it_is_still_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "PLAIN_SECONDS", 0.01)
    err = io.StringIO()
    plain = console.Plain()
    with redirect_stderr(err), plain:
        until(lambda: "Still reading" in err.getvalue())
        for event in islice(recorded(), 5):
            plain.event(event)
        until(lambda: "Still at step 1 " in err.getvalue())
    assert all(line.endswith(".") for line in err.getvalue().splitlines()), "no two on one line"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("baselines", [True, False])
def test_live_draws_at_any_width(width: int, baselines: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    sequence = [event for event in recorded(baselines=baselines) if not isinstance(event, events.Finished)]
    _, err = shown(console.Live(), iter(sequence))
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err).replace("\r", "\n")
    assert "Run one:" in drawn
    assert "step 40 of 40" in " ".join(drawn.split())
    assert f"{PROMPT} ran" in drawn
    assert controls(drawn) == set()
    assert max(cell_len(line) for line in drawn.splitlines()) <= width


@pytest.mark.parametrize("renderer", [console.Plain, console.Live])
def test_the_summary_is_all_that_is_on_stdout(renderer: type[console.Plain] | type[console.Live]) -> None:
    out, _ = shown(renderer(), recorded())
    assert out.strip() == report.summary(state_of(recorded())).strip()


def test_live_draws_nothing_before_there_is_something() -> None:
    out, err = shown(console.Live(), iter([]))
    assert out == ""
    assert "Reading stories" in err


@pytest.mark.parametrize("renderer", [console.Plain, console.Live])
def test_names_cannot_steer_the_terminal(renderer: type[console.Plain] | type[console.Live]) -> None:
    config = RunConfig().model_copy(
        update={"data": RunConfig().data.model_copy(update={"sources": ["a\x1b]0;evil\x07\x1b[2J[red]b.txt"]})}
    )
    err = io.StringIO()
    with redirect_stderr(err):
        renderer().preparing(config)
    assert controls(err.getvalue()) == set()
    assert "[red]b.txt" in err.getvalue()
