"""Made-up trainings: events with the same numbers every time, writers and an engine, without torch."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar

from tinylm import events
from tinylm.config import resolve
from tinylm.config.schema import RunConfig, SampleConfig
from tinylm.errors import TinyLMError
from tinylm.events import Event
from tinylm.inference.prompt import Prompt
from tinylm.runs import folder
from tinylm.runs.folder import RunFolder
from tinylm.training.control import Control
from tui.engine import Machine, TokenCandidate, WrittenToken
from tui.live.history import History

BASELINES = {"blind": 5.7, "counts": 4.38, "pairs": 3.33, "triples": 2.45, "gzip": 2.52, "xz": 2.17, "floor": 0.62}
BYTES_PER_TOKEN = 4.18


def opening(run: str = "stories-test", directory: str = "/home/u/runs/stories-test", steps: int = 400) -> list[Event]:
    """Everything before the first step."""
    return [
        events.RunStarted(
            run, directory, 1, "0.1.0", "2026-11-23T05:00:00+00:00", 1_310_720, "cpu", "Test CPU, 2 cores", "2.13.0", 2,
            "fp32", False, None,
        ),
        events.DataPrepared(4_000_302, 956_426, 2048, 908_526, 47_900, 200_059, BASELINES),
        events.Note("Measured tokens per second by threads (1: 10,597, 2: 14,776); training with 2."),
        events.Planned(
            steps, 120.0, (events.PhaseSpan("warm", 1, steps // 2), events.PhaseSpan("cool", steps // 2 + 1, steps))
        ),
    ]  # fmt: skip


def step(number: int, steps: int = 400, **changes: float | None) -> events.StepDone:
    """A step of a training that goes well: the loss falls from 7.6 to about 1.6 nats, with a little noise."""
    noise = math.sin(number * 12.9898) * 0.12 + (0.8 if number == 170 else 0.0)
    values: dict[str, float | None] = {
        "loss": 1.5 + 6.1 * math.exp(-number / 60) + noise,
        "lr": 1.2e-2 * min(1.0, number / 10, (steps - number + 1) / (0.6 * steps)),
        "grad_norm": 0.4 + 3 * math.exp(-number / 25) + abs(noise),
        "param_norm": 90 + number * 0.05,
        "norm_ratio": 40 + number * 0.2,
    }
    values |= changes
    return events.StepDone(
        step=number, phase="warm" if number <= steps // 2 else "cool", tokens=number * 1536,
        tokens_per_second=6100 + 200 * math.sin(number), seconds=2 + number * 0.25, **values,
    )  # fmt: skip


def evaluation(number: int, best: bool = True, bpb: float | None = None) -> events.EvalDone:
    """An evaluation that goes with `step`."""
    loss = 1.55 + 6.0 * math.exp(-number / 60) if bpb is None else bpb * BYTES_PER_TOKEN * math.log(2)
    return events.EvalDone(number, loss - 0.04, loss, loss / math.log(2) / BYTES_PER_TOKEN, best, 2 + number * 0.25)


def training(upto: int = 200, steps: int = 400, **start: str) -> list[Event]:
    """A run as far as step `upto`, with evaluations, samples and checkpoints."""
    log = opening(steps=steps, **start)
    for number in range(1, upto + 1):
        log.append(step(number, steps))
        if number % 20 == 0:
            log.append(evaluation(number))
        if number % 40 == 0:
            log.append(events.Sampled(number, "", f"Once upon a time there was a fox, told at step {number}.\nIt ran."))
        if number % 60 == 0:
            log.append(events.CheckpointSaved(number, f"checkpoints/step-{number:08d}", True, 2 + number * 0.25))
    return log


def finished(number: int = 400, reason: str = "budget", best: int | None = None) -> events.Finished:
    """The end of a run, whose best checkpoint is by default the last."""
    best = number if best is None else best
    return events.Finished(
        reason, number, number * 1536, 2 + number * 0.25, 1.56, 0.539, 0.541, best, 6100.0, 512.0,
        f"checkpoints/step-{best:08d}",
    )  # fmt: skip


def failed() -> events.Failed:
    """The other end."""
    return events.Failed(
        "The training diverged", "3 steps in a row had no finite loss or gradient.", "Start with a lower learning rate."
    )


def history(log: Sequence[Event]) -> History:
    """The history of a run with these events."""
    folded = History()
    for event in log:
        folded.apply(event)
    return folded


def write_run(home: Path, name: str, log: Sequence[Event], config: RunConfig | None = None) -> RunFolder:
    """A run folder with this log and configuration, and an empty folder for each of its checkpoints."""
    run = folder.create(home, name)
    run.config_file.write_text(resolve.to_toml(config or RunConfig()), encoding="utf-8")
    run.events_file.write_text("".join(events.to_json(event) + "\n" for event in log), encoding="utf-8")
    for event in log:
        if isinstance(event, events.CheckpointSaved):
            (run.path / event.path).mkdir(parents=True, exist_ok=True)
            (run.checkpoints / "latest").write_text(Path(event.path).name + "\n", encoding="utf-8")
            (run.checkpoints / "best").write_text(Path(event.path).name + "\n", encoding="utf-8")
    return run


class ScriptedWriter:
    """Writes the words of a sentence over and over, the same for the same seed."""

    WORDS = (" the", " fox", " ran", " home", ".", " It", " was", " late", ",", " and")
    begins_like = ""

    def __init__(self, run: RunFolder, which: str) -> None:
        self.run, self.step = run, {"latest": 200, "best": 180}.get(which) or int(which)
        self.path = run.checkpoints / f"step-{self.step:08d}"

    def fit(self, text: str) -> Prompt:
        """A token a character, in a context of 100."""
        return Prompt(text, [ord(character) for character in text], block_size=100)

    def text_of(self, token: int) -> str:
        """The other way round."""
        return self.WORDS[token % len(self.WORDS)]

    def text_after(self, before: list[int], token: int) -> str:
        """No character is ever split here."""
        return self.text_of(token)

    def write(
        self,
        prompt: Prompt,
        written: list[int],
        sampling: SampleConfig,
        seeds: Sequence[int],
        n_candidates: int = 10,
    ) -> Iterator[tuple[int, WrittenToken]]:
        """Each text alone, in turn."""
        ids = [*prompt.ids, *written]
        alone = [self.write_one(ids, sampling.model_copy(update={"seed": seed}), n_candidates) for seed in seeds]
        for tokens in zip_longest(*alone):
            yield from ((index, token) for index, token in enumerate(tokens) if token is not None)

    def write_one(self, prompt: list[int], sampling: SampleConfig, n_candidates: int = 10) -> Iterator[WrittenToken]:
        """Token after token."""
        count = len(self.WORDS)
        for i in range(sampling.max_new_tokens):
            token = (sum(prompt) + i * (1 + sampling.seed)) % count
            ranked = [(token + k) % count for k in range(min(n_candidates, count))]
            candidates = tuple(
                TokenCandidate(t, self.WORDS[t], 0.5**k / 2, 0.0 if k > 4 else 0.5**k / 1.9)
                for k, t in enumerate(ranked, 1)
            )
            yield WrittenToken(token, self.WORDS[token], 0.25, 2.4, candidates)


class ScriptedEngine:
    """An engine whose trainings yield the events of a script."""

    started: ClassVar[list[Control]] = []
    """The controls of the trainings of all engines, for those that a test leaves running."""

    def __init__(self, log: Sequence[Event] = (), error: TinyLMError | None = None, endless: bool = False) -> None:
        """Each training yields `log`; then `error` is raised, or the training goes on until it is asked to stop."""
        self.log, self.error, self.endless = list(log), error, endless
        self.controls: list[Control] = []
        self.trained: list[RunConfig] = []
        self.resumed: list[RunFolder] = []
        self.rehearsed: list[RunConfig] = []
        self.rehearsal: Callable[[RunConfig], object] | None = None

    def warm_up(self, home: Path, config: RunConfig) -> Machine:
        """A machine with two cores."""
        return Machine("Test CPU, 2 cores", "cpu", "2.13.0", 2, {1: 10_597, 2: 14_776})

    def train(self, config: RunConfig, home: Path, control: Control) -> Iterator[Event]:
        """The script."""
        self.trained.append(config)
        run = folder.create(home, "stories-test")
        run.config_file.write_text(resolve.to_toml(config), encoding="utf-8")
        yield from self.play(run, control)

    def resume(self, run: RunFolder, control: Control) -> Iterator[Event]:
        """The script again."""
        self.resumed.append(run)
        yield from self.play(run, control)

    def play(self, run: RunFolder, control: Control) -> Iterator[Event]:
        self.controls.append(control)
        self.started.append(control)
        last = 0
        for event in self.log or training(directory=str(run.path), run=run.name):
            if isinstance(event, events.StepDone):
                last = event.step
            if isinstance(event, events.CheckpointSaved):
                (run.path / event.path).mkdir(parents=True, exist_ok=True)
            yield replace(event, dir=str(run.path), run=run.name) if isinstance(event, events.RunStarted) else event
            if control.stop.is_set() or control.leave.is_set():
                break
        if self.error is not None:
            raise self.error
        idle = threading.Event()
        paused = False
        while self.endless and not (control.stop.is_set() or control.leave.is_set()):
            if control.pause.is_set() != paused:
                paused = not paused
                yield events.Paused(last, paused)
            if control.save.is_set():
                control.save.clear()
                yield events.CheckpointSaved(last, f"checkpoints/step-{last:08d}", False, 60.0)
            if control.sample.is_set():
                control.sample.clear()
                yield events.Sampled(last, "", "A sample that was asked for.")
            idle.wait(0.005)
        if control.stop.is_set() or control.leave.is_set():
            yield events.CheckpointSaved(last, f"checkpoints/step-{last:08d}", False, 60.0)
            yield finished(last, "stopped")

    def rehearse(self, config: RunConfig, home: Path, cancelled: Callable[[], bool]) -> object:
        """What the test set."""
        self.rehearsed.append(config)
        assert self.rehearsal is not None
        return self.rehearsal(config)

    def writer(self, run: RunFolder, which: str) -> ScriptedWriter:
        """One that needs no checkpoint."""
        return ScriptedWriter(run, which)
