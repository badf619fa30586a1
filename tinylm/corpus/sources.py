"""Reads what `data.sources` names: built-in texts, files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinylm.config.schema import STORIES, DataConfig
from tinylm.corpus.reading import Reading, Text, read_paths
from tinylm.corpus.spool import Spool
from tinylm.corpus.stories import stories


def read(sources: Sequence[str], data: DataConfig, spool: Spool) -> Reading:
    """The cleaned texts of `sources`, written to `spool`, the built-in stories first.

    `Text.source` is an index into `sources`.
    """
    texts: list[Text] = []
    notes: list[str] = []
    path_indices = [i for i, source in enumerate(sources) if source != STORIES]
    if STORIES in sources:
        written = stories()
        documents, bits = tuple(spool.put([story.text]) for story in written), tuple(story.bits for story in written)
        texts.append(Text(STORIES, documents, STORIES.encode(), bits, sources.index(STORIES)))
    if path_indices:
        reading = read_paths([sources[i] for i in path_indices], data.unwrap, spool, data.encoding)
        texts += (replace(text, source=path_indices[text.source]) for text in reading.texts)
        notes += reading.notes
    return Reading(tuple(texts), tuple(notes))
