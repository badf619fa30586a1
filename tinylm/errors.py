"""Errors that a user can fix.

The command line prints both of their sentences and exits with 2. Any other exception is a bug of ours.
"""


class TinyLMError(Exception):
    """An error that the user can fix: `message` says what is wrong, `hint` how to fix it."""

    title = "Something needs mending"

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message = message
        self.hint = hint


class ConfigError(TinyLMError):
    """A setting, flag or configuration file that cannot be used."""

    title = "These settings cannot be used"


class DataError(TinyLMError):
    """Text that cannot be read, or is too short."""

    title = "This text cannot be used"


class RunError(TinyLMError):
    """A run folder that is missing, in use or damaged."""

    title = "This run cannot be used"


class RoomError(RunError):
    """A disk that is full or cannot be written to."""

    title = "The disk refuses"


class CheckpointError(TinyLMError):
    """A checkpoint that is missing or fails verification."""

    title = "This checkpoint cannot be used"


class DeviceError(TinyLMError):
    """A device that this machine does not have."""

    title = "This device cannot be used"


class DivergedError(TinyLMError):
    """A training that diverged more often than it may be rolled back; the command line exits with 3."""

    title = "The training diverged"
