"""What this machine has shown before, so that it need not be measured at every start: HOME/cache/machine.json.

A guess and no truth, and the file may be deleted at any time. No torch.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from tinylm import files, paths

_MOST_BYTES = 1 << 20
_MOST_SHAPES = 500
"""Shapes that are remembered; then the file begins anew."""


@dataclass(frozen=True)
class Known:
    """What was measured with models of one shape."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

    threads: int
    precision: Literal["fp32", "tf32", "bf16", "fp16"]


@dataclass(frozen=True)
class Passes:
    """Whose passes were the faster ones with models of one shape."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True)

    by: Literal["us", "torch"]


What = TypeVar("What", Known, Passes)


def key(*parts: object) -> str:
    """A short name for what a measurement hangs on: machine, versions, shape."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def recall(home: Path, name: str, kind: type[What]) -> What | None:
    """What is known under this key; None where nothing is, or nothing readable."""
    try:
        return TypeAdapter(kind).validate_json(json.dumps(_table(home).get(name)))
    except ValidationError:
        return None


def remember(home: Path, name: str, what: Known | Passes) -> None:
    """Keep it for the next start; where the disk refuses, it is measured again then."""
    table = _table(home)
    if len(table) >= _MOST_SHAPES:
        table = {}
    table[name] = asdict(what)
    with suppress(OSError):
        paths.cache(home).mkdir(parents=True, exist_ok=True)
        files.replace_durably(_file(home), json.dumps(table, indent=1).encode())


def _file(home: Path) -> Path:
    return paths.cache(home) / "machine.json"


def _table(home: Path) -> dict[str, Any]:
    try:
        return files.json_object(files.read(_file(home), _MOST_BYTES))
    except (OSError, ValueError):
        return {}
