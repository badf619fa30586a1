"""Makes glibc's malloc keep freed memory for the next allocation. No torch."""

import ctypes
import gc
import platform
import sys
from functools import cache

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8
"""Options of glibc's mallopt: smallest allocation that gets a mapping of its own, most free memory kept before it is
returned to the system, and number of arenas. Arenas beyond the first map every large allocation."""


def keep(*, one_arena: bool = False) -> None:
    """Let glibc keep freed memory instead of asking the system for it again, page by page.

    `one_arena`: all threads share one arena, which suits training steps (measurements: assets/results/notes.md).
    """
    _freeze(one_arena)
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
        if one_arena:
            mallopt(_ARENA_MAX, 1)


@cache  # once before texts are read, and once before a training, when torch is loaded
def _freeze(_: bool) -> None:
    """Exclude all objects loaded so far from garbage collection: torch alone costs 20 ms a collection."""
    gc.freeze()
