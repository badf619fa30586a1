"""The engine of tinylm-studio: text in, a trained language model out, no screen.

Importing this package loads nothing; `tinylm.config`, `tinylm.events` and `tinylm.runs` stay free of torch.
"""

__version__ = "0.1.0"
