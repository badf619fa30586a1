"""The entry point `tinylm-studio`: headless modes never import textual."""

import argparse
import gc
import sys
from importlib.util import find_spec
from pathlib import Path

from tinylm.cli.main import main as answer
from tinylm.errors import ConfigError


def main() -> None:
    """Run the program and leave with its exit code."""
    sys.exit(answer(sys.argv[1:], studio))


def studio(options: argparse.Namespace, home: Path) -> int:
    """What needs the app's libraries: the app itself, and its benchmark."""
    missing = [name for name in ("textual", "plotext") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"The app needs {' and '.join(missing)}, which Python does not find here.",
            "Install tinylm-studio with pip, or train without the app: tinylm-studio --train.",
        )
    if options.bench is not None:
        from tui import bench

        return bench.run(options, home)
    gc.disable()  # until the first paint, of whose time it takes a tenth
    from tui.launch import launch

    return launch(options, home)


if __name__ == "__main__":
    main()
