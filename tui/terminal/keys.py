"""Keys that the help lists and the footer leaves out."""

from __future__ import annotations

from textual.binding import Binding


def hidden(keys: str, action: str, name: str, *, id: str, tooltip: str) -> Binding:
    """A binding that is not shown in the footer; `id` is for key maps."""
    return Binding(keys, action, name, show=False, tooltip=tooltip, id=id)
