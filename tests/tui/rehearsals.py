"""Made-up rehearsals and learning-rate sweeps; the real class needs torch."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tui.scripts import ScriptedEngine
from tinylm.config import resolve
from tinylm.config.schema import Budget, RunConfig
from tinylm.events import LrFound, LrTried
from tinylm.model import size
from tinylm.planning import lr_range, schedule
from tui.screens.data.texts import expected_vocabulary


@dataclass(frozen=True)
class MadeUp:
    """The fields of tinylm.preview.rehearsal.Rehearsal."""

    config: RunConfig
    parameters: int
    step_seconds: float
    tokens_per_second: float
    threads: int
    device: str
    memory_mb: float
    free_memory_mb: float | None
    steps: int
    seconds: float
    epochs: float
    disk_mb: float
    plan: schedule.Plan
    train_tokens: int
    loss: float


def rehearsal(config: RunConfig) -> MadeUp:
    """A machine that does 6,144 tokens a second, whatever the model."""
    tokens = config.tokens_per_step
    seconds = tokens / 6144
    steps = schedule.total_steps(config.train)
    if steps is None:
        assert config.train.budget is not None
        steps = max(1, int(Budget.parse(config.train.budget).amount / seconds))
    return MadeUp(
        config=resolve.with_values(config, train={"fit": False}),
        parameters=size.parameters(config.model, expected_vocabulary(config) or 87),
        step_seconds=seconds, tokens_per_second=6144.0, threads=2, device="cpu", memory_mb=310.0, free_memory_mb=9800.0,
        steps=steps, seconds=steps * seconds, epochs=steps * tokens / 908_526, disk_mb=71.0,
        plan=schedule.plan(config.train.phases, steps), train_tokens=908_526, loss=7.71,
    )  # fmt: skip


def fitted(config: RunConfig) -> MadeUp:
    """A machine and a text for which `train.fit` chooses a wider model, larger steps, half the rates, and dropout."""
    phases = [phase.model_copy(update={"max_lr": phase.max_lr / 2}).model_dump() for phase in config.train.phases]
    chosen = resolve.with_values(
        config,
        model={"n_layer": 6, "n_embd": 256, "n_head": 8, "n_kv_head": 8, "dropout": 0.1},
        train={"fit": False, "batch_size": 12, "phases": phases},
    )
    return rehearsal(chosen)


def sweep_events(diverged_at: float | None = None, suggestion: float | None = 8e-3) -> list[LrTried | LrFound]:
    """A sweep whose loss falls by 3 nats around 4e-3, is lowest at 2.5e-2, and then rises."""
    rates = [rate for rate in lr_range.sweep_rates() if diverged_at is None or rate <= diverged_at]
    losses = [
        round(7.6 - 3 / (1 + (4e-3 / rate) ** 1.5) + max(0.0, 2 * math.log10(rate / 2.5e-2)), 4) for rate in rates
    ]
    tried = [LrTried(i + 1, rate, loss) for i, (rate, loss) in enumerate(zip(rates, losses, strict=True))]
    return [*tried, LrFound(0, tuple(rates), tuple(losses), suggestion, diverged_at)]


class RehearsingEngine(ScriptedEngine):
    """Rehearses with the result of `answer`; with `hold`, only once `let_go` is set or it is called off.

    A sweep yields `swept`; with `hold_at`, it waits after so many of its steps.
    """

    def __init__(self, hold: bool = False, answer: Callable[[RunConfig], object] = rehearsal) -> None:
        super().__init__(endless=True)
        self.answer = answer
        self.let_go = threading.Event()
        self.called_off: list[RunConfig] = []
        self.swept: list[LrTried | LrFound] = sweep_events()
        self.hold_at: int | None = None
        self.sweep_error: Exception | None = None
        self.sweeps: list[RunConfig] = []
        if not hold:
            self.let_go.set()

    def rehearse(self, config: RunConfig, home: Path, cancelled: Callable[[], bool]) -> object:
        """The made-up result; InterruptedError where it is called off."""
        self.rehearsed.append(config)
        while not self.let_go.wait(0.005):
            if cancelled():
                self.called_off.append(config)
                raise InterruptedError
        return self.answer(config)

    def find(self, config: RunConfig, home: Path, cancelled: Callable[[], bool]) -> Iterator[LrTried | LrFound]:
        """The made-up events; InterruptedError where it is called off."""
        self.sweeps.append(config)
        if self.sweep_error:
            raise self.sweep_error
        for number, event in enumerate(self.swept):
            while number == self.hold_at and not cancelled():
                time.sleep(0.005)
            if cancelled():
                self.called_off.append(config)
                raise InterruptedError
            yield event
