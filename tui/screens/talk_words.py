"""What Talk says: its help, the sentence, the borders of its panes."""

from __future__ import annotations

from textual.content import Content

from tinylm.console import printable
from tinylm.errors import DataError, TinyLMError
from tui.glyphs import Glyphs
from tui.talker import Source, Writing

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
- `ctrl+e` edits the text, and the model goes on from what you made of it
- `y` copies it; the mouse selects and `ctrl+c` copies the selection
- `k` chooses run and checkpoint; `latest` follows the training
- `=` compares with a second checkpoint: same prompt, same seed
- `w` shows or hides why each token was chosen; `s` goes to the settings

**In the candidates** a digit, `Enter` or a click puts another token there, and the model goes on behind it. The sign
before a token says that it was taken, or that the settings filtered it out.

**In the settings** `Up` `Down` choose, `Left` `Right` change, digits set a number, `Backspace` takes the planned value.

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


def title(letter: str, source: Source | None, step: int | None, place: tuple[int, int], glyphs: Glyphs) -> Content:
    """Of a pane: run and checkpoint that write next, and which of its versions is shown."""
    if source is None:
        return Content(f"{letter}no run yet")
    told = [printable(source.run.name)]
    if source.which in ("latest", "best"):
        told.append(f"{source.which} {step}" if step is not None else "nothing saved yet")
    else:
        told.append(f"step {step}")
    if place[1] > 1:
        told.append(f"version {place[0]} of {place[1]}")
    return Content(letter + f" {glyphs.dot} ".join(told))


def status(writing: Writing | None, glyphs: Glyphs, width: int) -> Content:
    """Of a pane: how much was written, how fast where there is room, by which step, with which seed."""
    if writing is None or writing.step is None:
        return Content("")
    told = [f"{len(writing.tokens)} token{'s' if len(writing.tokens) != 1 else ''}"]
    if writing.speed and width >= 50:
        told.append(f"{writing.speed:,.0f} tokens/s")
    told += [f"step {writing.step}", f"seed {writing.sampling.seed}"]
    return Content(f" {glyphs.dot} ".join(told))


def beginning(asked: bool) -> str:
    """The sentence while a training begins whose folder is not there yet."""
    if asked:
        return "The text comes with the first checkpoint of the new run. Esc calls it off."
    return "A training begins. Ask already: the text comes with its first checkpoint."


def about(writing: Writing | None, source: Source, step: int | None, trains: bool) -> str:
    """The sentence on a text, or on `source` at its `step` where there is none; `trains` where it is being trained."""
    if writing is None:
        if step is None:
            return _nothing_saved(source, trains)
        return f"Enter lets {printable(source.run.name)} go on from your prompt, at step {step}."
    count = len(writing.tokens)
    match writing.state:
        case "waiting":
            return f"Waiting for the first checkpoint of {printable(writing.source.run.name)}. Esc calls it off."
        case "loading":
            return f"Loading step {writing.source.step()} of {printable(writing.source.run.name)}."
        case "writing":
            return f"Writing with step {writing.step}. Esc stops and keeps the text."
        case "stopped":
            return "Stopped. In the text r redoes, Enter goes on."
        case "ended":
            return f"The model ended it itself after {count} tokens. r redoes."
        case "full":
            return f"{count} tokens, as asked. In the text r redoes, Enter goes on."
        case "failed":
            return _fault(writing.error)


def _nothing_saved(source: Source, trains: bool) -> str:
    name = printable(source.run.name)
    if trains:
        return f"{name} has saved nothing yet. Ask already: it writes when it has."
    return f"{name} has no checkpoint, and nothing here trains it. k chooses another."


def _fault(error: Exception | None) -> str:
    if isinstance(error, DataError):
        return f"{error.message} {error.hint}"
    if isinstance(error, TinyLMError):
        return f"k chooses another checkpoint: {error.message}"
    return f"This is our fault: {error!r}"
