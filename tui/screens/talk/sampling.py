"""Controls for the settings of `SampleConfig`, except the prompt, in a line or as a list, changed with keys."""

from __future__ import annotations

from typing import ClassVar

from pydantic.fields import FieldInfo
from rich.cells import set_cell_size
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from tinylm.config import resolve
from tinylm.config.schema import RunConfig, SampleConfig
from tinylm.errors import ConfigError
from tui.terminal.glyphs import glyphs_of
from tui.terminal.keys import hidden

FIELDS: dict[str, FieldInfo] = {
    name: resolve.settings()[f"sample.{name}"] for name in SampleConfig.model_fields if name != "prompt"
}
"""The settings by name, as declared."""

SHORT = {"temperature": "temp", "repetition_penalty": "rep"}
"""Short titles for the line."""

OFF = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Values at which a setting has no effect."""

NOTCHES: dict[str, tuple[float, ...]] = {
    "temperature": (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2, 3, 5, 10),
    "top_k": (0, 1, 2, 3, 5, 10, 20, 40, 60, 100, 200, 500, 1000),
    "top_p": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1),
    "min_p": (0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1),
    "repetition_penalty": (0.8, 0.9, 1, 1.05, 1.1, 1.15, 1.2, 1.3, 1.5, 2, 3),
    "max_new_tokens": (16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
}
"""Values at which the arrow keys stop; a setting without notches changes by one."""


def notch(name: str, value: float, by: int) -> float:
    """The next notch above or below `value`; `value` itself where there is none."""
    notches = NOTCHES.get(name)
    if notches is None:
        return value + by
    beyond = [each for each in notches if (each > value if by > 0 else each < value)]
    return (min if by > 0 else max)(beyond, default=value)


def changed(sampling: SampleConfig, name: str, value: object) -> SampleConfig:
    """A copy with one setting replaced; ConfigError where the value is not allowed."""
    if isinstance(value, float) and value == int(value) and FIELDS[name].annotation is int:
        value = int(value)
    return resolve.with_values(RunConfig(sample=sampling), sample={name: value}).sample


def shown(name: str, value: float) -> str:
    """A value as the controls show it."""
    return "off" if OFF.get(name) == value else f"{value:g}" if isinstance(value, float) else str(value)


class Sampling(Widget, can_focus=True):
    """The controls: up and down select one, left and right change it, digits enter a number."""

    BINDINGS: ClassVar[list[BindingType]] = [
        hidden("up", "field(-1)", "Setting before", id="sampling.up", tooltip="The setting before"),
        hidden("down", "field(1)", "Next setting", id="sampling.down", tooltip="The next setting"),
        hidden("left", "notch(-1)", "Less", id="sampling.left", tooltip="A notch less"),
        hidden("right", "notch(1)", "More", id="sampling.right", tooltip="A notch more"),
        hidden("backspace,delete", "reset", "As planned", id="sampling.reset", tooltip="What the plan says"),
        hidden("enter", "take", "Take the number", id="sampling.take", tooltip="Take what was typed"),
    ]

    class Changed(Message):
        """A setting was changed."""

    def __init__(self, sampling: SampleConfig) -> None:
        super().__init__(id="sampling")
        self.border_title = "How it writes"
        self.sampling = self._planned = sampling
        self._selected = 0
        self._typed = ""
        self._fault = ""

    @property
    def _setting(self) -> str:
        return list(FIELDS)[self._selected]

    @property
    def description(self) -> str:
        """The selected setting in a sentence, or what is wrong with the number that was typed."""
        info = FIELDS[self._setting]
        return self._fault or f"{info.title}: {info.description}"

    def set(self, sampling: SampleConfig) -> None:
        """Replace all settings."""
        self.sampling, self._typed, self._fault = sampling, "", ""
        self.refresh()

    def on_focus(self) -> None:
        """Show the selection."""
        self.refresh()

    def on_blur(self) -> None:
        """Apply what was typed; drop it where it is not allowed."""
        self.action_take()
        self._typed = self._fault = ""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Select the setting that was clicked, or change it by a notch."""
        index, by = event.style.meta.get("setting"), event.style.meta.get("by")
        if isinstance(index, int):
            self.action_field(index - self._selected)
        if isinstance(by, int):
            self.action_notch(by)

    # ---- keys -----------------------------------------------------------------------------------------------------

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Digits are typed here instead of choosing a screen."""
        return key == "full_stop" or (character or " ") in "0123456789."

    def on_key(self, event: events.Key) -> None:
        """Enter a number."""
        if event.character and event.character in "0123456789.":
            self._typed = (self._typed + event.character)[:12]
        elif event.key == "backspace" and self._typed:
            self._typed = self._typed[:-1]
        elif event.key == "escape" and self._typed:
            self._typed = ""
        else:
            return
        self._fault = ""
        event.stop()
        event.prevent_default()
        self.refresh()

    def action_field(self, by: int) -> None:
        """Select another setting."""
        self.action_take()
        self._selected = (self._selected + by) % len(FIELDS)
        self._typed = self._fault = ""
        self.refresh()

    def action_notch(self, by: int) -> None:
        """Change the setting by a notch."""
        self.action_take()
        name = self._setting
        self._set(notch(name, getattr(self.sampling, name), by))

    def action_reset(self) -> None:
        """Set the planned value."""
        self._set(getattr(self._planned, self._setting))

    def action_take(self) -> None:
        """Apply the number that was typed."""
        if self._typed:
            try:
                self._set(float(self._typed) if "." in self._typed else int(self._typed))
            except ValueError:
                self._fault = f"{self._typed} is no number."
            self._typed = ""
            self.refresh()

    def _set(self, value: float) -> None:
        name = self._setting
        try:
            self.sampling = changed(self.sampling, name, float(value) if FIELDS[name].annotation is float else value)
            self._fault = ""
            self.post_message(self.Changed())
        except ConfigError as error:
            self._fault = f"{error.message} {error.hint}"
        self.refresh()

    # ---- drawing --------------------------------------------------------------------------------------------------

    def render(self) -> Content:
        """A list where there is room for one, else a line."""
        width, height = self.content_size
        if height >= len(FIELDS):
            rows = [self._row(index) for index in range(len(FIELDS))]
            if height >= len(FIELDS) + 4:
                description = self._fault or FIELDS[self._setting].description or ""
                rows += [Content(""), Content(description).stylize("$text-error" if self._fault else "dim")]
            return Content("\n").join(rows)
        fields = [self._field(index) for index in range(len(FIELDS))]
        first = 0
        while (
            first < self._selected
            and sum(field.cell_length + 2 for field in fields[first : self._selected + 1]) > width + 2
        ):
            first += 1
        return Content("  ").join(fields[first:])

    def _value(self, index: int) -> Content:
        name = list(FIELDS)[index]
        selected = self.has_focus and index == self._selected
        text = f"{self._typed}_" if selected and self._typed else shown(name, getattr(self.sampling, name))
        if not selected:
            return Content(text)
        less, more = ("< ", " >") if glyphs_of(self).name == "ascii" else ("‹ ", " ›")
        return Content.assemble(
            Content(less).stylize(Style.from_meta({"setting": index, "by": -1})),
            (text, "bold reverse"),
            Content(more).stylize(Style.from_meta({"setting": index, "by": 1})),
        )

    def _field(self, index: int) -> Content:
        name, info = list(FIELDS.items())[index]
        title = SHORT.get(name) or (info.title or name).lower()
        field = Content.assemble((f"{title} ", "dim"), self._value(index))
        if self.has_focus and index == self._selected:
            return field
        return field.stylize(Style.from_meta({"setting": index}))

    def _row(self, index: int) -> Content:
        title = Content(set_cell_size(list(FIELDS.values())[index].title or "", 20))
        value = self._value(index)
        if not (self.has_focus and index == self._selected):
            value = Content("  ") + value
        return (title + value).stylize(
            Style.from_meta({"setting": index}) if not self.has_focus or index != self._selected else ""
        )
