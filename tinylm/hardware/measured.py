"""Cache of what was measured on this machine, so that not every start measures again: HOME/cache/machine.json.

The file is a hint: whatever cannot be read is measured again, and it may be deleted at any time. No torch here.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from tinylm import files, paths

_MAX_BYTES = 1 << 20
_MAX_ENTRIES = 500
"""Beyond this many entries the cache starts anew."""


@dataclass(frozen=True)
class FastestSetting:
    """The thread count and precision at which models of one shape train fastest."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

    threads: int
    precision: Literal["fp32", "tf32", "bf16", "fp16"]
    by_eager_passes: bool = False
    """Measured by eager passes for the kernels, which were not compiled yet: a guess."""


@dataclass(frozen=True)
class FastestBackend:
    """The backend that was faster with models of one shape."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True)

    kind: Literal["eager", "kernels"]


@dataclass(frozen=True)
class Speed:
    """The speed by which the size of a model was chosen."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

    token_seconds: Annotated[float, Field(gt=0)]
    startup_seconds: Annotated[float, Field(ge=0)]


Entry = TypeVar("Entry", FastestSetting, FastestBackend, Speed)


def key(*parts: object) -> str:
    """A short key made of all that a measurement depends on: machine, versions, shape of the model."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def load(home: Path, key: str, kind: type[Entry]) -> Entry | None:
    """The entry under `key`; None where there is none, or none that can be read."""
    try:
        return TypeAdapter(kind).validate_json(json.dumps(_table(home).get(key)))
    except ValidationError:
        return None


def store(home: Path, key: str, entry: FastestSetting | FastestBackend | Speed) -> None:
    """Keep an entry for the next start; if the disk refuses, the next start measures again."""
    table = _table(home)
    if len(table) >= _MAX_ENTRIES:
        table = {}
    table[key] = asdict(entry)
    with suppress(OSError):
        paths.cache(home).mkdir(parents=True, exist_ok=True)
        files.replace_durably(_file(home), json.dumps(table, indent=1).encode())


def _file(home: Path) -> Path:
    return paths.cache(home) / "machine.json"


def _table(home: Path) -> dict[str, Any]:
    try:
        return files.json_object(files.read(_file(home), _MAX_BYTES))
    except (OSError, ValueError):
        return {}
