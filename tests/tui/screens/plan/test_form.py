"""The form: rows, notches, typing, faults beside the field, search, keys and mouse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui.screens.plan.plan_pilot import make, on_plan
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tui.app import StudioApp
from tui.screens.plan.form import ConfigForm, matches
from tui.studio import Studio
from tui.terminal import glyphs


@asynccontextmanager
async def on_form(
    home: Path, size: tuple[int, int] = (80, 24), preset: str = "quick"
) -> AsyncIterator[tuple[Pilot[int], ConfigForm]]:
    """Run the app on Plan; gives its pilot and the form."""
    async with on_plan(make(home, preset=preset), size) as (pilot, screen):
        yield pilot, screen.form


def studio(pilot: Pilot[int]) -> Studio:
    assert isinstance(pilot.app, StudioApp)
    return pilot.app.studio


def lines(form: ConfigForm) -> list[str]:
    """What the form shows, line by line."""
    return [form.rows.render_line(y).text.rstrip() for y in range(form.rows.size.height)]


async def test_every_setting_has_a_row_once_its_section_is_open(home: Path) -> None:
    async with on_form(home, size=(160, 45), preset="seed") as (_, form):
        shown = {row.id for row in form.rows.rows if row.field}
        for key in resolve.settings():
            for number in range(2 if ".N." in key else 1):
                assert key.replace(".N.", f".{number}.") in shown
        assert form.rows.columns == 2


async def test_on_a_small_screen_other_groups_are_closed_and_say_how_many_they_are(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        shown = lines(form)
        assert shown[0].split() == "How long do you have? ‹ 2 min ›".split()
        assert "▸ Model  12 more" in shown, "the first screen ends with a group that says there is more"
        await pilot.press("end")
        await pilot.pause()
        assert "▸ Model  12 more" in lines(form)
        assert form.rows.row.label == "File"
        assert form.rows.scroll_offset.y > 0
        await pilot.press("enter")
        assert [row.id for row in form.rows.rows if row.section.id == "file"] == ["file", "format", "data.split"]
    assert studio(pilot).training is None, "Enter on a heading trains nothing"


async def test_arrows_move_and_change_by_notches(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.press("right", "down", "down", "down", "down", "right")
        await pilot.pause()
        assert form.field.key == "model.n_embd"
        assert lines(form)[4].split() == ["◆", "Width", "‹", "256", "›"]
        assert form.border_subtitle == "3 settings differ from quick", "Fit is the third"
    assert (studio(pilot).plan.train.budget, studio(pilot).plan.model.n_embd) == ("15m", 256)


async def test_moving_makes_no_widgets(home: Path) -> None:
    async with on_form(home) as (pilot, _):
        before = len(pilot.app.screen.query("*"))
        await pilot.press("end", "right", "up", "up", "pageup", "home")
        assert len(pilot.app.screen.query("*")) == before


async def test_space_begins_to_edit_and_enter_takes_it(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.press("down", "down", "down", "space", "1", "2")
        assert form.editing
        assert form.query_one(Input).value == "12"
        await pilot.press("enter")
        await pilot.pause()
        assert not form.editing
        assert form.rows.has_focus
    assert studio(pilot).plan.model.n_layer == 12
    assert studio(pilot).training is None, "this Enter took a value"


async def test_escape_gives_up_and_backspace_takes_the_presets(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.press("down", "down", "down", "space", "9", "escape")
        assert form.config.model.n_layer == 4
        await pilot.press("space", "9", "enter")
        assert form.config.model.n_layer == 9
        await pilot.press("backspace")
        assert form.config.model.n_layer == 4
    assert studio(pilot).plan.model.n_layer == 4


async def test_space_edits_the_value_that_is_there_and_steps_through_choices(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.press("space")
        assert form.query_one(Input).value == "2 min"
        await pilot.press(*"90 seconds", "enter")
        form.jump("train.optimizer")
        await pilot.press("space")
    assert (studio(pilot).plan.train.budget, studio(pilot).plan.train.optimizer) == ("90s", "adamw")


async def test_a_fault_stands_beside_the_field_as_one_types_and_the_plan_stays_valid(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        message = form.query_one(".form-message", Static)
        await pilot.press("down", "down", "down", "space", "2", "0", "0")
        await pilot.pause()
        assert message.display
        assert str(message.content).startswith("model.n_layer is 200")
        assert message.region.y == form.query_one(Input).region.y + 1
        await pilot.press("enter")
        assert form.editing, "what does not fit is not taken"
        await pilot.press("backspace", "backspace")
        await pilot.pause()
        assert not message.display
        await pilot.press("enter")
    assert studio(pilot).plan.model.n_layer == 2


async def test_what_fits_only_together_says_so_and_enter_takes_both(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        form.jump("model.n_head")
        await pilot.press("space", "5")
        await pilot.pause()
        message = "model.n_head=5 is no multiple of model.n_kv_head=4. Enter also sets Key/value heads to 5."
        assert form.fault == message
        await pilot.press("enter")
    assert (studio(pilot).plan.model.n_head, studio(pilot).plan.model.n_kv_head) == (5, 5)


@pytest.mark.parametrize("key", ["enter", "down"])
async def test_what_was_set_together_stands_beside_the_field_until_one_goes_on(home: Path, key: str) -> None:
    async with on_form(home) as (pilot, form):
        box = form.query_one(".form-message", Static)
        form.jump("model.n_head")
        await pilot.press("space", "5", key)
        await pilot.pause()
        assert not form.editing
        assert box.display
        assert str(box.content) == "Set with it: Key/value heads 5 (was 4), Fit off (was on)."
        assert not box.has_class("-fault")
        await pilot.press("down")
        await pilot.pause()
        assert form.rows.row.id == "model.n_kv_head"
        assert not box.display


async def test_resetting_says_what_it_set_too_and_undoing_takes_the_word_away(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        form.jump("model.n_head")
        await pilot.press("space", "5", "enter", "backspace")
        assert form.note == "Set with it: Key/value heads 4 (was 5), Fit on (was off)."
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert form.config.model.n_kv_head == 5
        assert form.note == ""


async def test_what_was_offered_for_another_plan_is_not_taken(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.press("down", "down", "down", "right")
        assert form.config.model.n_layer == 5
        form.jump("model.n_head")
        await pilot.press("left", "ctrl+z")
        await pilot.pause()
        assert (form.config.model.n_layer, form.fault) == (4, "")
        await pilot.press("left", "left")
        assert (form.config.model.n_layer, form.config.model.n_head) == (4, 2)


async def test_a_vocabulary_that_is_no_choice_is_neither_stepped_nor_typed(home: Path) -> None:
    async with on_form(home, preset="char") as (pilot, form):
        form.jump("tokenizer.vocab_size")
        for key in ("right", "space"):
            await pilot.press(key)
            assert "Only bpe has a size" in form.fault
            assert not form.editing
        assert any(line.split()[-4:] == ["Vocabulary", "‹", "characters", "›"] for line in lines(form))
    assert studio(pilot).plan.tokenizer.vocab_size == 2048


async def test_the_same_arrow_again_takes_what_has_to_go_with_it(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        form.jump("model.n_head")
        await pilot.press("left")
        assert "← again also sets Key/value heads to 2" in form.fault
        assert form.config.model.n_head == 4
        await pilot.press("left")
        assert (form.config.model.n_head, form.config.model.n_kv_head) == (2, 2)
        assert form.fault == ""


async def test_going_elsewhere_takes_what_fits_and_leaves_what_does_not(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        form.jump("train.fit")
        await pilot.press("right")  # off, so that nothing is set along
        form.jump("model.block_size")
        await pilot.press("space", *"512", "down")
        assert form.field.key == "train.batch_size"
        await pilot.press("space", "0", "tab")
        await pilot.pause()
        assert not form.editing
    assert (studio(pilot).plan.model.block_size, studio(pilot).plan.train.batch_size) == (512, 6)


@pytest.mark.parametrize("key", ["enter", "down"])
async def test_who_chooses_layers_chooses_all_and_the_presets_number_brings_fit_back(home: Path, key: str) -> None:
    async with on_form(home) as (pilot, form):
        box = form.query_one(".form-message", Static)
        await pilot.press("down", "down", "down", "space", "9", key)
        await pilot.pause()
        assert str(box.content) == "Set with it: Fit off (was on)."
        assert box.display
        assert form.field.key == "model.n_layer", "what stands beside the row is to be read there"
        assert lines(form)[2].split() == ["◆", "Fit", "off"]
        await pilot.press("backspace")
        assert form.note == "Set with it: Fit on (was off)."
        assert lines(form)[2].split() == ["Fit", "on"]
    assert studio(pilot).plan == resolve.validate(resolve.read_preset("quick", home))


async def test_what_fit_chooses_is_dim_and_in_parentheses_until_it_is_off(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        assert lines(form)[3].split() == ["Layers", "(4)"]
        muted = form.rows.get_component_rich_style("rows--label").color
        value = next(part for part in form.rows.render_line(3) if part.text == "(4)")
        assert value.style
        assert value.style.color == muted
        await pilot.press("down", "down", "down")
        value = next(part for part in form.rows.render_line(3) if part.text == "(4)")
        assert value.style
        assert value.style.color != muted, "the marked row is to be read"
        await pilot.click(form.rows, offset=(lines(form)[3].index("›"), 3))
        assert form.config.model.n_layer == 5, "the arrow is where it is drawn"
        assert lines(form)[4].split() == ["Width", "128"]


async def test_fit_alone_is_switched_without_a_word(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.press("down", "down", "space")
        assert lines(form)[2].split() == ["◆", "Fit", "‹", "off", "›"]
        assert (form.note, form.border_subtitle) == ("", "1 setting differs from quick")
        await pilot.press("backspace")
        assert lines(form)[2].split() == ["Fit", "‹", "on", "›"]


async def test_a_text_takes_every_letter(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        form.jump("sample.prompt")
        await pilot.press(*"tyDe", "enter")
    assert studio(pilot).plan.sample.prompt == "tyDe"


async def test_phases_come_and_go_by_key(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.press("plus", "plus")
        assert [phase.share for phase in form.config.train.phases] == [0.5, 0.25, 0.25]
        assert not form.config.train.fit, "phases are Fit's, or one's own"
        form.jump("train.phases.0.schedule")
        await pilot.press("minus")
        assert [phase.name for phase in form.config.train.phases] == ["phase 2", "phase 3"]
        form.jump("train.phases")
        await pilot.press("left")
        assert len(form.config.train.phases) == 1
        await pilot.press("right", "backspace")
        assert form.config.train.phases == form.base.train.phases
        assert form.config.train.fit
        await pilot.press("left", "minus")
        assert "at least one phase" in form.fault


async def test_clicks_mark_step_edit_and_open(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.click(form.rows, offset=(5, 4))
        assert form.field.key == "model.n_embd"
        arrow = lines(form)[4].index("›")
        await pilot.click(form.rows, offset=(arrow, 4))
        assert form.config.model.n_embd == 256
        await pilot.click(form.rows, offset=(lines(form)[4].index("‹"), 4))
        assert form.config.model.n_embd == 128
        await pilot.click(form.rows, offset=(lines(form)[4].index("128"), 4))
        assert form.editing
        await pilot.press("escape", "end")
        await pilot.pause()
        heading = next(y for y, line in enumerate(lines(form)) if "Model" in line)
        await pilot.click(form.rows, offset=(3, heading))
        assert form.rows.is_open(form.rows.row.section)


async def test_the_second_column_is_clicked_where_it_is(home: Path) -> None:
    async with on_form(home, size=(160, 45)) as (pilot, form):
        index = form.rows.depth + 4
        await pilot.click(form.rows, offset=(form.rows.width_each + 5, 4))
        assert form.rows.cursor == index


async def test_signs_are_plain_where_the_terminal_is(home: Path) -> None:
    async with on_form(home) as (pilot, form):
        await pilot.press("down", "down", "down", "right")
        form.show_signs(glyphs.ASCII)
        assert all(line.isascii() for line in lines(form))
        assert lines(form)[3].split() == ["o", "Layers", "<", "5", ">"]


@pytest.mark.parametrize(
    ("words", "first"),
    [("drop", "model.dropout"), ("n_kv", "model.n_kv_head"), ("repetition", "sample.repetition_penalty")],
)
def test_fields_are_found_by_name_title_and_help(words: str, first: str) -> None:
    assert matches(RunConfig(), words)[0][1].key == first


def test_what_only_the_help_says_is_found_too() -> None:
    assert "train.seed" in [field.key for _, field in matches(RunConfig(), "dropout weights")]
    assert matches(RunConfig(), "learning_rate")[0][1].key == "train.phases.0.max_lr"
    assert not matches(RunConfig(), "qqq")
