"""What a person chose for the look of the app, kept between sessions: theme and glyphs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tinylm import files

_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Preferences:
    """The choices; "" where nothing was chosen."""

    theme: str = ""
    glyphs: str = ""

    @classmethod
    def load(cls, home: Path) -> Preferences:
        """Read those of a home; what cannot be read counts as not chosen."""
        try:
            table = files.json_object(files.read(_file(home), _MOST_BYTES))
            values = {name: table[name] for name in ("theme", "glyphs") if isinstance(table.get(name), str)}
        except (OSError, ValueError):
            return cls()
        return cls(**values)

    def save(self, home: Path) -> None:
        """Write them; a home that cannot be written keeps nothing."""
        try:
            home.mkdir(parents=True, exist_ok=True)
            files.replace_durably(_file(home), json.dumps(asdict(self)).encode())
        except OSError:
            return


def _file(home: Path) -> Path:
    return home / "studio.json"
