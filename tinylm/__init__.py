"""The engine of tinylm-studio: text in, a trained language model out, no screen.

Importing this package loads nothing; `tinylm.config`, `tinylm.events` and `tinylm.runs` do not load torch.
"""

import os

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plugins would delay the app's first paint

__version__ = "0.1.0"
