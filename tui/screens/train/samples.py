"""The samples that the model wrote during a run, from the same prompt and seed: the loss curve in words.

One sample is marked: the newest, or the newest at the hair line of the charts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events as textual_events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tinylm.events import Sampled
from tinylm.words import printable
from tui.terminal.glyphs import Glyphs

MOST_LINES = 8
"""Lines of the marked sample at most; the others have one each."""

EMPTY = "What the model writes will stand here, from its first noise to whole sentences."


class SampleStrip(Static):
    """As many samples of a run as fit, with one of them marked."""

    @dataclass
    class Chosen(Message):
        """A sample was clicked on."""

        sample: Sampled

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._samples: Sequence[Sampled] = ()
        self._count, self._marked, self._glyphs = -1, 0, None
        self._rows: list[int] = []
        """The index of the sample on each line."""

    _glyphs: Glyphs | None

    @property
    def marked(self) -> Sampled | None:
        """The sample that is marked."""
        return self._samples[self._marked] if self._samples else None

    def show(self, samples: Sequence[Sampled], marked: int, glyphs: Glyphs) -> None:
        """Show samples, with the one at index `marked` marked; cheap where nothing is new."""
        newest = samples[-1] if samples else None
        shown = self._samples[-1] if self._samples else None
        if (len(samples), marked, glyphs) == (self._count, self._marked, self._glyphs) and newest is shown:
            return
        self._samples, self._count, self._marked, self._glyphs = list(samples), len(samples), marked, glyphs
        self._draw()

    def on_resize(self) -> None:
        """Wrap for the new width."""
        self._draw()

    def on_click(self, event: textual_events.Click) -> None:
        """Mark the sample under the pointer."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y < len(self._rows):
            self.post_message(self.Chosen(self._samples[self._rows[offset.y]]))

    def _draw(self) -> None:
        if self._glyphs is None or not self.content_size.width:
            return
        if not self._samples:
            self._rows = []
            self.border_title = "what it writes"
            self.update(Content.styled(EMPTY, "$foreground 60%"), layout=False)
            return
        prompt = self._samples[self._marked].prompt
        begins = f'from "{printable(prompt)}"' if prompt else "when it begins a text"
        self.border_title = Content(" ".join(f"what it writes {begins}".split())).truncate(
            max(self.size.width - 22, 14), ellipsis=True
        )
        self.border_subtitle = Content.from_markup(
            "[@click=screen.scrub(False)]$before[/]  [@click=screen.scrub(True)]$after[/]",
            before="[ earlier",
            after="] later",
        )
        lines, self._rows = strip_lines(
            self._samples, self._marked, self.content_size.width, self.content_size.height, self._glyphs
        )
        self.update(Content("\n").join(lines), layout=False)


def index_at(samples: Sequence[Sampled], step: int | None) -> int:
    """The index of the sample that was the newest at `step`; without a step, of the newest of all."""
    if step is None or not samples:
        return max(len(samples) - 1, 0)
    written = [index for index, sample in enumerate(samples) if sample.step <= step]
    return max(written, key=lambda index: samples[index].step, default=0)  # the last sample may be of an earlier step


def strip_lines(
    samples: Sequence[Sampled], marked: int, width: int, height: int, glyphs: Glyphs
) -> tuple[list[Content], list[int]]:
    """The lines of the strip, and for each the index of its sample.

    Samples are in order of time, the marked one with several lines; a low strip has one other, early one to compare.
    """
    label_width = max(len(f"step {samples[-1].step:,}"), 8) + 3
    room = max(width - label_width, 8)
    written = [line.plain.rstrip() for line in Content(_flat(samples[marked])).wrap(room)]
    others = _others(len(samples), marked, height - min(len(written), max(2, min(MOST_LINES, height * 2 // 3))))
    most = max(1, min(MOST_LINES, height - len(others)))
    lines: list[Content] = []
    rows: list[int] = []
    for index in sorted({*others, marked}):
        sample = samples[index]
        here = index == marked
        text = written if here else [_flat(sample)]
        parts = [text[0], *text[1:most]] if here else text
        if len(text) > len(parts):
            parts[-1] = Content(parts[-1]).truncate(room - len(glyphs.ellipsis)).plain.rstrip() + glyphs.ellipsis
        for number, part in enumerate(parts):
            label = f"{glyphs.arrow if here else ' ':<2}step {sample.step:,}" if number == 0 else ""
            shown = Content(part).truncate(room, ellipsis=glyphs.ellipsis == "…")
            lines.append(
                Content.assemble((f"{label:<{label_width}}", "bold $accent" if here else "$foreground 60%"))
                + (shown if here else shown.stylize("$foreground 60%"))
            )
            rows.append(index)
    return lines[:height], rows[:height]


def _others(count: int, marked: int, room: int) -> list[int]:
    """The indices of the other samples to show: spread over the run, always with the first."""
    rest = [index for index in range(count) if index != marked]
    if room <= 0 or not rest:
        return []
    if room == 1:
        return [marked // 3] if marked else [count - 1]
    if len(rest) <= room:
        return rest
    return sorted({rest[i * (len(rest) - 1) // (room - 1)] for i in range(room)})


def _flat(sample: Sampled) -> str:
    """A sample on one line."""
    return " ".join(printable(sample.prompt + sample.text).split()) or "(nothing)"
