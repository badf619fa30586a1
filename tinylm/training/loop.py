"""The training loop: a generator of events that knows no printing, no screen and no thread.

    for event in train(config, home):
        ...

Each event is in the run's log before it is given out. `Control` is how another thread, or a signal, asks for a stop
that saves first; closing the generator just lets go of the run, which goes on from its last checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from tinylm import events, files
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError, TinyLMError
from tinylm.events import Event, Warned
from tinylm.hardware import device, memory
from tinylm.inference import generate
from tinylm.runs import checkpoint, folder, report
from tinylm.runs.folder import RunFolder
from tinylm.training import setup, stability
from tinylm.training.backend_switch import BackendSwitch
from tinylm.training.control import Control
from tinylm.training.evaluate import UNMEASURED, Evaluator
from tinylm.training.run_length import RunLength
from tinylm.training.session import Session

REPORT_SECONDS = 0.1
"""How often losses are fetched from the device and told: the only regular host sync."""


def train(config: RunConfig, home: Path, name: str | None = None, control: Control | None = None) -> Iterator[Event]:
    """Train a new run called `name` (by default named after data and time), from text to a finished model."""
    parts = setup.start(resolve.absolute_sources(config), home, name)
    yield from _begun(parts, control).events()


def resume(config: RunConfig, run: RunFolder, control: Control | None = None) -> Iterator[Event]:
    """Go on with a run; `config` is what `settings.resumed` gave."""
    yield from _begun(setup.resume(config, run), control).events()


def _begun(parts: Session, control: Control | None) -> Training:
    try:
        return Training(parts, control or Control())
    except BaseException as error:
        parts.close()
        if parts.fresh:
            folder.remove(parts.run)
        if isinstance(error, OSError):
            raise files.refused(error, parts.run.path, begun=not parts.fresh) from error
        raise


class Training:
    """One training, from its first event to its last."""

    def __init__(self, parts: Session, control: Control) -> None:
        self.parts, self.control, self.clock = parts, control, parts.clock
        self.config, self.state, self.model = parts.config, parts.state, parts.model
        self.measure = Evaluator(parts)
        self.length = RunLength(parts, *self.measure.windows)
        self.pace = self.length.pace
        self.untold: list[tuple[int, str, float, Tensor]] = []
        """Steps whose numbers are still on the device: step, phase, lr, and (loss, norms, ratio)."""
        self.warnings: list[Warned] = []
        """What happened in steps that are still to be told."""
        self.told_at = self.saved_at = self.clock.seconds()
        self.saved_step = parts.resumed_from
        self.trained_seconds, self.trained_steps = 0.0, 0
        stability.reopened(self.state, self.config.train)
        self.switch = BackendSwitch(parts, self._seconds_left(), self.pace.step)
        self._keep_config()

    def _keep_config(self) -> None:
        """Write down what was chosen, so that the run goes on by it when it is resumed."""
        files.replace_durably(self.parts.run.config_file, resolve.to_toml(self.parts.config).encode())

    # ---- the course of a run ----------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """All events, each written to the log before it is given out."""
        try:
            for event in self._course():
                self._write(event)
                yield event
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            begun = self.saved_step is not None or checkpoint.may_exist(self.parts.run)  # whole, if not yet told
            if isinstance(error, OSError):
                error = files.refused(error, self.parts.run.path, begun=begun)
            error = memory.out_of_memory(error, self.parts.device) or error
            if isinstance(error, TinyLMError):
                failed = events.Failed(error.title, error.message, error.hint)
            else:
                failed = events.Failed(
                    "The program failed", repr(error), "This is our fault; the log file has the details."
                )
            with suppress(OSError):  # where the disk is full, the event cannot be written either
                self._write(failed)
            if self.parts.fresh and not begun and isinstance(error, RunError):
                folder.remove(self.parts.run)  # the disk refused before anything was saved: nothing is left behind
            yield failed
            raise error
        finally:
            self.switch.close()
            self.parts.close()

    def _write(self, event: Event) -> None:
        self.parts.events_log.write([events.to_json(event)])
        if isinstance(event, events.Sampled):
            self.parts.samples_log.write([events.to_json(event)])

    def _course(self) -> Iterator[Event]:
        yield from self._opening()
        while True:
            try:
                yield from self._training()
                break
            except stability.Diverging as diverging:
                found = diverging
            yield from self._rescue(found)
        yield from self._closing()

    def _training(self) -> Iterator[Event]:
        """Steps and what happens between them, up to the end, all told; health.Diverging where that leads nowhere."""
        state, control, patience = self.state, self.control, self.config.train.patience
        while not (self.length.is_reached() or control.ending or stability.out_of_patience(state, patience)):
            self._step(state.step + 1)
            if self.clock.seconds() - self.told_at >= REPORT_SECONDS:
                yield from self._report()
            if self.pace.due(self.clock.seconds()) or self.length.misses():
                yield from self._report()
                if self.length.plan_again():
                    self._keep_config()
                    yield self.length.planned()
            if self.switch.is_due():
                yield from self._report()
                yield events.Note(self.switch.go_over())
                self._keep_config()
                self.told_at = self.clock.seconds()
            if self.length.is_reached():  # its evaluation, sample and checkpoint are those of the closing
                break
            if self.length.evaluates():
                yield from self._evaluate()
            if self.length.samples() or control.sample.is_set():
                control.sample.clear()
                yield from self._sample()
            if self._save_due():
                yield from self._report()
                if stability.may_be_saved(state, self.parts.precision):
                    control.save.clear()
                    yield from self._save()
            if control.pause.is_set() and not control.ending:
                yield from self._pause()
        yield from self._report()

    def _opening(self) -> Iterator[Event]:
        parts = self.parts
        if parts.resumed_from is not None:  # the log was cut back to just before this checkpoint's own event
            path = f"checkpoints/{checkpoint.folder_name(self.state.step)}"
            best = self.state.best_step == self.state.step
            yield events.CheckpointSaved(self.state.step, path, best, self.state.seconds)
        yield from parts.introduction()
        for note in parts.notes:
            yield events.Note(note)
        yield self.length.planned()
        self.told_at = self.saved_at = self.clock.seconds()

    def _closing(self) -> Iterator[Event]:
        """Evaluate, sample, save, and measure the whole held-out text.

        A run that was stopped is saved first, and what follows is not: resuming it cuts the log back to there and goes
        on as if it had never been stopped. Where the program is being left, nothing follows but the last event.
        """
        state, reason = self.state, "budget"
        if not self.length.is_reached():
            reason = "early_stop" if stability.out_of_patience(state, self.config.train.patience) else "stopped"
        stopped = reason == "stopped"
        if stopped:
            yield from self._save()
            before = replace(state)
        leaving = stopped and self.control.leave.is_set()
        complete = state.evaluated_step == state.sampled_step == state.step
        if state.evaluated_step != state.step and not leaving:
            yield from self._evaluate()
        if state.sampled_step != state.step and not leaving:
            yield from self._sample()
        if stopped:
            vars(state).update(vars(before))
        elif self.saved_step != state.step or not complete:
            yield from self._save()
        whole = UNMEASURED if leaving else self.measure.at_the_end()
        finished = events.Finished(
            reason=reason,
            step=state.step,
            tokens=state.tokens,
            seconds=round(self.clock.seconds(), 3),
            val_loss=whole.loss,
            val_bpb=whole.bpb,
            best_val_bpb=state.best_val_bpb,
            best_step=state.best_step,
            tokens_per_second=round(
                self.trained_steps * self.config.tokens_per_step / max(self.trained_seconds, 1e-9), 1
            ),
            peak_memory_mb=round(device.peak_memory_mb(self.parts.device), 1),
            checkpoint=f"checkpoints/{checkpoint.folder_name(state.step)}",
        )
        report.write(self.parts.run, self.config, self.parts.corpus.layout.baselines, finished)
        yield finished

    def _seconds_left(self) -> float:
        """How long the run has to go, by its budget or its speed of now."""
        if self.pace.budget is not None:
            return self.pace.budget - self.clock.seconds()
        last = min(self.length.plan.steps, self.config.train.stop_at or self.length.plan.steps)
        return (last - self.state.step) * self.pace.step

    # ---- one step ---------------------------------------------------------------------------------------------

    def _step(self, step: int) -> None:
        """One optimizer step; nothing here waits for the device."""
        stepper, plan = self.parts.stepper, self.length.plan
        number = plan.index(step)
        phase = plan.phases[number]
        lr, decay = plan.lr(step) * self.state.lr_scale, self.parts.weight_decays[number]
        ids, targets = self.parts.batches[number].draw(step - phase.first)  # (batch * accumulation, T)
        self.untold.append((step, phase.name, lr, stepper.take(step, lr, decay, ids, targets)))
        if stepper.warnings:
            self.warnings += stepper.warnings
            stepper.warnings.clear()
            self.state.micro_batch = stepper.rows
        self.state.step = step
        self.state.tokens += self.config.tokens_per_step

    def _report(self) -> Iterator[Event]:
        """Tell the steps that are not told yet: the host waits for the device here."""
        self.warnings += [_was_stopped(seconds) for seconds in self.clock.slept]
        self.clock.slept.clear()
        while self.warnings:
            yield self.warnings.pop(0)
        if not self.untold:
            return
        told = torch.stack([numbers for *_, numbers in self.untold]).tolist()
        now, steps = self.clock.seconds(), len(self.untold)
        each = (now - self.told_at) / steps
        self.pace.stepped(now - self.told_at, steps)
        self.trained_seconds, self.trained_steps = self.trained_seconds + now - self.told_at, self.trained_steps + steps
        untold, self.untold = self.untold, []
        for i, ((step, phase, lr, _), (loss, grad_norm, param_norm, ratio)) in enumerate(
            zip(untold, told, strict=True), start=1
        ):
            finite = all(abs(number) < float("inf") for number in (loss, grad_norm))
            yield events.StepDone(
                step=step,
                phase=phase,
                tokens=step * self.config.tokens_per_step,
                loss=loss,
                lr=lr,
                grad_norm=grad_norm,
                param_norm=param_norm,
                norm_ratio=ratio,
                tokens_per_second=round(self.config.tokens_per_step / max(each, 1e-9), 1),
                seconds=round(self.told_at + i * each, 4),
            )
            if step == self.length.plan.phases[self.length.plan.index(step)].first:
                stability.new_phase(self.state)
            warning = stability.stepped(self.state, step, loss, finite, self.parts.precision)
            if warning:
                yield warning
        self.told_at = self.clock.seconds()

    def _rescue(self, found: stability.Diverging) -> Iterator[Event]:
        """Go back from where the training diverged, and on with a lower rate; saved at once, so that it holds.

        The log is cut back with the rest, so that no step stands twice; the time that was lost is not given back.
        """
        state, before = self.state, replace(self.state)
        stability.check_rescuable(state, found.step)
        notes = self.parts.rewind()
        self.untold.clear()
        yield stability.rescued(state, found, before)
        for note in notes:
            yield events.Note(note)
        if self.pace.budget is not None and self.length.plan_again():
            self._keep_config()
        yield self.length.planned()
        yield from self._save()

    # ---- what happens between steps ---------------------------------------------------------------------------

    def _evaluate(self) -> Iterator[Event]:
        yield from self._report()
        start, state = self.clock.seconds(), self.state
        stream = self.parts.batches[self.length.plan.index(max(state.step, 1))].stream
        found = self.measure.along_the_way(stream)
        best, state.evaluated_step = stability.evaluated(state, found.train.loss, found.val), state.step
        state.averaged = found.averaged
        self.pace.evaluation, self.pace.closing_evaluation = self.clock.seconds() - start, self.measure.closing_seconds
        yield events.EvalDone(
            step=state.step,
            train_loss=found.train.loss,
            val_loss=found.val.loss,
            val_bpb=found.val.bpb,
            best=best,
            seconds=round(self.clock.seconds(), 3),
            averaged=found.averaged,
            other_val_loss=found.other.loss if found.other else None,
        )
        warning = stability.risen(state, found.train.loss, found.val.loss, self.config.train.patience)
        if warning:
            yield warning
        self.told_at = self.clock.seconds()

    def _sample(self) -> Iterator[Event]:
        yield from self._report()
        start, settings_, model = self.clock.seconds(), self.config.sample, self.parts.model_to_use
        text = "".join(generate.generate_text(model, self.parts.corpus.tokenizer, settings_.prompt, settings_))
        model.train()
        self.pace.sample, self.state.sampled_step = self.clock.seconds() - start, self.state.step
        yield events.Sampled(self.state.step, settings_.prompt, text)
        self.told_at = self.clock.seconds()

    def _save_due(self) -> bool:
        step, interval = self.state.step, self.config.train.checkpoint_interval
        by_step = interval is not None and step % interval == 0
        by_time = self.clock.seconds() - self.saved_at >= self.config.train.checkpoint_seconds
        by_merit = self.state.best_step == step
        return by_step or by_time or by_merit or self.control.save.is_set()

    def _save(self) -> Iterator[Event]:
        yield from self._report()
        start, state, parts = self.clock.seconds(), self.state, self.parts
        best = state.best_step == state.step
        state.seconds, state.loss_scale = start, float(parts.stepper.loss_scale)
        state.events_bytes, state.samples_bytes = parts.events_log.sync(), parts.samples_log.sync()
        average = parts.stepper.average.model.state_dict() if parts.stepper.average else None
        remembered = parts.stepper.optimizer.state()
        path = checkpoint.save(parts.run, self.model.state_dict(), remembered, state, best, average)
        checkpoint.prune(parts.run, self.config.train.keep_checkpoints)
        self.saved_at = self.told_at = self.clock.seconds()
        self.saved_step = state.step
        self.pace.save = self.saved_at - start
        yield events.CheckpointSaved(state.step, f"checkpoints/{path.name}", best, round(self.saved_at, 3))

    def _pause(self) -> Iterator[Event]:
        """Wait, and save or sample meanwhile where somebody asks; the clock stands still while nothing is done."""
        yield from self._report()
        self.clock.stop()
        yield events.Paused(self.state.step, paused=True)
        control = self.control
        while control.pause.is_set() and not control.ending:
            if control.save.is_set() or control.sample.is_set():
                self.clock.go_on()
                if control.save.is_set() and self.saved_step != self.state.step:
                    yield from self._save()
                if control.sample.is_set():
                    yield from self._sample()
                control.save.clear()
                control.sample.clear()
                self.clock.stop()
            time.sleep(0.02)
        self.clock.go_on()
        yield events.Paused(self.state.step, paused=False)


def _was_stopped(seconds: float) -> Warned:
    return Warned(
        title="It was stopped from outside",
        message=f"For {seconds:,.0f} s the system gave this program no time.",
        hint="They do not count: the budget is as long as it was.",
    )
