"""Home: what the program is for, and Enter to start; it is painted before anything heavy is loaded."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tinylm import paths
from tinylm.config import resolve
from tinylm.config.schema import STORIES, Budget, RunConfig
from tinylm.errors import TinyLMError
from tinylm.files import existing_folder
from tinylm.planning import schedule
from tinylm.runs import folder
from tinylm.words import counted, one_line, passes
from tui.screens.base import MUTED, StudioScreen
from tui.screens.data.texts import expected_vocabulary, weight_split
from tui.studio import Studio
from tui.terminal.glyphs import ASCII, Glyphs
from tui.terminal.keys import hidden

TITLE = ("▀█▀ ▀█▀ █▄ █ █ █ █   █▄ ▄█", " █   █  █ ▀█ ▀█▀ █   █ ▀ █", " ▀  ▀▀▀ ▀  ▀  ▀  ▀▀▀ ▀   ▀")
TITLE_ASCII = ("", "t i n y l m", "-----------")

BUDGETS = {"2m": "2 min", "15m": "15 min", "1h": "1 hour"}
"""Budgets that can be chosen here, and their names."""

WELCOME = "Train a language model from nothing, on this machine, then talk to it."

STEPS = (
    ("It reads.", "The text is cut into tokens, pieces of words; a part is kept aside as a test."),
    ("It learns.", "Noise at first; a minute later words, then sentences. You watch the loss fall."),
    ("It writes.", "Press 4 at any time, also while it learns, and talk to what is there so far."),
)


def length(config: RunConfig) -> str:
    """The length of a plan, as text."""
    steps = schedule.total_steps(config.train)
    if steps is not None:
        return counted(steps, "step")
    assert config.train.budget is not None
    if config.train.budget in BUDGETS:
        return BUDGETS[config.train.budget]
    budget = Budget.parse(config.train.budget)
    if budget.kind == "epochs":
        return passes(budget.amount)
    minutes = budget.amount / 60
    return f"{minutes:g} min" if minutes < 120 else f"{minutes / 60:g} hours"


def texts(config: RunConfig) -> str:
    """The texts of a plan, as text."""
    names = ["built-in stories" if source == STORIES else Path(source).name for source in config.data.sources]
    return one_line(names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more")


def offer(config: RunConfig) -> str:
    """Texts, size of the model, and time of a plan."""
    vocabulary = expected_vocabulary(config)
    parts = [texts(config)]
    if vocabulary is not None:
        weights = weight_split(config.model, vocabulary).total
        parts.append(f"{weights / 1e6:.1f} M weights" if weights >= 1e5 else f"{weights:,} weights")
    return ", ".join([*parts, length(config)])


class BudgetChoice(Static):
    """A choice of budgets, the current one in parentheses; each can be clicked."""

    @dataclass
    class Chosen(Message):
        """A budget was clicked."""

        budget: str

    def show(self, config: RunConfig) -> None:
        """Show the budget of the plan as chosen."""
        parts = [Content("How long do you have? ")]
        for budget, name in BUDGETS.items():
            parts.append(self._choice(budget, name, budget == config.train.budget))
        if config.train.budget not in BUDGETS:
            parts.append(Content.styled(f"( {length(config)} )", "bold $text-accent"))
        self.update(Content(" ").join(parts))

    def _choice(self, budget: str, name: str, chosen: bool) -> Content:
        label = f"( {name} )" if chosen else f"  {name}  "
        linked = Content.from_markup(f"[@click=screen.length('{budget}')]$label[/]", label=label)
        return linked.stylize("bold $text-accent" if chosen else MUTED)


class ActionRow(Static, can_focus=True):
    """An action: a label like a button, its key, and details."""

    DEFAULT_CSS = """
    ActionRow { height: auto; min-height: 1; padding: 0 1; width: 100%; }
    ActionRow:hover { background: $boost; }
    ActionRow:focus { background: $accent 25%; }
    """
    LABEL, KEY = 21, 6
    """Cells of label and key."""

    def __init__(self, label: str, key: str, action: str, **names: str) -> None:
        """`action` is run by Enter and by a click."""
        super().__init__(markup=False, **names)  # type: ignore[arg-type]
        self.label, self.key, self.action = label, key, action
        self._detail = ""
        self._glyphs = ASCII

    def show(self, detail: str, glyphs: Glyphs, label: str | None = None) -> None:
        """Show details, and another label if given."""
        new = (detail, glyphs, label or self.label)
        if new != (self._detail, self._glyphs, self.label):
            self._detail, self._glyphs, self.label = new
            self._write()

    def _write(self) -> None:
        if not self.size.width:
            return
        sign = self._glyphs.arrow if self.has_focus else " "
        tone = "bold $text-accent" if self.has_focus else "bold"
        head = Content.assemble(
            f"{sign} ",
            (f"{f'[ {self.label} ]':<{self.LABEL}}", tone),
            (f"{self.key:<{self.KEY}}", "$text-accent"),
        )
        indent = head.cell_length
        lines = textwrap.wrap(self._detail, max(12, self.size.width - indent))
        if len(lines) > 1 and self.screen.has_class("-narrow"):
            lines = [lines[0] + self._glyphs.ellipsis]
        detail = f"\n{' ' * indent}".join(lines)
        self.update(head + Content.styled(detail, MUTED))

    def on_resize(self) -> None:
        """Wrap for the new width."""
        self._write()

    def watch_has_focus(self, focused: bool) -> None:
        """Draw the arrow at the focused one."""
        super().watch_has_focus(focused)
        self._write()

    async def on_click(self, event: events.Click) -> None:
        """Run the action."""
        event.stop()
        await self.run_action(self.action)


class HomeScreen(StudioScreen):
    """The first screen: start a training at once, or go to another screen."""

    MODE = "home"
    HELP = """
# Home

**Enter** trains a model at once, on the built-in stories or on the texts that are chosen, for as long as you say with
**left** and **right**. **Up** and **down** go to the other ways; a click works everywhere.

Screens: **1** Data, **2** Plan, **3** Train, **4** Talk, **5** Runs, **h** comes back here.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Start", id="home.take", tooltip="Do what is marked: train at once, and watch"),
        Binding("left", "shorter", "Time", key_display="← →", id="home.shorter", tooltip="Less time, or more"),
        hidden("right", "longer", "Time", id="home.longer", tooltip="More time"),
        Binding("d", "app.go('data')", "My own text", id="home.data", tooltip="Choose texts"),
        Binding("2", "app.go('plan')", "Plan it", id="home.plan", tooltip="Settings and rehearsal"),
        Binding("5", "app.go('runs')", "Runs", id="home.runs", tooltip="All runs of this home"),
        hidden("up", "app.focus_previous", "Up", id="home.up", tooltip="The way above"),
        hidden("down", "app.focus_next", "Down", id="home.down", tooltip="The way below"),
    ]
    CSS = """
    HomeScreen {
        #body { align: center middle; }
        #home-pane { width: 100%; height: 100%; max-width: 104; max-height: 34; padding: 0 2; }
        #home-title { color: $text-primary; text-style: bold; width: auto; height: 3; }
        #home-name { width: 1fr; height: 3; padding: 0 2; color: $text-muted; content-align: left bottom; }
        #home-head { height: 3; padding: 0 1; margin-bottom: 1; }
        #home-welcome { padding: 0 1; text-style: bold; margin-bottom: 1; }
        #home-lengths { padding: 0 1; margin-bottom: 1; }
        #home-machine { height: auto; margin-top: 1; }
        #home-steps { display: none; height: auto; margin-top: 1; padding: 1 2; }
        &.-high #home-steps { display: block; }
        &.-high #home-pane { padding: 1 2; }
        &.-high #home-head, &.-high #home-welcome, &.-high #home-lengths { margin-bottom: 2; }
        &.-short #home-head { display: none; }
        &.-short #home-welcome { margin-bottom: 0; }
        &.-short #home-lengths { margin-bottom: 0; }
        &.-short #home-machine { border: none; padding: 0 1; }
        &.-narrow #home-pane { padding: 0; }
    }
    """
    home_name: ClassVar[str | None] = None
    """A name for the home, shown instead of its path."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._shown: object = None

    def body(self) -> ComposeResult:
        """Title, welcome, budgets, actions, the machine."""
        with Vertical(id="home-pane", classes="pane") as pane:
            pane.border_title = "Welcome"
            pane.border_subtitle = "? help"
            with Horizontal(id="home-head"):
                yield Static(id="home-title", markup=False)
                yield Static("s t u d i o", id="home-name", markup=False)
            yield Static(WELCOME, id="home-welcome", markup=False)
            yield BudgetChoice(id="home-lengths")
            yield ActionRow("Try it now", "Enter", "screen.start", id="home-try")
            yield ActionRow("Use my own text", "d", "app.go('data')", id="home-data")
            yield ActionRow("Plan it", "2", "app.go('plan')", id="home-plan")
            yield ActionRow("Open a run", "5", "app.go('runs')", id="home-runs")
            with Vertical(id="home-machine", classes="pane") as machine:
                machine.border_title = "this machine"
                yield Static(id="home-found", markup=False)
            yield Static(id="home-steps", markup=False)

    def on_mount(self) -> None:
        """Focus the first action."""
        self.query_one("#home-try").focus()
        steps = [
            Content.styled(f"{number}  {head:<12}", "bold $text-accent") + Content(text)
            for number, (head, text) in enumerate(STEPS, 1)
        ]
        self.query_one("#home-steps", Static).update(Content("\n").join(steps))
        self._show()

    def on_screen_resume(self) -> None:
        """Update the number of runs and the free space."""
        super().on_screen_resume()
        self._show()

    def tick(self) -> None:
        """Update after the warm-up, the end of a training, or a change of glyphs."""
        state = (self.studio.machine, self.studio.glyphs.name, self.studio.is_training)
        if state != self._shown:
            self._shown = state
            self._show()

    def plan_changed(self, _plan: RunConfig) -> None:
        """Show the new plan."""
        self._show()

    def _show(self) -> None:
        studio, glyphs = self.studio, self.studio.glyphs
        title = TITLE_ASCII if glyphs is ASCII else TITLE
        self.query_one("#home-title", Static).update("\n".join(title))
        self.query_one(BudgetChoice).show(studio.plan)
        if studio.training and studio.is_training:
            self.query_one("#home-try", ActionRow).show(f"{studio.training.name} is training", glyphs, "Watch it learn")
        else:
            self.query_one("#home-try", ActionRow).show(offer(studio.plan), glyphs, "Try it now")
        self.query_one("#home-data", ActionRow).show("files and folders, any language", glyphs)
        self.query_one("#home-plan", ActionRow).show("size, speed and settings, rehearsed first", glyphs)
        self.query_one("#home-runs", ActionRow).show(self._runs(), glyphs)
        self.query_one("#home-found", Static).update(self._machine())

    def _runs(self) -> str:
        count = len(folder.list_runs(self.studio.home))
        return f"{counted(count, 'run')} in this home" if count else "none yet"

    def _machine(self) -> Content:
        """Lines about the machine, its measured threads, and the home with its free space."""
        machine = self.studio.machine
        dot = f" {self.studio.glyphs.dot} "
        if machine is None:
            lines = ["Loading torch and measuring this machine ...", "Nothing has to wait for it."]
        else:
            device = "no GPU" if machine.device == "cpu" else f"trains on {machine.device}"
            lines = [f"{one_line(machine.name)}{dot}{device}"]
            speeds = machine.tokens_per_second
            threads = counted(machine.threads, "thread")
            if machine.threads in speeds:
                threads += f", {speeds[machine.threads]:,} tokens/s"
            if len(speeds) > 1:
                threads += f", the fastest of {', '.join(map(str, sorted(speeds)))}"
            lines.append(f"{threads}{dot}torch {machine.torch}")
        home = self.home_name or paths.shortened(self.studio.home)
        lines.append(f"Everything is kept in {one_line(home)}{dot}{self._free()} free")
        return Content("\n".join(lines))

    def _free(self) -> str:
        """Free space for the home, which need not exist yet."""
        try:
            return f"{shutil.disk_usage(existing_folder(self.studio.home)).free / 1e9:,.0f} GB"
        except OSError:
            return "unknown room"

    def sentence(self) -> str:
        """What Enter does."""
        if self.studio.is_training:
            return "Enter shows the training. It goes on whatever you look at."
        return f"Enter trains a model on {texts(self.studio.plan)}. It has never seen a letter."

    # ---- keys -----------------------------------------------------------------------------------------------------

    async def action_take(self) -> None:
        """Run the focused action, or else the first."""
        marked = self.focused if isinstance(self.focused, ActionRow) else self.query_one("#home-try", ActionRow)
        await self.run_action(marked.action)

    def action_start(self) -> None:
        """Start a training, or show the one that runs."""
        if self.studio.is_training:
            self.studio.go("train")
        else:
            self.studio.start_training()

    def action_shorter(self) -> None:
        """The next shorter budget."""
        self._next_length(-1)

    def action_longer(self) -> None:
        """The next longer budget."""
        self._next_length(1)

    def _next_length(self, by: int) -> None:
        budgets, current = list(BUDGETS), self.studio.plan.train.budget
        if current in budgets:
            self.action_length(budgets[(budgets.index(current) + by) % len(budgets)])
        else:
            self.action_length(budgets[0 if by > 0 else -1])

    def action_length(self, budget: str) -> None:
        """Set the budget."""
        try:
            self.studio.set_plan(resolve.with_values(self.studio.plan, train={"budget": budget}))
        except TinyLMError as error:
            self.studio.fault(error)
