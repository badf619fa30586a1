"""What Talk says: its help, the sentence, the borders of its panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len
from textual.content import Content

from tinylm.errors import DataError, TinyLMError
from tinylm.words import printable
from tui.screens.talk.writer_thread import CheckpointRef, Completion
from tui.terminal.fit_text import brief, ellipsize_middle
from tui.terminal.glyphs import Glyphs

Focus = Literal["prompt", "text", "candidates"]
"""Where the keys go: in the prompt, letters are typed."""

OTHER_NAME = 24
"""Cells of the name of a run that wrote what is shown, and is not the one that writes next."""

LEAST_NAME = 11
"""Cells of a run's name that a pane's title keeps before it says nothing of versions."""

HELP = """\
## Talk

A model goes on with what you begin. It is no assistant: it writes what could come next.

**In the prompt** `Enter` writes, with nothing typed a new text; `Up` and `Down` bring earlier prompts; `Esc` stops what
is being written, and once more leaves to the text, where the letters below are keys. `Tab` goes round: prompt, text,
candidates, settings. `/` or `i` comes back.

**In the text**

- `Left` `Right` walk over the tokens, `Home` and `End` go to the first and to the end; a click goes anywhere
- `Enter` writes on at the end
- `r` another version with the next seed; `,` and `.` go through the versions
- `v` four versions with the next four seeds, side by side: the arrows and `Enter`, or a digit, take one
- `ctrl+e` edits the text, and the model goes on from what you made of it
- `y` copies it; the mouse selects and `ctrl+c` copies the selection
- `k` chooses run and checkpoint; `latest` follows the training
- `=` compares with a second checkpoint: same prompt, same seed
- `w` shows or hides why each token was chosen; `s` goes to the settings

**In the candidates** a digit, `Enter` or a click puts another token there, and the model goes on behind it. The sign
before a token says that it was taken, or that the settings filtered it out.

**In the settings** `Up` `Down` choose, `Left` `Right` change, digits set a number, `Backspace` takes the planned value.
A text that is being written goes on by the changed settings at once; a new seed is for the next text.

`1` to `5` choose a screen wherever no number is meant; `F2` to `F6` do always.
"""


NO_RUN = "There is no run yet: train one first. Enter leads there."


def no_run() -> Content:
    """What stands in an empty pane where there is nothing to talk to."""
    return Content("There is no model yet. Train one first: Enter leads there.")


def welcome() -> Content:
    """What stands in an empty pane."""
    return Content(
        "Type a beginning and press Enter: the model goes on with it. Enter alone begins a new text.\n\n"
        "It has learnt from its text only and answers no questions: it writes what could come next."
    ).stylize("dim")


def title(
    letter: str, source: CheckpointRef | None, step: int | None, place: tuple[int, int], glyphs: Glyphs, room: int
) -> Content:
    """Of a pane: run and checkpoint that write next, and which of its versions is shown; the name gives way first."""
    if source is None:
        return Content(f"{letter}no run yet")
    joint, name = f" {glyphs.dot} ", printable(source.run.name)
    if step is None:
        which = "nothing saved yet"
    elif source.which in ("latest", "best"):
        told = f"{source.which}, step {step}", f"{source.which} {step}"
        which = brief(room - cell_len(letter + name + joint), *told)
    else:
        which = f"step {step}"
    behind = joint + which
    room -= len(letter) + len(behind)
    version = ""
    if place[1] > 1:
        ways = f"{joint}version {place[0]} of {place[1]}", f"{joint}{place[0]}/{place[1]}", ""
        version = brief(room - min(cell_len(name), LEAST_NAME), *ways)
    return Content(letter + ellipsize_middle(name, room - len(version), glyphs) + behind + version)


def status(writing: Completion | None, source: CheckpointRef | None, glyphs: Glyphs, room: int) -> Content:
    """Of a pane: by which step and with which seed; how much was written and how fast, where there is room.

    Where the text is of another run than `source`, which writes next, that run is named first.
    """
    if writing is None or writing.step is None:
        return Content("")
    speed = [f"{writing.speed:,.0f} tokens/s"] if writing.speed else []
    told = [f"step {writing.step}", f"seed {writing.sampling.seed}"]
    if source is not None and writing.checkpoint.run.path != source.run.path:
        told.insert(0, f"by {ellipsize_middle(printable(writing.checkpoint.run.name), OTHER_NAME, glyphs)}")
    return Content(
        brief(room, *map(f" {glyphs.dot} ".join, ([count(writing), *speed, *told], [count(writing), *told], told)))
    )


def count(completion: Completion) -> str:
    """How many tokens were written."""
    written = len(completion.tokens)
    return f"{written} token{'s' if written != 1 else ''}"


def choosing(completions: Sequence[Completion]) -> str:
    """What is going on with versions that are written side by side, and what to do."""
    for completion in completions:
        if completion.busy and not completion.stop.is_set():
            return _doing(completion)
    return "Arrows and Enter, or a digit, take one; Esc leaves."


def beginning(asked: bool) -> str:
    """The sentence while a training begins whose folder is not there yet."""
    if asked:
        return "The text comes with the first checkpoint of the new run. Esc calls it off."
    return "A training begins. Ask already: the text comes with its first checkpoint."


def about(writing: Completion | None, step: int | None, trains: bool, focus: Focus) -> str:
    """The sentence on a text, or where there is none on the checkpoint at `step`, whose run somebody `trains`."""
    if writing is None:
        if step is None:
            return _nothing_saved(trains, focus)
        if focus == "candidates":
            return "Nothing is written yet. / leads to the prompt."
        return f"Enter goes on from your prompt, at step {step}."
    if writing.busy and not writing.stop.is_set():
        return _doing(writing)
    if writing.state == "failed":
        return _fault(writing.error, focus)
    if writing.state == "ended":
        return f"The model ended it: {count(writing)}. {_next(focus, 'a new text')}"
    if writing.state == "full":
        return f"{writing.drawn} tokens, as asked. {_next(focus)}"
    return f"Stopped. {_next(focus)}"


def _doing(writing: Completion) -> str:
    if writing.state == "writing":
        return f"Writing with step {writing.step}. Esc stops and keeps the text."
    step = writing.checkpoint.step()
    if step is None:
        return "Waiting for the first checkpoint. Esc calls it off."
    return f"Loading step {step} of {printable(writing.checkpoint.run.name)}."


def _next(focus: Focus, more: str = "") -> str:
    """What can be done with a text that is there, by the keys that work where one is."""
    match focus:
        case "prompt":
            return "Enter writes another, Esc leads to the text."
        case "candidates":
            return "A digit puts another token there, r redoes."
        case "text":
            return f"r redoes, Enter {f'begins {more}' if more else 'goes on'}."


def _key(letter: str, focus: Focus) -> str:
    """A letter as one gets at it: in the prompt it would be typed."""
    return f"Esc, then {letter}" if focus == "prompt" else letter


def _nothing_saved(trains: bool, focus: Focus) -> str:
    if trains:
        return "This run has saved nothing yet. Ask already: it writes when it has."
    return f"This run has no checkpoint, and nothing here trains it. {_key('k', focus)} chooses another."


def _fault(error: Exception | None, focus: Focus) -> str:
    if isinstance(error, DataError):
        return f"{error.message} {error.hint}"
    if isinstance(error, TinyLMError):
        return f"{_key('k', focus)} chooses another checkpoint: {error.message}"
    return f"This is our fault: {error!r}"
