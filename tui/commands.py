"""The command palette: actions of the shown screen, settings, runs and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tinylm.config import resolve
from tinylm.runs import folder
from tinylm.words import one_line
from tui.screens.base import StudioScreen
from tui.studio import Studio


@dataclass(frozen=True)
class Command:
    """An entry of the palette."""

    title: str
    help: str
    run: Callable[[], object]
    discover: bool = False
    """Shown even before anything is typed."""


class StudioCommands(Provider):
    """All commands, by name."""

    async def discover(self) -> Hits:
        """The commands that are shown before anything is typed: actions and screens."""
        for command in self.commands():
            if command.discover:
                yield DiscoveryHit(command.title, command.run, help=command.help)

    async def search(self, query: str) -> Hits:
        """The commands that match what was typed."""
        matcher = self.matcher(query)
        for command in self.commands():
            score = matcher.match(command.title)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.run, help=command.help)

    @property
    def _studio(self) -> Studio:
        base = self.app.screen_stack[0]  # a screen of ours; dialogs stand above it
        assert isinstance(base, StudioScreen)
        return base.studio

    def commands(self) -> Iterator[Command]:
        """Everything that can be found: actions, settings, runs and checkpoints."""
        studio = self._studio
        yield from self._actions()
        for name, field in resolve.settings().items():
            key = name.replace(".N.", ".0.")
            edit = partial(self.app.run_action, f"app.edit_setting('{key}')")
            yield Command(f"Setting: {field.title} ({key})", field.description or "", edit)
        for run in folder.list_runs(studio.home):
            name = one_line(run.name)
            yield Command(f"Open run {name}", "Show its training", partial(studio.open_run, run))
            help = "Its best checkpoint, or the latest while it trains"
            yield Command(f"Talk to {name}", help, partial(studio.talk_to, run))
            for path in sorted(run.checkpoints.glob("step-????????"))[::-1]:
                step = str(int(path.name.removeprefix("step-")))
                title = f"Talk to {name} at step {step}"
                yield Command(title, "This checkpoint", partial(studio.talk_to, run, step))

    def _actions(self) -> Iterator[Command]:
        """The key bindings of screen and app as commands; those of Textual have no id and are left out."""
        shown: set[str] = set()
        for node, binding, enabled, _tooltip in self.screen.active_bindings.values():
            ours = binding.id and (node is self.app or isinstance(node, StudioScreen))
            if ours and enabled and binding.action not in shown and binding.description:
                shown.add(binding.action)
                key = self.app.get_key_display(binding)
                run = partial(self.app.run_action, binding.action, node)
                title = f"Go to {binding.description}" if binding.action.startswith("go(") else binding.description
                yield Command(f"{title} ({key})", binding.tooltip or binding.description, run, discover=True)
