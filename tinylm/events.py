"""The vocabulary in which the engine speaks: frozen dataclasses, one JSON object a line.

The console, the app, `--json`, the run folder and the tests all read this one stream. Losses are nats per token,
`*_bpb` bits per byte of the cleaned text, `seconds` count from the start of the run, pauses left out.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """What all events share: a `kind` that stands first in the JSON as `event`."""

    kind: ClassVar[str] = ""


@dataclass(frozen=True)
class RunStarted(Event):
    """The run folder is there and the model is built; `resumed_from` is the step that it goes on from."""

    kind: ClassVar[str] = "run_started"
    run: str
    dir: str
    format: int
    version: str
    utc: str
    parameters: int
    device: str
    machine: str
    torch: str
    threads: int
    precision: str
    compiled: bool
    resumed_from: int | None


@dataclass(frozen=True)
class DataPrepared(Event):
    """The text is tokens; `baselines` are bits per byte of the held-out text by simpler means."""

    kind: ClassVar[str] = "data_prepared"
    bytes: int
    tokens: int
    vocab_size: int
    train_tokens: int
    val_tokens: int
    val_bytes: int
    baselines: dict[str, float]


@dataclass(frozen=True)
class PhaseSpan:
    """The first and the last step of a phase, both counted from 1."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Planned(Event):
    """How long the run will be; a time budget plans again as it learns the machine's speed."""

    kind: ClassVar[str] = "planned"
    steps: int
    seconds: float | None
    phases: tuple[PhaseSpan, ...]


@dataclass(frozen=True)
class StepDone(Event):
    """One optimizer step; norms are global L2 norms before clipping."""

    kind: ClassVar[str] = "step"
    step: int
    phase: str
    tokens: int
    loss: float | None
    lr: float
    grad_norm: float | None
    param_norm: float | None
    norm_ratio: float | None
    tokens_per_second: float
    seconds: float


@dataclass(frozen=True)
class EvalDone(Event):
    """Loss on the same windows of training and held-out text each time.

    Where weights are averaged too, it is that of the better ones; `averaged` says that these are the average, and
    `other_val_loss` is what the others have on held-out text.
    """

    kind: ClassVar[str] = "eval"
    step: int
    train_loss: float | None
    val_loss: float | None
    val_bpb: float | None
    best: bool
    seconds: float
    averaged: bool = False
    other_val_loss: float | None = None


@dataclass(frozen=True)
class Sampled(Event):
    """Text that the model wrote at this step."""

    kind: ClassVar[str] = "sample"
    step: int
    prompt: str
    text: str


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """A checkpoint is on the disk, whole; `path` is relative to the run folder."""

    kind: ClassVar[str] = "checkpoint"
    step: int
    path: str
    best: bool
    seconds: float


@dataclass(frozen=True)
class Note(Event):
    """Something a person should know, and nothing is wrong: what was cut from a text, what was chosen."""

    kind: ClassVar[str] = "note"
    message: str


@dataclass(frozen=True)
class Warned(Event):
    """Something that a person should look at; the run goes on."""

    kind: ClassVar[str] = "warning"
    title: str
    message: str
    hint: str


@dataclass(frozen=True)
class Paused(Event):
    """The run stands still (`paused`) or goes on again."""

    kind: ClassVar[str] = "paused"
    step: int
    paused: bool


@dataclass(frozen=True)
class Rescued(Event):
    """The run diverged at `step`, went back to the checkpoint of `back_to` (0: the beginning), and slows down.

    What the log had told after that is cut away; `lr_scale` is what the plan's learning rate is multiplied with.
    """

    kind: ClassVar[str] = "rescued"
    step: int
    back_to: int
    rescue: int
    lr_scale: float
    message: str


@dataclass(frozen=True)
class LrTried(Event):
    """The learning-rate finder did a step at `rate`; `loss` is its smoothed loss there.

    `step` counts the sweep's own steps, from 1.
    """

    kind: ClassVar[str] = "lr_tried"
    step: int
    rate: float
    loss: float


@dataclass(frozen=True)
class LrFound(Event):
    """The learning-rate finder's valley: the rates that it swept, upwards, and the smoothed loss at each.

    `step` is the run's step from whose weights it began (0: new ones). `suggestion` is a top rate for the schedule,
    None where there is no valley to take it from: the loss never fell, or the sweep was too slow to come far enough.
    `diverged_at` is the rate at which it ended early, None where it went all the way or its time was over.
    """

    kind: ClassVar[str] = "lr_found"
    step: int
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None
    diverged_at: float | None


@dataclass(frozen=True)
class Finished(Event):
    """The end of a run: the whole held-out text once, for the weights that `checkpoint` holds.

    `reason` is budget, stopped or early_stop.
    """

    kind: ClassVar[str] = "finished"
    reason: str
    step: int
    tokens: int
    seconds: float
    val_loss: float | None
    val_bpb: float | None
    best_val_bpb: float | None
    best_step: int | None
    tokens_per_second: float
    peak_memory_mb: float
    checkpoint: str


@dataclass(frozen=True)
class Failed(Event):
    """The other end of a run: what went wrong and how to mend it."""

    kind: ClassVar[str] = "failed"
    title: str
    message: str
    hint: str


KINDS: dict[str, type[Event]] = {event.kind: event for event in Event.__subclasses__()}

MOST, LARGEST = 2**63, 1e39
"""What whole numbers and others stay below: nothing is counted or measured beyond that."""

_STEERING = re.compile("[\x7f-\x9f]")
"""Control characters that JSON leaves as they are, and some terminals obey."""


def to_json(event: Event) -> str:
    """One line of JSON, without its line end; non-finite numbers become null."""
    line = json.dumps({"event": event.kind} | _plain(event), ensure_ascii=False, separators=(", ", ": "))
    line = _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    return line.encode("utf-8", "replace").decode("utf-8")  # a file name may hold what is no character


def from_json(line: str | bytes) -> Event | None:
    """The event on a line, or None where its kind is unknown; keys that we do not know are skipped.

    Raises ValueError where the line is no event at all: torn, not JSON, without the keys of its kind, or with values
    that they cannot have. What is told can be believed: nobody who folds events looks at types again.
    """
    if line[:1] not in ("{", b"{"):
        raise ValueError("not an event")
    try:
        table = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deep for an event") from None
    if not isinstance(table, dict) or not isinstance(table.get("event"), str):
        raise ValueError("not an event")
    event = KINDS.get(table["event"])
    if event is None:
        return None
    missing = _NEEDED[event] - table.keys()
    if missing:
        raise ValueError(f"a {table['event']} event without {', '.join(sorted(missing))}")
    values = {field.name: table[field.name] for field in fields(event) if field.name in table}
    for name, fits in _FITTING[event]:
        if name in values and not fits(values[name]):
            raise ValueError(f"a {table['event']} event whose {name} cannot be")
    if event is Planned:
        if values["steps"] < 1:
            raise ValueError("a plan of no step")
        values["phases"] = tuple(PhaseSpan(span["name"], span["first"], span["last"]) for span in values["phases"])
    if event is LrFound:
        if len(values["rates"]) != len(values["losses"]):
            raise ValueError("a valley whose rates and losses are not as many")
        values |= {name: tuple(values[name]) for name in ("rates", "losses")}
    return event(**values)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST


def _is_number(value: object) -> bool:
    return (type(value) is float or type(value) is int) and -LARGEST < value < LARGEST  # NaN is not


def _is_text(value: object) -> bool:
    """Whether it is a text that can be written again: halves of surrogate pairs cannot."""
    if type(value) is not str:
        return False
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def _are_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_row_of_numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _are_spans(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(span, dict)
        and _is_text(span.get("name"))
        and _is_count(span.get("first"))
        and _is_count(span.get("last"))
        for span in value
    )


_FITS: dict[Any, Callable[[object], bool]] = {
    int: _is_count,
    int | None: lambda value: value is None or _is_count(value),
    float: _is_number,
    float | None: lambda value: value is None or _is_number(value),
    bool: lambda value: type(value) is bool,
    str: _is_text,
    dict[str, float]: _are_numbers,
    tuple[float, ...]: _is_row_of_numbers,
    tuple[PhaseSpan, ...]: _are_spans,
}

_NEEDED = {event: {field.name for field in fields(event) if field.default is MISSING} for event in KINDS.values()}
"""The keys of an event that every version has told; what came later has a default."""

_FITTING = {event: [(field.name, _FITS[field.type]) for field in fields(event)] for event in KINDS.values()}


def _plain(value: Any) -> Any:
    """`value` as what JSON can hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Event | PhaseSpan):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
