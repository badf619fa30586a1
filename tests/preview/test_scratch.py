"""What the rehearsal and the learning-rate finder share: they leave only the cache, and refuse what a run would."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.trainings import Configured
from tinylm.config.schema import RunConfig
from tinylm.data import prepare
from tinylm.errors import DataError
from tinylm.preview import lr_finder, rehearsal
from tinylm.preview.scratch import Cancelled

Preview = Callable[[RunConfig, Path, Callable[[], bool]], object]

pytestmark = pytest.mark.parametrize(
    "preview",
    [rehearsal.rehearse, lambda config, home, cancelled: list(lr_finder.find(config, home, cancelled, limit=0.0))],
    ids=["rehearsal", "finder"],
)


def never() -> bool:
    return False


def test_nothing_is_left_but_the_cache(preview: Preview, home: Path, tiny_config: Configured) -> None:
    config = tiny_config(model={"dropout": 0.1}, train={"threads": 2})
    before = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    preview(config, home, never)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == before
    assert [path.name for path in home.iterdir()] == ["cache"]
    [folder] = (home / "cache" / "texts").iterdir()
    assert prepare.prepare(config, home) == folder, "the run does not find it"


def test_cancelled_at_once_it_touches_nothing(preview: Preview, home: Path, tiny_config: Configured) -> None:
    with pytest.raises(Cancelled):
        preview(tiny_config(), home / "untouched", lambda: True)
    assert not (home / "untouched").exists()


def test_a_text_that_is_too_short_is_refused(
    preview: Preview, home: Path, tiny_config: Configured, tmp_path: Path
) -> None:
    short = tmp_path / "short.txt"
    short.write_text("too short to train on", encoding="utf-8")
    with pytest.raises(DataError, match="too short"):
        preview(tiny_config(data={"sources": [str(short)]}), home, never)
