"""A run in sentences: its start, its progress, its closing summary, and the card.md in its folder."""

from collections.abc import Mapping
from pathlib import Path

from tinylm import events, files, paths
from tinylm.config.schema import RunConfig
from tinylm.events import Finished
from tinylm.runs.folder import RunFolder
from tinylm.runs.state import RunState
from tinylm.words import counted, duration, listed, number, one_line, printable, text_size

BASELINES = {
    "blind": "blind guessing",
    "counts": "letter counts",
    "pairs": "pairs of letters",
    "triples": "triples of letters",
    "gzip": "gzip",
    "xz": "xz",
}
"""Simpler ways to predict text, with their names for people; roughly from the worst to the best."""

MIN_UNREAD = 0.0005
"""The share of training text left out that is worth a word: it shows in a percentage of one decimal."""


def verdict(val_bpb: float | None, baselines: Mapping[str, float]) -> str:
    """How good the model is, compared with simpler models on the same held-out text."""
    if val_bpb is None or not baselines:
        return "Nothing was held out, so nobody can say how well it predicts text that it has not seen."
    simpler = {BASELINES[name]: value for name, value in baselines.items() if name in BASELINES}
    values = ", ".join(f"{name} {value:.2f}" for name, value in sorted(simpler.items(), key=lambda item: -item[1]))
    beaten = [name for name, value in simpler.items() if val_bpb < value]
    if len(beaten) == len(simpler):
        ranking = "better than all simpler means"
    elif beaten:
        better = [name for name in simpler if name not in beaten]
        ranking = f"better than {listed(beaten)}, but not yet than {listed(better)}"
    else:
        ranking = "not better than blind guessing yet"
    text = f"On held-out text the model needs {val_bpb:.3f} bits per byte: {ranking} ({values})."
    if floor := baselines.get("floor"):
        text += f" No model can stay below {floor:.3f} on average here; this one is {val_bpb / floor - 1:.1%} above."
    return text


def selection(finished: Finished) -> str:
    """Which checkpoint a finished run is known by, where that is not its last; "" where it is."""
    best, last = finished.selected_step, finished.step
    if best == last:
        return ""
    if finished.reason == "early_stop":
        return f"It ended early, at step {last:,}: nothing was better than step {best:,}, which is the one to use."
    return f"That is step {best:,}, the best; the run ended at step {last:,}."


def write(run: RunFolder, config: RunConfig, baselines: Mapping[str, float], finished: Finished) -> None:
    """Write the run's card.md: what the model is, what it was trained on, how good it is and how to use it."""
    model = config.model
    lines = [
        f"# {run.name}",
        "",
        f"A language model trained from nothing by tinylm-studio on {one_line(listed(config.data.sources))}.",
        "",
        f"- {counted(model.n_layer, 'layer')}, width {model.n_embd}, {counted(model.n_head, 'head')}, "
        f"context {model.block_size} tokens",
        f"- {counted(finished.step, 'step')}, {finished.tokens:,} tokens, {counted(round(finished.seconds), 'second')}",
        f"- {f'{verdict(finished.selected_bpb, baselines)} {selection(finished)}'.rstrip()}",
        "",
        f'Talk to it: `tinylm-studio --generate "PROMPT" --run {run.name}`',
        "",
    ]
    files.replace_durably(run.card_file, "\n".join(lines).encode("utf-8", "replace"))


def preparing(config: RunConfig) -> str:
    """What happens before the first event of a run."""
    return f"Reading {one_line(', '.join(config.data.sources))} and measuring this machine …"


def sentence(event: events.Event) -> str | None:
    """The event as a sentence; None where it is shown in another way, or not at all."""
    match event:
        case events.RunStarted():
            return opening(event)
        case events.DataPrepared():
            return prepared(event)
        case events.Note():
            return event.message
        case events.Warned():
            return f"{event.title}: {event.message} {event.hint}"
        case events.Rescued():
            return f"The training diverged: {event.message}"
    return None


def opening(event: events.RunStarted) -> str:
    """A run's first sentence."""
    resumed = f", going on from step {event.resumed_from:,}" if event.resumed_from else ""
    return (
        f"Run {event.run}: {event.parameters:,} parameters on {event.machine} "
        f"({counted(event.threads, 'thread')}, {event.precision}{', compiled' if event.compiled else ''}){resumed}."
    )


def prepared(event: events.DataPrepared) -> str:
    """The training text in numbers."""
    unread = f", and {event.unread:.1%} of the others are never read" if (event.unread or 0) >= MIN_UNREAD else ""
    return (
        f"{text_size(event.bytes)} of text are {event.tokens:,} tokens out of {event.vocab_size:,} different ones; "
        f"{event.val_tokens:,} of them are held out{unread}."
    )


def progress(state: RunState) -> str:
    """The progress of a run in one sentence."""
    last = state.steps[-1]
    held_out = f"held-out {held_out_so_far(state, ' bits per byte')}, " if state.evals else ""
    steps = state.plan.steps if state.plan else last.step
    return (
        f"Step {last.step:,} of {steps:,} ({state.fraction:.0%}), loss {number(last.loss, '.3f')} nats per token, "
        f"{held_out}{last.tokens_per_second:,.0f} tokens per second, {time_left(state)} left."
    )


def held_out_so_far(state: RunState, unit: str) -> str:
    """The last evaluation in bits per byte, with `unit`; where an earlier one was better, that too."""
    last, best = state.evals[-1], state.best
    text = f"{number(last.val_bpb, '.3f')}{unit}"
    if best is None or best.step == last.step:
        return text
    return f"{text} (best {number(best.val_bpb, '.3f')} at step {best.step:,})"


def summary(state: RunState) -> str:
    """The result of a run: how good it is, how long it took, where it is, and what to do next."""
    started, finished, data = state.started, state.finished, state.data
    assert started
    assert finished
    baselines = data.baselines if data else {}
    home_flag = paths.home_flag(Path(started.dir).parent.parent)  # HOME/runs/NAME
    lines = [
        f"Trained {counted(finished.step, 'step')} on {finished.tokens:,} tokens in {duration(finished.seconds)}"
        f" ({finished.tokens_per_second:,.0f} tokens per second).",
        f"{verdict(finished.selected_bpb, baselines)} {selection(finished)}".rstrip(),
    ]
    if state.sample:
        text = (state.sample.prompt + state.sample.text).strip()
        writes = "It" if state.sample.step == finished.step else f"Step {state.sample.step:,}"
        lines += ["", f"{writes} writes:", "", *(f"    {line}" for line in text.splitlines()), ""]
    if finished.reason == "stopped":
        lines.append(f"It was stopped; go on with: tinylm-studio --train --resume --run {started.run}{home_flag}")
    lines.append(f"The run is in {one_line(started.dir)}")
    lines.append(f'Talk to it: tinylm-studio --generate "" --run {started.run}{home_flag}')
    return printable("\n".join(lines))


def time_left(state: RunState) -> str:
    """How long a run will still take, by its time budget or else by its speed in the last minute."""
    if not state.plan or not state.steps:
        return "?"
    if state.plan.seconds:
        return duration(max(0.0, state.plan.seconds - state.steps[-1].seconds))
    last = state.steps[-1]
    recent = [step for step in state.steps[-200:] if step.seconds > last.seconds - 60]
    if len(recent) < 2 or last.step <= recent[0].step:
        return "?"
    seconds_per_step = (last.seconds - recent[0].seconds) / (last.step - recent[0].step)
    return duration(seconds_per_step * (state.plan.steps - last.step))
