"""What the app loads before it paints, and what its rooms may know."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import tui.screens
import tui.widgets
from tinylm.config.schema import RunConfig
from tui import app
from tui.studio import Studio

SCREENS = [f"tui.screens.{module.name}" for module in pkgutil.iter_modules(tui.screens.__path__)]
WIDGETS = [f"tui.widgets.{module.name}" for module in pkgutil.iter_modules(tui.widgets.__path__)]
DRAWING = {"tui.chart.raster", "tui.chart.render"}


def loaded_by(*modules: str) -> set[str]:
    """The modules that importing these loads, in a Python of its own."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_app_paints_before_torch_numpy_and_plotext_are_loaded():
    assert not {"torch", "numpy", "plotext", "tinylm.training.loop"} & loaded_by("tui.launch", "tui.screens.home")


def test_no_screen_loads_torch():
    assert "torch" not in loaded_by(*SCREENS, *WIDGETS)


def test_plotext_is_loaded_by_the_drawing_alone():
    assert "plotext" not in loaded_by(*SCREENS, *(set(WIDGETS) - DRAWING))


@pytest.mark.parametrize("mode", app.MODES)
def test_every_key_has_an_id_and_says_what_it_does(mode: str, home: Path):
    screen = app.new_screen(mode, Studio(home, RunConfig()))
    for binding in type(screen)._merged_bindings.key_to_bindings.values():  # type: ignore[union-attr]
        for key in binding:
            if key.id and key.id.startswith((mode, "app")):
                assert key.tooltip, key
                assert key.description, key
    shown = {k.id for keys in type(screen)._merged_bindings.key_to_bindings.values() for k in keys if k.show and k.id}
    assert len(shown) <= 12, "a footer with six keys at a time"
    assert type(screen).HELP, "every screen explains itself"
