"""The thread that holds loaded checkpoints and generates text; screens read what it has appended so far.

Neither side waits for the other: a request is a `Completion` that is put into a queue, and the thread appends tokens to
it until it is complete or asked to stop. Between tokens the thread sleeps for a moment, so that the app answers keys
while a model writes and a training runs beside it.
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
    from tinylm.inference.prompt import Prompt
    from tui.engine import Engine, Writer

BREATH = 0.0002
"""Seconds of sleep after each round of tokens: long enough that a thread waiting for the interpreter gets it."""

POLL_SECONDS = 0.1
"""How often the thread looks for a checkpoint that is not saved yet."""

KEPT = 2
"""Checkpoints that stay loaded: the two that are compared."""

State = Literal["waiting", "loading", "writing", "stopped", "ended", "full", "failed"]
"""Waiting for a checkpoint, loading it, writing; then why it is over: a person, the model, the length, an error."""


def saved_steps(run: RunFolder) -> list[int]:
    """The steps of a run's checkpoints, ascending; from the names of folders, without torch."""
    try:
        names = [path.name for path in run.checkpoints.iterdir()]
    except OSError:
        return []
    return sorted(int(name[5:]) for name in names if re.fullmatch(r"step-\d{8}", name))


def newest_run(home: Path) -> RunFolder | None:
    """The run that was trained last, of those with a checkpoint if there are any; None where there is no run."""
    runs = folder.list_runs(home)
    return max(
        [run for run in runs if saved_steps(run)] or runs, key=lambda run: _modified(run.events_file), default=None
    )


def _modified(path: Path) -> int:
    """Modification time in nanoseconds; 0 where the path does not exist."""
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
        """The step that it names now; None where nothing has been saved yet."""
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
    """A text that a checkpoint continues. The thread appends to it, the screen reads it."""

    checkpoint: CheckpointRef
    prompt: str
    sampling: SampleConfig
    fitted: Prompt | None = None
    """What the model reads of the prompt; None until its tokenizer has encoded it."""
    tokens: list[WrittenToken] = field(default_factory=list)
    """Written so far; the first ones may come from the version from which this one branched."""
    forced: WrittenToken | None = None
    """A token that a person chose, to be appended to `tokens` before the model continues."""
    kept: int = 0
    """How many of `tokens` were there before the model began: a version with another seed keeps them."""
    state: State = "waiting"
    step: int | None = None
    """Of the checkpoint, once it is loaded."""
    begins_like: str = ""
    """A new text by a model that has seen few texts begin: like a paragraph or a line."""
    error: Exception | None = None
    drawn: int = 0
    seconds: float = 0.0
    """Tokens drawn since the last request, and the model's own time for them."""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def busy(self) -> bool:
        """Whether more tokens may come."""
        return self.state in ("waiting", "loading", "writing")

    @property
    def text(self) -> str:
        """The prompt and what the model wrote."""
        return self.prompt + "".join(token.text for token in self.tokens)

    @property
    def written(self) -> list[int]:
        """The ids of its tokens."""
        return [token.token for token in self.tokens]

    def append(self, token: WrittenToken) -> None:
        """Append a token; the text of the first lacks what the prompt ends with already."""
        if not self.tokens and self.fitted:
            token = replace(token, text=self.fitted.after(token.text))
        self.tokens.append(token)

    @property
    def speed(self) -> float | None:
        """Tokens per second of the model's own time."""
        return self.drawn / self.seconds if self.drawn and self.seconds > 0 else None

    def reopen(self, sampling: SampleConfig) -> None:
        """Get ready for another request, which continues where this one ended."""
        self.sampling, self.state, self.error = sampling, "waiting", None
        self.drawn, self.seconds = 0, 0.0
        self.stop = threading.Event()

    def tune(self, sampling: SampleConfig) -> None:
        """Change the settings for the tokens still to come; the seed stays, since the text is known by it."""
        sampling = sampling.model_copy(update={"seed": self.sampling.seed})
        if sampling != self.sampling:
            self.sampling = sampling

    def again(self, sampling: SampleConfig) -> Completion:
        """Another version of it: the same prompt, and the token that a person forced with all before it."""
        return Completion(
            self.checkpoint, self.prompt, sampling, self.fitted, self.tokens[: self.kept], self.forced, self.kept
        )

    def branched(self, index: int, candidate: TokenCandidate, sampling: SampleConfig) -> Completion:
        """Another version of it with `candidate` as the token at `index` and the same tokens before.

        It is continued by the checkpoint that wrote it, even where `latest` is another one now, if it is still kept.
        """
        replaced = self.tokens[index]
        checkpoint = self.checkpoint
        if self.step is not None and self.step in saved_steps(checkpoint.run):
            checkpoint = CheckpointRef(checkpoint.run, str(self.step))
        forced = replace(
            replaced, token=candidate.token, text=candidate.text, probability=candidate.probability, end=candidate.end
        )
        return Completion(checkpoint, self.prompt, sampling, self.fitted, self.tokens[:index], forced, index + 1)


class WriterThread:
    """The thread. It is a daemon: leaving the program never waits for a text."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: SimpleQueue[Sequence[Sequence[Completion]] | CheckpointRef | None] = SimpleQueue()
        self._loaded: dict[tuple[Path, int], Writer] = {}
        self._requested: Sequence[Completion] = ()
        self._tasks: list[Iterator[bool]] = []
        """What the thread is doing, a step of each in turn; each tells whether it had something to do."""
        self._thread = threading.Thread(target=self._work, name="talking", daemon=True)

    @property
    def _active(self) -> list[Completion]:
        return [completion for completion in self._requested if completion.busy and not completion.stop.is_set()]

    @property
    def busy(self) -> bool:
        """Whether a text is being written."""
        return bool(self._active)

    def ask(self, *completions: Completion) -> None:
        """Write these in turn, token by token. Whatever else was being written stops and stays as it is."""
        self._request([[completion] for completion in completions])

    def ask_batch(self, completions: Sequence[Completion]) -> None:
        """Write these in one batch, at nearly the price of one; they differ in nothing but their seeds."""
        self._request([completions])

    def _request(self, batches: Sequence[Sequence[Completion]]) -> None:
        requested = [completion for batch in batches for completion in batch]
        for before in self._requested:
            if before not in requested:
                before.stop.set()
        self._requested = requested
        self._put(batches)

    def prepare(self, checkpoint: CheckpointRef) -> None:
        """Load a checkpoint that will probably be asked for."""
        if not self.busy:
            self._put(checkpoint)

    def tune(self, sampling: SampleConfig) -> None:
        """Use other settings from the next token on."""
        for completion in self._active:
            completion.tune(sampling)

    def stop(self) -> None:
        """Write no further; the tokens stay."""
        for completion in self._requested:
            completion.stop.set()

    def close(self) -> None:
        """End the thread."""
        self.stop()
        self._put(None)

    def _put(self, job: Sequence[Sequence[Completion]] | CheckpointRef | None) -> None:
        self._jobs.put(job)
        if not self._thread.ident:
            self._thread.start()

    # ---- in the thread --------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if isinstance(job, CheckpointRef):
                with contextlib.suppress(Exception):  # nobody asked yet: the request will say what is wrong
                    self._load_newest(job)
            else:
                self._tasks = [self._guarded(batch, self._complete(batch)) for batch in job]
                self._run_tasks()

    def _run_tasks(self) -> None:
        while self._tasks:
            worked = False
            for task in list(self._tasks):
                try:
                    worked = next(task) or worked
                except StopIteration:
                    self._tasks.remove(task)
            if self._tasks:
                time.sleep(BREATH if worked else POLL_SECONDS)

    def _guarded(self, batch: Sequence[Completion], task: Iterator[bool]) -> Iterator[bool]:
        try:
            yield from task
        except Exception as error:  # the outer edge of this thread: the screen shows it
            for completion in batch:
                if completion.busy:
                    completion.error, completion.state = error, "failed"

    def _complete(self, batch: Sequence[Completion]) -> Iterator[bool]:
        """Wait for the checkpoint, load it, put the forced token in its place, and write."""
        first = batch[0]
        while first.checkpoint.step() is None:
            if first.stop.is_set():
                for completion in batch:
                    completion.state = "stopped"
                return
            yield False
        for completion in batch:
            completion.state = "loading"
        writer = self._load_newest(first.checkpoint)
        assert writer is not None
        for completion in batch:
            completion.step = writer.step
            completion.begins_like = "" if completion.prompt.strip() else writer.begins_like
            if completion.fitted is None:
                completion.fitted = writer.fit(completion.prompt)
                completion.prompt = completion.fitted.text
            self._append_forced(writer, completion)
        yield from self._write(writer, [completion for completion in batch if completion.busy])

    def _append_forced(self, writer: Writer, completion: Completion) -> None:
        forced, completion.forced = completion.forced, None
        if forced is not None:
            before = [*(completion.fitted.ids if completion.fitted else ()), *completion.written]
            completion.append(replace(forced, text="" if forced.end else writer.text_after(before, forced.token)))
            if forced.end:
                completion.state = "ended"

    def _write(self, writer: Writer, batch: Sequence[Completion]) -> Iterator[bool]:
        """Draw tokens for texts that are alike so far, with a pause after each, until all of them are over.

        Where a person changes the settings of one, its tokens so far are read anew, and each goes on by itself.
        """
        if not batch:
            return
        for completion in batch:
            completion.state = "writing"
        settings = [completion.sampling for completion in batch]
        left = settings[0].max_new_tokens - batch[0].drawn
        sampling = settings[0].model_copy(update={"max_new_tokens": left})
        fitted = batch[0].fitted
        assert fitted is not None
        tokens = writer.write(fitted, batch[0].written, sampling, [each.seed for each in settings])
        while True:
            for completion in batch:
                if completion.state == "writing" and completion.stop.is_set():
                    completion.state = "stopped"
            active = [completion for completion in batch if completion.state == "writing"]
            if not active:
                return
            if any(completion.sampling is not before for completion, before in zip(batch, settings, strict=True)):
                self._tasks += [self._guarded([each], self._write(writer, [each])) for each in active]
                yield True
                return
            began = time.perf_counter()
            index, token = next(tokens, (0, None))
            elapsed = time.perf_counter() - began
            for completion in active:
                completion.seconds += elapsed
            if token is None:
                for completion in active:
                    completion.state = "full"
                return
            if (completion := batch[index]) in active:
                completion.drawn += 1
                completion.append(token)
                if token.end:
                    completion.state = "ended"
            yield True

    def _load_newest(self, checkpoint: CheckpointRef) -> Writer | None:
        """The checkpoint that `checkpoint` names now, loaded; None where there is none yet."""
        while (step := checkpoint.step()) is not None:
            try:
                return self._load(checkpoint.run, step)
            except TinyLMError:
                if checkpoint.step() == step:  # else it was pruned while it was being read, and there is a newer one
                    raise
        return None

    def _load(self, run: RunFolder, step: int) -> Writer:
        """A checkpoint that is loaded already, else loads it; then the least recently used ones are dropped."""
        path = run.checkpoints / f"step-{step:08d}"
        key = path, _modified(path)  # a step that was saved a second time is another checkpoint
        if not key[1]:  # it was pruned: if it is loaded, it can still write
            key = next((loaded for loaded in self._loaded if loaded[0] == path), key)
        writer = self._loaded.pop(key, None) or self._engine.writer(run, str(step))
        self._loaded[key] = writer
        while len(self._loaded) > KEPT:
            del self._loaded[next(iter(self._loaded))]
        return writer
