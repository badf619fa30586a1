"""The texts of Talk: its help, the sentence at the foot, the titles of its panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len
from textual.content import Content

from tinylm.errors import DataError, TinyLMError
from tinylm.words import counted, one_line
from tui.screens.talk.writer_thread import CheckpointRef, Completion
from tui.terminal.fit_text import ellipsize_middle, first_fitting
from tui.terminal.glyphs import Glyphs

Focus = Literal["prompt", "text", "candidates"]
"""What has the focus: in the prompt, letters are typed instead of being keys."""

OTHER_NAME = 24
"""Cells for the name of the run that wrote the text, where another one writes next."""

LEAST_NAME = 11
"""Cells of a run's name that a title keeps before it leaves out the version."""

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
- `k` chooses run and checkpoint: else the best writes, and while the run trains the latest
- `=` compares with a second checkpoint: same prompt, same seed
- `w` shows or hides why each token was chosen; `s` goes to the settings

**In the candidates** a digit, `Enter` or a click puts another token there, and the model goes on behind it. The sign
before a token says that it was taken, or that the settings filtered it out.

**In the settings** `Up` `Down` choose, `Left` `Right` change, digits set a number, `Backspace` takes the planned value.
A text that is being written goes on by the changed settings at once; a new seed is for the next text.

`1` to `5` choose a screen wherever no number is meant; `F2` to `F6` do always.
"""


NO_RUN = "There is no run yet: train one first. Enter leads there."


NO_MODEL = Content("There is no model yet. Train one first: Enter leads there.")
"""An empty pane where there is no run."""

WELCOME = Content(
    "Type a beginning and press Enter: the model goes on with it. Enter alone begins a new text.\n\n"
    "It has learnt from its text only and answers no questions: it writes what could come next."
).stylize("dim")
"""An empty pane."""


def title(
    letter: str,
    checkpoint: CheckpointRef | None,
    step: int | None,
    position: tuple[int, int],
    glyphs: Glyphs,
    room: int,
) -> Content:
    """Title of a pane: run and checkpoint that write next, and the number of the version that is shown.

    `position` is that number, from 1, and how many there are. Where there is little room the name is shortened first.
    """
    if checkpoint is None:
        return Content(f"{letter}no run yet")
    joint, name = f" {glyphs.dot} ", one_line(checkpoint.run.name)
    if step is None:
        which = "nothing saved yet"
    elif checkpoint.which in ("latest", "best"):
        ways = f"{checkpoint.which}, step {step}", f"{checkpoint.which} {step}"
        which = first_fitting(room - cell_len(letter + name + joint), *ways)
    else:
        which = f"step {step}"
    behind = joint + which
    room -= len(letter) + len(behind)
    version = ""
    number, total = position
    if total > 1:
        version = first_fitting(
            room - min(cell_len(name), LEAST_NAME),
            f"{joint}version {number} of {total}",
            f"{joint}{number}/{total}",
            "",
        )
    return Content(letter + ellipsize_middle(name, room - len(version), glyphs) + behind + version)


def status(completion: Completion | None, checkpoint: CheckpointRef | None, glyphs: Glyphs, room: int) -> Content:
    """Subtitle of a pane: tokens, speed (where there is room), step and seed.

    Where another run than that of `checkpoint`, which writes next, wrote the text, that run is named too.
    """
    if completion is None or completion.step is None:
        return Content("")
    tokens = token_count(completion)
    speed = [f"{completion.speed:,.0f} tokens/s"] if completion.speed else []
    origin = [f"step {completion.step}", f"seed {completion.sampling.seed}"]
    if checkpoint is not None and completion.checkpoint.run.path != checkpoint.run.path:
        origin.insert(0, f"by {ellipsize_middle(one_line(completion.checkpoint.run.name), OTHER_NAME, glyphs)}")
    begins = [f"begins like a {completion.begins_like}"] if completion.begins_like else []
    longest_first = [tokens, *speed, *begins, *origin], [tokens, *speed, *origin], [tokens, *origin], origin
    return Content(first_fitting(room, *map(f" {glyphs.dot} ".join, longest_first)))


def token_count(completion: Completion) -> str:
    """`1 token`, `57 tokens`."""
    count = len(completion.tokens)
    return f"{count} token{'s' if count != 1 else ''}"


def choosing(completions: Sequence[Completion]) -> str:
    """The sentence under versions that are written side by side: what is going on, then what to do."""
    for completion in completions:
        if completion.busy and not completion.stop.is_set():
            return _progress(completion)
    return "Arrows and Enter, or a digit, take one; Esc leaves."


def beginning(asked: bool) -> str:
    """The sentence while a training begins that has no run folder yet."""
    if asked:
        return "The text comes with the first checkpoint of the new run. Esc calls it off."
    return "A training begins. Ask already: the text comes with its first checkpoint."


def sentence(completion: Completion | None, step: int | None, trains: bool, focus: Focus) -> str:
    """The sentence about a text; where there is none, about the checkpoint at `step`, whose run is trained or not."""
    if completion is None:
        if step is None:
            return _nothing_saved(trains, focus)
        if focus == "candidates":
            return "Nothing is written yet. / leads to the prompt."
        return f"Enter goes on from your prompt, at step {step}."
    if completion.busy and not completion.stop.is_set():
        return _progress(completion)
    if completion.state == "failed":
        return _fault(completion.error, focus)
    if completion.state == "ended":
        if completion.drawn == 1:
            return f"The model ended it here: nothing was added. {_next(focus, 'a new text')}"
        return f"The model ended it: {token_count(completion)}. {_next(focus, 'a new text')}"
    if completion.state == "full":
        return f"{counted(completion.drawn, 'token')}, as asked. {_next(focus)}"
    return f"Stopped. {_next(focus)}"


def _progress(completion: Completion) -> str:
    if completion.state == "writing":
        return f"Writing with step {completion.step}. Esc stops and keeps the text."
    step = completion.checkpoint.step()
    if step is None:
        return "Waiting for the first checkpoint. Esc calls it off."
    return f"Loading step {step} of {one_line(completion.checkpoint.run.name)}."


def _next(focus: Focus, more: str = "") -> str:
    """What can be done with a text, with the keys that work where the focus is."""
    match focus:
        case "prompt":
            return "Enter writes another, Esc leads to the text."
        case "candidates":
            return "A digit puts another token there, r redoes."
        case "text":
            return f"r redoes, Enter {f'begins {more}' if more else 'goes on'}."


def _key(letter: str, focus: Focus) -> str:
    """How to press a letter key: in the prompt it would be typed."""
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
