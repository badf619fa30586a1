"""Train, driven by keys: every state says its words, keys reach the training's Control, all charts look at the same."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from tests.tui import scripts
from tests.tui.pilot import click_on, running, text, until
from tests.tui.scripts import ScriptedEngine
from tests.waiting import PATIENCE
from tinylm import events
from tinylm.errors import DataError
from tinylm.events import Event
from tinylm.runs.folder import RunFolder
from tinylm.training.control import Control
from tui.app import StudioApp
from tui.chart.chart import Chart
from tui.live import status
from tui.screens.train.event_log import EventLog
from tui.screens.train.metrics import AppUsage, MetricsPane, UsageMeter
from tui.screens.train.outcome import OutcomeBox
from tui.screens.train.samples import SampleStrip
from tui.screens.train.screen import TrainScreen
from tui.studio import Studio
from tui.widgets.top_bar import Sentence

MakeApp = Callable[..., StudioApp]
SIZES = [(80, 24), (160, 45), (60, 18)]
FINISHED = [*scripts.training(400), scripts.finished()]
FAILED = [*scripts.training(140), scripts.failed()]


def endless(log: list[Event]) -> ScriptedEngine:
    """An engine whose training goes on after these events until it is asked to stop."""
    return ScriptedEngine(log, endless=True)


@pytest.fixture(autouse=True)
def _steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine takes is not the same twice."""
    monkeypatch.setattr(UsageMeter, "read", lambda _: AppUsage(512.0, 0.01))


async def settled(pilot: Pilot[int], done: Callable[[Studio], bool] = lambda _: True) -> TrainScreen:
    """Wait until every event is shown, and `done` holds."""
    app = pilot.app
    assert isinstance(app, StudioApp)
    await pilot.pause()

    def all_is_shown() -> bool:
        more = app.studio.shown is not None and app.studio.shown.poll()
        return not more and isinstance(app.screen, TrainScreen) and done(app.studio)

    await until(pilot, all_is_shown)
    screen = app.screen
    assert isinstance(screen, TrainScreen)
    for _ in range(7):  # the small charts come one after the other
        screen.refresh_all()
        await pilot.pause()
    return screen


def is_caught_up(studio: Studio) -> bool:
    """Whether all events of the script are taken in."""
    return bool(studio.shown.history.version) and not studio.shown.poll() and studio.shown.status != "starting"


@asynccontextmanager
async def on_train(app: StudioApp, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Pilot[int], TrainScreen]]:
    """Run the app, start a training and wait for its events; gives the pilot and the settled screen."""
    async with running(app, size) as pilot:
        app.studio.start_training()
        yield pilot, await settled(pilot, is_caught_up)


def sentence(screen: TrainScreen) -> str:
    return text(screen.query_one(Sentence))


def numbers(screen: TrainScreen) -> str:
    return text(screen.query_one("#numbers", MetricsPane))


def offered(screen: TrainScreen) -> set[str]:
    """What the footer shows."""
    return {active.binding.description for active in screen.active_bindings.values() if active.binding.show}


# ---- states ------------------------------------------------------------------------------------------------------


async def test_nothing_is_training_and_enter_starts(make_app: MakeApp) -> None:
    engine = endless(scripts.training(40))
    async with running(make_app(engine, mode="train")) as pilot:
        screen = await settled(pilot)
        assert "learn from stories" in text(screen.query_one(OutcomeBox))
        assert sentence(screen).startswith("Nothing is training")
        assert not screen.query_one("#main").display
        await pilot.press("enter")
        screen = await settled(pilot, lambda studio: studio.shown is not None and is_caught_up(studio))
        assert len(engine.trained) == 1
        assert screen.query_one("#main").display
        assert not screen.query_one(OutcomeBox).display


async def test_before_the_first_step_axes_and_baselines_stand(make_app: MakeApp) -> None:
    app = make_app(endless(scripts.opening()), mode="train")

    async with running(app) as pilot:
        await pilot.pause()
        app.studio.start_training()
        screen = await settled(
            pilot, lambda studio: studio.shown is not None and studio.shown.history.state.plan is not None
        )
        assert "first step is under way" in sentence(screen)
        picture = screen.charts["loss"].picture
        assert {level.label.rpartition(" ")[0] for level in picture.levels} > {"letter pairs", "gzip", "xz"}
        assert picture.x_range == (0, 400)
        assert "no step yet" in numbers(screen)


async def test_running(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (_, screen):
        assert sentence(screen).startswith("Loss down")
        shown = numbers(screen)
        assert all(word in shown for word in ("loss", "held-out", "best @240", "below xz", "240/400", "0:58", "6.1 k"))
        assert "bits/byte" in str(screen.charts["loss"].border_title)
        curves = {curve.role: curve for curve in screen.charts["loss"].picture.curves}
        assert len(curves["train"].xs) == 240
        assert len(curves["held_out"].xs) == 11
        assert len(curves["best"].xs) == 1
        assert "told at step 240" in text(screen.query_one(SampleStrip))
        assert offered(screen) >= {"Pause", "Stop", "Save", "Inspect", "Talk"}
        assert len(offered(screen) - {"palette"}) <= 6


@pytest.mark.parametrize("size", SIZES)
async def test_each_size_shows_what_fits(make_app: MakeApp, size: tuple[int, int]) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train"), size) as (_, screen):
        wide, narrow = size[0] >= 120, size[0] < 80
        assert screen.query_one("#line").display is narrow
        assert screen.query_one("#small").display is not narrow
        assert screen.charts["ratio"].display is wide
        assert screen.query_one(EventLog).display is wide
        assert screen.charts["loss"].size.height >= 8
        if wide:
            assert "0.51 GB" in numbers(screen)
            assert "Saved step 240" in text(screen.query_one(EventLog).query_one(Static))
        if narrow:
            assert "240" in text(screen.query_one("#line", MetricsPane))


async def test_finished_says_which_step_is_the_best(make_app: MakeApp) -> None:
    log = [*scripts.training(400), scripts.finished(best=240)]
    async with on_train(make_app(ScriptedEngine(log), mode="train")) as (_, screen):
        box = " ".join(text(screen.query_one(OutcomeBox)).split())
        assert "step 240, the best" in box
        assert "ended at step 400" in box


async def test_finished_says_how_good_and_enter_talks(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(ScriptedEngine(FINISHED), mode="train")
    went: list[str] = []
    monkeypatch.setattr(app.studio, "go", went.append)

    async with on_train(app) as (pilot, screen):
        assert "better than all simpler means" in text(screen.query_one(OutcomeBox))
        assert sentence(screen).startswith("Done: 0.539 bits per byte")
        assert "Talk to it" in offered(screen)
        assert "Pause" not in offered(screen)
        await pilot.press("enter")
        assert app.studio.talk_choice == (app.studio.shown.run, None)
        assert went[-1] == "talk"
        await pilot.press("escape")
        assert not screen.query_one(OutcomeBox).display


async def test_early_stopped(make_app: MakeApp) -> None:
    async with on_train(
        make_app(ScriptedEngine([*scripts.training(300), scripts.finished(300, "early_stop")]), mode="train")
    ) as (_, screen):
        assert "stopped early" in str(screen.query_one(OutcomeBox).border_title)
        assert sentence(screen).startswith("Stopped early")


async def test_failed_says_why_and_y_copies_a_report(make_app: MakeApp) -> None:
    app = make_app(ScriptedEngine(FAILED), mode="train")

    async with on_train(app) as (pilot, screen):
        box = screen.query_one(OutcomeBox)
        assert "The training diverged" in str(box.border_title)
        assert "Start with a lower learning rate." in text(box)
        assert "Go on from step 120" in text(box)
        await pilot.press("y")
        assert "The training diverged: 3 steps in a row" in app.clipboard
        assert "Test CPU" in app.clipboard


async def test_our_own_error_is_shown_as_such(make_app: MakeApp) -> None:
    app = make_app(ScriptedEngine(scripts.training(140), ZeroDivisionError("division by zero")), mode="train")

    async with on_train(app) as (pilot, screen):
        box = screen.query_one(OutcomeBox)
        assert "our fault" in str(box.border_title)
        assert "ZeroDivisionError: division by zero" in text(box)
        assert "scripts.py" in text(box)
        await pilot.press("y")
        assert "Traceback" in app.clipboard


async def test_a_start_that_failed_leads_to_the_plan(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(ScriptedEngine):
        def train(self, *_: object) -> Iterator[Event]:
            raise DataError("The text x.txt is empty.", "Choose another.")
            yield

    app = make_app(Refusing(), mode="train")
    went: list[str] = []
    monkeypatch.setattr(app.studio, "go", went.append)

    async with running(app) as pilot:
        await pilot.pause()
        app.studio.start_training()
        screen = await settled(pilot, lambda studio: studio.shown is not None and studio.shown.status == "failed")
        assert "The text x.txt is empty.\nChoose another." in text(screen.query_one(OutcomeBox))
        assert not screen.query_one("#main").display
        assert sentence(screen).startswith("It could not start")
        await pilot.press("enter")
        assert went[-1] == "plan"


async def test_no_held_out_text(make_app: MakeApp) -> None:
    log = [
        events.DataPrepared(900, 300, 257, 300, 0, 0, {}) if isinstance(event, events.DataPrepared) else event
        for event in scripts.training(100)
        if not isinstance(event, events.EvalDone)
    ]

    async with on_train(make_app(endless(log), mode="train")) as (_, screen):
        assert "no held-out text: memorising will not be noticed" in sentence(screen)
        assert "nats/token" in str(screen.charts["loss"].border_title)
        assert not screen.charts["loss"].picture.levels


async def test_a_rescue_and_a_step_that_was_left_out_are_marked(make_app: MakeApp) -> None:
    log = [
        *scripts.training(240),
        events.Rescued(240, 180, 1, 0.5, "Went back."),
        *(scripts.step(number) for number in range(181, 190)),
        scripts.step(190, loss=None, grad_norm=None),
    ]

    async with on_train(make_app(endless(log), mode="train")) as (_, screen):
        assert sentence(screen).startswith("Step 190 was left out")
        picture = screen.charts["loss"].picture
        assert [(border.x, border.label) for border in picture.borders] == [(180, "rescued"), (190, "left out")]
        assert len(picture.curves[0].xs) == 190


async def test_a_followed_run_can_be_watched_but_not_paused(make_app: MakeApp, home: Path) -> None:
    app = make_app(mode="train")

    async with running(app) as pilot:
        await pilot.pause()
        run = scripts.write_run(home, "elsewhere", scripts.training(240, run="elsewhere"))
        with run.lock():
            app.studio.open_run(run)
            screen = await settled(
                pilot, lambda studio: studio.shown is not None and len(studio.shown.history.step) == 240
            )
            assert sentence(screen).startswith("Trained elsewhere: no pausing here.")
            assert not offered(screen) & {"Pause", "Stop", "Save", "Resume"}
            await pilot.press("space", "s", "c")
            assert app.screen is screen
        app.studio.shown.locked = False
        screen = await settled(pilot)
        assert "step 240 of 400" in sentence(screen)
        assert "r goes on from step 240" in sentence(screen)
        assert "Resume" in offered(screen)


# ---- keys that reach the training --------------------------------------------------------------------------------


async def test_space_pauses_and_goes_on(make_app: MakeApp) -> None:
    engine = endless(scripts.training(140))

    async with on_train(make_app(engine, mode="train")) as (pilot, screen):
        await pilot.press("space")
        assert engine.controls[0].pause.is_set()
        await settled(pilot, lambda studio: studio.shown is not None and studio.shown.status == "paused")
        shown = screen.studio.shown
        await settled(pilot, lambda _: shown.history.checkpoints[-1].step == 140)  # so that Talk has just this step
        assert sentence(screen).startswith("Paused at step 140")
        assert "Continue" in offered(screen)
        assert not {"Pause", "Save", "Sample now"} & offered(screen)
        await pilot.press("c", "g")
        assert not engine.controls[0].save.is_set()
        assert not engine.controls[0].sample.is_set()
        await pilot.press("s")
        answers = [str(option.prompt) for option in pilot.app.screen.query_one(OptionList).options]
        assert [any(words in answer for answer in answers) for words in ("Stop and save", "Leave it paused")] == [
            True
        ] * 2
        assert len(answers) == 2
        await pilot.press("p")
        await pilot.press("space")
        assert not engine.controls[0].pause.is_set()
        await settled(pilot, lambda studio: studio.shown is not None and studio.shown.status == "training")


async def test_stop_asks_first(make_app: MakeApp) -> None:
    engine = endless(scripts.training(140))
    app = make_app(engine, mode="train")

    async with on_train(app) as (pilot, _):
        control = engine.controls[0]
        await pilot.press("s")
        await pilot.press("escape")
        assert not control.stop.is_set()
        await pilot.press("s")
        await pilot.press("p")
        assert control.pause.is_set()
        assert not control.stop.is_set()
        await pilot.press("s")
        await pilot.press("enter")
        assert control.stop.is_set()
        screen = await settled(pilot, lambda studio: studio.shown is not None and studio.shown.status == "stopped")
        assert sentence(screen).startswith("Stopped and saved at step 140 of 400")
        await settled(pilot, lambda studio: studio.training is not None and not studio.training.running)
        await pilot.press("r")
        await settled(pilot, lambda studio: studio.shown is not None and studio.shown.status == "training")
        assert [run.name for run in engine.resumed] == ["stories-test"]


async def test_a_training_that_was_stopped_is_stopping_until_it_has_ended(make_app: MakeApp) -> None:
    class Slow(ScriptedEngine):
        """Its last measuring takes as long as the test wants."""

        go_on = threading.Event()

        def play(self, run: RunFolder, control: Control) -> Iterator[Event]:
            for event in super().play(run, control):
                if isinstance(event, events.Finished):
                    self.go_on.wait(PATIENCE)
                yield event

    engine = Slow(scripts.training(140), endless=True)

    async with on_train(make_app(engine, mode="train")) as (pilot, screen):
        await pilot.press("s", "s")
        await settled(pilot)
        assert sentence(screen) == status.STOPPING
        assert not {"Pause", "Stop", "Save", "Continue"} & offered(screen)
        assert screen.studio.pulse().endswith("stopping")
        engine.go_on.set()
        await settled(pilot, lambda studio: studio.shown is not None and studio.shown.status == "stopped")
        assert sentence(screen).startswith("Stopped and saved at step 140")


async def test_save_and_sample_now(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(145)), mode="train")) as (pilot, screen):
        await pilot.press("c", "g")
        assert sentence(screen).startswith(("Saving a checkpoint", "Step 145 is saved"))
        await settled(
            pilot, lambda studio: studio.shown is not None and studio.shown.history.checkpoints[-1].step == 145
        )
        await settled(
            pilot, lambda studio: studio.shown is not None and "asked for" in studio.shown.history.samples[-1].text
        )
        assert "A sample that was asked for." in text(screen.query_one(SampleStrip))


# ---- looking -----------------------------------------------------------------------------------------------------


async def test_samples_log_and_all_charts_go_with_the_hair_line(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train"), (160, 45)) as (pilot, screen):
        strip = screen.query_one(SampleStrip)
        await pilot.press("left_square_bracket")
        assert screen.view.hair == 200
        assert strip.marked.step == 200
        assert {chart.hair for chart in screen.charts} == {200.0}
        assert "at step 200" in str(screen.charts["loss"].border_title)
        assert "200/400" in numbers(screen)
        assert "Step 200" in sentence(screen)
        _, marked = log_line(screen)
        assert "step 200" in marked
        await pilot.press("left_square_bracket", "left_square_bracket", "right_square_bracket")
        assert screen.view.hair == 160
        await pilot.press("left")
        assert 150 < screen.view.hair < 160
        assert strip.marked.step == 120
        await pilot.press("escape")
        assert screen.view.hair is None
        assert strip.marked.step == 240
        assert {chart.hair for chart in screen.charts} == {None}


def log_line(screen: TrainScreen) -> tuple[int, str]:
    """The line of the log that is marked."""
    content = screen.query_one(EventLog).query_one(Static).content
    span = next(span for span in content.spans if "reverse" in str(span.style))
    number = content.plain[: span.start].count("\n")
    return number, content.plain.splitlines()[number]


async def test_inspect_begins_at_the_newest_step(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (pilot, screen):
        await pilot.press("v")
        assert screen.view.hair == 240
        await pilot.press("shift+left")
        assert screen.view.hair is not None
        assert screen.view.hair < 220
        await pilot.press("v")
        assert screen.view.hair is None


async def test_a_click_on_a_sample_marks_it(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (pilot, screen):
        await pilot.click(SampleStrip, offset=(10, 1))
        assert screen.view.hair == 40


async def test_what_stands_in_frames_can_be_clicked_on(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (pilot, screen):
        await click_on(pilot, "m smooth")
        assert screen.view.smoothing == 0.97
        await click_on(pilot, "b unit")
        assert "nats" in str(screen.charts["loss"].border_title)
        assert screen.view.hair is None, "no place in the chart was clicked on"
        await click_on(pilot, "[ earlier")
        assert screen.view.hair == 200
        await click_on(pilot, "] later")
        assert screen.view.hair == 240


async def test_charts_share_zoom_scale_and_axis(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (pilot, screen):
        await pilot.press("plus")
        zooms = {chart.zoom for chart in screen.charts}
        assert len(zooms) == 1
        assert zooms != {None}
        assert "zoomed" in str(screen.charts["loss"].border_title)
        await pilot.press("l")
        assert {chart.turns for chart in screen.charts} == {1}
        assert "log y" in str(screen.charts["loss"].border_title)
        await pilot.press("x")
        assert {chart.zoom for chart in screen.charts} == {None}
        assert screen.charts["grad"].picture.x_name == "tokens"
        await pilot.press("x")
        assert screen.charts["grad"].picture.x_words(62) == "1:02"
        await pilot.press("0", "l", "l", "z")
        picture = screen.charts["loss"].picture
        assert picture.x_range[0] > 30


async def test_smoothing_and_unit(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (pilot, screen):
        bits = screen.charts["loss"].picture
        await pilot.press("b")
        nats = screen.charts["loss"].picture
        assert "nats/token" in str(screen.charts["loss"].border_title)
        factor = 47_900 / 200_059 / 0.6931471805599453
        assert bits.curves[0].ys[-1] == pytest.approx(nats.curves[0].ys[-1] * factor)
        levels = {level.label.split()[0]: level.y for level in nats.levels}
        assert levels["gzip"] == pytest.approx(2.52 / factor)
        await pilot.press("m", "m", "m")
        assert screen.view.smoothing == 0
        assert screen.charts["loss"].picture.band is None


async def test_one_chart_takes_all_the_room_and_tab_goes_on(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (pilot, screen):
        await pilot.press("enter")
        await pilot.pause()
        assert screen.charts["loss"].size.width > 70
        await pilot.press("tab", "tab", "tab", "tab")
        await pilot.pause()
        assert screen.charts["param"].size.width > 70
        assert screen.charts["param"].size.height > 12
        assert len(screen.charts["param"].picture.curves[0].xs) == 240
        assert not screen.charts["loss"].size.width
        await pilot.press("escape")
        await pilot.pause()
        assert 0 < screen.charts["loss"].size.width < 70
        assert not screen.charts["param"].display


async def test_the_log_has_a_drawer(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (pilot, screen):
        assert not screen.query_one(EventLog).display
        await pilot.press("L")
        await pilot.pause()
        assert screen.query_one(EventLog).size.height >= 7
        assert "Saved step 240" in text(screen.query_one(EventLog).query_one(Static))
        await pilot.press("escape")
        assert not screen.query_one(EventLog).display


async def test_y_copies_the_numbers(make_app: MakeApp) -> None:
    app = make_app(endless(scripts.training(240)), mode="train")

    async with on_train(app) as (pilot, _):
        await pilot.press("y")
        assert sentence(app.screen) == "The numbers are in the clipboard."
        assert "step: 240 of 400" in app.clipboard
        assert "held-out (bits/byte): 0.5729" in app.clipboard


async def test_nothing_is_drawn_where_nothing_is_new(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Chart] = []
    show = Chart.show

    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (_, screen):
        monkeypatch.setattr(Chart, "show", lambda self, picture: (drawn.append(self), show(self, picture))[1])
        for _ in range(5):
            screen.tick()
        assert not drawn
        screen.studio.shown.history.apply(scripts.step(241))
        screen.tick()
        assert {chart.id for chart in drawn} == {"loss", "lr"}
        for _ in range(5):
            screen.tick()
        assert [chart.id for chart in drawn] == ["loss", "lr", "grad", "speed"]


async def test_ascii(make_app: MakeApp) -> None:
    async with on_train(make_app(endless(scripts.training(240)), mode="train")) as (pilot, screen):
        await pilot.press("G", "G")
        await settled(pilot)
        assert screen.studio.glyphs.name == "ascii"
        for widget in (
            screen.query_one("#numbers", MetricsPane),
            screen.query_one(SampleStrip),
            screen.query_one(Sentence),
        ):
            assert text(widget).isascii()


# ---- pictures of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", ["empty", "running", "finished", "failed"])
def test_snapshot(snap_compare: Callable[..., bool], make_app: MakeApp, state: str, size: tuple[int, int]) -> None:
    log = {"empty": [], "running": scripts.training(240), "finished": FINISHED, "failed": FAILED}[state]
    app = make_app(ScriptedEngine(log, endless=state == "running"), mode="train")

    async def before(pilot: Pilot[int]) -> None:
        await pilot.pause()
        if state == "empty":
            await settled(pilot)
        else:
            app.studio.start_training()
            await settled(pilot, is_caught_up)

    assert snap_compare(app, terminal_size=size, run_before=before)
