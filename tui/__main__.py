"""The entry point `tinylm-studio`: headless modes never import textual."""

import sys

from tinylm.cli import main as headless_main


def main() -> None:
    """Run the program and leave with its exit code."""
    sys.exit(headless_main(sys.argv[1:]))


if __name__ == "__main__":
    main()
