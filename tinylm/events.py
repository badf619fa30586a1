"""The events that a training yields: frozen dataclasses, one JSON object a line.

The console, the app, `--json`, the run folder and the tests all read this one stream. Losses are nats per token,
`*_bpb` bits per byte of the cleaned text, `seconds` count from the start of the run, pauses left out.

Events that are made here are not checked, since a training makes one for every step; pydantic checks what is read.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, core_schema

MOST, LARGEST = 2**63, 1e39
"""Upper bounds of counts and of other numbers: nothing is counted or measured beyond them."""

Count = Annotated[int, Field(ge=0, lt=MOST)]
Number = Annotated[float, Field(gt=-LARGEST, lt=LARGEST)]


class _Strict:
    """Read without conversions: `1` is no truth value and `"1"` no number."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True)


@dataclass(frozen=True)
class Event(_Strict):
    """An event; `kind` stands first in its JSON, as `event`."""

    kind: ClassVar[str]

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind


@dataclass(frozen=True)
class RunStarted(Event, kind="run_started"):
    """The run folder exists and the model is built; `resumed_from` is the step of the checkpoint it resumes from."""

    run: str
    dir: str
    format: Count
    version: str
    utc: str
    parameters: Count
    device: str
    machine: str
    torch: str
    threads: Count
    precision: str
    compiled: bool
    resumed_from: Count | None


@dataclass(frozen=True)
class DataPrepared(Event, kind="data_prepared"):
    """The text is tokenized; `baselines` are bits per byte of the held-out text by simpler models.

    `unread` is the share of the training tokens that two epochs do not read; logs of earlier versions lack it.
    """

    bytes: Count
    tokens: Count
    vocab_size: Count
    train_tokens: Count
    val_tokens: Count
    val_bytes: Count
    baselines: dict[str, Number]
    unread: Number | None = None


@dataclass(frozen=True)
class PhaseSpan(_Strict):
    """The first and the last step of a phase, counted from 1."""

    name: str
    first: Count
    last: Count


@dataclass(frozen=True)
class Planned(Event, kind="planned"):
    """How long the run will be; a time budget is planned again as the machine's speed becomes known.

    `totals` are all the plans so far, as `planning.schedule.from_totals` takes them: pairs of the step that was done
    and the total planned there. Logs of earlier versions lack them.
    """

    steps: Annotated[Count, Field(ge=1)]
    seconds: Number | None
    phases: tuple[PhaseSpan, ...]
    totals: tuple[tuple[Count, Count], ...] = ()


@dataclass(frozen=True)
class StepDone(Event, kind="step"):
    """One optimizer step; norms are global L2 norms, of the gradient before clipping."""

    step: Count
    phase: str
    tokens: Count
    loss: Number | None
    lr: Number
    grad_norm: Number | None
    param_norm: Number | None
    norm_ratio: Number | None
    tokens_per_second: Number
    seconds: Number


@dataclass(frozen=True)
class EvalDone(Event, kind="eval"):
    """Losses on training and held-out text, measured on the same windows each time.

    Where weights are averaged, they are those of the better weights: `averaged` says that the average is better, and
    `other_val_loss` is the held-out loss of the worse. Logs of earlier versions lack both keys.
    """

    step: Count
    train_loss: Number | None
    val_loss: Number | None
    val_bpb: Number | None
    best: bool
    seconds: Number
    averaged: bool = False
    other_val_loss: Number | None = None


@dataclass(frozen=True)
class Sampled(Event, kind="sample"):
    """A text that the model wrote at this step."""

    step: Count
    prompt: str
    text: str


@dataclass(frozen=True)
class CheckpointSaved(Event, kind="checkpoint"):
    """A checkpoint was written completely; `path` is relative to the run folder."""

    step: Count
    path: str
    best: bool
    seconds: Number


@dataclass(frozen=True)
class Note(Event, kind="note"):
    """Something worth knowing that is not a problem: what was cut from a text, what was chosen."""

    message: str


@dataclass(frozen=True)
class Warned(Event, kind="warning"):
    """A problem that somebody should look at; the run continues."""

    title: str
    message: str
    hint: str


@dataclass(frozen=True)
class Paused(Event, kind="paused"):
    """The run was paused (`paused`) or continued."""

    step: Count
    paused: bool


@dataclass(frozen=True)
class Rescued(Event, kind="rescued"):
    """The run diverged at `step` and was rolled back to the checkpoint of step `back_to` (0: the beginning).

    The log was cut back to that checkpoint. `rescue` counts the rollbacks; from here on the planned learning rate is
    multiplied by `lr_scale`.
    """

    step: Count
    back_to: Count
    rescue: Count
    lr_scale: Number
    message: str


@dataclass(frozen=True)
class LrTried(Event, kind="lr_tried"):
    """A step of the learning-rate finder at `rate`, and the smoothed loss; `step` counts the sweep's steps from 1."""

    step: Count
    rate: Number
    loss: Number


@dataclass(frozen=True)
class LrFound(Event, kind="lr_found"):
    """The learning-rate finder's result: the rates of the sweep, in ascending order, and the smoothed loss at each.

    `step` is the run's step whose weights it began with (0: new weights). `suggestion` is a top rate for the schedule,
    None where the loss never fell or the sweep was too slow to get far enough. `diverged_at` is the rate at which the
    sweep stopped early, None where it was completed or ran out of time.
    """

    step: Count
    rates: tuple[Number, ...]
    losses: tuple[Number, ...]
    suggestion: Number | None
    diverged_at: Number | None

    def __post_init__(self) -> None:
        if len(self.rates) != len(self.losses):
            raise ValueError("there must be one loss for each of the rates")


@dataclass(frozen=True)
class Finished(Event, kind="finished"):
    """The end of a run at `step`, with the loss on the whole held-out text of the weights in `checkpoint`, the best.

    `reason` is budget, stopped or early_stop. `best_val_bpb` is what the evaluations during the run gave for
    `best_step`, on the part of the held-out text that they read.
    """

    reason: str
    step: Count
    tokens: Count
    seconds: Number
    val_loss: Number | None
    val_bpb: Number | None
    best_val_bpb: Number | None
    best_step: Count | None
    tokens_per_second: Number
    peak_memory_mb: Number
    checkpoint: str

    @property
    def selected_step(self) -> int:
        """The step of the checkpoint that the run is known by: the best, and without held-out text the last."""
        return self.step if self.best_step is None else self.best_step

    @property
    def measures_selected(self) -> bool:
        """Whether `val_loss` and `val_bpb` are known, and of that checkpoint; earlier versions measured the last."""
        return self.val_bpb is not None and self.checkpoint.endswith(f"-{self.selected_step:08d}")

    @property
    def selected_bpb(self) -> float | None:
        """Bits per byte of that checkpoint: on the whole held-out text, else on the part that evaluations read."""
        return self.val_bpb if self.measures_selected else self.best_val_bpb


@dataclass(frozen=True)
class Failed(Event, kind="failed"):
    """The end of a run that failed: what went wrong and how to fix it."""

    title: str
    message: str
    hint: str


KINDS: dict[str, type[Event]] = {event.kind: event for event in Event.__subclasses__()}

_CONTROL = re.compile("[\x7f-\x9f]")
"""Control characters that JSON leaves as they are, and some terminals obey."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=vars).encode


def to_json(event: Event) -> str:
    """The event as a line of JSON, without the line end; non-finite numbers become null."""
    table = {"event": event.kind} | vars(event)
    try:
        line = _encode(table)
    except ValueError:  # a number is not finite
        line = _encode(json.loads(json.dumps(table, default=vars), parse_constant=lambda _: None))
    line = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
    return line.encode("utf-8", "replace").decode("utf-8")  # names of files may contain lone surrogates


def from_json(line: str | bytes) -> Event | None:
    """The event on a line, None where its kind is unknown; unknown keys are skipped.

    Raises ValueError where the line is no event: torn, not JSON, without the keys of its kind, or with values that
    they cannot have. So nobody who reads events has to check types again.
    """
    try:
        event: Event = _validator().validate_json(line)
    except ValidationError as error:
        fault = error.errors()[0]
        if fault["type"] == "union_tag_invalid" and isinstance(fault["input"]["event"], str):
            return None
        raise
    return event


@cache
def _validator() -> SchemaValidator:
    """All kinds in one validator that chooses by the key `event`, which is no field of the dataclasses."""
    schemas = {kind: TypeAdapter(event).core_schema for kind, event in KINDS.items()}
    return SchemaValidator(core_schema.tagged_union_schema(schemas, discriminator="event"))
