"""Plan: all settings of the next training, the rehearsal of it, and the start."""

from __future__ import annotations

import time
from functools import cached_property
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import TinyLMError
from tinylm.words import counted, duration_with_units, printable
from tui.screens.base import StudioScreen
from tui.screens.plan import edits, explain, fields, lr_finder
from tui.screens.plan.form import ConfigForm
from tui.screens.plan.jobs import PlanJobs
from tui.screens.plan.pages import DifferencePage, FindPage, PresetPage, TomlPage
from tui.screens.plan.rehearsal import Doing, PlanState, RehearsalPane, fitting_paragraphs
from tui.studio import Studio
from tui.terminal.fit_text import first_fitting
from tui.terminal.keys import hidden
from tui.widgets.dialogs import Ask, AskText, Choice

WAIT = 0.7
"""Seconds without a change before a rehearsal starts."""

MAX_UNDO = 100


class PlanScreen(StudioScreen):
    """The form on the left, the rehearsal on the right, and the explanation of the marked field below."""

    MODE = "plan"
    HELP = """
# Plan

Every setting of the next training. *How long do you have?* comes first, then what matters most, then all others by
group: a heading opens with Enter, Space or →.

- **↑ ↓** another field, **← →** the next sensible value
- **Space** types a value: Enter takes it, Esc leaves it as it was; a text begins with its first letter
- **Backspace** takes the preset's, **ctrl+z** takes the last change back
- **/** finds a field by its name, title or help; **D** shows what is not as in the preset
- **+** and **-** add a phase behind the marked one, or take it away
- **y** is the whole plan as TOML; **ctrl+s** saves it as a preset of your own, **ctrl+o** loads one
- **e** explains the marked field at length
- **Enter** trains

**Fit** is a rule, fitted to measured runs: it picks layers, width, context, batch, rates and dropout for your text,
your time and this machine, beginning from the numbers in parentheses. It needs a time as budget. Choosing one of them
by hand turns it off, **Backspace** on the last that differs turns it on again.

A setting that differs from its preset has a ◆. Loading a preset keeps the texts and the budget where you chose them
yourself, and replaces the rest; a preset that you save has all settings but the texts.

The **rehearsal** does a few real steps after each change and leaves nothing behind: how fast it is here, how much
memory and disk it takes, how many steps fit. Until it is done, what stands there *was* so with the plan before.
**t** does it again. It rests while a run trains.

**F** finds a learning rate: some sixty steps on copies of the first batches, each with a higher rate, show in ten
seconds or so where the loss falls and where it turns. **F** again takes the suggested rate over as the top rate of the
first phase, and of all others that have the same one and the same texts, and turns Fit off with what it chose kept;
**Esc** stops it, or leaves the plan as it is.
"""
    DEFAULT_CSS = """
    PlanScreen #plan { height: 1fr; }
    PlanScreen ConfigForm { width: 42; }
    PlanScreen RehearsalPane { width: 1fr; }
    PlanScreen #why { height: 5; scrollbar-size-vertical: 1; }
    PlanScreen #why-text { height: auto; }
    PlanScreen.-explain #why { height: 50%; }
    PlanScreen.-wide ConfigForm { width: 98; }
    PlanScreen.-explain #schedule { display: none; }
    PlanScreen.-explain #numbers { max-height: 100%; }
    PlanScreen.-high.-explain #schedule { display: block; }
    PlanScreen.-high #why { height: 6; }
    PlanScreen.-high.-explain #why { height: 12; }
    PlanScreen.-narrow #plan { layout: vertical; }
    PlanScreen.-narrow ConfigForm { width: 1fr; height: 1fr; }
    PlanScreen.-narrow RehearsalPane { height: auto; }
    PlanScreen.-narrow #schedule { height: 8; }
    PlanScreen.-short #why { display: none; }
    PlanScreen.-short.-explain #why { display: block; }
    PlanScreen.-short #schedule { display: none; }
    PlanScreen.-short.-narrow #numbers { height: 2; max-height: 2; padding: 0 1; }
    PlanScreen.-sweep #numbers { max-height: 35%; }
    PlanScreen.-sweep #schedule, PlanScreen.-sweep.-explain #schedule { display: block; }
    PlanScreen.-short.-sweep #schedule { display: block; height: 9; }
    PlanScreen.-short.-narrow.-sweep #numbers { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "train", "Train", id="plan.train", tooltip="Train this plan"),
        Binding("space", "edit", "Edit", id="plan.edit", tooltip="Type the marked value; a switch is switched"),
        Binding("slash", "find", "Find", key_display="/", id="plan.find", tooltip="Find a setting"),
        Binding("D", "difference", "Changes", id="plan.difference", tooltip="What is not as in the preset"),
        Binding("ctrl+s", "save", "Save", id="plan.save", tooltip="Save a preset of your own"),
        hidden("ctrl+o", "load", "Presets", id="plan.load", tooltip="Load a preset"),
        Binding("F", "find_rate", "Rate", id="plan.find_rate", tooltip="Find a learning rate; again: take it over"),
        hidden("y", "toml", "TOML", id="plan.toml", tooltip="The plan as a file, to read and change"),
        hidden("t", "rehearse", "Rehearse", id="plan.rehearse", tooltip="A few real steps again"),
        hidden("e", "explain", "Explain", id="plan.explain", tooltip="The marked field at length"),
        hidden("backspace,delete", "reset", "Reset", id="plan.reset", tooltip="As in the preset"),
        hidden("ctrl+z,u", "undo", "Undo", id="plan.undo", tooltip="Take the last change back"),
        hidden("plus", "add_phase", "Add phase", id="plan.add_phase", tooltip="A phase more"),
        hidden("minus", "remove_phase", "Remove phase", id="plan.remove_phase", tooltip="A phase less"),
        hidden("escape", "back", "Back", id="plan.back", tooltip="Stop the finder, close what is open"),
    ]

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._insisted = False
        """A rehearsal or sweep was requested by key: it starts even before the machine is known."""
        self._message: tuple[str, ...] = ()
        """What the last key did or could not do, in several lengths, the longest first."""
        self._message_plan: RunConfig | None = None
        """The plan that `_message` is about."""
        self._earlier: list[RunConfig] = []
        self._presets: dict[str, RunConfig] = {}
        """The built-in presets, whose values are shown in explanations."""

    def body(self) -> ComposeResult:
        """Form, rehearsal, explanation."""
        with Horizontal(id="plan"):
            yield ConfigForm(self.studio.plan, self.studio.home, id="form")
            yield RehearsalPane()
        with VerticalScroll(id="why", classes="pane", can_focus=False):
            yield Static("", id="why-text", markup=False)

    def on_mount(self) -> None:
        """Focus the form, and load the built-in presets."""
        self.query_one("#why").border_title = "Why"
        self.form.rows.focus()
        for name in filter(edits.is_builtin, resolve.presets(self.studio.home)):
            self._presets[name] = edits.base_of(RunConfig(preset=name), self.studio.home)

    @property
    def form(self) -> ConfigForm:
        """The form."""
        return self.query_one(ConfigForm)

    @cached_property
    def jobs(self) -> PlanJobs:
        """Rehearsals and sweeps."""
        return PlanJobs(self.studio.engine, self.studio.home, WAIT)

    @property
    def state(self) -> PlanState:
        """What the rehearsal pane shows."""
        training = self.studio.training
        doing: Doing = ""
        if training and training.running:
            doing = "training"
        elif self.studio.machine is None and not self._insisted:
            doing = "loading"
        else:
            doing = self.jobs.doing
        name = training.name if training and doing == "training" else ""
        return PlanState(self.studio.plan, self.jobs.outcome, doing, name, self.jobs.sweep)

    # ---- the plan -------------------------------------------------------------------------------------------------

    def plan_changed(self, plan: RunConfig) -> None:
        """Show the new plan, and rehearse it."""
        if plan != self.form.config:
            self.form.show(plan)
        self.jobs.close_sweep()
        self.jobs.rehearse(time.monotonic())
        self._show()

    def on_config_form_changed(self, event: ConfigForm.Changed) -> None:
        """Take over a change of the form."""
        self._change(event.config)

    def on_config_form_marked(self) -> None:
        """Explain the marked field, and clear the message about the last one."""
        self._message = ()
        self._show()

    def _show_message(self, *ways: str) -> None:
        """Show a message in the sentence, until the plan changes or another field is marked."""
        self._message, self._message_plan = ways, self.studio.plan
        self.refresh_all()

    def _change(self, config: RunConfig) -> None:
        if config != self.studio.plan:
            self._earlier = [*self._earlier[-MAX_UNDO:], self.studio.plan]
            self.studio.set_plan(config)

    # ---- showing --------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Collect results, start work that is due, and show all."""
        failed = self.jobs.collect()
        if isinstance(failed, TinyLMError):
            if self.state.fault is not failed:  # else the rehearsal pane shows it
                self._show_message(*self._refusal(failed, "No sweep: "))
        elif failed:
            self.studio.fault(failed)
        doing = self.state.doing
        if doing == "training":
            self.jobs.cancel()
        elif doing != "loading":
            self.jobs.start_due(self.studio.plan, time.monotonic())
        self._insisted = self._insisted and self.jobs.doing != ""
        self._show()

    def _show(self) -> None:
        if not self.is_mounted:
            return
        glyphs = self.studio.glyphs
        self.set_class(self.jobs.sweep is not None, "-sweep")
        self.form.show_signs(glyphs)
        short = self.has_class("-short") and self.has_class("-narrow")
        self.query_one(RehearsalPane).show(self.state, glyphs, short)
        why = self.query_one("#why")
        room = why.content_size
        if room.width:
            everything = self.has_class("-explain")
            paragraphs = self._why()
            text = "\n".join(paragraphs) if everything else fitting_paragraphs(paragraphs, room.width, room.height)
            static = self.query_one("#why-text", Static)
            if text != static.content:
                static.update(printable(text))

    def _why(self) -> list[str]:
        form = self.form
        if form.field is None:
            section = form.rows.row.section
            return [f"{section.title}: {', '.join(label for label, _ in section.rows)}."]
        key = form.field.key
        presets = {name: fields.value_of(preset, key) for name, preset in self._presets.items() if key != "preset"}
        return explain.paragraphs(form.field, form.config, form.larger(), presets)

    def sentence(self) -> str:
        """Whether the plan can be trained, or the last message."""
        if self.form.editing:
            return "Enter takes it, Esc leaves it as it was."
        message = self._message if self._message_plan is self.studio.plan else ()
        return first_fitting(self.size.width - 2, *(message or self._status()))

    def _status(self) -> tuple[str, ...]:
        """The state of the plan, in several lengths, the longest first."""
        glyphs, state = self.studio.glyphs, self.state
        if state.doing == "training":
            return (
                f"{state.training} is training. What you change here is for the next run.",
                f"{state.training} is training; this is for the next run.",
                "A run is training; this is for the next one.",
            )
        if state.sweep:
            return lr_finder.status(state.sweep, glyphs.ellipsis)
        if state.fault:
            return self._refusal(state.fault)
        if state.fresh and state.rehearsal and not self.jobs.waiting:
            rehearsal = state.rehearsal
            takes = duration_with_units(rehearsal.seconds)
            return (f"{glyphs.done} About {counted(rehearsal.steps, 'step')} in {takes}. Enter trains.",)
        if state.doing == "loading":
            wait = f"Loading torch{glyphs.ellipsis}"
            return f"{wait} The plan can be made meanwhile; Enter trains.", f"{wait} Enter trains when it is there."
        return (
            f"Rehearsing a few real steps{glyphs.ellipsis} Enter trains without waiting for it.",
            f"Rehearsing{glyphs.ellipsis} Enter trains without waiting for it.",
        )

    def _refusal(self, fault: TinyLMError, begin: str = "") -> tuple[str, ...]:
        """Why the plan cannot be trained, in several lengths; the rehearsal pane has room for all of it."""
        sign = self.studio.glyphs.failed
        return (
            f"{sign} {begin}{fault.message} {fault.hint}",
            f"{sign} {begin}{fault.message}",
            f"{sign} {begin or 'It cannot be trained: '}the rehearsal says why.",
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """A slash that is typed into a value does not open the search."""
        return not (action == "find" and self.query(ConfigForm) and self.form.editing)

    # ---- keys -----------------------------------------------------------------------------------------------------

    def action_train(self) -> None:
        """Train the plan, unless its rehearsal failed."""
        if not self.form.finish(take=True):
            self.app.bell()
            return
        fault = self.state.fault
        if fault is not None:
            self._show_message(*self._refusal(fault, "Not started: "))
            self.app.bell()
            return
        self._change(self.form.config)
        self.jobs.cancel()
        self.studio.start_training()

    def action_edit(self) -> None:
        """Type the marked value."""
        self.form.rows.focus()
        self.form.edit()

    def action_reset(self) -> None:
        """Reset the marked field to the preset."""
        self.form.reset()

    def action_undo(self) -> None:
        """Undo the last change."""
        if not self._earlier:
            self._show_message("Nothing was changed here.")
            return
        undone = self.studio.plan
        self.studio.set_plan(self._earlier.pop())
        back = edits.difference(self.studio.plan, undone)
        # Fit changes along with the numbers that it chooses.
        back = [one for one in back if one.key != "train.fit"] or back
        only = [f"{back[0].title} is {back[0].mine} again."] if len(back) == 1 else []
        self._show_message(*only, "The plan is as it was before the last change.")

    def action_add_phase(self) -> None:
        """Add a phase after the marked one."""
        self.form.add_phase()

    def action_remove_phase(self) -> None:
        """Remove the marked phase, or else the last."""
        self.form.remove_phase()

    def action_field(self, key: str) -> None:
        """Mark the field with this key."""
        self.form.jump(key)
        self._show()

    def action_find(self) -> None:
        """Find a field."""
        self.app.push_screen(FindPage(self.studio.plan), self._go_to)

    def action_difference(self) -> None:
        """Show the differences from the preset."""
        self.app.push_screen(DifferencePage(self.studio.plan, self.form.base), self._go_to)

    def _go_to(self, key: str | None) -> None:
        if key is not None:
            self.action_field(key)

    def action_toml(self) -> None:
        """Show the whole plan as TOML."""
        self.app.push_screen(TomlPage(self.studio.plan), self._written)

    def _written(self, config: RunConfig | None) -> None:
        if config is not None:
            self._change(edits.fit_off_if_changed(self.studio.plan, config))
            if config != self.studio.plan:
                self._show_message("Fit is off: you chose one of its numbers. ctrl+z takes it back.", "Fit is off.")

    def action_load(self) -> None:
        """Choose a preset."""
        self.app.push_screen(PresetPage(self.studio.home, self.studio.plan.preset), self._load)

    def _load(self, name: str | None) -> None:
        if name is not None:
            try:
                self._change(edits.from_preset(self.studio.plan, name, self.studio.home))
            except TinyLMError as error:
                self.studio.fault(error)

    def action_save(self) -> None:
        """Save the plan as a preset."""
        own = self.studio.plan.preset
        name = "" if edits.is_builtin(own) else own
        what = "A name; it can then be chosen here and with --preset."
        self.app.push_screen(AskText("Save as a preset", what, name, edits.preset_name_fault), self._named)

    def _named(self, name: str | None) -> None:
        if name is None:
            return
        if name not in resolve.presets(self.studio.home):
            self._save(name)
            return
        choices = [Choice("r", "Replace it"), Choice("k", "Keep it as it is")]
        self.app.push_screen(
            Ask(f"Replace {name}?", "You have a preset of that name.", choices, back="keep it"),
            lambda answer: self._save(name) if answer == "r" else None,
        )

    def _save(self, name: str) -> None:
        try:
            saved = edits.save_preset(self.studio.plan, name, self.studio.home)
        except TinyLMError as error:
            self.studio.fault(error)
            return
        self._change(saved)
        self.form.show(saved, reread=True)
        self._show_message(f"Saved as {name}: --preset {name} trains it too.", f"Saved as {name}.", "Saved.")

    def action_rehearse(self) -> None:
        """Rehearse again."""
        if self.state.doing == "training":
            self._show_message("No rehearsal while a run trains: it would measure wrongly.")
            return
        self._insisted = True
        self.jobs.rehearse(time.monotonic(), at_once=True)
        self.tick()

    def action_find_rate(self) -> None:
        """Start a learning-rate sweep, or take over the suggestion of a finished one."""
        sweep = self.jobs.sweep
        if self.state.doing == "training":
            self._show_message(
                "No learning-rate finder while a run trains: it would slow it down.",
                "No finder while a run trains: it would slow it down.",
            )
        elif sweep and not sweep.result:
            return  # under way; the sentence says how to stop it
        elif sweep and sweep.suggestion is not None:
            swept = self.state.trained  # the sweep used the model that Fit chose
            self._change(lr_finder.with_rate(swept, sweep.suggestion))
            self._show_message(*lr_finder.confirmation(swept, sweep.suggestion))
        else:
            self._insisted = True
            self._message = ()
            self.jobs.find_rate(self.studio.plan, time.monotonic())
            self.tick()
            self.tell()

    def action_explain(self) -> None:
        """Show or hide the long explanation."""
        self.toggle_class("-explain")
        self.call_after_refresh(self._show)

    def action_back(self) -> None:
        """Close the sweep, or else the long explanation."""
        if self.jobs.sweep:
            self.jobs.close_sweep()
            self._message = ()
            self.refresh_all()
            return
        self.remove_class("-explain")
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        """Fit the texts into the new size."""
        self.call_after_refresh(self._show)

    def on_screen_suspend(self) -> None:
        """Cancel background work."""
        self.jobs.cancel()

    def on_unmount(self) -> None:
        """Cancel background work."""
        self.jobs.cancel()
