"""The sentence above the keys: what is going on in a training, and whether the person has to do something.

Screen readers read it too, so it can be understood alone. It is plain ASCII, the same in every terminal, and starts
with the most important words, since narrow terminals cut off the end.
"""

from __future__ import annotations

import math

import numpy as np

from tinylm import events
from tinylm.errors import TinyLMError
from tinylm.words import counted, printable
from tui.live.history import History
from tui.live.watch import ObservedRun

BASELINES = {
    "blind": "blind guess",
    "counts": "letter counts",
    "pairs": "letter pairs",
    "triples": "letter triples",
    "gzip": "gzip",
    "xz": "xz",
}
"""The names of the baselines, in the order in which a model usually beats them."""

NOTHING = "Nothing is training. Enter starts the plan."

STOPPING = "Stopping: it reads the held-out text once more, writes a sample and saves."

LEAVING = "Saving, then leaving."

PATIENCE = 3
"""Evaluations in a row without a new best after which the sentence warns."""

RECENT_SECONDS = 20.0
"""How long warnings and good news stay in the sentence, by the time of the run."""

DIVERGING, DIVERGING_STEPS = 1.3, 5
"""A training diverges where the losses of this many last steps are all this many times the first one."""

SAVED_SECONDS = 5.0
"""How long the sentence says that a checkpoint which a person asked for is saved."""


def sentence(watch: ObservedRun | None, torch_loaded: bool = True) -> str:
    """The sentence about the run that Train shows."""
    if watch is None:
        return NOTHING
    history, status = watch.history, watch.status
    state = history.state
    if watch.ending and status in ("training", "paused"):
        leaving = watch.trainer is not None and watch.trainer.control.leave.is_set()
        return LEAVING if leaving else STOPPING
    match status:
        case "starting":
            doing = starting(history, torch_loaded)
        case "training":
            doing = learning(history)
        case "paused":
            doing = f"Paused at step {_step(history):,}. Space goes on, 4 talks to it as it is now, s stops."
        case "finished":
            return finished(history)
        case "stopped":
            where = f"{_step(history):,}{_of_steps(history)}"
            end = state.finished
            best = f"step {end.selected_step:,}, the best" if end and end.selected_step != end.step else "it"
            return f"Stopped and saved at step {where}. r goes on exactly there, 4 talks to {best}."
        case "interrupted" if watch.reading:
            return "Reading what happened in it."
        case "interrupted":
            saved = state.checkpoint
            goes_on = f"r goes on from step {saved.step:,}." if saved else "Nothing was saved: r starts it over."
            return f"It broke off at step {_step(history):,}{_of_steps(history)}. {goes_on}"
        case "failed":
            return failed(watch)
    if watch.own:
        return doing
    return f"Trained elsewhere: no pausing here. {doing}"


def starting(history: History, torch_loaded: bool) -> str:
    """Before the first step: which slow preparation is under way."""
    state = history.state
    if state.started is None:
        if not torch_loaded:
            return "Loading torch, then reading the text and measuring threads. The first step is seconds away."
        return "Reading the text and measuring threads. The first step is seconds away."
    model = f"{state.started.parameters / 1e6:.1f} M parameters"
    if state.started.resumed_from:
        return f"Going on from step {state.started.resumed_from:,} with {model}."
    if state.plan is None:
        return f"The model is built, {model}; the run is being planned."
    return f"{model} that never saw a letter: the first step is under way."


def learning(history: History) -> str:
    """While it trains: what is wrong, else the baseline just beaten and how the loss goes on."""
    beaten = baseline_just_beaten(history)
    passed = f'Just passed "{beaten}".' if beaten else ""
    return problem(history) or " ".join(filter(None, (passed, _progress(history))))


def problem(history: History) -> str:
    """What the person should look at, or ""."""
    state = history.state
    last = history.loss.last if len(history.loss) else 0.0
    if math.isnan(last):
        return f"Step {_step(history):,} was left out: its loss is no number. The weights stay as they were."
    for seconds, event in reversed(history.log):
        if state.seconds - seconds > RECENT_SECONDS:
            break
        if isinstance(event, events.Rescued):
            return rescued(event)
        if isinstance(event, events.Warned):
            return printable(f"{event.title}: {event.message}")
    waiting = evals_since_best(history)
    if waiting >= PATIENCE and state.best:
        kept = any(checkpoint.best for checkpoint in history.checkpoints)
        return (
            f"Held-out loss rises: {counted(waiting, 'check')} no better than step {state.best.step:,}"
            f"{' (saved)' if kept else ''}. s stops here."
        )
    if is_diverging(history):
        return "It gets worse than it was at its first step: the learning rate may be too high. s stops."
    return ""


def is_diverging(history: History) -> bool:
    """Whether each of the last losses is far above the first one."""
    losses = history.loss.values
    return len(losses) > DIVERGING_STEPS and bool(np.nanmin(losses[-DIVERGING_STEPS:]) > DIVERGING * losses[0])


def saving_sentence(history: History, before: int) -> str | None:
    """About a checkpoint that was asked for when there were `before`: being saved, then saved; None a while later."""
    if len(history.checkpoints) <= before:
        return "Saving a checkpoint ..."
    newest = history.checkpoints[-1]
    fresh = history.state.seconds - newest.seconds <= SAVED_SECONDS
    return f"Step {newest.step:,} is saved. 4 talks to it." if fresh else None


def rescued(event: events.Rescued) -> str:
    """After a training that diverged was rolled back."""
    return (
        f"Rescued: back at step {event.back_to:,} with {event.lr_scale:.3g} x the learning rate; "
        f"step {event.step:,} went astray."
    )


def finished(history: History) -> str:
    """The result of a run that is over, and what to do next."""
    end = history.state.finished
    assert end
    if end.reason == "early_stop":
        best = f"step {end.best_step:,}" if end.best_step else "the best"
        return f"Stopped early: held-out text got no better after {best}, which is kept. Enter talks to it."
    if end.selected_bpb is None:
        return "Done. No held-out text: nobody can say how much of it is memorised. Enter talks to it."
    baselines = history.state.data.baselines if history.state.data else {}
    at = f" at step {end.selected_step:,}, the best" if end.selected_step != end.step else ""
    return f"Done: {end.selected_bpb:.3f} bits per byte{at}{ranking(end.selected_bpb, baselines)}. Enter talks to it."


def failed(watch: ObservedRun) -> str:
    """What ended a failed run, and what to do next."""
    failure, error = watch.history.state.failed, watch.error
    if watch.run is None:
        reason = error.message if isinstance(error, TinyLMError) else f"our own fault, {type(error).__name__}."
        return printable(f"It could not start: {reason} Enter goes to the plan.")
    saved = watch.history.state.checkpoint
    next_keys = f"r goes on from step {saved.step:,}, y copies a report." if saved else "y copies a report."
    title = failure.title if failure else error.title if isinstance(error, TinyLMError) else "Our own fault"
    return printable(f"{title} at step {_step(watch.history):,}. {next_keys}")


def ranking(bpb: float, baselines: dict[str, float]) -> str:
    """How `bpb` compares with the baselines, after a comma; "" where there are none."""
    known = {BASELINES[name]: value for name, value in baselines.items() if name in BASELINES}
    if not known:
        return ""
    beaten = [(value, name) for name, value in known.items() if bpb < value]
    unbeaten = [(value, name) for name, value in known.items() if bpb >= value]
    if not unbeaten:
        return ", better than all simpler means"
    if not beaten:
        return ", no better than blind guessing yet"
    return f", better than {min(beaten)[1]}, not yet than {max(unbeaten)[1]}"


def baseline_just_beaten(history: History) -> str | None:
    """The hardest baseline that a recent evaluation was the first to beat."""
    baselines = history.state.data.baselines if history.state.data else {}
    evals = [
        (seconds, event.val_bpb)
        for seconds, event in history.log
        if isinstance(event, events.EvalDone) and event.val_bpb is not None
    ]
    recent = [number for number, (seconds, _) in enumerate(evals) if history.state.seconds - seconds <= RECENT_SECONDS]
    if not recent:
        return None
    before = min((bpb for _, bpb in evals[: recent[0]]), default=math.inf)
    now = min(bpb for _, bpb in evals[recent[0] :])
    beaten = [(baselines[key], BASELINES[key]) for key in BASELINES if now < baselines.get(key, 0) <= before]
    return min(beaten)[1] if beaten else None


def evals_since_best(history: History) -> int:
    """The number of evaluations after the best one."""
    best = history.state.best
    return sum(evaluation.step > best.step for evaluation in history.state.evals) if best else 0


def loss_trend(history: History) -> tuple[int, float] | None:
    """A number of last steps and the share by which the loss changed over them; None after too few steps."""
    losses = history.loss.values[-150:]
    losses = losses[np.isfinite(losses)]
    if len(losses) < 20:
        return None
    part = len(losses) // 3
    before, now = float(losses[:part].mean()), float(losses[-part:].mean())
    return len(losses) - part, now / before - 1 if before > 0 else 0.0


def _progress(history: History) -> str:
    trend = loss_trend(history)
    if trend is None:
        return "" if baseline_just_beaten(history) else "The first steps: it has never seen a letter before."
    steps, share = trend
    direction = "down" if share < 0 else "up"
    loss = (
        f"Loss {direction} {abs(share):.0%} in {counted(steps, 'step')}" if abs(share) >= 0.005 else "Loss hardly moves"
    )
    return f"{loss}, {_held_out(history)}."


def _held_out(history: History) -> str:
    state = history.state
    if state.data and not state.data.val_tokens:
        return "no held-out text: memorising will not be noticed"
    known = [evaluation for evaluation in state.evals if evaluation.val_loss is not None]
    if not known:
        return "no held-out text: memorising will not be noticed" if state.evals else "first held-out check to come"
    waiting = evals_since_best(history)
    if not waiting or state.best is None:
        return "held-out follows"
    return f"held-out rises since step {state.best.step:,} (the best)"


def _step(history: History) -> int:
    if history.state.finished:
        return history.state.finished.step
    return int(history.step.last) if len(history.step) else 0


def _of_steps(history: History) -> str:
    return f" of {history.state.plan.steps:,}" if history.state.plan else ""
