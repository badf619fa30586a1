"""Reads what `data.sources` names: built-in texts, files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinylm.config.schema import STORIES, DataConfig
from tinylm.corpus.reading import Reading, Text, read_paths
from tinylm.corpus.spool import Spool
from tinylm.corpus.stories import stories


def read(sources: Sequence[str], data: DataConfig, spool: Spool) -> Reading:
    """The cleaned texts of `sources`, in `spool`, the built-in stories first; `given` is each one's place there."""
    texts: list[Text] = []
    notes: list[str] = []
    plain = [place for place, source in enumerate(sources) if source != STORIES]
    if STORIES in sources:
        told = stories()
        documents, bits = tuple(spool.put([story.text]) for story in told), tuple(story.bits for story in told)
        texts.append(Text(STORIES, documents, bits, sources.index(STORIES)))
    if plain:
        reading = read_paths([sources[place] for place in plain], data.unwrap, spool)
        texts += (replace(text, given=plain[text.given]) for text in reading.texts)
        notes += reading.notes
    return Reading(tuple(texts), tuple(notes))
