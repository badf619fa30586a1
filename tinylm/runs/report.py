"""What came of a run, in words: the closing summary of the console and the run folder's card.md."""

from collections.abc import Mapping
from pathlib import Path

from tinylm import events, files, paths
from tinylm.config.schema import RunConfig
from tinylm.events import Finished
from tinylm.runs.folder import RunFolder
from tinylm.runs.state import RunState
from tinylm.words import duration, number, printable

NAME = "card.md"

BASELINES = {
    "blind": "blind guessing",
    "counts": "letter counts",
    "pairs": "pairs of letters",
    "triples": "triples of letters",
    "gzip": "gzip",
    "xz": "xz",
}
"""Simpler ways to tell what comes next, worst first as a rule, as people call them."""


def verdict(val_bpb: float | None, baselines: Mapping[str, float]) -> str:
    """How good the model got, against simpler means on the same held-out text."""
    if val_bpb is None or not baselines:
        return "Nothing was held out, so nobody can say how well it predicts text that it has not seen."
    simpler = {BASELINES[name]: value for name, value in baselines.items() if name in BASELINES}
    told = ", ".join(f"{name} {value:.2f}" for name, value in sorted(simpler.items(), key=lambda item: -item[1]))
    beaten = [name for name, value in simpler.items() if val_bpb < value]
    if len(beaten) == len(simpler):
        ranking = "better than all simpler means"
    elif beaten:
        better = [name for name in simpler if name not in beaten]
        ranking = f"better than {_listed(beaten)}, but not yet than {_listed(better)}"
    else:
        ranking = "not better than blind guessing yet"
    text = f"On held-out text the model needs {val_bpb:.3f} bits per byte: {ranking} ({told})."
    if floor := baselines.get("floor"):
        text += f" No model can stay below {floor:.3f} on average here; this one is {val_bpb / floor - 1:.1%} above."
    return text


def write(run: RunFolder, config: RunConfig, baselines: Mapping[str, float], finished: Finished) -> None:
    """Write card.md: what the model is, what it learnt from, how good it got and how to use it."""
    model = config.model
    lines = [
        f"# {run.name}",
        "",
        f"A language model trained from nothing by tinylm-studio on {_listed(config.data.sources)}.",
        "",
        f"- {model.n_layer} layers, width {model.n_embd}, {model.n_head} heads, context {model.block_size} tokens",
        f"- {finished.step:,} steps, {finished.tokens:,} tokens, {finished.seconds:,.0f} seconds",
        f"- {verdict(finished.val_bpb, baselines)}",
        "",
        f'Talk to it: `tinylm-studio --generate "PROMPT" --run {run.name}`',
        "",
    ]
    files.replace_durably(run.path / NAME, "\n".join(lines).encode("utf-8", "replace"))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def preparing(config: RunConfig) -> str:
    """What happens before the first event."""
    return f"Reading {', '.join(config.data.sources)} and measuring this machine …"


def opening(event: events.RunStarted) -> str:
    """A run's first sentence."""
    begun = f", going on from step {event.resumed_from:,}" if event.resumed_from else ""
    threads = "1 thread" if event.threads == 1 else f"{event.threads} threads"
    return (
        f"Run {event.run}: {event.parameters:,} parameters on {event.machine} "
        f"({threads}, {event.precision}{', compiled' if event.compiled else ''}){begun}."
    )


def prepared(event: events.DataPrepared) -> str:
    """What there is to learn from."""
    return (
        f"{event.bytes / 1e6:.2f} MB of text are {event.tokens:,} tokens out of {event.vocab_size:,} different ones; "
        f"{event.val_tokens:,} of them are held out."
    )


def progress(state: RunState) -> str:
    """Where a run is, in one sentence."""
    last = state.steps[-1]
    held_out = f"held-out {number(state.evals[-1].val_bpb, '.3f')} bits per byte, " if state.evals else ""
    steps = state.plan.steps if state.plan else last.step
    return (
        f"Step {last.step:,} of {steps:,} ({state.fraction:.0%}), loss {number(last.loss, '.3f')} nats per token, "
        f"{held_out}{last.tokens_per_second:,.0f} tokens per second, {left(state)} left."
    )


def summary(state: RunState) -> str:
    """What came of a run: how good, how long, where it lies, and what to do next."""
    started, finished, data = state.started, state.finished, state.data
    assert started
    assert finished
    baselines = data.baselines if data else {}
    where = paths.flag(Path(started.dir).parent.parent)  # HOME/runs/NAME
    lines = [
        f"Trained {finished.step:,} steps on {finished.tokens:,} tokens in {duration(finished.seconds)}"
        f" ({finished.tokens_per_second:,.0f} tokens per second).",
        verdict(finished.val_bpb, baselines),
    ]
    if state.sample:
        written = (state.sample.prompt + state.sample.text).strip()
        lines += ["", "It writes:", "", *(f"    {line}" for line in written.splitlines()), ""]
    if finished.reason == "early_stop" and finished.best_step is not None:
        lines.append(f"It ended early: nothing was better than step {finished.best_step:,}, whose checkpoint is kept.")
    if finished.reason == "stopped":
        lines.append(f"It was stopped; go on with: tinylm-studio --train --resume --run {started.run}{where}")
    lines.append(f"The run is in {started.dir}")
    lines.append(f'Talk to it: tinylm-studio --generate "" --run {started.run}{where}')
    return printable("\n".join(lines))


def left(state: RunState) -> str:
    """How long a run will still take, from its last minute's speed or from its time budget."""
    if not state.plan or not state.steps:
        return "?"
    if state.plan.seconds:
        return duration(max(0.0, state.plan.seconds - state.steps[-1].seconds))
    last = state.steps[-1]
    recent = [step for step in state.steps[-200:] if step.seconds > last.seconds - 60]
    if len(recent) < 2 or last.step <= recent[0].step:
        return "?"
    each = (last.seconds - recent[0].seconds) / (last.step - recent[0].step)
    return duration(each * (state.plan.steps - last.step))
