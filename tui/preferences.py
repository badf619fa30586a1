"""What the app remembers of a person's taste between two sessions: theme and glyphs."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Preferences:
    """Both "" where nothing was chosen."""

    theme: str = ""
    glyphs: str = ""

    @classmethod
    def load(cls, home: Path) -> Preferences:
        """Those of a home; what cannot be read counts as nothing chosen."""
        try:
            table = json.loads(_file(home).read_text(encoding="utf-8"))
            values = {name: table[name] for name in ("theme", "glyphs") if isinstance(table.get(name), str)}
        except (OSError, ValueError, AttributeError, RecursionError):
            return cls()
        return cls(**values)

    def save(self, home: Path) -> None:
        """Replace the file whole; a home that cannot be written just forgets."""
        try:
            home.mkdir(parents=True, exist_ok=True)
            handle, making = tempfile.mkstemp(prefix=".studio-", dir=home)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file)
            Path(making).replace(_file(home))
        except OSError:
            return


def _file(home: Path) -> Path:
    return home / "studio.json"
