"""The Talk screen, driven by keys and mouse, with writers that follow a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.pilot import click_on, drawn, running
from tests.tui.pilot import until as pilot_until
from tests.tui.scripts import ScriptedWriter, finished, training, write_run
from tests.tui.talk_script import PacedEngine
from tests.waiting import until
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tinylm.runs import folder
from tinylm.runs.folder import RunFolder
from tui.app import StudioApp
from tui.engine import TokenCandidate, WrittenToken
from tui.screens.talk.candidates import Candidates
from tui.screens.talk.checkpoint_picker import CheckpointPicker
from tui.screens.talk.prompt import Editor, Prompt
from tui.screens.talk.sampling import FIELDS, Sampling, changed, notch, shown
from tui.screens.talk.screen import TalkScreen
from tui.screens.talk.transcript import KEPT, Transcript, Versions, visible
from tui.screens.talk.version_picker import VersionPane, VersionPicker
from tui.screens.talk.writer_thread import CheckpointRef, Completion
from tui.widgets.top_bar import Sentence

Talk = Callable[..., AbstractAsyncContextManager[tuple[Pilot[int], TalkScreen]]]

CONFIG = resolve.with_values(RunConfig(), sample={"max_new_tokens": 8})


@pytest.fixture(autouse=True)
def _newer_checkpoints_are_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.talk.screen.POLL_TICKS", 1)


@pytest.fixture
def talk(home: Path, make_app: Callable[..., StudioApp]) -> Talk:
    """Run the app on Talk over a home with two runs: `async with talk(engine) as (pilot, screen)`."""

    @asynccontextmanager
    async def on_talk(
        engine: PacedEngine | None = None, size: tuple[int, int] = (80, 24), empty: bool = False
    ) -> AsyncIterator[tuple[Pilot[int], TalkScreen]]:
        engine = engine or PacedEngine()
        if not empty:
            write_run(home, "moby-15min", [*training(300), finished()])
            write_run(home, "stories-test", training(200))
        app = make_app(engine=engine, mode="talk", config=CONFIG)
        async with running(app, size) as pilot:
            await settle(pilot)
            screen = app.screen
            assert isinstance(screen, TalkScreen)
            yield pilot, screen
            screen.writer_thread.stop()
            engine.let(10_000)

    return on_talk


async def settle(pilot: Pilot[int]) -> None:
    """Until the workers are through and the screen shows it."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    screen = pilot.app.screen
    if isinstance(screen, TalkScreen):
        screen.refresh_all()
    await pilot.pause()


async def written(pilot: Pilot[int], screen: TalkScreen) -> None:
    """Until nothing is being written any more."""
    await asyncio.to_thread(until, lambda: not any(pane.shown and pane.shown.busy for pane in screen.panes.shown))
    await settle(pilot)


def text(screen: TalkScreen, pane: str = "A") -> str:
    """What a pane shows."""
    return str({"A": screen.panes.a, "B": screen.panes.b}[pane].query_one(Static).visual)


def typed(words: str) -> list[str]:
    """The keys that type `words`."""
    return [{" ": "space"}.get(character, character) for character in words]


async def ask(pilot: Pilot[int], screen: TalkScreen, words: str = "A fox") -> None:
    """Type a prompt and wait for the text."""
    await pilot.press(*typed(words), "enter")
    await written(pilot, screen)


async def compare_with_oldest(pilot: Pilot[int], screen: TalkScreen) -> None:
    """Let the oldest checkpoint of the run write in a second pane."""
    await pilot.press("escape", "equals_sign")
    await settle(pilot)
    assert isinstance(pilot.app.screen, CheckpointPicker)
    await pilot.press("enter", "end", "enter")
    await written(pilot, screen)


# ---- writing -------------------------------------------------------------------------------------------------------


async def test_text_streams_in_token_by_token(talk: Talk) -> None:
    engine = PacedEngine(free=False)

    async with talk(engine) as (pilot, screen):
        await pilot.press(*typed("A fox 1"), "enter")
        seen = ["A fox 1"]
        for _ in range(3):
            engine.let(1)
            await pilot_until(pilot, lambda: len(text(screen).rstrip("▌")) > len(seen[-1]))
            seen.append(text(screen).rstrip("▌"))
            assert seen[-1].startswith(seen[-2])
        await settle(pilot)
        assert "Writing with step 180" in screen.sentence()
        await pilot.press("escape")
        engine.let(1)
        await written(pilot, screen)
        assert screen.pane.shown.state == "stopped"
        assert text(screen).startswith(seen[-1])


async def test_digits_and_letters_typed_in_the_prompt_stay_there(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await pilot.press(*typed("4 k1"), "?", "G", "h")
        assert screen.query_one(Prompt).value == "4 k1?Gh"
        assert pilot.app.screen is screen
        await pilot.press("escape", "5")
        await pilot.pause()
        assert pilot.app.screen is not screen  # there, digits choose the screen


async def test_an_empty_prompt_begins_a_new_text(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await pilot.press("enter")
        await written(pilot, screen)
        assert engine.asked[-1][1] == []
        assert len(screen.pane.shown.tokens) == 8
        assert "8 tokens, as asked" in screen.sentence()


async def test_redo_takes_the_next_seed_and_versions_stay(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen)
        first = text(screen)
        await pilot.press("escape", "r")
        await written(pilot, screen)
        await pilot.press("r")
        await written(pilot, screen)
        assert [asked[2].seed for asked in engine.asked] == [0, 1, 2]
        assert "version 3 of 3" in str(screen.pane.border_title)
        assert text(screen) != first
        await pilot.press("comma", "comma", "comma")
        await settle(pilot)
        assert "version 1 of 3" in str(screen.pane.border_title)
        assert text(screen) == first
        await pilot.press("full_stop")
        await settle(pilot)
        assert "version 2 of 3" in str(screen.pane.border_title)


async def test_the_same_prompt_again_gives_another_text(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen)
        await pilot.press("enter")
        await written(pilot, screen)
        assert [asked[2].seed for asked in engine.asked] == [0, 1]
        await ask(pilot, screen, "B")  # what stood there was marked, so typing replaces it
        assert engine.asked[-1][1:] == ([66], engine.asked[0][2])
        await pilot.press("up", "enter")
        await written(pilot, screen)
        assert "version 3 of 3" in str(screen.pane.border_title)  # the versions of a prompt are found again


async def test_history_of_prompts(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        prompt = screen.query_one(Prompt)
        await ask(pilot, screen, "one")
        await ask(pilot, screen, "two")
        await pilot.press(*typed("thr"), "up")
        assert prompt.value == "two"
        await pilot.press("up")
        assert prompt.value == "one"
        await pilot.press("up", "down", "down")
        assert prompt.value == "thr"


async def test_writing_on_at_the_end(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen)
        first = text(screen)
        await pilot.press("escape", "enter")
        await written(pilot, screen)
        assert len(screen.pane.shown.tokens) == 16
        assert text(screen).startswith(first)
        assert len(engine.asked[-1][1]) == len("A fox") + 8


async def test_the_latest_writes_while_it_trains_and_then_the_best(talk: Talk, home: Path) -> None:
    async with talk() as (pilot, screen):
        run = folder.open_run(home, "stories-test")
        trainer = run.lock()
        await ask(pilot, screen)
        assert "stories-test · latest, step 180" in str(screen.pane.border_title)
        (run.checkpoints / "step-00000240").mkdir()
        (run.checkpoints / "latest").write_text("step-00000240\n")
        await settle(pilot)
        assert "latest, step 240" in str(screen.pane.border_title)
        assert "step 180" in str(screen.pane.border_subtitle)  # what is shown was written before
        await pilot.press("enter")
        await written(pilot, screen)
        assert screen.pane.shown.step == 240
        assert screen.pane.shown.sampling.seed == 0  # another model: the same seed is no repetition
        trainer.release()
        await settle(pilot)
        assert "best, step 180" in str(screen.pane.border_title)
        screen.checkpoints.pick("A", CheckpointRef(run, "latest"))
        await settle(pilot)
        assert "latest, step 240" in str(screen.pane.border_title), "a person chose it"


async def test_talking_while_it_trains_in_the_same_app(talk: Talk) -> None:
    engine = PacedEngine()
    engine.log = training(40)

    async with talk(engine, empty=True) as (pilot, screen):
        app = screen.app
        assert "no run yet" in screen.sentence()
        app.studio.start_training()
        await asyncio.to_thread(until, lambda: app.studio.training.run)
        app.action_go("talk")
        await settle(pilot)
        assert "saved nothing yet" in screen.sentence()
        await pilot.press(*typed("hi"), "enter")
        await asyncio.to_thread(until, lambda: screen.pane.shown)
        assert screen.pane.shown.state == "waiting"
        await settle(pilot)
        assert "Waiting for the first checkpoint" in screen.sentence()
        await asyncio.to_thread(
            until, lambda: app.studio.training.history.checkpoints
        )  # saved for it, before it was due
        run = app.studio.training.run
        (run.checkpoints / "step-00000040").mkdir(parents=True)
        await written(pilot, screen)
        assert screen.pane.shown.step == 40
        assert text(screen).startswith("hi")


async def test_a_text_of_another_run_than_the_one_that_writes_next_says_so(talk: Talk, home: Path) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        assert "by " not in str(screen.pane.border_subtitle)
        screen.checkpoints.pick("A", CheckpointRef(folder.open_run(home, "moby-15min")))
        await settle(pilot)
        assert "moby-15min" in str(screen.pane.border_title)
        assert "by stories-test" in str(screen.pane.border_subtitle)


async def test_what_may_be_compared_is_another_checkpoint_where_there_is_one(talk: Talk, home: Path) -> None:
    async with talk() as (_, screen):
        run = folder.open_run(home, "stories-test")
        (run.checkpoints / "best").write_text("step-00000060\n")
        screen.checkpoints.pick("A", CheckpointRef(run, "60"))  # the best and the oldest in one
        assert screen.checkpoints.other == CheckpointRef(run, "latest")
        (run.checkpoints / "latest").write_text("step-00000060\n")
        assert screen.checkpoints.other == CheckpointRef(run, "120")
        screen.checkpoints.pick("A", CheckpointRef(run, "120"))
        assert screen.checkpoints.other == CheckpointRef(run, "best")


async def test_a_fault_stands_in_the_pane_that_it_is_about(talk: Talk) -> None:
    async with talk(PacedEngine(broken=60)) as (pilot, screen):
        await ask(pilot, screen)
        await compare_with_oldest(pilot, screen)
        assert "is not what was saved. Use another one." in text(screen, "B")
        assert "is not what was saved" not in text(screen, "A")


# ---- why this token ------------------------------------------------------------------------------------------------


async def test_walking_shows_the_candidates_and_a_digit_branches(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen)
        first = screen.pane.shown
        await pilot.press("escape", "home", "right", "right", "left")
        await settle(pilot)
        candidates = screen.query_one(Candidates)
        assert "2 of 8" in candidates.border_title
        assert candidates.candidates == list(first.tokens[1].candidates[:9])  # as many as there is room for
        assert "about 5 likely tokens" in str(candidates.render())
        await pilot.press("tab", "3")
        await written(pilot, screen)
        branch = screen.pane.shown
        assert branch.tokens[0] is first.tokens[0]
        assert branch.tokens[1].token == first.tokens[1].candidates[2].token
        assert len(branch.tokens) == 2 + 8
        assert "version 2 of 2" in str(screen.pane.border_title)
        assert pilot.app.screen is screen  # a digit here means a candidate, no screen


async def test_enter_in_the_candidates_takes_the_marked_one(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        first = screen.pane.shown
        await pilot.press("escape", "home", "tab", "enter")
        assert screen.pane.shown is first  # the first candidate is the one that stands there
        assert "stands there" in screen.sentence()
        await pilot.press("down", "enter")
        await written(pilot, screen)
        assert screen.pane.shown.tokens[0].token == first.tokens[0].candidates[1].token


async def test_mouse_walks_and_branches(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        first = screen.pane.shown
        start = len("A fox") + len(first.tokens[0].text) + 1
        await pilot.click(screen.panes.a, offset=(2 + start, 1))
        assert screen.pane.token_index == 1
        candidates = screen.query_one(Candidates)
        await pilot.click(candidates, offset=(5, 3))  # the second candidate
        await written(pilot, screen)
        assert screen.pane.shown.tokens[1].token == first.tokens[1].candidates[1].token


async def test_links_under_the_prompt_work_by_mouse(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        await click_on(pilot, "redo")
        await written(pilot, screen)
        assert screen.pane.versions.position == (2, 2)
        assert screen.pane.shown.sampling.seed == 1


async def test_the_taken_token_is_shown_also_where_it_was_unlikely(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        token = screen.pane.shown.tokens[0]
        rare = TokenCandidate(77, " unheard", 0.0001, 0.0001)
        screen.pane.shown.tokens[0] = replace(token, token=77, text=" unheard", candidates=(*token.candidates, rare))
        await pilot.press("escape", "home")
        await settle(pilot)
        candidates = screen.query_one(Candidates)
        assert len(candidates.candidates) == 9
        assert candidates.candidates[-1] is rare
        assert "9 ▸ ␣unheard" in str(candidates.render())


# ---- comparing -----------------------------------------------------------------------------------------------------


async def test_compare_writes_the_same_with_the_same_seed(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine, size=(120, 40)) as (pilot, screen):
        await ask(pilot, screen)
        await compare_with_oldest(pilot, screen)
        a, b = screen.panes.a.shown, screen.panes.b.shown
        assert (a.step, b.step) == (180, 60)
        assert (a.prompt, a.sampling) == (b.prompt, b.sampling)
        engine.order.clear()
        await pilot.press("r")
        await written(pilot, screen)
        assert engine.order == [180, 60] * 8
        assert screen.panes.a.shown.sampling == screen.panes.b.shown.sampling
        assert str(screen.panes.b.border_title).startswith("B  stories-test · step 60")
        await pilot.press("equals_sign")
        await settle(pilot)
        assert not screen.panes.comparing


async def test_two_panes_at_80_columns_follow_their_ends(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        screen.query_one(Sampling).set(changed(screen.sampling, "max_new_tokens", 200))
        await ask(pilot, screen)
        await pilot.press("escape", "equals_sign")
        await settle(pilot)
        await pilot.press("enter", "enter")
        await written(pilot, screen)
        for pane in screen.panes.shown:
            assert pane.max_scroll_y > 0
            await asyncio.to_thread(until, lambda pane=pane: pane.is_vertical_scroll_end)
            assert len(str(pane.border_subtitle)) < pane.size.width


# ---- four versions -------------------------------------------------------------------------------------------------


async def four(pilot: Pilot[int], finish: bool = True) -> VersionPicker:
    """Press the key, and wait until the versions are there to choose from."""
    await pilot.press("v")
    await pilot.pause()
    picker = pilot.app.screen
    assert isinstance(picker, VersionPicker)
    if finish:
        await asyncio.to_thread(until, lambda: not picker.busy)
        picker.refresh_texts()
        await pilot.pause()
    return picker


async def test_one_of_four_versions_is_picked(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen)
        await pilot.press("escape")
        picker = await four(pilot)
        assert [(prompt, sampling.seed) for _, prompt, sampling in engine.asked] == [
            ([ord(c) for c in "A fox"], seed) for seed in range(5)
        ]
        panes = list(picker.query(VersionPane))
        shown = [str(pane.query_one(Static).visual) for pane in panes]
        assert shown == [pane.completion.text for pane in panes]
        assert len(set(shown)) == 4
        assert [str(pane.border_title) for pane in panes] == [f"{i} · seed {i}" for i in (1, 2, 3, 4)]
        await pilot.press("left", "up", "right", "right", "down", "down")  # stops at the edges
        assert picker.focused is panes[3]
        await pilot.press("left", "enter")
        await settle(pilot)
        assert pilot.app.screen is screen
        assert text(screen) == shown[2]
        assert "version 4 of 5" in str(screen.pane.border_title)
        await pilot.press("full_stop")
        assert text(screen) == shown[3]  # the others are kept


async def test_versions_stream_in_together_and_one_can_be_picked_before_its_end(talk: Talk) -> None:
    engine = PacedEngine(free=False)

    async with talk(engine) as (pilot, screen):
        await pilot.press(*typed("hi"), "escape")
        picker = await four(pilot, finish=False)
        panes = list(picker.query(VersionPane))
        for count in (1, 2):
            engine.let(4)
            await asyncio.to_thread(
                until, lambda count=count: all(len(pane.completion.tokens) == count for pane in panes)
            )
            picker.refresh_texts()
            assert all(str(pane.query_one(Static).visual).endswith("▌") for pane in panes)
            assert [str(pane.border_subtitle) for pane in panes] == [f"{count} token{'s' * (count > 1)}"] * 4
        assert any("Writing with step 180. Esc stops" in row for row in drawn(picker))
        await pilot.press("2")
        await settle(pilot)
        assert pilot.app.screen is screen
        assert screen.pane.shown is panes[1].completion
        assert screen.pane.shown.busy
        engine.let(1000)
        await asyncio.to_thread(until, lambda: not screen.writer_thread.busy)
        assert [len(pane.completion.tokens) for pane in panes] == [8] * 4


async def test_escape_stops_the_versions_and_then_goes_back_to_the_text_before(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen)
        before = screen.pane.shown
        engine.free = False
        await pilot.press("escape")
        picker = await four(pilot, finish=False)
        engine.let(4)
        await asyncio.to_thread(until, lambda: len(engine.order) == 8 + 4)
        await pilot.press("escape")
        assert pilot.app.screen is picker
        assert not picker.busy
        assert any("Arrows and Enter, or a digit, take one" in row for row in drawn(picker))
        await pilot.press("escape")
        engine.let(1)  # the one that was being drawn
        await written(pilot, screen)
        assert pilot.app.screen is screen
        assert screen.pane.shown is before
        assert "version 1 of 5" in str(screen.pane.border_title)


async def test_a_prompt_that_was_just_typed_is_written_four_times(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen, "one")
        await pilot.press(*typed("two"))
        for seeds in ((0, 1, 2, 3), (4, 5, 6, 7)):
            engine.asked.clear()
            await click_on(pilot, "four")
            picker = pilot.app.screen
            assert isinstance(picker, VersionPicker)
            await asyncio.to_thread(until, lambda picker=picker: not picker.busy)
            assert [(prompt, sampling.seed) for _, prompt, sampling in engine.asked] == [
                ([ord(c) for c in "two"], seed) for seed in seeds
            ]
            await pilot.press("1")
            await settle(pilot)
            assert screen.pane.shown.prompt == "two"
        assert "version 5 of 8" in str(screen.pane.border_title)


async def test_versions_of_a_branch_keep_the_forced_token(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        await pilot.press("escape", "home", "right", "tab", "3")
        await written(pilot, screen)
        kept = screen.pane.shown.tokens[:2]
        picker = await four(pilot)
        completions = [pane.completion for pane in picker.query(VersionPane)]
        assert all(completion.tokens[:2] == kept for completion in completions)
        assert [len(completion.tokens) for completion in completions] == [2 + 8] * 4


async def test_a_version_can_be_clicked_and_a_long_beginning_is_cut(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        screen.query_one(Prompt).value = "a long beginning that all of the four versions have in common, it"
        await pilot.press("escape")
        picker = await four(pilot)
        pane = picker.query(VersionPane)[2]
        assert str(pane.query_one(Static).visual).startswith("…of the four versions have in common, it ")
        await pilot.click(pane, offset=(3, 1))
        await settle(pilot)
        assert screen.pane.shown is pane.completion


@pytest.mark.parametrize("broken", [True, False], ids=["checkpoint", "prompt"])
async def test_versions_that_cannot_be_written_say_so_where_a_text_does(broken: bool, talk: Talk) -> None:
    async with talk(PacedEngine(broken=180 if broken else None)) as (pilot, screen):
        screen.query_one(Prompt).value = "hi" if broken else "café"
        await pilot.press("escape", "v")
        await asyncio.to_thread(until, lambda: screen.pane.shown and screen.pane.shown.error)
        await pilot_until(pilot, lambda: pilot.app.screen is screen)
        await settle(pilot)
        if broken:
            assert "is not what was saved. Use another one." in text(screen)
        else:
            assert "never met these characters: 'é'" in str(screen.query_one("#entry").border_title)


async def test_without_a_run_there_are_no_versions(talk: Talk) -> None:
    async with talk(empty=True) as (pilot, _):
        await pilot.press("escape", "v")
        await pilot.pause()
        assert pilot.app.current_mode == "home"


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (160, 45)])
async def test_four_versions_fit_on_every_screen(size: tuple[int, int], talk: Talk) -> None:
    async with talk(size=size) as (pilot, screen):
        await ask(pilot, screen)
        await pilot.press("escape")
        picker = await four(pilot)
        rows = drawn(picker)
        for pane in picker.query(VersionPane):
            assert picker.region.contains_region(pane.region)
            assert f"{pane.index + 1} · seed" in rows[pane.region.y]
        assert any("Esc leaves." in row for row in rows)


# ---- editing, copying, settings ------------------------------------------------------------------------------------


async def test_edit_and_go_on(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen)
        whole = screen.pane.shown.text
        await pilot.press("ctrl+e")
        editor = screen.query_one(Editor)
        assert editor.text == whole
        await pilot.press(*typed(" or 2"), "ctrl+j", "x", "enter")
        await written(pilot, screen)
        assert engine.asked[-1][1] == [ord(c) for c in f"{whole} or 2\nx"]
        assert screen.pane.versions.position == (2, 2)
        assert not editor.display
        await pilot.press("ctrl+e", "z", "escape")
        assert screen.pane.versions.position == (2, 2)  # left as it was


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])  # terminals send \r, files have any
@pytest.mark.parametrize("lines", [["one", "two"], ["", "one"], ["one", "", "\ttwo", ""], ["one\u2028two"]])
async def test_all_lines_that_are_pasted_are_continued(lines: list[str], line_end: str, talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await pilot.press(*typed("He said:"))
        screen.query_one(Prompt).post_message(Paste(line_end.join(lines)))
        await pilot_until(pilot, lambda: screen.query_one(Editor).display)
        pasted = "He said:" + "\n".join(lines)
        rows = drawn(screen)
        assert all(any(line in row for row in rows) for line in "\n".join(lines).split())
        await pilot.press("enter")
        await written(pilot, screen)
        assert screen.pane.shown.prompt == pasted.replace("\u2028", "\n")
        assert screen.pane.shown.tokens


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
async def test_one_line_that_is_pasted_stays_in_the_prompt(line_end: str, talk: Talk) -> None:
    async with talk() as (pilot, screen):
        screen.query_one(Prompt).post_message(Paste(f"one line{line_end}"))
        await pilot_until(pilot, lambda: screen.query_one(Prompt).value == "one line")
        assert not screen.query_one(Editor).display


async def test_a_planned_prompt_of_several_lines_is_whole(home: Path, make_app: Callable[..., StudioApp]) -> None:
    config = resolve.with_values(CONFIG, sample={"prompt": "one\ntwo"})
    async with running(make_app(engine=PacedEngine(), mode="talk", config=config)) as pilot:
        await settle(pilot)
        assert pilot.app.screen.query_one(Editor).text == "one\ntwo"
        assert pilot.app.screen.query_one(Editor).has_focus


async def test_a_prompt_that_does_not_fit_is_told(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen, "x")
        assert "of 150 tokens" not in "\n".join(drawn(screen))
        screen.query_one(Prompt).value = "y" * 150
        await pilot.press("enter")
        await written(pilot, screen)
        assert "Only the last 100 of 150 tokens" in "\n".join(drawn(screen))


async def test_copy(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        await pilot.press("escape", "y")
        assert pilot.app.clipboard == screen.pane.shown.text
        assert "Copied" in screen.sentence()


async def test_text_can_be_selected_with_the_mouse(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        pane = screen.panes.a
        await pilot.mouse_down(pane, offset=(2, 1))
        await pilot.hover(pane, offset=(7, 1))
        await pilot.mouse_up(pane, offset=(7, 1))
        await pilot.pause()
        selected = screen.get_selected_text()
        assert selected.startswith("A fox"[:4])


async def test_settings_change_the_next_request(talk: Talk) -> None:
    engine = PacedEngine()

    async with talk(engine) as (pilot, screen):
        await pilot.press("escape", "s", "right")
        sampling = screen.query_one(Sampling)
        assert sampling.sampling.temperature == 0.9
        assert "Temperature" in screen.sentence()
        await pilot.press("down", "4", "0", "down", "0", "full_stop", "9", "enter")
        assert (sampling.sampling.top_k, sampling.sampling.top_p) == (40, 0.9)
        await pilot.press("7", "enter")
        assert "top_p" in screen.sentence()  # says why 7 cannot be
        assert sampling.sampling.top_p == 0.9
        await pilot.press("backspace", "i", "enter")
        await written(pilot, screen)
        asked = engine.asked[-1][2]
        assert (asked.temperature, asked.top_k, asked.top_p) == (0.9, 40, 1.0)
        assert pilot.app.screen is screen


async def test_settings_are_live_also_while_a_text_is_being_written(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PacedEngine(free=False)

    async with talk(engine) as (pilot, screen):
        tune = screen.writer_thread.tune
        await pilot.press(*typed("ab"), "enter")
        engine.let(2)
        completion = screen.pane.shown
        await asyncio.to_thread(until, lambda: len(completion.tokens) == 2)
        await pilot.press("tab", "s")
        tuned = []
        monkeypatch.setattr(screen.writer_thread, "tune", lambda sampling: (tuned.append(sampling), tune(sampling)))
        screen.query_one(Sampling).action_notch(1)
        screen.query_one(Sampling).action_notch(1)
        await asyncio.to_thread(until, lambda: completion.sampling.temperature == 1)
        assert tuned == [screen.sampling]  # after a moment's rest: not every notch on the way is meant
        await pilot.press("up", "9", "enter")
        assert screen.sampling.seed == 9
        engine.let(1)
        await asyncio.to_thread(until, lambda: len(engine.asked) == 2)
        engine.let(100)
        await written(pilot, screen)
        assert len(engine.asked) == 2
        _, before, sampling = engine.asked[1]
        assert before == [97, 98, *(token.token for token in completion.tokens[:3])]
        assert (sampling.temperature, sampling.max_new_tokens, sampling.seed) == (1.0, 5, 0)
        assert (completion.state, len(completion.tokens)) == ("full", 8)
        await pilot.press("i", "enter")
        await written(pilot, screen)
        assert engine.asked[2][2].seed == 9  # a seed is for the next text


def test_every_setting_is_there_and_goes_by_notches() -> None:
    base = RunConfig().sample
    for name in FIELDS:
        value = getattr(base, name)
        up = changed(base, name, notch(name, value, 1)) if notch(name, value, 1) != value else base
        assert getattr(up, name) >= value
        assert shown(name, value)
    assert set(FIELDS) == {
        "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_new_tokens", "seed",
    }  # fmt: skip


# ---- choosing a checkpoint -----------------------------------------------------------------------------------------


async def test_another_run_can_be_picked(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await pilot.press("escape", "k")
        await settle(pilot)
        pick = pilot.app.screen
        assert isinstance(pick, CheckpointPicker)
        names = [str(option.prompt).split()[0] for option in pick.query_one("#pick-runs").options]
        await pilot.press("home", *["down"] * names.index("moby-15min"), "enter", "down", "down", "enter")
        await settle(pilot)
        assert str(screen.pane.border_title) == "moby-15min · step 240"
        await pilot.press("k")
        await settle(pilot)
        await pilot.press("home", "enter")
        await settle(pilot)
        assert "stories-test · best" in str(screen.pane.border_title)


async def test_another_screen_can_choose_the_checkpoint(talk: Talk, home: Path) -> None:
    async with talk() as (pilot, screen):
        screen.studio.talk_choice = folder.open_run(home, "moby-15min"), "120"
        await settle(pilot)
        assert str(screen.pane.border_title) == "moby-15min · step 120"
        assert screen.studio.talk_choice is None


# ---- what may be wrong ---------------------------------------------------------------------------------------------


async def test_no_run_leads_home(talk: Talk) -> None:
    async with talk(empty=True) as (pilot, screen):
        assert "no run yet" in screen.sentence()
        assert "Train one first" in text(screen)
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.current_mode == "home"


async def test_a_damaged_checkpoint_is_reported_and_nothing_else_breaks(talk: Talk) -> None:
    async with talk(PacedEngine(broken=180)) as (pilot, screen):
        await ask(pilot, screen)
        assert screen.sentence().startswith("Esc, then k chooses another checkpoint: ")
        await pilot.press("escape")
        assert screen.sentence().startswith("k chooses another checkpoint: ")
        await pilot.press("i")
        assert text(screen).startswith("A fox")
        screen.studio.talk_choice = screen.checkpoints.of("A").run, "120"
        await settle(pilot)
        await pilot.press("enter")
        await written(pilot, screen)
        assert screen.pane.shown.step == 120


async def test_an_unknown_character_is_reported_beside_the_prompt(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen, "café")
        assert "never met these characters: 'é'" in str(screen.query_one("#entry").border_title)
        assert screen.query_one(Prompt).value == "café"
        await pilot.press("end", "backspace", "e", "enter")
        await written(pilot, screen)
        assert str(screen.query_one("#entry").border_title) == "Prompt"
        assert text(screen).startswith("cafe ")


async def test_end_of_text_has_a_sign_and_no_text(talk: Talk) -> None:
    async with talk(PacedEngine(end_after=3)) as (pilot, screen):
        await ask(pilot, screen)
        assert text(screen).endswith("∎")
        assert "The model ended it: 4 tokens." in screen.sentence()
        await pilot.press("escape", "y")
        assert "∎" not in pilot.app.clipboard


async def test_a_text_that_is_ended_at_once_says_that_nothing_was_added(talk: Talk) -> None:
    async with talk(PacedEngine(end_after=0)) as (pilot, screen):
        await ask(pilot, screen)
        assert "nothing was added" in screen.sentence()


async def test_what_a_new_text_begins_like_is_said(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedWriter, "begins_like", "paragraph")
    async with talk(PacedEngine(), size=(120, 40)) as (pilot, screen):
        await ask(pilot, screen, "")
        assert "begins like a paragraph" in str(screen.pane.border_subtitle)
        await ask(pilot, screen)
        assert "begins like" not in str(screen.pane.border_subtitle)


async def test_behind_the_end_of_a_text_another_one_begins_on_a_line_of_its_own(talk: Talk) -> None:
    engine = PacedEngine(end_after=3)

    async with talk(engine) as (pilot, screen):
        await ask(pilot, screen)
        first = screen.pane.shown.text
        engine.end_after = None
        await pilot.press("escape")
        assert "Enter begins a new text" in screen.sentence()
        await pilot.press("enter")
        await written(pilot, screen)
        tokens = screen.pane.shown.tokens
        lines = text(screen).split("\n")
        assert lines[:2] == [f"{first}∎", ""]
        assert lines[2] == "".join(token.text for token in tokens[4:])
        await pilot.press("y")
        assert pilot.app.clipboard == first + lines[2]  # there it stands as it is
        await pilot.click(screen.panes.a, offset=(2 + 1, 1 + 2))  # the third line begins with the fifth token
        assert screen.pane.token_index == 4
        await settle(pilot)
        assert "∎”" in str(screen.query_one(Candidates).render())  # this is what the model had before it
        await pilot.press("left")
        assert screen.pane.token_index == 3


# ---- the room that there is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (60, 18)])
async def test_titles_keep_the_step_and_both_ends_of_a_name(size: tuple[int, int], talk: Talk, home: Path) -> None:
    write_run(home, "stories-20261124-033117", training(200))
    write_run(home, "stories-20261124-033635", training(200))

    async with talk(size=size) as (pilot, screen):
        screen.studio.talk_choice = folder.open_run(home, "stories-20261124-033117"), "latest"
        screen.checkpoints.pick("B", CheckpointRef(folder.open_run(home, "stories-20261124-033635"), "60"))
        await settle(pilot)
        await ask(pilot, screen)
        await pilot.press("escape", "equals_sign")
        await settle(pilot)
        await pilot.press("enter", "enter")
        await written(pilot, screen)
        await pilot.press("r")
        await written(pilot, screen)
        titles = [row for row in drawn(screen) if "A  sto" in row]
        assert len(titles) == 1
        a, b = titles[0].split("B  sto")
        for title, name_end, step in ((a, "117", "latest 180"), (b, "635", "step 60")):
            assert f"…{title.partition('…')[2]}" in title  # cut once, in the middle
            assert name_end in title
            assert step in title
            assert ("2/2" in title) is (size[0] == 80)


@pytest.mark.parametrize("size", [(80, 24), (60, 18)])
async def test_the_picker_has_a_line_for_each_run(size: tuple[int, int], talk: Talk, home: Path) -> None:
    write_run(home, "stories-20261124-033635-and-a-half", training(200))

    async with talk(size=size) as (pilot, _):
        await pilot.press("escape", "k")
        await settle(pilot)
        options = pilot.app.screen.query_one("#pick-runs")
        assert options.virtual_size.height == 1 + 3  # the run on Train, and three others
        assert any("…" in row and "-half  interrupted  0." in row for row in drawn(pilot.app.screen))


# ---- the sentence --------------------------------------------------------------------------------------------------


async def test_the_sentence_is_not_behind_what_is_being_done(talk: Talk) -> None:
    engine = PacedEngine(free=False)

    async with talk(engine) as (pilot, screen):
        pilot.app.studio.draw_budget.allows = lambda _: False  # as beside a training, for seconds
        await pilot.press(*typed("A fox"), "enter")
        await asyncio.to_thread(until, lambda: screen.pane.shown.state == "writing")
        sentence = screen.query_one(Sentence)
        await pilot_until(pilot, lambda: "Writing with step 180" in str(sentence.content))
        await pilot.press("escape")
        await pilot.pause()
        assert str(sentence.content).startswith("Stopped.")  # also where the thread is still at its last token


async def test_nobody_waits_for_a_checkpoint_that_is_there(talk: Talk) -> None:
    async with talk() as (_, screen):
        completion = Completion(screen.checkpoints.of("A"), "x", CONFIG.sample)
        screen.pane.add(completion, prompt="x")
        assert "Loading step 180" in screen.sentence()


async def test_the_sentence_names_keys_that_work_where_the_focus_is(talk: Talk) -> None:
    async with talk() as (pilot, screen):
        await ask(pilot, screen)
        assert "8 tokens" in screen.sentence()
        assert "Enter writes another" in screen.sentence()
        await pilot.press("enter")
        await written(pilot, screen)
        assert screen.pane.versions.position == (2, 2)
        await pilot.press("escape")
        assert "r redoes, Enter goes on" in screen.sentence()
        await pilot.press("r")
        await written(pilot, screen)
        assert screen.pane.versions.position == (3, 3)
        await pilot.press("tab")
        assert "A digit puts another token" in screen.sentence()
        await pilot.press("2")
        await written(pilot, screen)
        assert screen.pane.versions.position == (4, 4)
        await pilot.press("enter")
        await written(pilot, screen)
        assert "8 tokens" in screen.sentence()  # so many more, however many there are


# ---- drawing -------------------------------------------------------------------------------------------------------


def test_blanks_are_visible() -> None:
    assert visible(" a\n\tb") == "␣a⏎⇥b"
    assert visible(" a\n\x1b", ascii_only=True) == "_a\\n\ufffd"


def test_versions_forget_the_oldest() -> None:
    versions, token = Versions(), WrittenToken(1, "a", 1.0, 0.0, ())
    for number in range(KEPT + 5):
        completion = Completion(CheckpointRef(RunFolder(Path())), str(number), CONFIG.sample, tokens=[token])
        versions.add(completion, prompt="before" if number < 5 else "now")
        assert versions.shown is completion
    assert len(versions.all) == KEPT
    assert versions.next_seed("before") == 0, "nothing of that prompt is kept"
    versions.add(replace(completion, tokens=[token]))
    assert [version.prompt for version in versions.all[:2]] == ["6", "7"]
    assert len(versions.all) == KEPT


async def test_ascii_has_no_other_signs(talk: Talk) -> None:
    from tui.terminal import glyphs

    async with talk() as (pilot, screen):
        screen.studio.glyphs = glyphs.ASCII
        screen.app.add_class("-ascii")
        await ask(pilot, screen)
        await pilot.press("escape", "left", "s", "right")
        await settle(pilot)
        shown_text = "".join(drawn(screen)[1:-2])
        assert shown_text.isascii(), sorted({c for c in shown_text if not c.isascii()})
        candidates = screen.query_one(Candidates)
        candidates.show(screen.pane.shown.tokens[0], "a long beginning\n" * 8, "")
        assert all(line.cell_length <= candidates.content_size.width for line in candidates.render().split("\n")), (
            "a line goes on below"
        )


SNAPSHOTS: dict[str, tuple[tuple[int, int], list[str]]] = {
    "empty": ((80, 24), []),
    "walking": ((80, 24), [*typed("The fox"), "enter", "WRITTEN", "escape", "left", "left", "tab", "down"]),
    "settings": ((80, 24), [*typed("The fox"), "enter", "WRITTEN", "escape", "s", "down"]),
    "narrow": ((60, 18), [*typed("The fox"), "enter", "WRITTEN", "escape", "left"]),
    "compare": ((160, 45), [*typed("The fox"), "enter", "WRITTEN", "escape", "equals_sign", "WRITTEN", "enter", "end",
                            "enter", "WRITTEN", "r", "WRITTEN", "home", "right", "tab"]),
    "picker": ((80, 24), ["escape", "k", "WRITTEN", "enter"]),
    "four": ((80, 24), [*typed("The fox"), "enter", "WRITTEN", "escape", "v", "WRITTEN", "right"]),
    "four-large": ((160, 45), [*typed("The fox"), "escape", "v", "WRITTEN", "down"]),
    "fault": ((80, 24), [*typed("café"), "enter", "WRITTEN"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_snapshot(name: str, snap_compare: Any, home: Path, make_app: Callable[..., StudioApp]) -> None:
    size, keys = SNAPSHOTS[name]
    write_run(home, "moby-15min", [*training(300), finished()])
    write_run(home, "stories-test", training(200))
    app = make_app(engine=PacedEngine(), mode="talk", config=resolve.with_values(CONFIG, sample={"max_new_tokens": 40}))

    async def before(pilot: Pilot[int]) -> None:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TalkScreen)
        screen.query_one(Prompt).cursor_blink = False
        for key in keys:
            if key == "WRITTEN":
                await written(pilot, screen)
            else:
                await pilot.press(key)
        for pane in screen.query(Transcript):
            if pane.shown:
                pane.shown.seconds = pane.shown.drawn / 400  # what a clock says is not part of the picture
        if isinstance(app.screen, VersionPicker):
            app.screen.refresh_texts()
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)
