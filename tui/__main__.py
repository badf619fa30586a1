"""The entry point `tinylm-studio`: headless modes never import textual."""

import argparse
import gc
import sys
from importlib.util import find_spec
from pathlib import Path

from tinylm.cli import main as command_line
from tinylm.errors import ConfigError


def main() -> None:
    """Run the program, and exit with its code."""
    sys.exit(command_line.main(sys.argv[1:], run_app))


def run_app(options: argparse.Namespace, home: Path) -> int:
    """Run the app, or its benchmark; both need textual and plotext."""
    missing = [name for name in ("textual", "plotext") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"The app needs {' and '.join(missing)}, which Python does not find here.",
            "Install tinylm-studio with pip, or train without the app: tinylm-studio --train.",
        )
    if options.bench is not None:
        from tui import bench

        return bench.run(options, home)
    gc.disable()  # until the first paint, of which it takes a tenth of the time
    from tui.launch import launch

    return launch(options, home)


if __name__ == "__main__":
    main()
