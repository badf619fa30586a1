"""The Data screen by keys and mouse, on small made-up texts, without torch."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from tests.passages import PASSAGES
from tests.texts import made_up_text
from tests.tui.pilot import running, text, until
from tests.tui.scripts import ScriptedEngine, training, write_run
from tests.waiting import PATIENCE
from tinylm.config import resolve
from tinylm.config.schema import RunConfig
from tui.app import StudioApp
from tui.screens.data import screen as data_screen
from tui.screens.data import texts
from tui.screens.data.encoding_picker import EncodingPicker
from tui.screens.data.facts import ChartLines, Facts
from tui.screens.data.path_input import PathInput
from tui.screens.data.preview import Preview, bordered
from tui.screens.data.screen import DataScreen
from tui.screens.data.source_list import SourceList, SourceTree, normalized

MakeApp = Callable[..., StudioApp]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_screen, "DEBOUNCE", 0.01)


@pytest.fixture
def config(tiny_file: Path) -> RunConfig:
    """A plan on the made-up text."""
    return resolve.with_values(RunConfig(), data={"sources": [str(tiny_file)]}, tokenizer={"vocab_size": 300})


async def shown(pilot: Pilot[int]) -> DataScreen:
    screen = pilot.app.screen
    assert isinstance(screen, DataScreen)
    await until(pilot, lambda: screen.state is not None)
    return screen


async def read(pilot: Pilot[int], screen: DataScreen) -> None:
    """Wait until the newest plan is read."""

    def done() -> bool:
        return not screen.state.doing and screen.state.config is screen.studio.plan

    await until(pilot, done)
    await pilot.pause()


@asynccontextmanager
async def on_data(app: StudioApp, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Pilot[int], DataScreen]]:
    """Run the app on Data until the text is read; gives its pilot and the screen."""
    async with running(app, size) as pilot:
        screen = await shown(pilot)
        await read(pilot, screen)
        yield pilot, screen


def facts(screen: DataScreen) -> str:
    return text(screen.query_one(Facts).query_one(Static))


def rows(screen: DataScreen) -> list[str]:
    listed = screen.query_one(SourceList)
    return [str(listed.get_option_at_index(i).prompt) for i in range(listed.option_count)]


# ---- choosing -----------------------------------------------------------------------------------------------------


async def test_the_text_of_the_command_line_is_chosen_and_read(
    make_app: MakeApp, config: RunConfig, tiny_file: Path
) -> None:
    async with on_data(make_app(config=config, mode="data")) as (_, screen):
        assert [row[:3] for row in rows(screen)] == ["[ ]", "[x]"]
        assert "tiny.txt" in rows(screen)[1]
        assert "kB" in rows(screen)[1]
        assert screen.query_one(SourceList).marked.path == str(tiny_file)
        text = facts(screen)
        assert f"{tiny_file.stat().st_size / 1e3:.0f} kB" in text
        assert "1 document" in text
        for name in ("blind", "counts", "pairs", "triples", "gzip", "xz"):
            assert name in text
        assert "300 pieces of words take" in text
        assert "enough to begin with" in screen.sentence()


async def test_space_and_weights_make_drafts(
    make_app: MakeApp, config: RunConfig, tiny_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text(made_up_text(5, 12_000), encoding="utf-8")
    both = resolve.with_values(config, data={"sources": [str(tiny_file), str(other)]})

    async with on_data(make_app(config=both, mode="data")) as (pilot, screen):
        app = screen.app
        await pilot.press("end", "plus", "plus")
        await pilot.pause()
        assert app.studio.plan.data.weights == [1, 3]
        assert " x3 " in rows(screen)[2]
        await read(pilot, screen)
        assert "a pass" in facts(screen)
        await pilot.press("minus", "minus")
        await pilot.pause()
        assert app.studio.plan.data.weights is None
        await pilot.press("minus")
        await pilot.pause()
        assert "1 to 9 times" in screen.sentence()
        await pilot.press("space")
        await pilot.pause()
        assert app.studio.plan.data.sources == [str(tiny_file)]
        await pilot.press("delete")
        assert len(rows(screen)) == 2


async def test_choosing_nothing_keeps_the_last_plan_and_enter_is_refused(make_app: MakeApp, config: RunConfig) -> None:
    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        await pilot.press("space")
        await pilot.pause()
        assert screen.studio.plan.data.sources == config.data.sources
        assert "Nothing is chosen" in screen.sentence()
        assert screen.chooser.border_subtitle == "none chosen"
        await pilot.press("enter")
        await pilot.pause()
        assert screen.app.current_mode == "data"
        await pilot.press("x")  # another change ticks nothing behind the person's back
        await pilot.pause()
        assert not screen.chooser.list.chosen
        await pilot.press("space", "enter")
        await pilot.pause()
        assert screen.app.current_mode == "plan"


async def test_another_encoding_is_chosen_by_what_the_text_looks_like(make_app: MakeApp, tmp_path: Path) -> None:
    passage = PASSAGES["Greek"]
    (tmp_path / "old.txt").write_bytes((passage * 20).encode("cp1253"))
    config = resolve.with_values(
        RunConfig(), data={"sources": [str(tmp_path / "old.txt")]}, tokenizer={"vocab_size": 300}
    )
    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        assert screen.query_one(Preview).excerpt.startswith(passage[:40])
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, EncodingPicker))
        picker = pilot.app.screen
        names = picker.query_one(OptionList)
        await until(pilot, lambda: passage[:20] in text(picker.query_one("#encoding-text", Static)))
        names.highlighted = names.get_option_index("Windows-1251")
        wrong = passage.encode("cp1253").decode("cp1251", "replace")
        await until(pilot, lambda: wrong[:20] in text(picker.query_one("#encoding-text", Static)))
        await pilot.press("escape")
        assert screen.studio.plan.data.encoding == "auto", "Esc changes nothing"
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, EncodingPicker))
        names = pilot.app.screen.query_one(OptionList)
        names.highlighted = names.get_option_index("Windows-1251")
        await pilot.press("enter")
        await until(pilot, lambda: screen.studio.plan.data.encoding == "Windows-1251")
        await read(pilot, screen)
        assert screen.query_one(Preview).excerpt.startswith(wrong[:40])


async def test_a_click_chooses(make_app: MakeApp, config: RunConfig) -> None:
    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        await pilot.click(SourceList, offset=(6, 1))
        await pilot.pause()
        assert not screen.chooser.list.chosen


async def test_used_texts_are_offered_and_gone_ones_say_so(
    make_app: MakeApp, home: Path, config: RunConfig, tmp_path: Path
) -> None:
    poems = tmp_path / "poems.txt"
    poems.write_text(made_up_text(3, 12_000), encoding="utf-8")
    gone = str(tmp_path / "burnt.txt")
    write_run(home, "old", training(1), resolve.with_values(RunConfig(), data={"sources": [str(poems), gone]}))

    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        await until(pilot, lambda: len(rows(screen)) == 4)
        assert "poems.txt" in rows(screen)[2]
        assert rows(screen)[3].rstrip().endswith("gone")
        await pilot.press("end", "space")
        await pilot.pause()
        assert "is gone" in screen.sentence()
        assert screen.studio.plan is config
        await pilot.press("up", "space")
        await pilot.pause()
        assert screen.studio.plan.data.sources == [*config.data.sources, str(poems)]
        await pilot.press("delete")
        await pilot.pause()
        assert "stays on the list" in screen.sentence()


async def test_a_plan_changed_elsewhere_is_shown(make_app: MakeApp, config: RunConfig, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(made_up_text(5, 12_000), encoding="utf-8")

    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        app = screen.app
        app.action_go("plan")
        await pilot.pause()
        app.studio.set_plan(resolve.with_values(app.studio.plan, data={"sources": [str(other)], "weights": [2]}))
        await pilot.pause()
        app.action_go("data")
        await read(pilot, screen)
        assert [source.path for source in screen.chooser.list.chosen] == [str(other)]
        assert " x2 " in rows(screen)[-1]
        assert "12 kB" in facts(screen)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text of the person's own; the stories are not read, which would take seconds."""
    book = tmp_path / "own.txt"
    book.write_text(made_up_text(4, 25_000), encoding="utf-8")
    profiled, prepared = texts.profile_texts, texts.prepare_texts

    def without_stories(plan: RunConfig) -> RunConfig:
        return resolve.with_values(plan, data={"sources": [str(book)], "weights": None})

    monkeypatch.setattr(texts, "profile_texts", lambda data: profiled(data.model_copy(update={"sources": [str(book)]})))
    monkeypatch.setattr(texts, "prepare_texts", lambda plan, home: prepared(without_stories(plan), home))
    return book


async def add(pilot: Pilot[int], screen: DataScreen, path: Path) -> None:
    await pilot.press("a")
    screen.query_one(PathInput).query_one(Input).value = str(path)
    await pilot.press("enter")
    await until(pilot, lambda: str(path) in screen.studio.plan.data.sources)


async def test_the_first_text_of_ones_own_takes_the_place_of_the_stories_and_says_so(
    make_app: MakeApp, own: Path
) -> None:
    async with on_data(make_app(mode="data")) as (pilot, screen):
        await add(pilot, screen, own)
        assert screen.studio.plan.data.sources == [str(own)]
        assert [row[:3] for row in rows(screen)] == ["[ ]", "[x]"]
        await read(pilot, screen)
        assert "stories are left out" in screen.sentence()
        await pilot.press("home", "space")
        await pilot.pause()
        assert screen.studio.plan.data.sources == ["stories", str(own)]
        assert "left out" not in screen.sentence()


async def test_stories_that_were_chosen_by_hand_stay(make_app: MakeApp, own: Path) -> None:
    async with on_data(make_app(mode="data")) as (pilot, screen):
        await pilot.press("space", "space")
        await add(pilot, screen, own)
        assert screen.studio.plan.data.sources == ["stories", str(own)]


async def test_the_picker_leaves_the_stories_too(make_app: MakeApp, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own.parent / "desk").mkdir()
    own.rename(own.parent / "desk" / own.name)
    own.symlink_to(own.parent / "desk" / own.name)
    monkeypatch.chdir(own.parent / "desk")

    async with on_data(make_app(mode="data")) as (pilot, screen):
        await pilot.press("f")
        tree = screen.query_one(SourceTree)
        await until(pilot, lambda: len(tree.root.children) == 1)
        await pilot.press("down", "space")
        await pilot.pause()
        assert screen.studio.plan.data.sources == [str(own.parent / "desk" / own.name)]
        assert "left out now" in screen.sentence()


async def test_a_pasted_path_is_one_to_add(make_app: MakeApp, own: Path) -> None:
    async with on_data(make_app(mode="data")) as (pilot, screen):
        screen.chooser.list.post_message(events.Paste(f"'{own}'\n"))
        await until(pilot, lambda: screen.query_one(PathInput).has_focus_within)
        assert screen.query_one(PathInput).query_one(Input).value == str(own)
        await pilot.press("enter")
        await until(pilot, lambda: screen.studio.plan.data.sources == [str(own)])


# ---- adding -------------------------------------------------------------------------------------------------------


async def test_a_path_is_completed_and_added(make_app: MakeApp, config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    book = tmp_path / "library" / "a_book.txt"
    book.write_text(made_up_text(4, 12_000), encoding="utf-8")

    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        await pilot.press("a")
        line, typed = screen.query_one(PathInput), screen.query_one(PathInput).query_one(Input)
        await pilot.pause()
        assert line.has_focus_within
        typed.value = f"{tmp_path}/lib"
        await until(pilot, lambda: line.fitting == [f"{tmp_path}/library/"])
        await pilot.press("tab")
        await until(pilot, lambda: line.fitting == [str(book)])
        await pilot.press("tab", "enter")
        await until(pilot, lambda: str(book) in screen.studio.plan.data.sources)
        assert not screen.has_class("-path")
        assert "a_book.txt" in rows(screen)[2]
        assert screen.focused is screen.query_one(SourceList)


async def test_a_path_can_be_clicked_together(make_app: MakeApp, config: RunConfig, tmp_path: Path) -> None:
    for place in ("shelf/alpha/one.txt", "shelf/beta/two.txt"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(made_up_text(4, 12_000), encoding="utf-8")

    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        await pilot.press("a")
        line, typed = screen.query_one(PathInput), screen.query_one(PathInput).query_one(Input)
        typed.value = f"{tmp_path}/shelf/"
        await until(pilot, lambda: len(line.fitting) == 2)
        await pilot.click("#path-fits", offset=(9, 0))
        await until(pilot, lambda: line.fitting == [f"{tmp_path}/shelf/beta/two.txt"])
        await pilot.click("#path-fits", offset=(1, 0))
        assert typed.value == f"{tmp_path}/shelf/beta/two.txt"
        await pilot.click(line, offset=(line.outer_size.width - 24, line.outer_size.height - 1))  # "Enter adds"
        await until(pilot, lambda: len(screen.studio.plan.data.sources) == 2)


async def test_weights_pages_and_view_can_be_clicked(make_app: MakeApp, config: RunConfig) -> None:
    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        await pilot.click("#sources-hint", offset=(0, 0))
        await pilot.pause()
        assert screen.studio.plan.data.weights == [2]
        await pilot.click("#sources-hint", offset=(2, 0))
        await pilot.pause()
        assert screen.studio.plan.data.weights is None
        await read(pilot, screen)
        preview = screen.query_one(Preview)
        await pilot.click(preview, offset=(preview.outer_size.width - 4, preview.outer_size.height - 1))
        assert preview.at == 1
        await pilot.click(preview, offset=(4, 0))
        assert preview.view == "text"


async def test_tab_goes_round_and_a_wrong_path_says_so(make_app: MakeApp, config: RunConfig, tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        (tmp_path / "shelf" / name).mkdir(parents=True)

    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        await pilot.press("a")
        line, typed = screen.query_one(PathInput), screen.query_one(PathInput).query_one(Input)
        typed.value = f"{tmp_path}/shelf/"
        await until(pilot, lambda: len(line.fitting) == 2)
        await pilot.press("tab")
        assert typed.value.endswith("/alpha/")
        await pilot.press("tab")
        assert typed.value.endswith("/beta/")
        await pilot.press("shift+tab")
        assert typed.value.endswith("/alpha/")
        typed.value = f"{tmp_path}/shelf/gamma"
        await pilot.press("enter")
        says = line.query_one("#path-says", Static)
        await until(pilot, lambda: "nothing at this path" in str(says.content))
        await pilot.press("escape")
        await pilot.pause()
        assert screen.focused is screen.query_one(SourceList)
        assert screen.studio.plan is config


async def test_the_tree_chooses_files_and_folders(
    make_app: MakeApp, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "desk" / "books").mkdir(parents=True)
    for place in ("desk/books/one.txt", "desk/two.txt"):
        (tmp_path / place).write_text(made_up_text(2, 12_000), encoding="utf-8")
    monkeypatch.chdir(tmp_path / "desk")

    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        chosen = lambda: [normalized(source) for source in screen.studio.plan.data.sources[1:]]  # noqa: E731
        await pilot.press("f")
        tree = screen.query_one(SourceTree)
        await until(pilot, lambda: len(tree.root.children) == 2)
        await pilot.press("down", "space")  # the folder
        await pilot.pause()
        assert chosen() == [str(tmp_path / "desk" / "books")]
        await pilot.press("space", "down", "enter")  # not the folder; the file
        await pilot.pause()
        assert chosen() == [str(tmp_path / "desk" / "two.txt")]
        assert normalized(str(tmp_path / "desk" / "two.txt")) in tree.chosen
        await pilot.press("up", "right")
        await until(pilot, lambda: len(tree.root.children[0].children) == 1)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert len(chosen()) == 2
        await pilot.press("escape")
        await pilot.pause()
        assert not screen.query(SourceTree)
        assert screen.focused is screen.query_one(SourceList)


# ---- what cannot be used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 8, "picture"),
        (b"  \n", "empty"),
        (None, "does not exist"),
    ],
    ids=["picture", "empty", "missing"],
)
async def test_a_text_that_cannot_be_used_is_reported_and_enter_refused(
    make_app: MakeApp,
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    reason: str,
) -> None:
    path, profiled = tmp_path / "odd[b].txt", texts.profile_texts
    quick = resolve.with_values(config, data={"sources": [str(tmp_path)]}).data  # the stories take seconds
    monkeypatch.setattr(texts, "profile_texts", lambda data: profiled(quick if "stories" in data.sources else data))
    monkeypatch.setattr(texts, "prepare_texts", lambda *_: pytest.fail("a text that cannot be used was prepared"))
    if content is not None:
        path.write_bytes(content)

    async with on_data(make_app(config=resolve.with_values(config, data={"sources": [str(path)]}), mode="data")) as (
        pilot,
        screen,
    ):
        assert reason in facts(screen)
        assert reason in screen.sentence()
        await pilot.press("enter")
        await pilot.pause()
        assert screen.app.current_mode == "data"
        assert screen.sentence().startswith("No plan with this yet: odd[b].txt ")
        assert len(screen.sentence()) <= 78
        assert not screen.query("Toast")
        await pilot.press("home", "space", "end", "space")  # the stories instead
        await pilot.pause()
        assert screen.studio.plan.data.sources == ["stories"]


async def test_a_text_that_was_put_back_is_read_again(make_app: MakeApp, config: RunConfig, tmp_path: Path) -> None:
    path = tmp_path / "late.txt"

    async with on_data(make_app(config=resolve.with_values(config, data={"sources": [str(path)]}), mode="data")) as (
        pilot,
        screen,
    ):
        assert "does not exist" in facts(screen)
        path.write_text(made_up_text(8, 25_000), encoding="utf-8")
        await pilot.press("space", "a")
        screen.query_one(PathInput).query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, lambda: screen.state is not None and screen.state.prepared is not None)
        assert "25 k characters" in facts(screen)


async def test_our_own_error_is_reported_too(
    make_app: MakeApp, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(texts, "prepare_texts", broken)

    async with on_data(make_app(config=config, mode="data")) as (_, screen):
        assert "ZeroDivisionError" in facts(screen)


@pytest.mark.parametrize(("size", "reason"), [(15_000, "memorise"), (5_000, "recite")])
async def test_too_little_text_is_reported(
    make_app: MakeApp, config: RunConfig, tmp_path: Path, size: int, reason: str
) -> None:
    path = tmp_path / "note.txt"
    path.write_text(made_up_text(7, size), encoding="utf-8")

    async with on_data(make_app(config=resolve.with_values(config, data={"sources": [str(path)]}), mode="data")) as (
        _,
        screen,
    ):
        assert reason in facts(screen)
        assert reason in screen.sentence()


# ---- tokenizer, held-out part, preview ----------------------------------------------------------------------------


async def test_tokenizer_and_held_out_part_change_the_plan_and_the_price(make_app: MakeApp, config: RunConfig) -> None:
    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        app = screen.app
        await pilot.press("right_square_bracket")
        await read(pilot, screen)
        assert app.studio.plan.tokenizer.vocab_size == 512
        size = screen.state.prepared.tokenizer.vocab_size
        assert 300 < size < 512
        assert f"{size} different tokens" in facts(screen)
        assert f"({texts.weight_split(config.model, size).share * 100:.0f} %)" in facts(screen)
        await pilot.press("t")
        await read(pilot, screen)
        assert app.studio.plan.tokenizer.kind == "char"
        assert "characters take" in facts(screen)
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert "t changes the kind" in screen.sentence()
        await pilot.press("t", "x", "X")
        await read(pilot, screen)
        assert app.studio.plan.tokenizer.kind == "byte"
        assert app.studio.plan.data.val_fraction == 0.1
        assert app.studio.plan.data.val_placement == "tail"
        await pilot.press("x", "x")
        await read(pilot, screen)
        assert app.studio.plan.data.val_fraction == 0
        assert "nothing is held out" in facts(screen)


async def test_choices_can_be_clicked(make_app: MakeApp, config: RunConfig) -> None:
    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        lines = facts(screen).splitlines()
        row = next(i for i, line in enumerate(lines) if line.startswith("tokenizer"))
        await pilot.click(screen.query_one(Facts).query_one(Static), offset=(lines[row].index("byte"), row))
        await pilot.pause()
        assert screen.studio.plan.tokenizer.kind == "byte"
        row = next(i for i, line in enumerate(lines) if line.startswith("held out"))
        await pilot.click(screen.query_one(Facts).query_one(Static), offset=(lines[row].index("20 %"), row))
        await pilot.pause()
        assert screen.studio.plan.data.val_fraction == 0.2


async def test_the_preview_shows_the_text_and_its_tokens(make_app: MakeApp, config: RunConfig, tiny_text: str) -> None:
    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        preview = screen.query_one(Preview)
        assert len(preview.excerpts) > 5
        assert preview.excerpt in tiny_text
        assert "".join(preview.pieces) == preview.excerpt
        preview.show_tokens(["x"] * 1198)
        assert "1,198 tokens" in str(preview.query_one(".heading", Static).content)
        first = preview.excerpt
        await pilot.press("right")
        assert preview.excerpt != first
        assert "".join(preview.pieces) == preview.excerpt
        await pilot.press("left", "left")
        assert preview.at == len(preview.excerpts) - 1
        heights = []
        for _ in range(3):
            await pilot.press("b")
            await pilot.pause()
            heights.append(
                (preview.query_one("#preview-text").size.height, preview.query_one("#preview-tokens").size.height)
            )
        assert heights[0][1] == 0
        assert heights[1][0] == 0
        assert min(heights[2]) > 2


def test_borders_are_there_without_colour() -> None:
    from tui.terminal.glyphs import ASCII, BRAILLE

    pieces = ["The", " fox", "\n", "\x1b[31m"]
    assert bordered(pieces, ASCII).plain == "The| fox|\\n|\n\ufffd[31m|"
    shown = bordered(pieces, BRAILLE)
    assert shown.plain == "The▏ fox▏↵▏\n\ufffd[31m▏"
    assert {str(span.style) for span in shown.spans} >= {"on $surface", "on $primary-muted"}


# ---- never in the way ---------------------------------------------------------------------------------------------


async def test_keys_answer_while_a_text_is_read_and_only_the_newest_counts(
    make_app: MakeApp, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, made = threading.Event(), texts.prepare_texts
    asked: list[RunConfig] = []
    over: list[RunConfig] = []

    def prepared(plan: RunConfig, home: Path) -> texts.PreparedTexts:
        asked.append(plan)
        slow.wait(PATIENCE)
        over.append(plan)
        return made(plan, home)

    monkeypatch.setattr(texts, "prepare_texts", prepared)

    async with running(make_app(config=config, mode="data")) as pilot:
        screen = await shown(pilot)
        await until(pilot, lambda: len(asked) == 1)
        assert "learning the tokenizer" in facts(screen)
        await pilot.press("t", "x", "right", "space", "space")
        assert not over, "the keys waited for the text"
        slow.set()
        await read(pilot, screen)
        assert asked[-1] == screen.studio.plan
        assert len(asked) < 4
        assert screen.state.prepared.tokenizer.kind == "char"


async def test_leaving_does_not_wait_for_a_text(
    make_app: MakeApp, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over, ended = threading.Event(), threading.Event(), []

    def endless(*_: object) -> None:
        begun.set()
        over.wait(PATIENCE)
        ended.append(True)

    monkeypatch.setattr(texts, "prepare_texts", endless)

    async with running(make_app(config=config, mode="data")) as pilot:
        await until(pilot, begun.is_set)
    assert not ended, "it waited for the text"
    over.set()


async def test_the_price_follows_the_model_without_reading_again(
    make_app: MakeApp, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_data(make_app(config=config, mode="data")) as (pilot, screen):
        monkeypatch.setattr(texts, "prepare_texts", lambda *_: pytest.fail("read again"))
        before = facts(screen)
        screen.studio.set_plan(resolve.with_values(screen.studio.plan, model={"n_embd": 256}))
        await until(pilot, lambda: facts(screen) != before)
        assert screen.state.prepared is not None


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (160, 45)])
async def test_every_size_has_list_and_facts_and_ascii_is_ascii(
    make_app: MakeApp, config: RunConfig, size: tuple[int, int]
) -> None:
    text_is_ascii = resolve.with_values(config, tokenizer={"kind": "byte"})
    async with on_data(make_app(config=text_is_ascii, mode="data"), size) as (pilot, screen):
        assert screen.query_one(SourceList).size.height >= 3
        assert screen.query_one(Facts).size.height >= 3
        assert screen.query_one(Preview).display is (size[0] >= 80)
        assert screen.query_one(ChartLines).display is (size[0] == 160)
        await pilot.press("G", "G")
        await until(pilot, lambda: screen.studio.glyphs.name == "ascii")
        screen.tick()
        shown = facts(screen) + "".join(rows(screen)) + str(screen.query_one(ChartLines).content)
        shown += str(screen.query_one(Preview).query_one(".tokens", Static).content)
        shown = shown.replace("é", "e")  # which is the text's own
        assert shown.isascii(), {sign for sign in shown if not sign.isascii()}


# ---- pictures -----------------------------------------------------------------------------------------------------


@pytest.fixture
def picture(make_app: MakeApp, home: Path, tmp_path: Path) -> StudioApp:
    """A library that looks the same on every machine."""
    for seed, (name, size) in enumerate({"fables.txt": 120_000, "letters.txt": 60_000, "poems.txt": 30_000}.items()):
        text = made_up_text(seed, size).replace("café", "mill")
        (tmp_path / name).write_text("Project Gutenberg? No.\n\n" + text, encoding="utf-8")
    used = resolve.with_values(
        RunConfig(), data={"sources": [str(tmp_path / "poems.txt"), str(tmp_path / "burnt.txt")]}
    )
    write_run(home, "old", training(1), used)
    config = resolve.with_values(
        RunConfig(),
        data={"sources": [str(tmp_path / "fables.txt"), str(tmp_path / "letters.txt")], "weights": [1, 2]},
        tokenizer={"vocab_size": 512},
    )
    return make_app(engine=ScriptedEngine(), mode="data", config=config)


async def _all_read(pilot: Pilot[int]) -> None:
    screen = await shown(pilot)
    await read(pilot, screen)
    await until(pilot, lambda: len(rows(screen)) == 5)
    screen.refresh_all()
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (60, 18)], ids=str)
def test_picture_of_texts(snap_compare: Callable[..., bool], picture: StudioApp, size: tuple[int, int]) -> None:
    assert snap_compare(picture, terminal_size=size, run_before=_all_read)


def test_picture_of_a_text_that_is_gone(
    snap_compare: Callable[..., bool], make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")  # the hint says where relative paths start
    config = resolve.with_values(RunConfig(), data={"sources": ["/library/burnt.txt"]})

    async def failed(pilot: Pilot[int]) -> None:
        screen = await shown(pilot)
        await read(pilot, screen)
        await until(pilot, lambda: "gone" in rows(screen)[1])
        screen.refresh_all()
        await pilot.pause()

    app = make_app(mode="data", config=config)
    assert snap_compare(app, terminal_size=(80, 24), run_before=failed)
