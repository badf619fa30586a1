"""The event vocabulary: one JSON line there and back, and what readers skip or refuse."""

import json
import math
from dataclasses import fields, replace

import pytest

from tinylm import events
from tinylm.events import Event, from_json, to_json

KEYS = {
    "run_started": "run dir format version utc parameters device machine torch threads precision compiled resumed_from",
    "data_prepared": "bytes tokens vocab_size train_tokens val_tokens val_bytes baselines unread",
    "planned": "steps seconds phases totals",
    "step": "step phase tokens loss lr grad_norm param_norm norm_ratio tokens_per_second seconds",
    "eval": "step train_loss val_loss val_bpb best seconds averaged other_val_loss",
    "sample": "step prompt text",
    "checkpoint": "step path best seconds",
    "warning": "title message hint",
    "note": "message",
    "paused": "step paused",
    "rescued": "step back_to rescue lr_scale message",
    "lr_tried": "step rate loss",
    "lr_found": "step rates losses suggestion diverged_at",
    "finished": "reason step tokens seconds val_loss val_bpb best_val_bpb best_step tokens_per_second peak_memory_mb "
    "checkpoint",
    "failed": "title message hint",
}
"""The contract's table, and our own: `note`, `lr_tried`, the last of `planned`, and of an `eval` its last two."""

ADDED = {"averaged", "other_val_loss", "totals", "unread"}
"""Keys that logs of earlier versions lack."""

STEP = events.StepDone(3, "train", 96, 4.25, 1e-3, 0.5, 20.0, 40.0, 1234.5, 0.75)
PLANNED = events.Planned(12, None, (events.PhaseSpan("one", 1, 6), events.PhaseSpan("two", 7, 12)))
LR_FOUND = events.LrFound(0, (1e-5, 1e-3, 1e-1), (7.75, 4.5, 9.25), 4.2e-4, 1e-1)
ALL = [
    events.RunStarted("a", "/x/ü", 1, "0.1.0", "2026-01-01T00:00:00+00:00", 9, "cpu", "m", "2", 1, "fp32", False, None),
    events.RunStarted("a", "/x", 1, "0.1.0", "2026-01-01T00:00:00+00:00", 9, "cpu", "m", "2", 1, "fp32", True, 40),
    events.DataPrepared(100, 50, 300, 45, 5, 10, {"blind": 5.0, "gzip": 2.5}, 0.25),
    events.DataPrepared(100, 50, 300, 45, 5, 10, {}),
    PLANNED,
    events.Planned(12, 120.0, (events.PhaseSpan("one", 1, 12),), ((0, 9), (4, 12))),
    STEP,
    events.EvalDone(3, 4.0, None, None, False, 1.0),
    events.Sampled(3, "Once\u2028\n", 'quoted "text" \\ \x1b[31m \ufffd 🦊'),
    events.CheckpointSaved(3, "checkpoints/step-00000003", True, 1.5),
    events.Note("Two files were left out."),
    events.Warned("A", "b.", "c."),
    events.Paused(3, True),
    events.Rescued(14, 10, 1, 0.5, "It went back."),
    events.LrTried(1, 1e-5, 7.75),
    LR_FOUND,
    events.LrFound(0, (), (), None, None),
    events.Finished("budget", 12, 384, 3.0, 3.5, 2.5, 2.5, 12, 1000.0, 99.0, "checkpoints/step-00000012"),
    events.Failed("A", "b.", "c."),
    events.EvalDone(3, 4.0, 3.5, 2.5, True, 1.0, averaged=True, other_val_loss=3.75),
]


def test_every_kind_is_here() -> None:
    assert {event.kind for event in ALL} == set(events.KINDS) == set(KEYS)


@pytest.mark.parametrize("kind", KEYS)
def test_the_keys_are_those_of_the_contract(kind: str) -> None:
    assert [field.name for field in fields(events.KINDS[kind])] == KEYS[kind].split()


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.kind)
def test_there_and_back(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert "\r" not in line
    table = json.loads(line)
    assert list(table) == ["event", *KEYS[event.kind].split()]
    assert table["event"] == event.kind
    assert from_json(line) == event
    assert from_json(line.encode() + b"\n") == event


def test_a_phase_has_a_name_and_two_steps() -> None:
    table = json.loads(to_json(PLANNED))
    assert table["phases"][1] == {"name": "two", "first": 7, "last": 12}
    table["phases"] = [{**phase, "colour": "red"} for phase in table["phases"]]
    assert from_json(json.dumps(table)) == PLANNED, "unknown keys are skipped"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_become_null(number: float) -> None:
    table = json.loads(to_json(replace(STEP, loss=number, grad_norm=number)), parse_constant=pytest.fail)
    assert table["loss"] is None
    assert table["grad_norm"] is None
    assert table["lr"] == 1e-3
    inside = json.loads(to_json(replace(ALL[2], baselines={"blind": number})), parse_constant=pytest.fail)
    assert inside["baselines"] == {"blind": None}


def test_an_unknown_kind_is_skipped() -> None:
    assert from_json('{"event": "hologram", "depth": 3}') is None


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.kind)
def test_unknown_keys_are_skipped(event: Event) -> None:
    assert from_json(json.dumps(json.loads(to_json(event)) | {"colour": "red", "kind": 3})) == event


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        *((PLANNED, {"phases": phases}) for phases in (3, [3], [{}], None, [{"name": "a", "first": 1}], "ab")),
        *(
            (LR_FOUND, {"losses": losses})  # not one number for each rate
            for losses in (3, None, "ab", [7.75, 4.5], [7.75, 4.5, None], [7.75, 4.5, "9"], [7.75, 4.5, True])
        ),
    ],
)
def test_lists_of_the_wrong_form_are_no_event(event: Event, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(json.dumps(json.loads(to_json(event)) | wrong))


def test_a_log_of_an_earlier_version_is_read() -> None:
    line = (
        '{"event": "eval", "step": 3, "train_loss": 4.0, "val_loss": 3.5, "val_bpb": 2.5, "best": true, "seconds": 1.0}'
    )
    assert from_json(line) == events.EvalDone(3, 4.0, 3.5, 2.5, True, 1.0, averaged=False, other_val_loss=None)
    with pytest.raises(ValueError, match="averaged"):
        from_json(line.replace("}", ', "averaged": 1}'))


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.kind)
def test_a_missing_key_is_no_event(event: Event) -> None:
    for key in KEYS[event.kind].split():
        if key in ADDED:
            continue
        table = json.loads(to_json(event))
        del table[key]
        with pytest.raises(ValueError, match=key):
            from_json(json.dumps(table))


def test_a_torn_line_is_no_event() -> None:
    line = to_json(ALL[7]).encode()
    for end in range(len(line)):
        with pytest.raises(ValueError, match=r"."):
            from_json(line[:end])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "3",
        "null",
        "[]",
        '"step"',
        "{}",
        '{"event": 3}',
        '{"event": null}',
        '{"event": ["step"]}',
        "[" * 100000,
        '{"event": "step", "a": ' + "[" * 100000,
        b"\xff\xfe",
        "{'event': 'note'}",
        "9" * 5000,
        '{"event":"note"',
    ],
)
def test_other_lines_are_no_events(line: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(line)


def test_events_do_not_change() -> None:
    with pytest.raises(AttributeError):
        STEP.step = 4  # type: ignore[misc]
