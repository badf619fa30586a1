"""The thread that holds loaded checkpoints and lets them write; screens read what it has appended so far.

Neither side waits for the other: a request is a `Writing` that is put into a queue, and the thread appends tokens to
it until it is complete or asked to stop. Between tokens the thread gives the processor away, so that keys are heard
while a model writes and a training goes on beside it.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Literal

from tinylm import files
from tinylm.config.schema import SampleConfig
from tinylm.errors import TinyLMError
from tinylm.runs import folder
from tinylm.runs.folder import RunFolder
from tui.engine import TokenCandidate, WrittenToken

if TYPE_CHECKING:
    from tui.engine import Engine, Writer

BREATH = 0.0002
"""Seconds of rest after each token: long enough that whoever waits for the interpreter gets it."""

LOOK_SECONDS = 0.1
"""How often the thread looks for a checkpoint that is not there yet."""

KEPT = 2
"""Writers that stay loaded: the two that are compared."""

State = Literal["waiting", "loading", "writing", "stopped", "ended", "full", "failed"]
"""For a checkpoint, for its loading; then how it came to rest: by a person, by the model, by the length, by a fault."""


def saved_steps(run: RunFolder) -> list[int]:
    """The steps of a run's checkpoints, ascending; read from the names of folders, without torch."""
    try:
        names = [path.name for path in run.checkpoints.iterdir()]
    except OSError:
        return []
    return sorted(int(name[5:]) for name in names if re.fullmatch(r"step-\d{8}", name))


def newest_run(home: Path) -> RunFolder | None:
    """The run that was trained last among those that can write, else among all; None where there is none."""
    found = folder.list_runs(home)
    return max(
        [run for run in found if saved_steps(run)] or found, key=lambda run: _changed(run.events_file), default=None
    )


def _changed(path: Path) -> int:
    """When something was written, in nanoseconds; 0 where it does not exist."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint of a run: `latest`, `best` or a step's number."""

    run: RunFolder
    which: str = "latest"

    def step(self) -> int | None:
        """The step that it stands for now; None where nothing has been saved yet."""
        if self.which.isdecimal():
            return int(self.which)
        steps = saved_steps(self.run)
        with contextlib.suppress(OSError, ValueError):
            pointer = files.read(self.run.checkpoints / self.which, 100).decode("ascii").strip()
            if (step := int(pointer.removeprefix("step-"))) in steps:
                return step
        return steps[-1] if steps else None


@dataclass(eq=False)
class Completion:
    """A text that a checkpoint goes on with. The thread appends to it, the screen reads."""

    source: CheckpointRef
    prompt: str
    sampling: SampleConfig
    ids: list[int] | None = None
    """Of the prompt; None until the model's tokenizer has read it."""
    tokens: list[WrittenToken] = field(default_factory=list)
    """Written so far; the first ones may come from the version that this one branched from."""
    forced: WrittenToken | None = None
    """A token that a person chose, to be put behind `tokens` before the model goes on."""
    kept: int = 0
    """How many of `tokens` were there before the model began: another seed keeps them too."""
    state: State = "waiting"
    step: int | None = None
    """Of the checkpoint that writes it."""
    error: Exception | None = None
    drawn: int = 0
    seconds: float = 0.0
    """Tokens drawn since it was last asked for, and how long the model took for them."""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def busy(self) -> bool:
        """Whether something is still going to come."""
        return self.state in ("waiting", "loading", "writing")

    @property
    def text(self) -> str:
        """The prompt and what was written."""
        return self.prompt + "".join(token.text for token in self.tokens)

    @property
    def all_ids(self) -> list[int]:
        """Of the prompt, once it is read, and of what was written."""
        return [*(self.ids or ()), *(token.token for token in self.tokens)]

    @property
    def speed(self) -> float | None:
        """Tokens per second of the model's own time."""
        return self.drawn / self.seconds if self.drawn and self.seconds > 0 else None

    def more(self, sampling: SampleConfig) -> None:
        """Be ready to be asked for again: it goes on where it stopped."""
        self.sampling, self.state, self.error = sampling, "waiting", None
        self.drawn, self.seconds = 0, 0.0
        self.stop = threading.Event()

    def tune(self, sampling: SampleConfig) -> None:
        """Write what is still to come by other settings; the seed stays: it is what the text is known by."""
        sampling = sampling.model_copy(update={"seed": self.sampling.seed})
        if sampling != self.sampling:
            self.sampling = sampling

    def again(self, sampling: SampleConfig) -> Completion:
        """Another version of it: the same beginning, and what a person forced there."""
        return Completion(
            self.source, self.prompt, sampling, self.ids, self.tokens[: self.kept], self.forced, self.kept
        )

    def branched(self, at: int, candidate: TokenCandidate, sampling: SampleConfig) -> Completion:
        """Another version of it that has `candidate` at the place `at`, and everything before as it is.

        The checkpoint that wrote it goes on, also where `latest` has become another one, as long as it is kept.
        """
        there = self.tokens[at]
        source = self.source
        if self.step is not None and self.step in saved_steps(source.run):
            source = CheckpointRef(source.run, str(self.step))
        forced = replace(
            there, token=candidate.token, text=candidate.text, probability=candidate.probability, end=candidate.end
        )
        return Completion(source, self.prompt, sampling, self.ids, self.tokens[:at], forced, at + 1)


class WriterThread:
    """The thread. It is a daemon: leaving the program never waits for a text."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: SimpleQueue[Sequence[Completion] | CheckpointRef | None] = SimpleQueue()
        self._kept: dict[tuple[Path, int], Writer] = {}
        self._asked: Sequence[Completion] = ()
        self._thread = threading.Thread(target=self._work, name="talking", daemon=True)

    @property
    def _going(self) -> list[Completion]:
        return [writing for writing in self._asked if writing.busy and not writing.stop.is_set()]

    @property
    def busy(self) -> bool:
        """Whether a text is being written."""
        return bool(self._going)

    def ask(self, *writings: Completion) -> None:
        """Let these be written, in turn token by token; what was being written before stops and stays as it is."""
        for before in self._asked:
            if before not in writings:
                before.stop.set()
        self._asked = writings
        self._put(writings)

    def prepare(self, source: CheckpointRef) -> None:
        """Load a checkpoint that will probably be asked for."""
        if not self.busy:
            self._put(source)

    def tune(self, sampling: SampleConfig) -> None:
        """Write on by other settings from the next token on."""
        for writing in self._going:
            writing.tune(sampling)

    def stop(self) -> None:
        """Write no further; the tokens stay."""
        for writing in self._asked:
            writing.stop.set()

    def close(self) -> None:
        """Let the thread come to its end."""
        self.stop()
        self._put(None)

    def _put(self, job: Sequence[Completion] | CheckpointRef | None) -> None:
        self._jobs.put(job)
        if not self._thread.ident:
            self._thread.start()

    # ---- in the thread --------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if isinstance(job, CheckpointRef):
                with contextlib.suppress(Exception):  # nobody asked yet: the request will tell what is wrong
                    self._newest_writer(job)
            else:
                self._write(job)

    def _write(self, writings: Sequence[Completion]) -> None:
        lives = [self._guarded(writing) for writing in writings]
        while lives:
            worked = False
            for life in list(lives):
                try:
                    worked = next(life) or worked
                except StopIteration:
                    lives.remove(life)
            if lives:
                time.sleep(BREATH if worked else LOOK_SECONDS)

    def _guarded(self, writing: Completion) -> Iterator[bool]:
        try:
            yield from self._life(writing)
        except Exception as error:  # the outer edge of this thread: the screen shows it
            writing.error, writing.state = error, "failed"

    def _life(self, writing: Completion) -> Iterator[bool]:
        """Everything that happens to a text, with a pause after each token; yields whether there was work to do."""
        while writing.source.step() is None:
            if writing.stop.is_set():
                writing.state = "stopped"
                return
            yield False
        writing.state = "loading"
        writer = self._newest_writer(writing.source)
        assert writer is not None
        writing.step = writer.step
        if writing.ids is None:
            writing.ids = writer.encode(writing.prompt)
        if writing.forced is not None:
            forced = writing.forced
            writing.forced = None
            text = "" if forced.end else writer.text_after(writing.all_ids, forced.token)
            writing.tokens.append(replace(forced, text=text))
            if forced.end:
                writing.state = "ended"
                return
        writing.state = "writing"
        sampling: SampleConfig | None = None
        while not writing.stop.is_set():
            began = time.perf_counter()
            if sampling is not writing.sampling:  # at first, and whenever a person has changed it
                sampling = writing.sampling
                left = sampling.max_new_tokens - writing.drawn
                tokens = iter(writer.write(writing.all_ids, sampling.model_copy(update={"max_new_tokens": left})))
            token = next(tokens, None)
            writing.seconds += time.perf_counter() - began
            if token is None:
                writing.state = "full"
                return
            writing.drawn += 1
            writing.tokens.append(token)
            if token.end:
                writing.state = "ended"
                return
            yield True
        writing.state = "stopped"

    def _newest_writer(self, source: CheckpointRef) -> Writer | None:
        """The checkpoint that `source` stands for now, loaded; None where there is none yet."""
        while (step := source.step()) is not None:
            try:
                return self._writer(source.run, step)
            except TinyLMError:
                if source.step() == step:  # else it was pruned while it was being read, and there is a newer one
                    raise
        return None

    def _writer(self, run: RunFolder, step: int) -> Writer:
        """One that is loaded already, else loaded now; those not used for longest go once it is there."""
        path = run.checkpoints / f"step-{step:08d}"
        key = path, _changed(path)  # a step that was saved a second time is another checkpoint
        if not key[1]:  # it was pruned: what is loaded of it writes on as long as it is kept
            key = next((kept for kept in self._kept if kept[0] == path), key)
        writer = self._kept.pop(key, None) or self._engine.writer(run, str(step))
        self._kept[key] = writer
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return writer
