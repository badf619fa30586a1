"""Everything that the app asks of `tinylm`; torch is imported inside, in worker threads, after the first paint.

Tests replace it by a scripted engine, so that every screen runs without torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinylm.config import resolve
from tinylm.config.schema import STORIES, ModelConfig, RunConfig, SampleConfig
from tinylm.errors import TinyLMError
from tinylm.events import Event, LrFound, LrTried
from tinylm.runs.folder import RunFolder
from tinylm.training.control import Control

if TYPE_CHECKING:
    from tinylm.inference.prompt import Prompt
    from tinylm.preview.rehearsal import Rehearsal


MEASURE_SECONDS = 1.0
"""How long the measuring of threads may take: somebody may be waiting for the first step."""


@dataclass(frozen=True)
class Machine:
    """What the warm-up measured."""

    name: str
    device: str
    torch: str
    threads: int
    tokens_per_second: dict[int, int]
    """Of the model that was measured, by thread count."""


@dataclass(frozen=True)
class TokenCandidate:
    """A token that could come next, as text."""

    token: int
    text: str
    probability: float
    """The model's own."""
    drawn: float
    """The probability it is sampled with, after temperature and filters; 0 where a filter excludes it."""
    end: bool = False
    """Whether it is the end-of-text token."""


@dataclass(frozen=True)
class WrittenToken:
    """A token that a model sampled."""

    token: int
    text: str
    """The characters completed by it: usually its own, "" where it ends inside a character."""
    probability: float
    bits: float
    """The entropy of the model's distribution."""
    candidates: tuple[TokenCandidate, ...]
    end: bool = False
    """Whether it is the end-of-text token, which has no text."""


class Writer:
    """A loaded checkpoint that writes text."""

    def __init__(self, run: RunFolder, which: str) -> None:
        """Load it; TinyLMError where that fails. Call it from a worker thread."""
        from tinylm.data.tokenizer import PARAGRAPH_ENDS
        from tinylm.inference import load
        from tinylm.kernels import decode
        from tinylm.runs import checkpoint

        self.step = int(checkpoint.find(run, which).name.removeprefix("step-"))
        self._model, self._tokenizer = load.load_model(run, str(self.step))
        self._library = decode.load_in_background(run.home, self._model)
        self.begins_like = PARAGRAPH_ENDS.get(self._tokenizer.new_text, "")
        """What a new text begins like where the model has seen few texts begin: a paragraph or a line."""

    def fit(self, text: str) -> Prompt:
        """What the model reads of a prompt; DataError where it has characters that are not in the vocabulary."""
        from tinylm.inference.prompt import fit_prompt

        return fit_prompt(self._tokenizer, text, self._model.config.block_size)

    def write(
        self,
        prompt: Prompt,
        written: list[int],
        sampling: SampleConfig,
        seeds: Sequence[int],
        n_candidates: int = 10,
    ) -> Iterator[tuple[int, WrittenToken]]:
        """Continue `prompt`, behind which the ids `written` stand already, once for each seed, in one batch.

        An empty prompt begins a new text. Yields (index into `seeds`, token), one token of each text in turn.
        """
        import torch

        from tinylm.inference import generate

        torch.set_num_threads(1)
        tokenizer, library = self._tokenizer, self._library.result()
        ids = [*prompt.ids, *written]
        streams = [tokenizer.stream() for _ in seeds]
        for stream in streams:
            for token in ids[-4:]:  # the last tokens may have begun a character
                stream.feed(token)
        first = None if written else prompt.first
        for index, sampled in generate.continue_texts(
            self._model, tokenizer, ids, sampling, seeds, n_candidates, library, first
        ):
            candidates = tuple(
                TokenCandidate(
                    c.token,
                    self.text_of(c.token),
                    c.probability,
                    c.sampling_probability,
                    c.token == tokenizer.end_of_text,
                )
                for c in sampled.candidates
            )
            end = sampled.token == tokenizer.end_of_text
            text = "" if end else streams[index].feed(sampled.token)
            yield index, WrittenToken(sampled.token, text, sampled.probability, sampled.bits, candidates, end)

    def text_after(self, before: list[int], token: int) -> str:
        """The characters completed by `token` after the ids `before`; "" where it ends inside a character."""
        stream = self._tokenizer.stream()
        for begun in before[-4:]:  # a character has at most four bytes
            stream.feed(begun)
        return stream.feed(token)

    def text_of(self, token: int) -> str:
        """A single token, as text."""
        return "<|endoftext|>" if token == self._tokenizer.end_of_text else self._tokenizer.decode([token])


class Engine:
    """Starts trainings, previews and writers for the app."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        """Set once torch is loaded and threads are measured, or that has failed."""
        self._threads: tuple[ModelConfig, int] | None = None
        """The model that threads were measured for, and the best count."""

    def warm_up(self, home: Path, config: RunConfig) -> Machine:
        """Load torch and measure threads; meanwhile prepare the built-in stories, where they are the text of the plan.

        ImportError where torch cannot be loaded.
        """
        preparing = None
        if config.data.sources == [STORIES]:
            preparing = threading.Thread(target=_prepare, args=(config, home), name="stories", daemon=True)
            preparing.start()
        try:
            import torch

            from tinylm.hardware import device
            from tinylm.training import calibrate

            if preparing:
                preparing.join()  # it would disturb the measurement
            threads, speeds = calibrate.fastest_threads(config.model, MEASURE_SECONDS)
            self._threads = (config.model, threads)
        finally:
            self._ready.set()
        chosen = device.choose_device("auto")
        return Machine(device.machine_name(chosen), chosen.type, str(torch.__version__), threads, speeds)

    def train(self, config: RunConfig, home: Path, control: Control) -> Iterator[Event]:
        """The events of a new training; none where the person quit before it was set up."""
        self._ready.wait()
        if control.leave.is_set():
            return
        from tinylm.training import loop

        if config.train.threads == "auto" and self._threads and self._threads[0] == config.model:
            config = resolve.with_values(config, train={"threads": self._threads[1]})
        yield from loop.train(config, home, None, control)

    def resume(self, run: RunFolder, control: Control) -> Iterator[Event]:
        """The events of a resumed training; none where the person quit before it was set up."""
        self._ready.wait()
        if control.leave.is_set():
            return
        from tinylm.training import loop

        config = run.config()
        yield from loop.resume(resolve.resumed(config, config), run, control)

    def _take_threads(self) -> None:
        """Once torch is loaded, let it use the number of threads that was the fastest."""
        self._ready.wait()
        import torch

        if self._threads:
            torch.set_num_threads(self._threads[1])

    def rehearse(self, config: RunConfig, home: Path, cancelled: Callable[[], bool]) -> Rehearsal:
        """Time a few real steps; tinylm.preview.scratch.Cancelled once `cancelled` returns true."""
        self._take_threads()
        from tinylm.preview import rehearsal

        return rehearsal.rehearse(config, home, cancelled)

    def find(self, config: RunConfig, home: Path, cancelled: Callable[[], bool]) -> Iterator[LrTried | LrFound]:
        """Sweep the learning rate; tinylm.preview.scratch.Cancelled once `cancelled` returns true."""
        self._take_threads()
        from tinylm.preview import lr_finder

        yield from lr_finder.find(config, home, cancelled)

    def writer(self, run: RunFolder, which: str) -> Writer:
        """Load a checkpoint: `latest`, `best` or a step."""
        return Writer(run, which)


def _prepare(config: RunConfig, home: Path) -> None:
    """Prepare the texts of a plan into the cache; errors are left to the training, which meets them again."""
    from tinylm.data import prepare

    with suppress(TinyLMError, OSError):
        prepare.prepare(config, home)
