"""Plan: every setting of the next training, what a few real steps say about it, and Enter."""

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
from tinylm.words import duration_with_units, printable
from tui.screens.base import StudioScreen
from tui.screens.plan import edits, explain, fields, lr_finder
from tui.screens.plan.form import ConfigForm
from tui.screens.plan.jobs import Tryouts
from tui.screens.plan.pages import DifferencePage, FindPage, PresetPage, TomlPage
from tui.screens.plan.rehearsal import Doing, RehearsalPane, State, steps_told, wrapped
from tui.studio import Studio
from tui.terminal.fit_text import brief
from tui.widgets.dialogs import Ask, AskText, Choice

WAIT = 0.7
"""Seconds without a change before a rehearsal begins."""

UNDONE_AT_MOST = 100


class PlanScreen(StudioScreen):
    """The form on the left, the rehearsal on the right, and why below."""

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
    PlanScreen.-valley #numbers { max-height: 35%; }
    PlanScreen.-valley #schedule, PlanScreen.-valley.-explain #schedule { display: block; }
    PlanScreen.-short.-valley #schedule { display: block; height: 9; }
    PlanScreen.-short.-narrow.-valley #numbers { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "train", "Train", id="plan.train", tooltip="Train this plan"),
        Binding("space", "edit", "Edit", id="plan.edit", tooltip="Type the marked value; a switch is switched"),
        Binding("slash", "find", "Find", key_display="/", id="plan.find", tooltip="Find a setting"),
        Binding("D", "difference", "Changes", id="plan.difference", tooltip="What is not as in the preset"),
        Binding("ctrl+s", "save", "Save", id="plan.save", tooltip="Save a preset of your own"),
        Binding("ctrl+o", "load", "Presets", show=False, id="plan.load", tooltip="Load a preset"),
        Binding("F", "find_rate", "Rate", id="plan.find_rate", tooltip="Find a learning rate; again: take it over"),
        Binding("y", "toml", "TOML", show=False, id="plan.toml", tooltip="The plan as a file, to read and change"),
        Binding("t", "rehearse", "Rehearse", show=False, id="plan.rehearse", tooltip="A few real steps again"),
        Binding("e", "explain", "Explain", show=False, id="plan.explain", tooltip="The marked field at length"),
        Binding("backspace,delete", "reset", "Reset", show=False, id="plan.reset", tooltip="As in the preset"),
        Binding("ctrl+z,u", "undo", "Undo", show=False, id="plan.undo", tooltip="Take the last change back"),
        Binding("plus", "add_phase", "Add phase", show=False, id="plan.add_phase", tooltip="A phase more"),
        Binding("minus", "remove_phase", "Remove phase", show=False, id="plan.remove_phase", tooltip="A phase less"),
        Binding("escape", "back", "Back", show=False, id="plan.back", tooltip="Stop the finder, close what is open"),
    ]

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._insisted = False
        """Somebody asked for a rehearsal or a sweep: it is made also before the machine is known."""
        self._said: tuple[str, ...] = ()
        """What the last key did or could not do, from the longest way to say it to the shortest."""
        self._said_of: RunConfig | None = None
        """The plan that it is about."""
        self._earlier: list[RunConfig] = []
        self._presets: dict[str, RunConfig] = {}
        """Ours, for what they use."""

    def body(self) -> ComposeResult:
        """Form, rehearsal, why."""
        with Horizontal(id="plan"):
            yield ConfigForm(self.studio.plan, self.studio.home, id="form")
            yield RehearsalPane()
        with VerticalScroll(id="why", classes="pane", can_focus=False):
            yield Static("", id="why-text", markup=False)

    def on_mount(self) -> None:
        """Follow the plan: Data changes it too."""
        self.query_one("#why").border_title = "Why"
        self.form.rows.focus()
        for name in filter(edits.is_ours, resolve.presets(self.studio.home)):
            self._presets[name] = edits.base_of(RunConfig(preset=name), self.studio.home)

    @property
    def form(self) -> ConfigForm:
        """The form."""
        return self.query_one(ConfigForm)

    @cached_property
    def tryouts(self) -> Tryouts:
        """Rehearsals and sweeps."""
        return Tryouts(self.studio.engine, self.studio.home, WAIT)

    @property
    def state(self) -> State:
        """What the rehearsal shows."""
        training = self.studio.training
        doing: Doing = ""
        if training and training.running:
            doing = "training"
        elif self.studio.machine is None and not self._insisted:
            doing = "loading"
        else:
            doing = self.tryouts.doing
        name = training.name if training and doing == "training" else ""
        return State(self.studio.plan, self.tryouts.outcome, doing, name, self.tryouts.valley)

    # ---- the plan -------------------------------------------------------------------------------------------------

    def plan_changed(self, plan: RunConfig) -> None:
        """Show it, and rehearse it anew."""
        if plan != self.form.config:
            self.form.show(plan)
        self.tryouts.close()
        self.tryouts.rehearse(time.monotonic())
        self._show()

    def on_config_form_planned(self, event: ConfigForm.Planned) -> None:
        """The person changed it here."""
        self._change(event.config)

    def on_config_form_marked(self) -> None:
        """Another field: another why, and what was said of the last is over."""
        self._said = ()
        self._show()

    def _say(self, *ways: str) -> None:
        """Say it in the sentence, until the plan changes or another field is marked."""
        self._said, self._said_of = ways, self.studio.plan
        self.refresh_all()

    def _change(self, config: RunConfig) -> None:
        if config != self.studio.plan:
            self._earlier = [*self._earlier[-UNDONE_AT_MOST:], self.studio.plan]
            self.studio.set_plan(config)

    # ---- showing --------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Take in what was tried, begin what is due, and show it."""
        failed = self.tryouts.take_in()
        if isinstance(failed, TinyLMError):
            if self.state.fault is not failed:  # else the rehearsal says it
                self._say(*self._refusal(failed, "No sweep: "))
        elif failed:
            self.studio.fault(failed)
        doing = self.state.doing
        if doing == "training":
            self.tryouts.call_off()
        elif doing != "loading":
            self.tryouts.begin(self.studio.plan, time.monotonic())
        self._insisted = self._insisted and self.tryouts.doing != ""
        self._show()

    def _show(self) -> None:
        if not self.is_mounted:
            return
        signs = self.studio.glyphs
        self.set_class(self.tryouts.valley is not None, "-valley")
        self.form.show_signs(signs)
        short = self.has_class("-short") and self.has_class("-narrow")
        self.query_one(RehearsalPane).show(self.state, signs, short)
        why = self.query_one("#why")
        room = why.content_size
        if room.width:
            everything = self.has_class("-explain")
            told = self._why()
            text = "\n".join(told) if everything else wrapped(told, room.width, room.height)
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
        return explain.explained(form.field, form.config, form.larger(), presets)

    def sentence(self) -> str:
        """Whether the plan can be trained, and what is in the way."""
        if self.form.editing:
            return "Enter takes it, Esc leaves it as it was."
        said = self._said if self._said_of is self.studio.plan else ()
        return brief(self.size.width - 2, *(said or self._standing()))

    def _standing(self) -> tuple[str, ...]:
        """How the plan stands, from the longest way to say it to the shortest."""
        signs, state = self.studio.glyphs, self.state
        if state.doing == "training":
            return (
                f"{state.training} is training. What you change here is for the next run.",
                f"{state.training} is training; this is for the next run.",
                "A run is training; this is for the next one.",
            )
        if state.valley:
            return lr_finder.told(state.valley, signs.ellipsis)
        if state.fault:
            return self._refusal(state.fault)
        if state.fresh and state.rehearsal and not self.tryouts.waiting:
            found = state.rehearsal
            takes = duration_with_units(found.seconds)
            return (f"{signs.done} About {steps_told(found.steps)} in {takes}. Enter trains.",)
        if state.doing == "loading":
            wait = f"Loading torch{signs.ellipsis}"
            return f"{wait} The plan can be made meanwhile; Enter trains.", f"{wait} Enter trains when it is there."
        return (
            f"Rehearsing a few real steps{signs.ellipsis} Enter trains without waiting for it.",
            f"Rehearsing{signs.ellipsis} Enter trains without waiting for it.",
        )

    def _refusal(self, fault: TinyLMError, begin: str = "") -> tuple[str, ...]:
        """Why the plan cannot be trained; the rehearsal has room for all of it."""
        sign = self.studio.glyphs.failed
        return (
            f"{sign} {begin}{fault.message} {fault.hint}",
            f"{sign} {begin}{fault.message}",
            f"{sign} {begin or 'It cannot be trained: '}the rehearsal says why.",
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """A slash that is typed finds nothing."""
        return not (action == "find" and self.query(ConfigForm) and self.form.editing)

    # ---- keys -----------------------------------------------------------------------------------------------------

    def action_train(self) -> None:
        """Train the plan, unless the rehearsal found that it cannot be trained."""
        if not self.form.finish(take=True):
            self.app.bell()
            return
        fault = self.state.fault
        if fault is not None:
            self._say(*self._refusal(fault, "Not started: "))
            self.app.bell()
            return
        self._change(self.form.config)
        self.tryouts.call_off()
        self.studio.start_training()

    def action_edit(self) -> None:
        """Type the marked value."""
        self.form.rows.focus()
        self.form.edit()

    def action_reset(self) -> None:
        """The marked field as the preset has it."""
        self.form.reset()

    def action_undo(self) -> None:
        """Take the last change back."""
        if not self._earlier:
            self._say("Nothing was changed here.")
            return
        undone = self.studio.plan
        self.studio.set_plan(self._earlier.pop())
        back = edits.difference(self.studio.plan, undone)
        back = [one for one in back if one.key != "train.fit"] or back  # Fit goes along with what it chooses
        only = [f"{back[0].title} is {back[0].mine} again."] if len(back) == 1 else []
        self._say(*only, "The plan is as it was before the last change.")

    def action_add_phase(self) -> None:
        """A phase more, behind the marked one."""
        self.form.add_phase()

    def action_remove_phase(self) -> None:
        """The marked phase away, else the last."""
        self.form.remove_phase()

    def action_field(self, key: str) -> None:
        """Go to a field, by its dotted name."""
        self.form.jump(key)
        self._show()

    def action_find(self) -> None:
        """Find a field."""
        self.app.push_screen(FindPage(self.studio.plan), self._go_to)

    def action_difference(self) -> None:
        """What is not as in the preset."""
        self.app.push_screen(DifferencePage(self.studio.plan, self.form.base), self._go_to)

    def _go_to(self, key: str | None) -> None:
        if key is not None:
            self.action_field(key)

    def action_toml(self) -> None:
        """The whole plan as TOML."""
        self.app.push_screen(TomlPage(self.studio.plan), self._written)

    def _written(self, config: RunConfig | None) -> None:
        if config is not None:
            self._change(edits.by_hand(self.studio.plan, config))
            if config != self.studio.plan:
                self._say("Fit is off: you chose one of its numbers. ctrl+z takes it back.", "Fit is off.")

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
        name = "" if edits.is_ours(own) else own
        self.app.push_screen(
            AskText(
                "Save as a preset", "A name; it can then be chosen here and with --preset.", name, edits.name_fault
            ),
            self._named,
        )

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
        self._say(f"Saved as {name}: --preset {name} trains it too.", f"Saved as {name}.", "Saved.")

    def action_rehearse(self) -> None:
        """A few real steps again."""
        if self.state.doing == "training":
            self._say("No rehearsal while a run trains: it would measure wrongly.")
            return
        self._insisted = True
        self.tryouts.rehearse(time.monotonic(), at_once=True)
        self.tick()

    def action_find_rate(self) -> None:
        """Sweep the learning rate; once that is done, take over what it suggests."""
        valley = self.tryouts.valley
        if self.state.doing == "training":
            self._say(
                "No learning-rate finder while a run trains: it would slow it down.",
                "No finder while a run trains: it would slow it down.",
            )
        elif valley and not valley.found:
            return  # it is on its way, and the sentence says how to stop it
        elif valley and valley.suggestion is not None:
            swept = self.state.trained  # the sweep was about the model that Fit chose
            self._change(lr_finder.taken_over(swept, valley.suggestion))
            self._say(*lr_finder.taken(swept, valley.suggestion))
        else:
            self._insisted = True
            self._said = ()
            self.tryouts.sweep(self.studio.plan, time.monotonic())
            self.tick()
            self.tell()

    def action_explain(self) -> None:
        """The marked field at length, or short again."""
        self.toggle_class("-explain")
        self.call_after_refresh(self._show)

    def action_back(self) -> None:
        """Stop a sweep or put its valley away; else close the long explanation."""
        if self.tryouts.valley:
            self.tryouts.close()
            self._said = ()
            self.refresh_all()
            return
        self.remove_class("-explain")
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        """Other room for words."""
        self.call_after_refresh(self._show)

    def on_screen_suspend(self) -> None:
        """Nobody looks: no steps are made."""
        self.tryouts.call_off()

    def on_unmount(self) -> None:
        """Let go what still runs."""
        self.tryouts.call_off()
