"""Errors that a person can mend: what is wrong, and how to mend it.

The command line prints both sentences and exits with 2. Anything else that is raised is our own fault.
"""


class TinyLMError(Exception):
    """A fault the user can mend: `message` says what is wrong, `hint` how to mend it."""

    title = "Something needs mending"

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message = message
        self.hint = hint


class ConfigError(TinyLMError):
    """A setting, flag or configuration file that cannot be used."""

    title = "These settings cannot be used"


class DataError(TinyLMError):
    """Text that cannot be read or is not enough."""

    title = "This text cannot be used"


class RunError(TinyLMError):
    """A run folder that is missing, taken or not as it should be."""

    title = "This run cannot be used"


class RoomError(RunError):
    """A disk that is full, or refuses."""

    title = "The disk refuses"


class CheckpointError(TinyLMError):
    """A checkpoint that is missing or does not verify."""

    title = "This checkpoint cannot be used"


class DeviceError(TinyLMError):
    """A device that this machine does not have."""

    title = "This device cannot be used"


class DivergedError(TinyLMError):
    """Training that no rescue could save; the command line exits with 3."""

    title = "The training diverged"
