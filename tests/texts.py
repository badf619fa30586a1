"""Texts for tests: spans of one spool that all tests share, and files that are decoded in one go."""

from tinylm.corpus.encoding import decoded, encoding_of
from tinylm.corpus.spool import Spool, TextSpan

SPOOL = Spool()


def span(text: str) -> TextSpan:
    return SPOOL.put([text])


def decode(raw: bytes) -> tuple[str, str] | None:
    """The text and the name of its encoding, or None for a binary."""
    encoding = encoding_of(lambda: iter([raw]))
    return None if encoding is None else ("".join(decoded(lambda: iter([raw]), encoding)), encoding.name)
