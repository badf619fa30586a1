"""The Runs screen, driven by Pilot on made-up run folders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui import scripts
from tests.tui.pilot import click_on, drawn, running, until
from tinylm import events
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.events import Event
from tinylm.runs import listing, organise
from tinylm.runs.folder import RunFolder
from tui.app import StudioApp
from tui.chart.chart import Chart
from tui.screens.runs.columns import MARGIN, fit_columns, when
from tui.screens.runs.detail_pane import DetailPane
from tui.screens.runs.screen import RunsScreen
from tui.screens.runs.table import RunTable
from tui.widgets.top_bar import Sentence

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
MakeApp = Callable[..., StudioApp]
NAMES = ["headless", "stories-20261124-140210", "six-layers", "whale", "too-fast"]
MOBY = resolve.with_values(RunConfig(), data={"sources": ["/home/u/texts/moby_dick.txt"]})
LARGE = resolve.with_values(RunConfig(), model={"n_layer": 6, "n_embd": 160})
BYTES = resolve.with_values(RunConfig(), tokenizer={"kind": "byte"})


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunsScreen, "now", staticmethod(lambda: NOW))
    monkeypatch.setattr("tui.screens.runs.screen.LIST_TICKS", 2)


def begun(log: Sequence[Event], utc: str) -> list[Event]:
    return [replace(event, utc=utc) if isinstance(event, events.RunStarted) else event for event in log]


def worse(log: Sequence[Event]) -> list[Event]:
    """A run that learns the same a little worse."""
    return [
        replace(event, loss=event.loss * 1.15 + 0.2) if isinstance(event, events.StepDone) and event.loss else
        replace(event, val_bpb=event.val_bpb * 1.1) if isinstance(event, events.EvalDone) and event.val_bpb else event
        for event in log
    ]  # fmt: skip


@pytest.fixture
def five(home: Path) -> Any:
    """Runs in all states; the first is being trained by another process."""
    write = scripts.write_run
    running = write(home, "headless", begun(scripts.training(240), "2026-11-24T14:58:00+00:00"))
    write(home, NAMES[1], begun([*scripts.training(400), scripts.finished()], "2026-11-24T14:02:10+00:00"))
    large = begun(worse([*scripts.training(300), scripts.finished(300, "stopped")]), "2026-11-23T20:00:00+00:00")
    organise.set_note(home, write(home, "six-layers", large, LARGE), "the larger one, go on")
    write(home, "whale", begun(scripts.training(180), "2026-11-22T08:00:00+00:00"), MOBY)
    write(home, "too-fast", begun([*scripts.training(60), scripts.failed()], "2026-11-20T08:00:00+00:00"), BYTES)
    with running.lock():
        yield home


async def listed(pilot: Pilot[int], runs: int = 5) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) and len(table(pilot).entries) == runs)
    await pilot.pause()


@asynccontextmanager
async def on_runs(app: StudioApp, size: tuple[int, int] = (80, 24), runs: int = 5) -> AsyncIterator[Pilot[int]]:
    """Run the app until so many runs are listed."""
    async with running(app, size) as pilot:
        await listed(pilot, runs)
        yield pilot


def table(pilot: Pilot[int]) -> RunTable:
    return pilot.app.screen.query_one(RunTable)


def names(pilot: Pilot[int]) -> list[str]:
    return [entry.name for entry in table(pilot).entries]


def sentence(pilot: Pilot[int]) -> str:
    assert isinstance(pilot.app.screen, RunsScreen)
    return pilot.app.screen.sentence()


def facts(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one("#runs-facts", Static).content)


def lines(pilot: Pilot[int]) -> list[str]:
    shown = table(pilot)
    return [shown.render_line(y).text for y in range(shown.size.height)]


async def read(pilot: Pilot[int]) -> None:
    """Wait for the logs of what is shown."""
    detail = pilot.app.screen.query_one(DetailPane)
    await until(pilot, lambda: detail.complete)
    await until(pilot, lambda: str(pilot.app.screen.query_one(Sentence).content) == sentence(pilot))


# ---- the list


@pytest.mark.usefixtures("five")
async def test_all_runs_stand_there_with_their_states_the_newest_first(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        assert names(pilot) == NAMES
        text = lines(pilot)
        assert "● training" in text[1]
        assert "now" in text[1]
        assert "✓ finished" in text[2]
        assert "57 min ago" in text[2]
        assert "◐ stopped" in text[3]
        assert "the larger one" in text[3]
        assert "✗ interrupted" in text[4]
        assert "✗ failed" in text[5]
        assert "0.539" in text[2]
        assert sentence(pilot).startswith("headless is training: step 240 of 400")
        await pilot.press("down", "down", "down", "down")
        assert sentence(pilot).startswith("too-fast failed: 3 steps in a row")


@pytest.mark.parametrize("size", [(80, 24), (60, 18)])
async def test_names_keep_the_end_where_they_differ(size: tuple[int, int], home: Path, make_app: MakeApp) -> None:
    for name in ("stories-20261124-033635-wider", "stories-20261124-033117-wider"):
        scripts.write_run(home, name, begun(scripts.training(240), "2026-11-24T03:36:35+00:00"))

    async with on_runs(make_app(mode="runs"), size, runs=2) as pilot:
        shown = [line.split()[0] for line in (line[MARGIN:] for line in lines(pilot)[1:3])]
        assert len(set(shown)) == 2
        for name in shown:
            assert name.startswith("stories-")
            assert "…" in name
            assert name.endswith("-wider")
        await pilot.press("escape")
        state = sentence(pilot)
        assert state.endswith("r goes on with it.")
        if size[0] == 80:
            assert len(state) <= 78  # what one can do is not cut away
            await pilot.press("space", "down")
            await read(pilot)
            assert facts(pilot).count("-wider ") == 2


async def test_the_list_follows_the_home_and_keeps_its_place(five: Path, make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("down", "down", "space")
        scripts.write_run(five, "newest", begun(scripts.training(20), "2026-11-24T14:59:00+00:00"))
        await until(pilot, lambda: len(names(pilot)) == 6)
        shown = table(pilot)
        assert names(pilot)[0] == "newest"
        assert shown.entry.name == "six-layers"
        assert list(shown.marks.values()) == ["a"]


@pytest.mark.usefixtures("five")
async def test_sorting_by_key_and_by_title(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("o")
        assert names(pilot) == ["stories-20261124-140210", "six-layers", "headless", "whale", "too-fast"]
        await pilot.press("o")
        assert names(pilot)[-1] == "too-fast"
        await pilot.press("o")
        assert names(pilot) == sorted(NAMES)
        assert table(pilot).entry.name == "headless"
        when_at = lines(pilot)[0].index("when")
        await pilot.click(RunTable, offset=(when_at, 0))
        assert names(pilot) == NAMES


@pytest.mark.usefixtures("five")
async def test_the_mouse_goes_marks_and_opens(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.click(RunTable, offset=(10, 4))
        assert table(pilot).entry.name == "whale"
        await pilot.click(RunTable, offset=(1, 2))
        assert [path.name for path in table(pilot).marks] == ["stories-20261124-140210"]
        await pilot.click(RunTable, offset=(10, 5), times=2)
        await until(pilot, lambda: pilot.app.current_mode == "train")


# ---- the filter


@pytest.mark.usefixtures("five")
async def test_the_filter_works_as_one_types_and_esc_clears_it(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("slash", *"sto")
        assert names(pilot) == [name for name in NAMES if name != "whale"]
        await pilot.press("space", *"val<0.6", "enter")
        assert names(pilot) == NAMES[:3]
        await pilot.press("down")
        assert table(pilot).entry.name == NAMES[1]
        await pilot.press("escape")
        assert names(pilot) == NAMES
        assert pilot.app.screen.query_one("#runs-filter", Input).value == ""


@pytest.mark.usefixtures("five")
async def test_a_mistake_in_the_filter_is_reported(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("slash", *"val<")
        assert names(pilot) == NAMES
        assert "val< needs a number" in sentence(pilot)
        await pilot.press("backspace", "backspace", "backspace", "backspace", *"nobody")
        assert names(pilot) == []
        assert "No run fits the filter. Esc clears it." in "".join(lines(pilot))
        assert "No run fits" in sentence(pilot)
        await pilot.press("enter", "enter", "space", "t", "r", "n", "N", "delete", "x", "m", "b", "l", "d")
        assert pilot.app.screen is not None


# ---- one run, and several


@pytest.mark.usefixtures("five")
async def test_the_cursors_run_has_its_curve_and_card(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("down")
        await read(pilot)
        picture = pilot.app.screen.query_one(Chart).picture
        assert [curve.role for curve in picture.curves] == ["train", "held_out"]
        assert len(picture.curves[0].xs) == 400
        assert len(picture.levels) == 6
        card = facts(pilot)
        for fact in ("✓ finished", "1.3 M", "0.61 M tokens, 1:42", "0.539 bits/byte", "@ step 400", "told at step 400"):
            assert fact in card, fact
        await pilot.press("m")
        assert len(pilot.app.screen.query_one(Chart).picture.curves[0].xs) == 20


@pytest.mark.usefixtures("five")
async def test_two_runs_are_laid_over_each_other(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        chart = pilot.app.screen.query_one(Chart)
        await pilot.press("down", "space", "down")
        await read(pilot)
        assert [curve.label for curve in chart.picture.curves] == ["a", "b"]
        assert "may be compared" in sentence(pilot)
        assert "Layers" in facts(pilot)
        assert "Heads" not in facts(pilot)
        assert chart.picture.x_name == "tokens"
        await pilot.press("x")
        assert chart.picture.x_name == "step"
        assert chart.picture.curves[0].xs[-1] == 400
        await pilot.press("x", "l", "b", "d")
        assert chart.picture.x_words(84) == "1:24"
        assert chart.picture.log_y
        assert "nats" in str(chart.border_title)
        assert "Heads" in facts(pilot)
        await pilot.press("space")
        assert sorted(table(pilot).marks.values()) == ["a", "b"]
        await pilot.press("escape")
        await read(pilot)
        assert table(pilot).marks == {}
        assert [curve.role for curve in chart.picture.curves] == ["train", "held_out"]


@pytest.mark.usefixtures("five")
async def test_other_texts_are_drawn_but_not_compared(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("down", "space", "down", "down", "space")
        await read(pilot)
        chart = pilot.app.screen.query_one(Chart)
        assert len(chart.picture.curves) == 2
        assert chart.picture.levels == ()
        assert sentence(pilot).startswith("Different texts: losses may not be compared")
        await pilot.press("b")
        assert "it stays at bits per byte" in sentence(pilot)


async def test_no_more_than_four_are_marked(five: Path, make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        for _ in NAMES:
            await pilot.press("space", "down")
        assert len(table(pilot).marks) == 4
        assert sentence(pilot).startswith("4 runs are marked already")
        await pilot.press("home", "space", "end", "space")
        assert table(pilot).marks[five / "runs" / "too-fast"] == "a"


async def test_what_is_added_to_a_log_appears(five: Path, make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await read(pilot)
        run = RunFolder(five / "runs" / "headless")
        with run.events_file.open("a", encoding="utf-8") as file:
            file.write(events.to_json(scripts.step(241)) + "\n" + events.to_json(scripts.step(242))[:30])
        chart = pilot.app.screen.query_one(Chart)
        await until(pilot, lambda: chart.picture.curves[0].xs[-1] == 241 * 1536)


# ---- what one does with them


@pytest.mark.usefixtures("five")
async def test_enter_opens_and_t_talks(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        app = pilot.app
        assert isinstance(app, StudioApp)
        await pilot.press("down", "t")
        assert app.current_mode == "talk"
        await pilot.press("f6")
        await pilot.press("enter")
        assert app.current_mode == "train"
        assert app.studio.shown.name == NAMES[1]


@pytest.mark.usefixtures("five")
async def test_resume_goes_on_with_what_is_not_finished(make_app: MakeApp) -> None:
    engine = scripts.ScriptedEngine()

    async with on_runs(make_app(engine=engine, mode="runs")) as pilot:
        await pilot.press("r")
        assert "is being trained already" in sentence(pilot)
        await pilot.press("down", "r")
        assert "is finished" in sentence(pilot)
        assert engine.resumed == []
        await pilot.press("down", "r")
        await until(pilot, lambda: [run.name for run in engine.resumed] == ["six-layers"])
        assert pilot.app.current_mode == "train"


async def test_a_note_is_kept(five: Path, make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("down", "n", *"[b]ok", "enter")
        await until(pilot, lambda: table(pilot).entries[1].note == "[b]ok")
        assert "[b]ok" in lines(pilot)[2]
        assert listing.read_listings(five)[1].note == "[b]ok"


async def test_renaming_says_what_cannot_be_and_keeps_cursor_and_mark(five: Path, make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("end", "space", "N")
        line = pilot.app.screen.query_one(Input)
        line.value = "whale"
        await pilot.press("enter")
        fault = pilot.app.screen.query_one(".dialog-fault", Static)
        assert "whale" in str(fault.content)
        line.value = "a/b"
        await pilot.press("enter")
        assert "cannot be called" in str(fault.content)
        line.value = "slower"
        await pilot.press("enter")
        await until(pilot, lambda: "slower" in names(pilot))
        assert table(pilot).entry.name == "slower"
        assert {path.name: letter for path, letter in table(pilot).marks.items()} == {"slower": "a"}
        assert (five / "runs" / "slower" / "events.jsonl").exists()


@pytest.mark.usefixtures("five")
async def test_what_stands_in_frames_can_be_clicked_on(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await click_on(pilot, "by when (o)")
        await click_on(pilot, "x tokens")
        rows = "".join(drawn(pilot.app.screen))
        assert "by held-out (o)" in rows
        assert "x steps" in rows


@pytest.mark.usefixtures("five")
async def test_a_run_comes_back_from_the_trash(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("u")
        assert sentence(pilot).startswith("Nothing was moved to the trash")
        await pilot.press("backspace")
        assert "headless is being trained" in sentence(pilot)
        await pilot.press("down", "down", "delete")
        await listed(pilot, 4)
        assert "six-layers" not in names(pilot)
        assert str(pilot.app.screen.query_one(Sentence).content).startswith("six-layers is in the trash")
        assert not pilot.app.screen.query("Toast")
        assert table(pilot).entry.name == "whale"
        await pilot.press("u")
        await listed(pilot, 5)
        assert names(pilot) == NAMES
        assert table(pilot).entry.name == "six-layers"
        assert table(pilot).entry.note == "the larger one, go on"


async def test_what_is_damaged_says_so_and_breaks_nothing(home: Path, make_app: MakeApp) -> None:
    run = scripts.write_run(home, "broken", scripts.training(20))
    run.config_file.write_text("model = 3", encoding="utf-8")
    odd = scripts.write_run(home, "odd", [])
    odd.path.rename(home / "runs" / "[red]odd")

    async with on_runs(make_app(mode="runs"), runs=2) as pilot:
        await pilot.press("home")
        for _ in range(2):
            await read(pilot)
            await pilot.press("down")
        assert sorted(names(pilot)) == ["[red]odd", "broken"]
        while table(pilot).entry.name != "broken":
            await pilot.press("up")
        assert sentence(pilot).startswith("broken is damaged: ")
        await pilot.press("enter", "r", "t")
        assert pilot.app.current_mode == "runs"


# ---- the empty home, and small windows


async def test_an_empty_home_leads_home(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs"), runs=0) as pilot:
        await until(pilot, lambda: "There is no run" in sentence(pilot))
        assert "There is no run yet. Enter goes Home." in "".join(lines(pilot))
        assert not pilot.app.screen.query_one(DetailPane).display
        await pilot.press("enter")
        assert pilot.app.current_mode == "home"


@pytest.mark.usefixtures("five")
async def test_a_small_window_has_the_list_alone(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs"), size=(60, 18)) as pilot:
        assert not pilot.app.screen.query_one(DetailPane).display
        assert max(map(len, lines(pilot))) == 58
        assert "✗ interrupted" in lines(pilot)[4]
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: bool(pilot.app.screen.query_one(DetailPane).display))
        await read(pilot)


@pytest.mark.usefixtures("five")
async def test_ascii_terminals_get_ascii(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs")) as pilot:
        await pilot.press("G", "G")
        await until(pilot, lambda: "* training" in lines(pilot)[1])
        assert "".join(lines(pilot)).isascii()
        await pilot.press("space", "down")
        await read(pilot)
        assert facts(pilot).isascii()


async def test_a_list_longer_than_the_window_scrolls_with_the_cursor(home: Path, make_app: MakeApp) -> None:
    for number in range(30):
        scripts.write_run(
            home, f"run-{number:02d}", begun(scripts.opening(), f"2026-11-{30 - number:02d}T08:00:00+00:00")
        )

    async with on_runs(make_app(mode="runs"), runs=30) as pilot:
        assert "run-00" in lines(pilot)[1]
        await pilot.press("end")
        await pilot.pause()
        assert lines(pilot)[0].lstrip().startswith("name")
        assert "▸  run-29" in lines(pilot)[-1]
        await pilot.press("pageup", "home")
        await pilot.pause()
        assert "▸  run-00" in lines(pilot)[1]


# ---- columns and times


def test_columns_fill_the_width_and_leave_out_what_says_nothing(five: Path) -> None:
    entries = listing.read_listings(five)
    for width in range(40, 200, 7):
        columns = fit_columns(entries, width, NOW)
        assert MARGIN + sum(columns.values()) + 2 * (len(columns) - 1) <= width
        assert [*columns][:2] == ["name", "state"]
    assert {"device", "vocab", "best", "tokens", "speed", "size", "data", "note"} <= columns.keys()
    silent = [replace(entry, note="", val_bpb=None) for entry in entries]
    assert "note" not in fit_columns(silent, 160, NOW)


@pytest.mark.parametrize(
    ("utc", "text"),
    [
        ("2026-11-24T14:59:30+00:00", "just now"), ("2026-11-24T14:02:00+00:00", "58 min ago"),
        ("2026-11-24T14:00:00+00:00", "1 h ago"), ("2026-11-24T00:10:00+00:00", "14 h ago"),
        ("2026-11-23T23:00:00+02:00", "yesterday"), ("2026-11-22T08:00:00+00:00", "Sun"),
        ("2026-11-17T08:00:00+00:00", "17 Nov"), ("2025-11-17T08:00:00+00:00", "Nov 2025"), ("", ""),
        ("2026-11-24T15:09:00+00:00", "just now"),
    ],
)  # fmt: skip
def test_times_as_people_say_them(utc: str, text: str) -> None:
    assert when(utc, NOW) == text


# ---- pictures


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
def test_picture_of_the_list(make_app: MakeApp, snap_compare: Any, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[int]) -> None:
        await listed(pilot)
        await pilot.press("down")
        await read(pilot)

    assert snap_compare(make_app(mode="runs"), terminal_size=size, run_before=before)


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
def test_picture_of_two_runs(make_app: MakeApp, snap_compare: Any, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[int]) -> None:
        await listed(pilot)
        await pilot.press("down", "space", "down", "space")
        await read(pilot)

    assert snap_compare(make_app(mode="runs"), terminal_size=size, run_before=before)


@pytest.mark.usefixtures("five")
def test_picture_of_the_filter(make_app: MakeApp, snap_compare: Any) -> None:
    async def before(pilot: Pilot[int]) -> None:
        await listed(pilot)
        await pilot.press("slash", *"state:done")
        pilot.app.screen.query_one(Input).cursor_blink = False
        await read(pilot)

    assert snap_compare(make_app(mode="runs"), terminal_size=(80, 24), run_before=before)


def test_picture_of_an_empty_home(make_app: MakeApp, snap_compare: Any) -> None:
    async def before(pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "There is no run" in str(pilot.app.screen.query_one(Sentence).content))

    assert snap_compare(make_app(mode="runs"), terminal_size=(80, 24), run_before=before)


@pytest.mark.usefixtures("five")
async def test_on_a_small_terminal_it_says_that_curves_need_room(make_app: MakeApp) -> None:
    async with on_runs(make_app(mode="runs"), size=(60, 18)) as pilot:
        await pilot.press("space", "down", "space")
        await pilot.pause()
        assert "80 x 24" in sentence(pilot)


async def test_a_run_is_shown_with_the_step_of_its_best_checkpoint(home: Path, make_app: MakeApp) -> None:
    scripts.write_run(home, "one", [*scripts.training(400), scripts.finished(best=240)])
    scripts.write_run(home, "two", [*scripts.training(400), scripts.finished()])
    async with on_runs(make_app(mode="runs"), (160, 45), runs=2) as pilot:
        await pilot.press(*["down"] * names(pilot).index("one"))
        await read(pilot)
        assert "0.539" in next(line for line in lines(pilot) if "one" in line)
        assert "240" in next(line for line in lines(pilot) if "one" in line)
        assert "step 240, the best" in sentence(pilot)
        assert "step 240, ended at 400" in " ".join(facts(pilot).split())
