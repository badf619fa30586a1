"""Every setting, its sources and its flags."""

from tinylm.config.schema import RunConfig

__all__ = ["RunConfig"]
