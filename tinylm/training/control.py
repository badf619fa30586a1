"""Requests to a running training, from another thread, a signal handler or the app. No torch here."""

import threading
from dataclasses import dataclass, field


@dataclass
class Control:
    """Flags that any thread may set; the training answers each within a step."""

    stop: threading.Event = field(default_factory=threading.Event)
    """Save, evaluate, sample, and end."""
    leave: threading.Event = field(default_factory=threading.Event)
    """Save and end at once: the program is being closed."""
    pause: threading.Event = field(default_factory=threading.Event)
    save: threading.Event = field(default_factory=threading.Event)
    sample: threading.Event = field(default_factory=threading.Event)

    @property
    def ending(self) -> bool:
        """Whether the training was asked to end."""
        return self.stop.is_set() or self.leave.is_set()
