"""The arrows between rooms: what may import what, by import-linter and by looking at what was loaded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "pydantic", "rich", "numpy", "textual", "plotext", "tiktoken", "tui", "tinylm.cli.headless"}


def loaded(code: str) -> set[str]:
    """The modules that are loaded in a fresh interpreter after `code`."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_light_rooms_load_without_torch() -> None:
    light = (
        "errors paths events words config.schema config.resolve config.flags planning.schedule planning.time_budget "
    )
    light += "corpus.reading corpus.cleaning corpus.baselines runs.folder runs.report cli.main cli.console cli.headless"
    modules = loaded("import " + ", ".join(f"tinylm.{name}" for name in light.split()))
    assert "tinylm.runs.folder" in modules
    assert modules & {"torch", "textual", "plotext", "tui"} == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["--train", "--runs"], ["--tiem", "2m"]])
def test_flags_are_answered_before_anything_heavy_is_loaded(arguments: list[str]) -> None:
    modules = loaded(f"from tinylm.cli.main import main\nmain({arguments})")
    assert "tinylm.cli.main" in modules
    assert modules & HEAVY == set()


def test_an_unknown_flag_is_looked_up_among_the_settings_without_torch() -> None:
    modules = loaded("from tinylm.cli.main import main\nmain(['--foo'])")
    assert modules & HEAVY <= {"pydantic"}


def test_listing_runs_needs_no_torch(home: Path) -> None:
    modules = loaded(f"from tinylm.cli.main import main\nmain(['--runs', '--home', {str(home)!r}])")
    assert "tinylm.cli.headless" in modules
    assert "torch" not in modules


def test_the_entry_point_runs_headless_modes_without_the_app() -> None:
    code = "sys.argv = ['tinylm-studio', '--help']\nfrom tui.__main__ import main\ntry: main()\nexcept SystemExit: pass"
    modules = loaded(code)
    assert "tinylm.cli.main" in modules
    assert modules & {"torch", "textual", "plotext", "tui.app"} == set()


def test_the_whole_of_tinylm_loads_without_the_app() -> None:
    code = (
        "import importlib, pkgutil, tinylm\n"
        "for module in pkgutil.walk_packages(tinylm.__path__, 'tinylm.'):\n"
        "    importlib.import_module(module.name)"
    )
    modules = loaded(code)
    assert {"torch", "tinylm.training.loop", "tinylm.cli.headless"} <= modules
    assert {module for module in modules if module.partition(".")[0] in {"textual", "plotext", "tui"}} == set()


def test_the_contracts_hold() -> None:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert command, "import-linter is missing; install the extra `dev`"
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
