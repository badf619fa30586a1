"""The foot of each screen: as many keys as fit, each of them whole."""

import pytest
from textual.widgets._footer import FooterKey

from tui.widgets.key_bar import KeyBar


@pytest.mark.parametrize("mode", ["home", "data", "plan", "talk", "runs"])
async def test_no_key_is_cut_and_the_first_ones_stay(make_app, mode):
    async with make_app(mode=mode).run_test(size=(160, 45)) as pilot:
        for _ in range(2):
            await pilot.pause()
        wide = [key.description for key in pilot.app.screen.query(FooterKey)]
        await pilot.resize_terminal(60, 18)
        for _ in range(4):
            await pilot.pause()
        bar = pilot.app.screen.query_one(KeyBar)
        keys = list(bar.query(FooterKey))
        palette = next(key for key in keys if key.has_class("-command-palette"))
        others = [key for key in keys if key is not palette]
        assert [key.description for key in others] == wide[: len(others)]
        assert len(others) >= min(3, len(wide) - 1)
        assert max(key.region.right for key in others) <= palette.region.x
