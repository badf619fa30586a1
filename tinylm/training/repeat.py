"""Repeats a run to the bit: records what it decides by its clock, and lets another run decide the same.

With the same text, settings, threads and backend, all that a run computes is a function of its steps. What is not is
when it replans, switches to the kernels, rolls back and ends: these are its decisions, and `Repeat` holds them.
"""

from __future__ import annotations

import torch

from tinylm import __version__
from tinylm.config.schema import Decision, Repeat, RunConfig
from tinylm.events import Warned
from tinylm.hardware import measured
from tinylm.hardware.device import machine_name
from tinylm.kernels import compiler
from tinylm.runs.checkpoint import TrainState

_NO_EFFECT = {
    "format": True,
    "preset": True,
    "sample": True,
    "train": {"checkpoint_interval", "checkpoint_seconds", "keep_checkpoints"},
    "repeat": True,
}
"""Settings that may be others in a run that repeats one."""


def settings_hash(config: RunConfig) -> str:
    """A hash of the settings that have an effect on training."""
    return measured.key(config.model_dump(mode="json", exclude=_NO_EFFECT))  # type: ignore[arg-type]


def begun(config: RunConfig, device: torch.device, text: str) -> Repeat:
    """The recording of a new run, before threads and precision are chosen; `text` is the key of its prepared texts."""
    return Repeat(
        version=__version__,
        torch=str(torch.__version__),
        machine=machine_name(device),
        device=device.type,
        threads=0,
        precision="",
        backend="eager",
        text=text,
        eval_interval=config.train.eval_interval,
        sample_interval=config.train.sample_interval,
    )


def gone_on(recorded: Repeat | None, here: Repeat) -> Repeat:
    """The recording of a run that is resumed: `recorded` so far, and `here` is what a new one would begin with."""
    if recorded is None:  # by an earlier version
        return here.model_copy(update={"exact": False})
    names = ("version", "torch", "machine", "device", "threads", "precision")
    now = {name: getattr(here, name) for name in names}
    exact = recorded.exact and all(getattr(recorded, name) == value for name, value in now.items())
    return recorded.model_copy(update={**now, "exact": exact})


def obstacle(repeat: Repeat, config: RunConfig, here: Repeat) -> str | None:
    """Why a run with `config`, whose recording would begin as `here`, cannot repeat another; None where it can."""
    if repeat.ended is None:
        return "it has not come to its end"
    if not repeat.exact:
        return "threads, machine or memory changed while it trained"
    if (repeat.machine, repeat.device) != (here.machine, here.device):
        return "it was trained on another machine"
    if (repeat.version, repeat.torch) != (here.version, here.torch):
        return "it was trained with another version of this program or of torch"
    if repeat.text != here.text:
        return "its text was another one, or was read and split otherwise"
    if repeat.settings != settings_hash(config):
        return "other settings are given now"
    if repeat.backend == "kernels" and compiler.find() is None:
        return "its passes were compiled, and there is no C++ compiler here"
    return None


class Decisions:
    """The decisions of a run: those that it records in its state, and those of the run that it repeats, if any."""

    def __init__(self, state: TrainState, repeated: Repeat | None) -> None:
        assert state.repeat is not None
        self._state = state
        self.repeated = repeated
        """The recording of the run that is repeated; None in a run that decides for itself."""
        self.warnings: list[Warned] = []
        """Warnings that were not yielded yet; the loop takes them out."""
        if repeated and repeated.decisions[: len(self.made)] != self.made:
            self.give_up()

    @property
    def made(self) -> list[Decision]:
        """The decisions made so far, those after a rollback included."""
        return self.recorded.decisions

    @property
    def recorded(self) -> Repeat:
        """The recording so far."""
        assert self._state.repeat is not None
        return self._state.repeat

    def table(self, config: RunConfig, backend: str, ended: bool) -> Repeat:
        """What the run's config.toml holds of it; a run that repeats another holds all of that one's."""
        last = self._state.step if ended else None
        repeat = self.repeated or self.recorded.model_copy(update={"backend": backend, "ended": last})
        return repeat.model_copy(update={"settings": settings_hash(config)})

    def record(self, decision: Decision) -> None:
        """Record a decision; one that the repeated run did not make ends the repetition."""
        expected = self._next()
        self._update(decisions=[*self.made, decision])
        if self.repeated and decision != expected:
            self.give_up()

    def due(self) -> Decision | None:
        """The next decision of the repeated run, if it made it after the current step; rollbacks come by themselves."""
        decision = self._next()
        return decision if decision and decision.kind != "rollback" and decision.step == self._state.step else None

    def next_rollback_to(self) -> int | None:
        """The step that the next rollback of the repeated run leads to; None where none is left."""
        to_come = self.repeated.decisions[len(self.made) :] if self.repeated else []
        return next((decision.to for decision in to_come if decision.kind == "rollback"), None)

    def give_up(self) -> None:
        """Say that the run computes otherwise from here on: it repeats none any more, and cannot be repeated."""
        self._update(exact=False)
        if self.repeated is None:
            return
        self.repeated = None
        self.warnings.append(
            Warned(
                title="The run is no longer a repetition",
                message=f"After step {self._state.step:,} it went another way than the run that it repeats.",
                hint="It goes on by a plan of its own.",
            )
        )

    def _next(self) -> Decision | None:
        made = len(self.made)
        return self.repeated.decisions[made] if self.repeated and made < len(self.repeated.decisions) else None

    def _update(self, **changes: object) -> None:
        self._state.repeat = self.recorded.model_copy(update=changes)
