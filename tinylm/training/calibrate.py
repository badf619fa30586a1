"""Measures how fast a model trains on this machine, and chooses the backend, its threads and its precision."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tinylm.config import resolve
from tinylm.config.schema import ModelConfig, RunConfig
from tinylm.data.batches import Batches, Corpus
from tinylm.errors import DataError
from tinylm.hardware import autotune, measured, memory
from tinylm.hardware.autotune import TimedPass
from tinylm.hardware.capture import Replay, capture, warm_up
from tinylm.hardware.device import MEASURE_SECONDS, Precision, cores, machine_name, release_memory
from tinylm.hardware.measured import Speed
from tinylm.kernels import compiler, train_pass
from tinylm.model import dropout
from tinylm.model.gradients import eager_pass
from tinylm.model.transformer import Transformer
from tinylm.planning import sizing, time_budget
from tinylm.training.backend import Backend, captures_steps, expected_speedup, known_fastest, speed_key
from tinylm.training.build import batches_of, initial_model
from tinylm.training.cuda_graph import WARM_UP_STEPS
from tinylm.training.step import fitting_micro_batch

SAME_SPEED = 1.25
"""Speeds that differ by less than this factor are the same within what timings vary."""

CALIBRATION_TOKENS = 1024
"""Tokens of the forward and backward pass that is timed."""

SHORTEST_CONTEXT = 8
"""The shortest context that `fit_size` chooses for a text."""


def calibrate(
    config: RunConfig, model: Transformer, batches: Batches, home: Path, micro_batch: int, decided: str = ""
) -> Backend:
    """Choose the backend of a run, its threads and its precision, by timing a small pass of its first batch.

    Sets torch's thread count. `micro_batch` is the number of sequences that fit in a pass, `decided` the backend that
    the run's state holds, empty for a new run.
    """
    code = None if decided == "eager" else train_pass.load_if_built(config, model.embedding.weight.device, home)
    backend = _timed(config, model, batches, home, code, micro_batch, may_compile=decided != "eager")
    if backend.kind == "kernels" and not decided and config.train.compile == "auto":
        key = speed_key(home, config.model, model.vocab_size, backend.precision, backend.threads)
        if known_fastest(home, key) == "eager":
            note = "torch's own operations were faster here than our passes before, so nothing is compiled."
            backend = _timed(config, model, batches, home, None, micro_batch, may_compile=False, note=note)
    return backend


def _timed(
    config: RunConfig,
    model: Transformer,
    batches: Batches,
    home: Path,
    code: ctypes.CDLL | None,
    micro_batch: int,
    *,
    may_compile: bool,
    repeats: int = 1,
    note: str | None = None,
) -> Backend:
    """The backend with the kernels `code`, or eager without; threads and precision measured or from the cache.

    Its `token_seconds` are the best of `repeats` timings. Where memory runs out, the pass is halved.
    """
    device = model.embedding.weight.device
    will_compile = code is None and may_compile and _may_compile(config, device)
    shape = autotune.shape_name(config, model.vocab_size, kernels=will_compile or code is not None)
    sequences = _calibration_sequences(config, device, micro_batch, kernels=code is not None)
    while True:
        timed_pass, tokens = _small_pass(config, model, batches, code, sequences)
        try:
            setting = autotune.choose(config.train, device, timed_pass, home, shape, before_kernels=will_compile)
            seconds = min(autotune.timed(timed_pass, setting.precision) for _ in range(repeats))
            break
        except (MemoryError, RuntimeError) as error:
            if sequences == 1 or memory.out_of_memory(error, device) is None:
                raise
        release_memory(device)  # outside the handler, whose traceback keeps the tensors of the pass alive
        sequences = (sequences + 1) // 2
    notes = tuple(each for each in (note, setting.note) if each)
    kind = "eager" if code is None else "kernels"
    return Backend(kind, setting.threads, setting.precision, seconds / tokens, notes)  # type: ignore[arg-type]


def _calibration_sequences(config: RunConfig, device: torch.device, micro_batch: int, *, kernels: bool) -> int:
    """Sequences of the pass that is timed.

    With kernels each core gets a sequence. On a GPU it is a pass of the run: a small one is bound by launches.
    """
    if device.type == "cuda":
        return micro_batch
    sequences = max(1, min(micro_batch, CALIBRATION_TOKENS // config.model.block_size))
    return max(sequences, min(config.train.batch_size, cores())) if kernels else sequences


def _small_pass(
    config: RunConfig, model: Transformer, batches: Batches, code: ctypes.CDLL | None, sequences: int
) -> tuple[TimedPass, int]:
    """A pass over the first sequences of a run, and its number of tokens."""
    ids, targets = (part[:sequences] for part in batches.draw(0))
    noise = dropout.key(0, 0, ids.device) if config.model.dropout else None
    if captures_steps(config, ids.device):
        return _captured_pass(model, ids, targets, noise), ids.numel()
    return train_pass.pass_to_time(code, model, ids, targets, noise), ids.numel()


def _captured_pass(model: Transformer, ids: Tensor, targets: Tensor, noise: dropout.Key | None) -> TimedPass:
    """A pass on CUDA as a run does it: captured once for each precision, then replayed."""
    weights = list(model.parameters())

    @cache
    def replay(precision: Precision) -> Replay:
        def work() -> Tensor:
            return eager_pass(model, weights, precision, 1.0, ids, targets, noise)[0]

        for _ in range(WARM_UP_STEPS):
            warm_up(work)
        try:
            return capture("step", work)
        except RuntimeError:
            return work

    return lambda precision: replay(precision)().item()


def fit_size(config: RunConfig, corpus: Corpus, device: torch.device, home: Path) -> tuple[RunConfig, list[str]]:
    """The configuration with the sizes that `train.fit` chooses, and notes for people; unchanged where it is off.

    Without a time budget only the context is fitted, to texts that are too short for it. Times the preset's own model.
    On a CPU the run keeps the precision that suits it.
    """
    if not config.train.fit:
        return config, []
    preset_context = config.model.block_size
    config = _with_context_for_texts(config, corpus)
    if not sizing.wanted(config):
        shorter = f"The text is short, so the context is {config.model.block_size} tokens, not {preset_context}."
        notes = [shorter] if config.model.block_size < preset_context else []
        return resolve.with_values(config, train={"fit": False}), notes
    vocab_size = corpus.tokenizer.vocab_size
    micro_batch = fitting_micro_batch(config, vocab_size, device)
    model, (batches, *_) = initial_model(config, corpus).to(device), batches_of(config, corpus)
    code = train_pass.load_if_built(config, device, home)
    # The first timing may be cold.
    first = _timed(config, model, batches, home, code, micro_batch, may_compile=True, repeats=2)
    speedup, setup_seconds = expected_speedup(config.train, device, first)
    stream = batches.stream
    text = sizing.TextStats(stream.tokens, stream.document_length())
    speed = _remembered(config, vocab_size, device, home, Speed(first.token_seconds / speedup, setup_seconds))
    fit = sizing.fitted(config, vocab_size, text, speed.token_seconds, speed.startup_seconds)
    # Another size needs another thread count: the smallest models are fastest on one.
    same = all(getattr(fit.config.model, name) == getattr(config.model, name) for name in ("n_layer", "n_embd"))
    # On a GPU the precision is measured again too: the larger a model, the more it gains from half precision.
    fixed: dict[str, object] = {"precision": first.precision} if same or device.type == "cpu" else {}
    fixed |= {"threads": first.threads} if same else {}
    return resolve.with_values(fit.config, train=fixed), [fit.in_words(), *(first.notes if same else ())]


def _with_context_for_texts(config: RunConfig, corpus: Corpus) -> RunConfig:
    """The configuration with half the context and twice the batch until the texts of each phase are long enough for it.

    DataError where they are too short for any.
    """
    while True:
        try:
            batches_of(config, corpus)
        except DataError:
            model, train = config.model, config.train
            if model.block_size // 2 < SHORTEST_CONTEXT:
                raise
            model_changes, train_changes = {"block_size": model.block_size // 2}, {"batch_size": 2 * train.batch_size}
            config = resolve.with_values(config, model=model_changes, train=train_changes)
        else:
            return config


def _remembered(config: RunConfig, vocab_size: int, device: torch.device, home: Path, speed: Speed) -> Speed:
    """The speed by which the size was chosen here the last time, unless the one measured now is clearly another.

    The same command twice then chooses the same numbers, also where the kernels are compiled only in the first run.
    """
    train = config.train
    key = measured.key(
        "speed", machine_name(device), str(torch.__version__), config.model, vocab_size,
        train.precision, train.threads, train.compile, time_budget.is_short(train),
    )  # fmt: skip
    before = measured.load(home, key, Speed)
    if before and 1 / SAME_SPEED <= speed.token_seconds / before.token_seconds <= SAME_SPEED:
        return before
    measured.store(home, key, speed)
    return speed


def _may_compile(config: RunConfig, device: torch.device) -> bool:
    """Whether the kernels may be compiled for a run."""
    return device.type == "cpu" and config.train.compile != "off" and compiler.find() is not None


def without_measuring(
    config: RunConfig, vocab_size: int, device: torch.device, home: Path
) -> tuple[ctypes.CDLL | None, Precision]:
    """The kernels (None for eager passes) and the precision of such a run, from what was measured here before."""
    code = train_pass.load_if_built(config, device, home)
    shape = autotune.shape_name(config, vocab_size, kernels=code is not None or _may_compile(config, device))
    precision = autotune.cached_precision(config.train, device, home, shape)
    key = speed_key(home, config.model, vocab_size, precision, torch.get_num_threads())
    return None if known_fastest(home, key) == "eager" and config.train.compile == "auto" else code, precision


SEQUENCES, VOCAB_SIZE = 4, 2048
"""Shape of the pass that `cpu_speeds` times: at least so many sequences, and one for each core."""


def fastest_threads(config: ModelConfig, limit: float = MEASURE_SECONDS) -> tuple[int, dict[int, int]]:
    """The thread count at which an eager model of this shape trains fastest, and tokens per second by count."""
    speeds = {count: speed for (_, count), speed in cpu_speeds(config, ["fp32"], limit, None).items()}
    return max(speeds, key=lambda count: speeds[count]), speeds


def cpu_speeds(
    config: ModelConfig, precisions: list[Precision], limit: float, code: ctypes.CDLL | None
) -> dict[tuple[Precision, int], int]:
    """Training tokens per second of a small pass on the CPU, by precision and threads; with kernels `code` or eager."""
    model = Transformer(config, VOCAB_SIZE, torch.Generator().manual_seed(0))
    ids = torch.zeros(max(SEQUENCES, cores()), config.block_size, dtype=torch.int64)
    timed_pass = train_pass.pass_to_time(code, model, ids, ids, None)
    seconds = autotune.measure(timed_pass, precisions, limit=limit)
    return {setting: round(ids.numel() / taken) for setting, taken in sorted(seconds.items())}
