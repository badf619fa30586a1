"""Plan as a whole: rehearsals that come and go, refusals, pages, presets, and how it looks."""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static, TextArea

from tests.tui.rehearsals import RehearsingEngine, fitted, rehearsal
from tests.tui.screens.plan.plan_pilot import TOO_SHORT, make, numbers, on_plan, refuse, until
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import DataError
from tui.engine import Machine
from tui.screens.plan.rehearsal import RehearsalPane
from tui.screens.plan.screen import PlanScreen

pytestmark = pytest.mark.usefixtures("at_once")


# ---- rehearsals ---------------------------------------------------------------------------------------------------


async def test_a_rehearsal_is_made_and_shown(home: Path) -> None:
    async with on_plan(make(home)) as (pilot, screen):
        await until(pilot, lambda: "6,144 tokens/s" in numbers(screen))
        assert "480 steps in 2:00 min" in screen.sentence()
        await pilot.press("right")
        await until(pilot, lambda: "15 min  3,600 steps" in numbers(screen))


async def test_the_next_change_calls_a_rehearsal_off(home: Path) -> None:
    engine = RehearsingEngine(hold=True)
    async with on_plan(make(home, engine)) as (pilot, screen):
        await until(pilot, lambda: engine.rehearsed)
        first = engine.rehearsed[0]
        assert screen.state.doing == "rehearsing"
        await pilot.press("down", "down", "down", "right")
        await until(pilot, lambda: engine.called_off)
        assert engine.called_off == [first]
        await until(pilot, lambda: len(engine.rehearsed) == 2)
        assert engine.rehearsed[1].model.n_layer == 5
        engine.let_go.set()
        await until(pilot, lambda: "1,835,008 parameters" in numbers(screen))


async def test_numbers_of_the_plan_before_say_so_until_the_new_ones_are_there(home: Path) -> None:
    engine = RehearsingEngine()
    async with on_plan(make(home, engine)) as (pilot, screen):
        await until(pilot, lambda: "speed   6,144 tokens/s" in numbers(screen))
        pane = screen.query_one("#numbers", Static)
        assert pane.border_title == "Rehearsal"
        engine.let_go.clear()
        await pilot.press("right")
        await until(pilot, lambda: screen.state.doing == "rehearsing")
        assert "speed   was 6,144 tokens/s" in numbers(screen)
        assert "2 min   was 480 steps" in numbers(screen), "what two minutes were, not what fifteen are"
        assert (pane.border_title, pane.border_subtitle) == ("Rehearsal of the plan before", "rehearsing…")
        engine.let_go.set()
        await until(pilot, lambda: "15 min  3,600 steps" in numbers(screen))
        assert pane.border_title == "Rehearsal"
        assert "was" not in numbers(screen)


async def test_data_changes_the_plan_too(home: Path) -> None:
    engine = RehearsingEngine()
    async with on_plan(make(home, engine)) as (pilot, screen):
        screen.studio.set_plan(resolve.with_values(screen.studio.plan, data={"sources": ["/some/text"]}))
        await pilot.pause()
        assert screen.form.config.data.sources == ["/some/text"]
        await until(pilot, lambda: engine.rehearsed and engine.rehearsed[-1].data.sources == ["/some/text"])


async def test_before_torch_is_there_it_says_so_and_waits(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = RehearsingEngine()
    monkeypatch.setattr(engine, "warm_up", lambda *_: None)
    async with on_plan(make(home, engine)) as (pilot, screen):
        screen.tick()
        assert "when torch is loaded" in numbers(screen)
        assert "1,572,864 parameters" in numbers(screen), "what needs no torch is there at once"
        assert not engine.rehearsed
        screen.studio.machine = Machine("Test CPU", "cpu", "2.13.0", 2, {})
        await until(pilot, lambda: "tokens/s" in numbers(screen))


async def test_t_rehearses_again(home: Path) -> None:
    engine = RehearsingEngine()
    async with on_plan(make(home, engine)) as (pilot, screen):
        await until(pilot, lambda: screen.state.fresh)
        await pilot.press("t")
        await until(pilot, lambda: len(engine.rehearsed) == 2)


async def test_while_a_run_trains_there_is_no_rehearsal_and_no_sweep(home: Path) -> None:
    engine = RehearsingEngine()
    app = make(home, engine)

    async with on_plan(app) as (pilot, screen):
        await until(pilot, lambda: screen.state.fresh)
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "train")
        app.action_go("plan")
        await pilot.pause()
        await pilot.press("F")
        assert "while a run trains" in screen.sentence()
        await pilot.press("down", "down", "down", "right")
        before = len(engine.rehearsed)
        for _ in range(3):
            screen.tick()
            await pilot.pause(0.02)
        assert len(engine.rehearsed) == before
        assert "is training" in numbers(screen)
        assert "for the next run" in screen.sentence()
        app.studio.training.trainer.control.stop.set()
        await until(pilot, lambda: len(engine.rehearsed) > before)
    assert len(engine.trained) == 1
    assert not engine.sweeps


async def test_a_plan_that_cannot_be_trained_is_refused_with_the_reason(home: Path) -> None:
    engine = RehearsingEngine(answer=refuse)
    async with on_plan(make(home, engine)) as (pilot, screen):
        await until(pilot, lambda: screen.state.fault)
        assert str(TOO_SHORT) in numbers(screen)
        await pilot.press("enter")
        assert screen.sentence() == f"✗ Not started: {TOO_SHORT.message}", "its hint stands in the rehearsal"
        assert screen.studio.training is None
        engine.answer = rehearsal
        await pilot.press("down", "down", "down", "right")
        await until(pilot, lambda: screen.state.fresh and screen.state.rehearsal)
        await pilot.press("enter")
        await until(pilot, lambda: screen.studio.training)
    assert engine.trained[0].model.n_layer == 5


async def test_our_own_error_is_shown_and_stops_nobody(home: Path) -> None:
    def break_down(_: RunConfig) -> object:
        raise ZeroDivisionError("ours")

    async with on_plan(make(home, RehearsingEngine(answer=break_down))) as (pilot, screen):
        await until(pilot, lambda: "ZeroDivisionError" in numbers(screen))
        assert screen.state.fault is None


async def test_leaving_the_screen_calls_a_rehearsal_off(home: Path) -> None:
    engine = RehearsingEngine(hold=True)
    app = make(home, engine)

    async with on_plan(app) as (pilot, _):
        await until(pilot, lambda: engine.rehearsed)
        app.action_go("data")
        await until(pilot, lambda: engine.called_off)


async def test_both_phases_are_drawn(home: Path) -> None:
    async with on_plan(make(home, preset="seed")) as (pilot, screen):
        await until(pilot, lambda: screen.state.fresh)
        shown = screen.query_one(RehearsalPane).picture
        assert [border.label for border in shown.borders] == ["cyclic", "cosine"]
        assert screen.query_one("#schedule").border_subtitle == "84,000 steps"


async def test_what_fit_chose_is_shown_and_drawn_once_it_is_known(home: Path) -> None:
    engine = RehearsingEngine(hold=True, answer=fitted)
    async with on_plan(make(home, engine)) as (pilot, screen):

        def highest() -> float:
            return float(max(curve.ys.max() for curve in screen.query_one(RehearsalPane).picture.curves))

        await until(pilot, lambda: screen.state.doing == "rehearsing")
        assert "fit    by text, time and machine" in numbers(screen)
        assert highest() == pytest.approx(1.2e-2)
        engine.let_go.set()
        await until(pilot, lambda: "fit     6 layers of 256 at 0.006" in numbers(screen))
        assert highest() == pytest.approx(6e-3)
        assert screen.studio.plan.train.phases[0].max_lr == 1.2e-2, "in the plan stands where the rule begins"
        await pilot.press("down", "down", "right")
        await until(pilot, lambda: screen.state.fresh and not screen.studio.plan.train.fit)


@pytest.mark.parametrize("size", [(80, 24), (80, 23), (160, 45)])
async def test_no_line_is_cut_off_where_fit_says_one_more(home: Path, size: tuple[int, int]) -> None:
    async with on_plan(make(home, RehearsingEngine(answer=fitted)), size) as (pilot, screen):
        await until(pilot, lambda: screen.state.fresh and "fit     6 layers" in numbers(screen))
        await pilot.pause()
        assert "…" not in numbers(screen)
        box, schedule = screen.query_one("#numbers"), screen.query_one("#schedule")
        assert box.content_size.height == len(numbers(screen).splitlines()) == 10
        assert screen.query_one("#rehearsal").region.contains_region(box.region)
        if schedule.display:
            assert screen.query_one("#rehearsal").region.contains_region(schedule.region)


# ---- pages --------------------------------------------------------------------------------------------------------


async def test_find_goes_to_a_field_in_a_closed_group(home: Path) -> None:
    app = make(home)

    async with on_plan(app) as (pilot, screen):
        await pilot.press("slash")
        app.screen.query_one(Input).value = "repet"
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert screen.form.field.key == "sample.repetition_penalty"
        assert screen.form.rows.has_focus
        assert "Repetition penalty" in str(screen.query_one("#why-text", Static).content)


async def test_the_difference_lists_what_is_not_as_in_the_preset_and_goes_there(home: Path) -> None:
    app = make(home)

    async with on_plan(app) as (pilot, screen):
        await pilot.press("right", "down", "down", "down", "right", "D")
        await pilot.pause()
        table = app.screen.query_one(DataTable)
        rows = [[str(cell) for cell in table.get_row_at(i)] for i in range(table.row_count)]
        assert rows == [["Layers", "4", "5"], ["Budget", "2 min", "15 min"], ["Fit", "on", "off"]]
        await pilot.press("down", "enter")
        await pilot.pause()
        assert screen.form.field.key == "train.budget"


async def test_the_plan_is_changed_as_toml_and_errors_are_shown(home: Path) -> None:
    app = make(home)

    async with on_plan(app) as (pilot, screen):
        before = app.studio.plan
        await pilot.press("y")
        await pilot.pause()
        area = app.screen.query_one(TextArea)
        assert resolve.validate(tomllib.loads(area.text)) == before
        fault = app.screen.query_one(".toml-fault", Static)
        area.text = area.text.replace("n_layer = 4", "n_layer = 300")
        await pilot.press("ctrl+s")
        assert "model.n_layer is 300" in str(fault.content)
        await pilot.press("escape")
        assert "not applied" in str(fault.content)
        area.text = area.text.replace("n_layer = 300", "n_layer = 5")
        await pilot.press("f9")
        await pilot.pause()
        assert app.screen is screen
        assert not app.studio.plan.train.fit
        assert screen.sentence().startswith("Fit is off")
    assert app.studio.plan.model.n_layer == 5


async def test_a_preset_is_saved_and_loaded_and_built_in_ones_are_safe(home: Path) -> None:
    app = make(home)

    async with on_plan(app) as (pilot, screen):
        await pilot.press("down", "down", "down", "right", "ctrl+s", *"quick", "enter")
        assert "came with the program" in str(app.screen.query_one(".dialog-fault", Static).content)
        app.screen.query_one(Input).value = "mine"
        await pilot.press("enter")
        await pilot.pause()
        assert app.studio.plan.preset == "mine"
        assert screen.form.border_subtitle == "mine"
        await pilot.press("ctrl+o")
        await pilot.pause()
        listed = app.screen.query_one(OptionList)
        assert "mine" in str(listed.get_option_at_index(listed.option_count - 1).prompt)
        assert "yours. As quick, but Layers 5, Fit off." in str(listed.get_option("mine").prompt)
        listed.highlighted = listed.get_option_index("seed")
        await pilot.press("enter")
        await pilot.pause()
        assert app.studio.plan.preset == "seed"
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert (app.studio.plan.preset, app.studio.plan.model.n_layer) == ("mine", 5)
    assert resolve.read_preset("mine", home)["model"]["n_layer"] == 5


async def test_a_preset_of_the_users_is_replaced_only_when_asked(home: Path) -> None:
    app = make(home)
    (home / "presets").mkdir()
    (home / "presets" / "mine.toml").write_text("[model]\nn_layer = 2\n")

    async with on_plan(app) as (pilot, screen):
        await pilot.press("ctrl+s", *"mine", "enter", "k")
        assert (home / "presets" / "mine.toml").read_text() == "[model]\nn_layer = 2\n"
        await pilot.press("ctrl+s", *"mine", "enter", "r")
        await pilot.pause()
        assert resolve.read_preset("mine", home)["model"]["n_layer"] == 4
        assert screen.form.border_subtitle == "mine", "nothing differs from the preset as it is now"


async def test_what_a_key_did_is_in_the_sentence_and_not_in_a_toast(home: Path) -> None:
    async with on_plan(make(home)) as (pilot, screen):
        await pilot.press("ctrl+z")
        assert screen.sentence().startswith("Nothing")
        screen.form.jump("model.block_size")
        await pilot.press("right", "ctrl+z")
        assert "Context is 256" in screen.sentence()
        await pilot.press("down")
        await pilot.pause()
        assert "Context" not in screen.sentence(), "another field is marked"
        await pilot.press("ctrl+s", *"mine", "enter")
        await pilot.pause()
        assert "--preset mine" in screen.sentence()
        assert not screen.query("Toast")


async def test_undoing_brings_fit_back_too(home: Path) -> None:
    async with on_plan(make(home)) as (pilot, screen):
        await pilot.press("down", "down", "down", "right")
        assert (screen.studio.plan.model.n_layer, screen.studio.plan.train.fit) == (5, False)
        await pilot.press("ctrl+z")
        assert (screen.studio.plan.model.n_layer, screen.studio.plan.train.fit) == (4, True)
        assert "Layers is 4" in screen.sentence()
        await pilot.press("up", "right", "ctrl+z")
        assert "Fit is on" in screen.sentence()


async def test_the_footer_says_how_to_save_and_no_key_that_would_be_typed(home: Path) -> None:
    async with on_plan(make(home)) as (pilot, screen):

        def keys() -> set[str]:
            return {key for key, active in screen.active_bindings.items() if active.binding.show}

        assert {"ctrl+s", "slash"} <= keys()
        await pilot.press("space")
        await pilot.pause()
        assert "slash" not in keys()
        await pilot.press("slash")
        assert screen.query_one(Input).value == "/"


@pytest.mark.parametrize("size", [(80, 24), (60, 18)])
async def test_a_sentence_is_as_long_as_there_is_room(home: Path, size: tuple[int, int]) -> None:
    long = DataError("The text is too short: 120 training tokens, and a context of 256 needs 257.", "Add text.")

    def refuse_at_length(_: RunConfig) -> object:
        raise long

    async with on_plan(make(home, RehearsingEngine(answer=refuse_at_length)), size) as (pilot, screen):
        assert len(screen.sentence()) <= size[0] - 2
        await until(pilot, lambda: screen.state.fault)
        assert len(screen.sentence()) <= size[0] - 2
        await pilot.press("enter")
        assert "Not started" in screen.sentence()


async def test_explain_shows_all_there_is_to_say(home: Path) -> None:
    async with on_plan(make(home), size=(60, 18)) as (pilot, screen):
        why = screen.query_one("#why-text", Static)
        assert not screen.query_one("#why").display
        await pilot.press("down", "down", "down", "e")
        await pilot.pause()
        assert screen.query_one("#why").display
        assert "Presets: char 4, quick 4, seed 3" in str(why.content)
        assert "At 5: 1,835,008 parameters, now 1,572,864" in str(why.content)
        await pilot.press("escape")
        await pilot.pause()
        assert not screen.query_one("#why").display


async def test_a_small_terminal_has_the_form_and_two_lines(home: Path) -> None:
    async with on_plan(make(home), size=(60, 18)) as (pilot, screen):
        await until(pilot, lambda: screen.state.fresh and "tokens/s" in numbers(screen))
        assert numbers(screen).splitlines() == [
            "6,144 tokens/s · 480 steps, 2:00 min · 0.81 x the text",
            "1,572,864 parameters · memory 310 MB of 9.8 GB free",
        ]
        assert screen.query_one("#numbers").size.height == 2
        assert screen.form.rows.size.height >= 9


# ---- looks --------------------------------------------------------------------------------------------------------


async def _rehearsed(pilot: Pilot[Any]) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, PlanScreen)
    await until(pilot, lambda: screen.state.fresh)
    screen.refresh_all()
    await pilot.pause()


def _pressing(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    async def press(pilot: Pilot[Any]) -> None:
        await _rehearsed(pilot)
        await pilot.press(*keys)
        await pilot.pause()
        if isinstance(pilot.app.screen, PlanScreen):
            await _rehearsed(pilot)

    return press


def test_how_it_looks(snap_compare: Any, home: Path) -> None:
    assert snap_compare(make(home), terminal_size=(80, 24), run_before=_pressing("down", "down", "down", "right"))


def test_how_it_looks_when_fit_has_chosen(snap_compare: Any, home: Path) -> None:
    app = make(home, RehearsingEngine(answer=fitted))
    assert snap_compare(app, terminal_size=(80, 24), run_before=_pressing("down", "down"))


def test_how_it_looks_while_a_change_is_rehearsed(snap_compare: Any, home: Path) -> None:
    engine = RehearsingEngine()

    async def change(pilot: Pilot[Any]) -> None:
        await _rehearsed(pilot)
        engine.let_go.clear()
        screen = pilot.app.screen
        assert isinstance(screen, PlanScreen)
        screen.form.jump("model.n_head")
        await pilot.press("space", "5", "enter")
        await until(pilot, lambda: screen.state.doing == "rehearsing")
        screen.refresh_all()
        await pilot.pause()

    assert snap_compare(make(home, engine), terminal_size=(80, 24), run_before=change)


def test_how_it_looks_wide_with_two_phases(snap_compare: Any, home: Path) -> None:
    assert snap_compare(
        make(home, preset="seed"), terminal_size=(160, 45), run_before=_pressing("down", "down", "down", "down")
    )


def test_how_a_fault_looks_while_typing(snap_compare: Any, home: Path) -> None:
    async def type_fault(pilot: Pilot[Any]) -> None:
        await _rehearsed(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, PlanScreen)
        await pilot.press("slash")
        await until(pilot, lambda: pilot.app.screen is not screen)
        await pilot.press(*"heads", "enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("space")
        await until(pilot, lambda: screen.form.editing)
        await pilot.press("6")
        await pilot.pause()
        await _rehearsed(pilot)

    assert snap_compare(make(home), terminal_size=(80, 24), run_before=type_fault)


def test_how_a_plan_that_cannot_be_trained_looks(snap_compare: Any, home: Path) -> None:
    app = make(home, RehearsingEngine(answer=refuse))
    assert snap_compare(app, terminal_size=(80, 24), run_before=_rehearsed)


def test_how_it_looks_small(snap_compare: Any, home: Path) -> None:
    assert snap_compare(make(home), terminal_size=(60, 18), run_before=_rehearsed)
