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

from tinylm import card, checkpoint, device, events, generate, health, optim, runs, session, settings
from tinylm.config import RunConfig
from tinylm.control import Control
from tinylm.data import mix
from tinylm.errors import RunError, TinyLMError
from tinylm.evaluate import UNMEASURED
from tinylm.events import Event, Warned
from tinylm.length import Length
from tinylm.measure import Measure
from tinylm.runs import RunFolder
from tinylm.session import Session

REPORT_SECONDS = 0.1
"""How often losses are fetched from the device and told: the only regular host sync."""

SLEEP_SECONDS = 5.0
"""So long between two steps, with hardly any work, is no training."""

LOSS_SCALE_GROWTH = 2.0 ** (1 / 2000)
"""fp16: the loss scale doubles in 2,000 good steps, as torch's GradScaler does, but smoothly; a bad step halves it."""

_DROPOUT = 1003
"""What the seed is mixed with: each use of randomness has a stream of its own."""


def train(config: RunConfig, home: Path, name: str | None = None, control: Control | None = None) -> Iterator[Event]:
    """Train a new run called `name` (by default named after data and time), from text to a finished model."""
    parts = session.start(settings.absolute_sources(config), home, name)
    yield from _begun(parts, control).events()


def resume(config: RunConfig, run: RunFolder, control: Control | None = None) -> Iterator[Event]:
    """Go on with a run; `config` is what `settings.resumed` gave."""
    yield from _begun(session.resume(config, run), control).events()


def _begun(parts: Session, control: Control | None) -> Training:
    try:
        return Training(parts, control or Control())
    except BaseException as error:
        parts.close()
        if parts.fresh:
            runs.remove(parts.run)
        if isinstance(error, OSError):
            raise session.refused(error, parts.run.path, begun=not parts.fresh) from error
        raise


class Training:
    """One training, from its first event to its last."""

    def __init__(self, parts: Session, control: Control) -> None:
        self.parts, self.control = parts, control
        self.config, self.state, self.model = parts.config, parts.state, parts.model
        self.weights = list(self.model.parameters())
        self.loss_scale = torch.tensor(self.state.loss_scale, device=parts.device)
        self.measure = Measure(parts)
        self.length = Length(parts, *self.measure.windows)
        self.pace = self.length.pace
        self.untold: list[tuple[int, str, float, Tensor]] = []
        """Steps whose numbers are still on the device: step, phase, lr, and (loss, norms, ratio)."""
        self.warnings: list[Warned] = []
        """What happened in steps that are still to be told."""
        self.told_at = self.saved_at = parts.elapsed()
        self._seen = time.perf_counter(), time.process_time()
        self.saved_step = parts.resumed_from
        self.trained_seconds, self.trained_steps = 0.0, 0
        health.reopened(self.state, self.config.train)

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
            if isinstance(error, OSError):
                error = session.refused(error, self.parts.run.path, begun=self.saved_step is not None)
            error = session.out_of_memory(error, self.parts.device) or error
            if isinstance(error, TinyLMError):
                failed = events.Failed(error.title, error.message, error.hint)
            else:
                failed = events.Failed(
                    "The program failed", repr(error), "This is our fault; the log file has the details."
                )
            with suppress(OSError):  # where the disk is full, the event cannot be written either
                self._write(failed)
            if self.parts.fresh and self.saved_step is None and isinstance(error, RunError):
                runs.remove(self.parts.run)  # the disk refused before anything was saved: nothing is left behind
            yield failed
            raise error
        finally:
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
            except health.Diverging as diverging:
                found = diverging
            yield from self._rescue(found)
        yield from self._closing()

    def _training(self) -> Iterator[Event]:
        """Steps and what happens between them, up to the end, all told; health.Diverging where that leads nowhere."""
        state, control, patience = self.state, self.control, self.config.train.patience
        while not (self._is_over() or control.ending or health.out_of_patience(state, patience)):
            self._step(state.step + 1)
            if self._elapsed() - self.told_at >= REPORT_SECONDS:
                yield from self._report()
            if self.pace.due(self._elapsed()) or self.length.misses():
                yield from self._report()
                if self.length.plan_again():
                    yield self.length.planned()
            if self._is_over():  # its evaluation, sample and checkpoint are those of the closing
                break
            if state.step % self.length.eval_interval == 0:
                yield from self._evaluate()
            if state.step % self.length.sample_interval == 0 or control.sample.is_set():
                control.sample.clear()
                yield from self._sample()
            if self._save_due():
                yield from self._report()
                if health.may_be_saved(state, self.parts.precision):
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
        self.told_at = self.saved_at = self._elapsed()

    def _closing(self) -> Iterator[Event]:
        """Evaluate, sample, save, and measure the whole held-out text.

        A run that was stopped is saved first, and what follows is not: resuming it cuts the log back to there and goes
        on as if it had never been stopped. Where the program is being left, nothing follows but the last event.
        """
        state, reason = self.state, "budget"
        if not self.length.is_reached():
            reason = "early_stop" if health.out_of_patience(state, self.config.train.patience) else "stopped"
        stopped = reason == "stopped"
        if stopped:
            yield from self._save()
            before = replace(state)
        leaving = stopped and self.control.leave.is_set()
        if state.evaluated_step != state.step and not leaving:
            yield from self._evaluate()
        if state.sampled_step != state.step and not leaving:
            yield from self._sample()
        if stopped:
            vars(state).update(vars(before))
        elif self.saved_step != state.step:
            yield from self._save()
        whole = UNMEASURED if leaving else self.measure.at_the_end()
        finished = events.Finished(
            reason=reason,
            step=state.step,
            tokens=state.tokens,
            seconds=round(self._elapsed(), 3),
            val_loss=whole.loss,
            val_bpb=whole.bpb,
            best_val_bpb=state.best_val_bpb,
            best_step=state.best_step,
            tokens_per_second=round(
                self.trained_steps * self.parts.tokens_per_step / max(self.trained_seconds, 1e-9), 1
            ),
            peak_memory_mb=round(device.peak_memory_mb(self.parts.device), 1),
            checkpoint=f"checkpoints/{checkpoint.folder_name(state.step)}",
        )
        card.write(self.parts.run, self.config, self.parts.corpus.layout.baselines, finished)
        yield finished

    def _is_over(self) -> bool:
        """Whether the plan is fulfilled, or the time is over."""
        self._take_sleep_off()
        return self.length.is_reached()

    def _elapsed(self) -> float:
        """Seconds since the start of the run; what was slept since the last look does not count."""
        self._take_sleep_off()
        return self.parts.elapsed()

    def _take_sleep_off(self) -> None:
        """Take the time off the clock in which this process was stopped (Ctrl-Z) or nobody took its events."""
        now, worked = time.perf_counter(), time.process_time()
        passed, busy = now - self._seen[0], worked - self._seen[1]
        self._seen = now, worked
        if passed < SLEEP_SECONDS or busy > 0.05 * passed:
            return
        self.parts.began += passed - busy
        self.told_at, self.saved_at = (min(at, self.parts.elapsed()) for at in (self.told_at, self.saved_at))
        self.warnings.append(
            events.Warned(
                title="It was stopped from outside",
                message=f"For {passed:,.0f} s the system gave this program no time.",
                hint="They do not count: the budget is as long as it was.",
            )
        )

    # ---- one step ---------------------------------------------------------------------------------------------

    def _step(self, step: int) -> None:
        """One optimizer step; nothing here waits for the device."""
        config = self.config.train
        number = self.length.plan.index(step)
        phase = self.length.plan.phases[number]
        lr = self.length.plan.lr(step) * self.state.lr_scale
        ids, targets = self.parts.batches[number].draw(step - phase.first)  # (batch * accumulation, T)
        loss = self._backward(step, ids, targets)
        grads = [weight.grad for weight in self.weights if weight.grad is not None]
        if self.parts.precision == "fp16":
            torch._foreach_div_(grads, self.loss_scale)
        grad_norm, mean_grad = optim.global_norm(grads)
        param_norm, mean_param = optim.global_norm([weight.detach() for weight in self.weights])
        if config.grad_clip:
            optim.clip(self.weights, grad_norm, config.grad_clip)
        bad = ~torch.isfinite(loss + grad_norm)
        self.parts.optimizer.step(lr, skip=bad)
        self.parts.optimizer.zero_grad()
        if self.parts.precision == "fp16":
            self.loss_scale *= torch.where(bad, 0.5, LOSS_SCALE_GROWTH)

        numbers = torch.stack((loss, grad_norm, param_norm, mean_param / mean_grad))
        self.untold.append((step, phase.name, lr, numbers))
        self.state.step = step
        self.state.tokens += self.parts.tokens_per_step

    def _backward(self, step: int, ids: Tensor, targets: Tensor) -> Tensor:
        """Forward and backward in passes that fit into the memory; the mean loss, on the device.

        Where the memory runs out, the weights are as they were: smaller passes begin the step anew, down to one window.
        """
        config, state = self.config, self.state
        while True:
            if config.model.dropout or config.model.attention_dropout:
                torch.manual_seed(mix(config.train.seed, _DROPOUT, step))
            rows = state.micro_batch or config.train.batch_size
            try:
                return self._passes(ids, targets, rows)
            except (MemoryError, RuntimeError) as error:  # torch's own is a RuntimeError
                if rows == 1 or session.out_of_memory(error, self.parts.device) is None:
                    raise
            # Here and not in the handler, where the traceback still holds what the pass had in hand.
            self.parts.optimizer.zero_grad()
            device.release_memory(self.parts.device)
            state.micro_batch = (rows + 1) // 2
            self.warnings.append(
                events.Warned(
                    title="The memory ran out",
                    message=f"{rows} windows at once were too many at step {step:,}; from here on {state.micro_batch} "
                    "are, and the step adds them up to what it was.",
                    hint="It is a little slower so. train.batch_size and train.accumulation_steps set it beforehand.",
                )
            )

    def _passes(self, ids: Tensor, targets: Tensor, rows: int) -> Tensor:
        loss = torch.zeros((), device=self.parts.device)
        for some_ids, some_targets in zip(torch.split(ids, rows), torch.split(targets, rows), strict=True):
            with device.autocast(self.parts.precision, self.parts.device):
                part = self.parts.forward(some_ids, some_targets) * (len(some_ids) / len(ids))
            torch.autograd.backward(part * self.loss_scale)
            loss += part.detach()
        return loss

    def _report(self) -> Iterator[Event]:
        """Tell the steps that are not told yet: the host waits for the device here."""
        while self.warnings:
            yield self.warnings.pop(0)
        if not self.untold:
            return
        told = torch.stack([numbers for *_, numbers in self.untold]).tolist()
        now, steps = self._elapsed(), len(self.untold)
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
                tokens=step * self.parts.tokens_per_step,
                loss=loss,
                lr=lr,
                grad_norm=grad_norm,
                param_norm=param_norm,
                norm_ratio=ratio,
                tokens_per_second=round(self.parts.tokens_per_step / max(each, 1e-9), 1),
                seconds=round(self.told_at + i * each, 4),
            )
            if step == self.length.plan.phases[self.length.plan.index(step)].first:
                health.new_phase(self.state)
            warning = health.stepped(self.state, step, loss, finite, self.parts.precision)
            if warning:
                yield warning
        self.told_at = self._elapsed()

    def _rescue(self, found: health.Diverging) -> Iterator[Event]:
        """Go back from where the training diverged, and on with a lower rate; saved at once, so that it holds.

        The log is cut back with the rest, so that no step stands twice; the time that was lost is not given back.
        """
        state, before = self.state, replace(self.state)
        health.check_rescuable(state, found.step)
        notes = self.parts.rewind()
        self.loss_scale.fill_(state.loss_scale)
        self.untold.clear()
        yield health.rescued(state, found, before)
        for note in notes:
            yield events.Note(note)
        if self.pace.budget is not None:
            self.length.plan_again()
        yield self.length.planned()
        yield from self._save()

    # ---- what happens between steps ---------------------------------------------------------------------------

    def _evaluate(self) -> Iterator[Event]:
        yield from self._report()
        start, state = self._elapsed(), self.state
        stream = self.parts.batches[self.length.plan.index(max(state.step, 1))].stream
        train_score, val_score = self.measure.along_the_way(stream, self._elapsed)
        best, state.evaluated_step = health.evaluated(state, train_score.loss, val_score), state.step
        self.pace.evaluation, self.pace.closing_evaluation = self._elapsed() - start, self.measure.closing_seconds
        yield events.EvalDone(
            step=state.step,
            train_loss=train_score.loss,
            val_loss=val_score.loss,
            val_bpb=val_score.bpb,
            best=best,
            seconds=round(self._elapsed(), 3),
        )
        warning = health.risen(state, train_score.loss, val_score.loss, self.config.train.patience)
        if warning:
            yield warning
        self.told_at = self._elapsed()

    def _sample(self) -> Iterator[Event]:
        yield from self._report()
        start, settings_ = self._elapsed(), self.config.sample
        text = "".join(generate.write(self.model, self.parts.corpus.tokenizer, settings_.prompt, settings_))
        self.model.train()
        self.pace.sample, self.state.sampled_step = self._elapsed() - start, self.state.step
        yield events.Sampled(self.state.step, settings_.prompt, text)
        self.told_at = self._elapsed()

    def _save_due(self) -> bool:
        step, interval = self.state.step, self.config.train.checkpoint_interval
        by_step = interval is not None and step % interval == 0
        by_time = self._elapsed() - self.saved_at >= self.config.train.checkpoint_seconds
        by_merit = self.state.best_step == step
        return by_step or by_time or by_merit or self.control.save.is_set()

    def _save(self) -> Iterator[Event]:
        yield from self._report()
        start, state, parts = self._elapsed(), self.state, self.parts
        best = state.best_step == state.step
        state.seconds, state.loss_scale = start, float(self.loss_scale)
        state.events_bytes, state.samples_bytes = parts.events_log.sync(), parts.samples_log.sync()
        path = checkpoint.save(parts.run, self.model.state_dict(), parts.optimizer.state(), state, best)
        checkpoint.prune(parts.run, self.config.train.keep_checkpoints)
        self.saved_at = self.told_at = self._elapsed()
        self.saved_step = state.step
        self.pace.save = self.saved_at - start
        yield events.CheckpointSaved(state.step, f"checkpoints/{path.name}", best, round(self.saved_at, 3))

    def _pause(self) -> Iterator[Event]:
        yield from self._report()
        start = time.perf_counter()
        yield events.Paused(self.state.step, paused=True)
        while self.control.pause.is_set() and not self.control.ending:
            time.sleep(0.02)
        self.parts.began += time.perf_counter() - start
        self._seen = time.perf_counter(), time.process_time()
        yield events.Paused(self.state.step, paused=False)
