"""The training loop: a generator of events. It prints nothing and knows no user interface.

    for event in train(config, home):
        ...

Each event is written to the run's log before it is yielded. `Control` lets another thread or a signal handler ask for a
graceful stop, with a checkpoint first. Closing the generator releases the run's lock; the run can then be resumed from
its last checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from tinylm import events, files
from tinylm.config import resolve
from tinylm.config.schema import Decision, RunConfig
from tinylm.errors import RunError, TinyLMError
from tinylm.events import Event, Warned
from tinylm.hardware import device, memory
from tinylm.inference import generate
from tinylm.inference.load import load_model
from tinylm.model.transformer import Transformer
from tinylm.runs import checkpoint, folder, report
from tinylm.runs.folder import RunFolder
from tinylm.training import setup, stability
from tinylm.training.backend_switch import BackendSwitch
from tinylm.training.control import Control
from tinylm.training.evaluate import UNMEASURED, Evaluator
from tinylm.training.run_length import RunLength
from tinylm.training.session import Session

REPORT_SECONDS = 0.1
"""Minimum interval between routine fetches of metrics, the only regular synchronization with the device."""


def train(config: RunConfig, home: Path, name: str | None = None, control: Control | None = None) -> Iterator[Event]:
    """Train a new run called `name`, by default named after its data and the time."""
    session = setup.start(resolve.absolute_sources(config), home, name)
    yield from _training(session, control).events()


def resume(config: RunConfig, run: RunFolder, control: Control | None = None) -> Iterator[Event]:
    """Continue a run; `config` is the result of `tinylm.config.resolve.resumed`."""
    yield from _training(setup.resume(config, run), control).events()


def _training(session: Session, control: Control | None) -> Training:
    try:
        return Training(session, control or Control())
    except BaseException as error:
        session.close()
        if session.fresh:
            folder.remove(session.run)
        if isinstance(error, OSError):
            raise files.disk_error(error, session.run.path, resumable=not session.fresh) from error
        raise


class Training:
    """One call to `train` or `resume`: its state, and the generator of its events."""

    def __init__(self, session: Session, control: Control) -> None:
        self.session, self.control = session, control
        self.clock, self.state, self.decisions = session.clock, session.state, session.decisions
        self.evaluator = Evaluator(session)
        self.run_length = RunLength(session, *self.evaluator.sequences)
        self.time_budget = self.run_length.time_budget
        self.pending: list[tuple[int, str, float, Tensor]] = []
        """Steps not reported yet: step, phase, lr, and on the device the `Stepper.take` metrics (4,)."""
        self.warnings: list[Warned] = []
        """Warnings not yielded yet."""
        self.steps_timed_from = self.saved_at = self.clock.seconds()
        self.saved_step = session.resumed_from
        self.trained_seconds, self.trained_steps = 0.0, 0
        stability.reset_patience(self.state, session.config.train)
        self.backend_switch = BackendSwitch(session, self._seconds_left(), self.time_budget.step_seconds)
        self._write_config()

    def _write_config(self, *, ended: bool = False) -> None:
        """Write the configuration with the values that replaced `auto`, so that a resumed run uses the same ones.

        With it goes what the run decided so far, so that another can repeat it; `ended`: the run is at its end.
        """
        session = self.session
        table = self.decisions.table(session.config, session.backend.kind, ended)
        written = session.config.model_copy(update={"repeat": table})
        files.replace_durably(session.run.config_file, resolve.to_toml(written).encode())

    # ---- the course of a run ----------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """All events of the run, each written to the log before it is yielded."""
        try:
            for event in self._run():
                self._write(event)
                yield event
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            # A checkpoint may exist even if its event was never yielded.
            resumable = self.saved_step is not None or checkpoint.may_exist(self.session.run)
            if isinstance(error, OSError):
                error = files.disk_error(error, self.session.run.path, resumable=resumable)
            error = memory.out_of_memory(error, self.session.device) or error
            if isinstance(error, TinyLMError):
                failed = events.Failed(error.title, error.message, error.hint)
            else:
                failed = events.Failed(
                    "The program failed",
                    repr(error),
                    "This is a fault of tinylm-studio: please report it with the log file.",
                )
            with suppress(OSError):  # on a full disk this write fails too
                self._write(failed)
            if self.session.fresh and not resumable and isinstance(error, RunError):
                folder.remove(self.session.run)  # nothing was saved: leave nothing behind
            yield failed
            raise error
        finally:
            self.backend_switch.close()
            self.session.close()

    def _write(self, event: Event) -> None:
        self.session.events_log.write([events.to_json(event)])
        if isinstance(event, events.Sampled):
            self.session.samples_log.write([events.to_json(event)])

    def _run(self) -> Iterator[Event]:
        yield from self._open()
        while True:
            try:
                yield from self._train()
                break
            except stability.Diverging as diverging:
                cause = diverging
            yield from self._roll_back(cause)
        yield from self._close()

    def _train(self) -> Iterator[Event]:
        """Take steps, and evaluate, sample and save when due, until the run ends; raises stability.Diverging."""
        state, control = self.state, self.control
        yield from self._follow()
        while not control.ending and self._reason() == "stopped":
            self._step(state.step + 1)
            # A report measures the speed, which shows whether a plan that is fulfilled ends too early.
            if self.clock.seconds() - self.steps_timed_from >= REPORT_SECONDS or self.run_length.is_reached():
                yield from self._report()
            yield from self._follow() if self.decisions.repeated else self._decide()
            if self.run_length.is_reached():  # `_close` evaluates, samples and saves
                break
            if self.run_length.evaluation_is_due() and state.evaluated_step != state.step:
                yield from self._evaluate()
            if (self.run_length.sample_is_due() and state.sampled_step != state.step) or control.sample.is_set():
                control.sample.clear()
                yield from self._sample(self.session.better_model, state.step)
            if self._save_due():
                yield from self._report()
                if stability.may_be_saved(state, self.session.precision):
                    control.save.clear()
                    yield from self._save()
            if control.pause.is_set() and not control.ending:
                yield from self._pause()
        yield from self._report()

    def _decide(self) -> Iterator[Event]:
        """Replan where the clock says so, and switch to the kernels once they are compiled."""
        if self.run_length.needs_replan():
            yield from self._report()
            self.run_length.replan()
            self._write_config()
            yield self.run_length.plan_event()
        if self.backend_switch.is_due():
            yield from self._switch()

    def _follow(self) -> Iterator[Event]:
        """Decide what the run that is repeated, if any, decided after this step."""
        while decision := self.decisions.due():
            yield from self._report()
            if decision.kind == "kernels":
                yield from self._switch()
            elif decision.kind == "close":
                yield from self._evaluate_and_sample()
                self.decisions.record(decision)
            else:
                self.run_length.follow(decision)
                self._write_config()
                yield self.run_length.plan_event()

    def _switch(self) -> Iterator[Event]:
        yield from self._report()
        yield events.Note(self.backend_switch.perform())
        self._write_config()
        self.run_length.speed_changed()
        self.steps_timed_from = self.clock.seconds()

    def _reason(self) -> str:
        """Why the run is over, as in `Finished`; `stopped` where its end is not reached."""
        out_of_patience = stability.out_of_patience(self.state, self.session.config.train.patience)
        if self.run_length.is_reached():
            early = self.decisions.repeated and out_of_patience and self.state.step < self.run_length.plan.steps
            return "early_stop" if early else "budget"
        return "early_stop" if out_of_patience and not self.decisions.repeated else "stopped"

    def _open(self) -> Iterator[Event]:
        session = self.session
        if session.resumed_from is not None:  # the log was truncated just before this event, so it is yielded again
            path = f"checkpoints/{checkpoint.folder_name(self.state.step)}"
            best = self.state.best_step == self.state.step
            yield events.CheckpointSaved(self.state.step, path, best, self.state.seconds)
        yield from session.opening_events()
        for note in session.notes:
            yield events.Note(note)
        yield self.run_length.plan_event()
        self.steps_timed_from = self.saved_at = self.clock.seconds()

    def _close(self) -> Iterator[Event]:
        """Evaluate, sample, save, and evaluate the whole held-out text.

        The last sample and the evaluation of the whole held-out text are of the best checkpoint, by which the run is
        known from then on; the latest is what resuming goes on from. A stopped run is saved first. What follows the
        save is not in the checkpoint, so resuming removes it from the log and continues as if the run had not ended.
        With `control.leave` set, only `Finished` follows the save.
        """
        state, reason, run = self.state, self._reason(), self.session.run
        stopped = reason == "stopped"
        if stopped:
            yield from self._save()
        before = replace(state)
        leaving = stopped and self.control.leave.is_set()
        was_sampled = state.evaluated_step == state.sampled_step == state.step
        if state.evaluated_step != state.step and not leaving:
            yield from self._evaluate()
        if stopped and state.averaged != before.averaged:  # what was evaluated is not what the checkpoint holds
            vars(state).update(vars(before))
        model, step = self.session.better_model, state.step
        if state.best_step is not None and state.best_step != step:
            try:
                if not leaving:
                    model, _ = load_model(run, str(state.best_step), self.session.device.type)
                step = state.best_step
            except TinyLMError as error:
                yield Warned(error.title, error.message, "The last checkpoint takes the place of the best.")
                state.best_step = state.best_val_bpb = state.best_val_loss = None
        best_step, best_val_bpb = state.best_step, state.best_val_bpb
        if state.sampled_step != state.step and not leaving:
            yield from self._sample(self.session.better_model, state.step)
        if stopped:
            vars(state).update(vars(before))
        else:
            close = Decision(step=state.step, kind="close")
            if close not in self.decisions.made[-1:]:
                self.decisions.record(close)
            if self.saved_step != state.step or not was_sampled:
                yield from self._save()
            self._write_config(ended=True)
        if checkpoint.find(run, "best").name != checkpoint.folder_name(step):
            checkpoint.point_best(run, step)
        if step != state.step and not leaving:
            yield from self._sample(model, step)
        evaluate = partial(self.evaluator.evaluate_held_out, model)
        final = UNMEASURED if leaving else self.session.stepper.beside(evaluate)
        finished = events.Finished(
            reason=reason,
            step=state.step,
            tokens=state.tokens,
            seconds=round(self.clock.seconds(), 3),
            val_loss=final.loss,
            val_bpb=final.bpb,
            best_val_bpb=best_val_bpb,
            best_step=best_step,
            tokens_per_second=round(
                self.trained_steps * self.session.config.tokens_per_step / max(self.trained_seconds, 1e-9), 1
            ),
            peak_memory_mb=round(device.peak_memory_mb(self.session.device), 1),
            checkpoint=f"checkpoints/{checkpoint.folder_name(step)}",
        )
        report.write(run, self.session.config, self.session.corpus.layout.baselines, finished)
        yield finished

    def _seconds_left(self) -> float:
        """Seconds until the end of the run: what is left of the time budget, or steps left times seconds per step."""
        if self.time_budget.budget is not None:
            return self.time_budget.budget - self.clock.seconds()
        last = min(self.run_length.plan.steps, self.session.config.train.stop_at or self.run_length.plan.steps)
        return (last - self.state.step) * self.time_budget.step_seconds

    # ---- one step ---------------------------------------------------------------------------------------------

    def _step(self, step: int) -> None:
        """Take one optimizer step; the device may still be working on it afterwards."""
        stepper, plan = self.session.stepper, self.run_length.plan
        phase_index = plan.phase_index(step)
        phase = plan.phases[phase_index]
        lr, weight_decay = plan.lr(step) * self.state.lr_scale, self.session.weight_decays[phase_index]
        # ids and targets: (batch_size * accumulation_steps, T)
        ids, targets = self.session.batches[phase_index].draw(step - phase.first)
        self.pending.append((step, phase.name, lr, stepper.take(step, lr, weight_decay, ids, targets)))
        if stepper.warnings:
            self.warnings += stepper.warnings
            stepper.warnings.clear()
            self.state.micro_batch = stepper.micro_batch_size
            self.decisions.give_up()
        self.state.step = step
        self.state.tokens += self.session.config.tokens_per_step

    def _report(self) -> Iterator[Event]:
        """Yield the events of pending steps; the host waits for the device here."""
        self.warnings += [_suspended(seconds) for seconds in self.clock.suspensions]
        self.clock.suspensions.clear()
        self.warnings += self.decisions.warnings
        self.decisions.warnings.clear()
        while self.warnings:
            yield self.warnings.pop(0)
        if not self.pending:
            return
        metrics = torch.stack([values for *_, values in self.pending]).tolist()
        now, steps, tokens_per_step = self.clock.seconds(), len(self.pending), self.session.config.tokens_per_step
        elapsed = now - self.steps_timed_from
        self.time_budget.record_steps(elapsed, steps, now)
        self.trained_seconds, self.trained_steps = self.trained_seconds + elapsed, self.trained_steps + steps
        pending, self.pending = self.pending, []
        for i, ((step, phase, lr, _), (loss, grad_norm, param_norm, ratio)) in enumerate(
            zip(pending, metrics, strict=True), start=1
        ):
            finite = all(abs(number) < float("inf") for number in (loss, grad_norm))
            yield events.StepDone(
                step=step,
                phase=phase,
                tokens=step * tokens_per_step,
                loss=loss,
                lr=lr,
                grad_norm=grad_norm,
                param_norm=param_norm,
                norm_ratio=ratio,
                tokens_per_second=round(tokens_per_step / max(elapsed / steps, 1e-9), 1),
                seconds=round(self.steps_timed_from + i * (elapsed / steps), 4),
            )
            if step == self.run_length.plan.phases[self.run_length.plan.phase_index(step)].first:
                stability.new_phase(self.state)
            warning = stability.record_step(self.state, step, loss, finite, self.session.precision)
            if warning:
                yield warning
        self.steps_timed_from = self.clock.seconds()

    def _roll_back(self, cause: stability.Diverging) -> Iterator[Event]:
        """Roll back to the last good state, lower the learning rate, and save, so that a resumed run starts from there.

        The log is truncated too, so that no step is in it twice. The clock is not set back: the time counts.
        """
        state, before = self.state, replace(self.state)
        stability.check_rollbacks(state, cause.step)
        notes = self.session.rewind()
        self.pending.clear()
        self.decisions.record(Decision(step=cause.step, kind="rollback", to=state.step))
        yield stability.apply_rollback(state, cause, before)
        for note in notes:
            yield events.Note(note)
        if self.time_budget.budget is not None and not self.decisions.repeated:
            self.run_length.replan()
        self._write_config()
        yield self.run_length.plan_event()
        yield from self._save()

    # ---- what happens between steps ---------------------------------------------------------------------------

    def _evaluate_and_sample(self) -> Iterator[Event]:
        """Evaluate and sample, unless that was done at this step."""
        if self.state.evaluated_step != self.state.step:
            yield from self._evaluate()
        if self.state.sampled_step != self.state.step:
            yield from self._sample(self.session.better_model, self.state.step)

    def _evaluate(self) -> Iterator[Event]:
        yield from self._report()
        start, state = self.clock.seconds(), self.state
        stream = self.session.batches[self.run_length.plan.phase_index(max(state.step, 1))].stream
        result = self.session.stepper.beside(lambda: self.evaluator.validate(stream))
        best, state.evaluated_step = stability.record_evaluation(state, result.train.loss, result.val), state.step
        state.averaged = result.averaged
        self.time_budget.evaluation_seconds = self.clock.seconds() - start
        self.time_budget.final_evaluation_seconds = self.evaluator.final_evaluation_seconds
        yield events.EvalDone(
            step=state.step,
            train_loss=result.train.loss,
            val_loss=result.val.loss,
            val_bpb=result.val.bpb,
            best=best,
            seconds=round(self.clock.seconds(), 3),
            averaged=result.averaged,
            other_val_loss=result.other.loss if result.other else None,
        )
        warning = stability.overfitting(state, result.train.loss, result.val.loss, self.session.config.train.patience)
        if warning:
            yield warning
        self.steps_timed_from = self.clock.seconds()

    def _sample(self, model: Transformer, step: int) -> Iterator[Event]:
        """Let `model`, which has the weights of `step`, write a sample."""
        yield from self._report()
        start, sampling = self.clock.seconds(), self.session.config.sample
        tokenizer, library = self.session.corpus.tokenizer, self.session.decode_library.result()
        text = self.session.stepper.beside(
            lambda: "".join(generate.generate_text(model, tokenizer, sampling.prompt, sampling, library))
        )
        model.train()
        self.time_budget.sample_seconds, self.state.sampled_step = self.clock.seconds() - start, self.state.step
        yield events.Sampled(step, sampling.prompt, text)
        self.steps_timed_from = self.clock.seconds()

    def _save_due(self) -> bool:
        step, interval = self.state.step, self.session.config.train.checkpoint_interval
        by_step = interval is not None and step % interval == 0
        by_time = self.clock.seconds() - self.saved_at >= self.session.config.train.checkpoint_seconds
        is_best = self.state.best_step == step
        back_to = self.decisions.next_rollback_to()
        if back_to is not None and back_to <= step:  # a rollback leads to the newest checkpoint: there must be no other
            return back_to == step and self.saved_step != step
        return by_step or by_time or is_best or self.control.save.is_set()

    def _save(self) -> Iterator[Event]:
        yield from self._report()
        start, state, session = self.clock.seconds(), self.state, self.session
        best = state.best_step == state.step
        state.seconds, state.loss_scale = start, float(session.stepper.loss_scale)
        state.events_bytes, state.samples_bytes = session.events_log.sync(), session.samples_log.sync()
        average = session.stepper.average.model.state_dict() if session.stepper.average else None
        optimizer_state = session.stepper.optimizer.state()
        path = checkpoint.save(session.run, session.model.state_dict(), optimizer_state, state, best, average)
        checkpoint.prune(session.run, self.session.config.train.keep_checkpoints)
        self.saved_at = self.steps_timed_from = self.clock.seconds()
        self.saved_step = state.step
        self.time_budget.save_seconds = self.saved_at - start
        yield events.CheckpointSaved(state.step, f"checkpoints/{path.name}", best, round(self.saved_at, 3))

    def _pause(self) -> Iterator[Event]:
        """Block until unpaused; save and sample on request. The clock runs only while saving or sampling."""
        yield from self._report()
        self.clock.stop()
        yield events.Paused(self.state.step, paused=True)
        control = self.control
        while control.pause.is_set() and not control.ending:
            if control.save.is_set() or control.sample.is_set():
                self.clock.resume()
                if control.save.is_set() and self.saved_step != self.state.step:
                    yield from self._save()
                if control.sample.is_set():
                    yield from self._sample(self.session.better_model, self.state.step)
                control.save.clear()
                control.sample.clear()
                self.clock.stop()
            time.sleep(0.02)
        self.clock.resume()
        yield events.Paused(self.state.step, paused=False)


def _suspended(seconds: float) -> Warned:
    return Warned(
        title="The process was suspended",
        message=f"The operating system did not run it for {seconds:,.0f} s.",
        hint="This time does not count against the time budget.",
    )
