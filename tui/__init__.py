"""The studio: the app in the terminal. It shows what `tinylm` does and computes nothing itself."""
