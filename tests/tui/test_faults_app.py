"""Faults that meet the app: its terminal goes, its home is shared, sealed or oddly named.

tests/test_faults.py lists all faults.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command_line import ODD, pasted
from tests.programs import Program, obey_rights
from tests.run_files import check_resumable, needs_rights, steps
from tests.tui import scripts
from tests.tui.pilot import running, start_training, until
from tests.tui.scripts import ScriptedEngine
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.errors import RunError
from tinylm.runs import folder, organise
from tinylm.runs.notes import Notes
from tui.app import StudioApp
from tui.screens.runs.screen import RunsScreen
from tui.studio import Studio
from tui.terminal.preferences import Preferences


@pytest.fixture
def open_app(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Open the app on a terminal of its own."""
    opened: list[Program] = []

    def start(*arguments: object, **how: object) -> Program:
        opened.append(Program(tmp_path / f"seen-{len(opened)}", *arguments, terminal=True, **how))
        return opened[-1]

    yield start
    for program in opened:
        program.close()


@pytest.mark.parametrize("hangs_up", [True, False], ids=["with a signal", "without"])
def test_a_terminal_that_is_closed_while_it_trains(
    hangs_up: bool, open_app: Callable[..., Program], endless: RunConfig, home: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(resolve.to_toml(endless), encoding="utf-8")
    app = open_app("--home", home, "--config", plan, hangs_up=hangs_up)
    app.until(lambda: "Enter" in app.output)
    app.type(b"\r")
    app.until(lambda: folder.list_runs(home) and len(steps(folder.list_runs(home)[0])) > 5)
    app.close_terminal()
    assert app.ended() == 129
    [run] = folder.list_runs(home)
    assert run.state().finished is not None
    check_resumable(run)
    assert not (home / "logs").exists(), "it is no fault of ours"


@needs_rights
def test_a_home_that_may_only_be_read_is_shown(sealed_home: Path, open_app: Callable[..., Program]) -> None:
    app = open_app("--home", sealed_home, prelude=obey_rights)
    app.until(lambda: "finished" in app.output)
    app.type(b"\x11")
    assert app.ended() == 0
    assert "Traceback" not in app.output


async def test_two_apps_on_one_home(home: Path, endless: RunConfig) -> None:
    """Each trains a run of its own, sees the other's, and leaves it alone."""
    old = scripts.write_run(home, "old", [*scripts.training(40), scripts.finished(40)])

    apps = [StudioApp(Studio(home, endless), "runs") for _ in range(2)]
    async with apps[0].run_test(size=(160, 45)) as one, apps[1].run_test(size=(160, 45)) as two:
        for app, pilot in zip(apps, (one, two), strict=True):
            app.studio.start_training()
            await until(pilot, lambda app=app: app.studio.training and len(app.studio.training.history.step))
        theirs, ours = (app.studio.training.run for app in apps if app.studio.training)
        assert theirs is not None
        assert ours is not None
        apps[1].action_go("runs")
        await until(two, lambda: isinstance(apps[1].screen, RunsScreen) and len(apps[1].screen.listed) == 3)
        screen = apps[1].screen
        assert isinstance(screen, RunsScreen)
        states = {entry.run.name: entry.status for entry in screen.listed}
        assert states == {theirs.name: "training", ours.name: "training", "old": "finished"}

        screen.table.go_to(theirs.path)
        await until(two, lambda: screen.entry and screen.entry.run == theirs)
        for key, reason in (("r", "is being trained already"), ("delete", "is being trained. Stop it first.")):
            await two.press(key)
            await until(two, lambda reason=reason: reason in screen.sentence())
        with pytest.raises(RunError, match="another process"):  # where the list was made before they began
            organise.trash(home, theirs)
        organise.set_note(home, theirs, "hers")
        organise.set_note(home, old, "his")
        await until(two, lambda: len(Notes(home).part("runs")) == 2)
        assert Notes(home).part("runs") == {theirs.name: {"note": "hers"}, "old": {"note": "his"}}

        apps[1].leave(0)
        await until(two, lambda: apps[1].farewell)
        apps[1].studio.training = None
        apps[1].studio.resume_training(theirs)
        await until(two, lambda: apps[1].studio.training and apps[1].studio.training.status == "failed")
        assert "another process" in str(apps[1].studio.training and apps[1].studio.training.error)
        before = len(steps(theirs))
        await until(one, lambda: len(steps(theirs)) > before)
        apps[0].leave(0)
        await until(one, lambda: apps[0].farewell)
    assert Preferences.load(home) == Preferences()  # whole, and nobody changed a thing
    trained_here = [run for run in folder.list_runs(home) if run.name != "old"]
    assert len(trained_here) == 2
    for run in trained_here:
        check_resumable(run)


async def test_what_the_app_says_at_the_end_can_be_pasted(tmp_path: Path) -> None:
    app = StudioApp(Studio(tmp_path / ODD, RunConfig(), ScriptedEngine(endless=True)))

    async with running(app) as pilot:
        await start_training(pilot)
        app.leave(0)
        await until(pilot, lambda: app.farewell)
    arguments = pasted(app.farewell.partition("with: ")[2])
    assert arguments == ["--train", "--resume", "--run", "stories-test", "--home", str(tmp_path / ODD)]
