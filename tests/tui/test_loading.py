"""What the app loads before it paints, and that every screen explains itself and its keys."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import tui
from tinylm.config.schema import RunConfig
from tui import app
from tui.studio import Studio

ROOMS = ("tui.screens.", "tui.widgets.", "tui.chart.", "tui.live.")
MODULES = {module.name for module in pkgutil.walk_packages(tui.__path__, "tui.") if module.name.startswith(ROOMS)}
DRAWING = {"tui.chart.raster", "tui.chart.render"}
"""The modules that draw charts, which alone need plotext."""


def loaded_by(*modules: str) -> set[str]:
    """The modules that importing these loads, in a Python of its own."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_app_paints_before_anything_heavy_is_loaded():
    assert not {"torch", "numpy", "plotext", "tinylm.training.loop"} & loaded_by("tui.launch", "tui.screens.home")


def test_no_screen_loads_torch_and_plotext_is_loaded_by_the_drawing_alone():
    assert not {"torch", "plotext"} & loaded_by(*sorted(MODULES - DRAWING))
    assert "tui.screens.plan.form" in MODULES


@pytest.mark.parametrize("mode", app.MODES)
def test_every_key_has_an_id_and_says_what_it_does(mode: str, home: Path):
    screen = app.new_screen(mode, Studio(home, RunConfig()))
    keys = [key for keys in type(screen)._merged_bindings.key_to_bindings.values() for key in keys]
    for key in keys:
        if key.id and key.id.startswith((mode, "app")):
            assert key.tooltip, key
            assert key.description, key
    assert len({key.id for key in keys if key.show and key.id}) <= 12, "a footer with six keys at a time"
    assert type(screen).HELP, "every screen explains itself"
