"""The terminal studio on top of `tinylm`, and the entry point of `tinylm-studio`."""
