"""How others ask something of a running training: another thread, a signal, the app. No torch here."""

import threading
from dataclasses import dataclass, field


@dataclass
class Control:
    """Requests to a running training, from any thread; each is answered within a step."""

    stop: threading.Event = field(default_factory=threading.Event)
    """Save, measure and write once more, and end."""
    leave: threading.Event = field(default_factory=threading.Event)
    """Save and end, nothing more: somebody is closing the program."""
    pause: threading.Event = field(default_factory=threading.Event)
    save: threading.Event = field(default_factory=threading.Event)
    sample: threading.Event = field(default_factory=threading.Event)

    @property
    def ending(self) -> bool:
        """Whether somebody wants the training to end."""
        return self.stop.is_set() or self.leave.is_set()
