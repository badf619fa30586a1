"""What Data shows of a text, computed off the event loop: where it lies, what is in it, its tokens and their price.

Everything slow is called from worker threads; `tinylm.prepare` and the tokenizers are imported there, so that the
screen paints before them. Nothing here knows a widget.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinylm.config.schema import STORIES, DataConfig, ModelConfig, RunConfig
from tinylm.errors import DataError, TinyLMError
from tinylm.model import size as counting
from tinylm.runs import folder as runs

if TYPE_CHECKING:
    from tinylm.corpus.profile import Profile
    from tinylm.data.tokenizer import Tokenizer

TOO_LITTLE, MUCH_TOO_LITTLE = 20_000, 10_000
"""Bytes of text below which a model mostly memorises, and below which it does nothing else."""

SEEN_OFTEN_ENOUGH = 30
"""How often a token should occur in the training text, on average, for its weights to learn what it means."""

MOST_FILES = 20_000
"""Files of a folder that are counted; a whole disk would take minutes, and the number says enough."""


# ---- where texts lie ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What lies at a path."""

    bytes: int
    files: int | None = None
    """How many files a folder has; None for a file."""


def look(path: str) -> Found | None:
    """The size of a file or of all that a folder holds; None where there is nothing that can be read."""
    place = Path(os.path.expanduser(path))  # noqa: PTH111  # Path.expanduser raises where there is no home
    try:
        if place.is_dir():
            sizes = [size for _, size in zip(range(MOST_FILES), _sizes(place), strict=False)]
            return Found(sum(sizes), len(sizes))
        return Found(place.stat().st_size)
    except (OSError, ValueError):
        return None


def _sizes(folder: Path) -> Iterator[int]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                try:
                    yield (Path(here) / name).stat().st_size
                except OSError:
                    continue


def used_before(home: Path) -> list[str]:
    """The texts that the runs of a home were trained on, the newest run's first, each once, without the stories."""
    dated: list[tuple[float, list[str]]] = []
    for run in runs.list_runs(home):
        try:
            written, config = run.config_file.stat().st_mtime, run.config()
        except (OSError, TinyLMError):  # a run that is being deleted, or one that somebody damaged
            continue
        phases = [source for phase in config.train.phases for source in phase.sources or []]
        dated.append((written, [*config.data.sources, *phases]))
    dated.sort(key=lambda pair: pair[0], reverse=True)
    return [source for source in dict.fromkeys(s for _, sources in dated for s in sources) if source != STORIES]


# ---- what is in them ----------------------------------------------------------------------------------------------


def profiled(data: DataConfig) -> Profile:
    """What a first look at the texts says; DataError where they cannot be read."""
    from tinylm.corpus.profile import profile

    return profile(data, size=1200)


@dataclass(frozen=True)
class Prepared:
    """Texts as a training takes them: tokens, tokenizer, baselines."""

    tokenizer: Tokenizer
    bytes: int
    train_tokens: int
    pass_tokens: int
    """Training tokens of one pass: more than there are where a text is read several times."""
    val_tokens: int
    baselines: dict[str, float]
    notes: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """Of both parts together."""
        return self.train_tokens + self.val_tokens


def prepared(config: RunConfig, home: Path) -> Prepared:
    """The texts of a plan, from the cache or prepared now; TinyLMError where they cannot be."""
    from tinylm.data.dataset import Layout
    from tinylm.data.prepare import prepare
    from tinylm.data.tokenizer import Tokenizer

    folder = prepare(config, home)
    layout = Layout.from_json((folder / "data" / "data.json").read_text(encoding="utf-8"))
    segments = [(part.start, part.end) for parts in layout.groups.values() for part in parts]
    return Prepared(
        tokenizer=Tokenizer.from_json((folder / "tokenizer.json").read_text(encoding="utf-8")),
        bytes=layout.bytes,
        train_tokens=sum(end - start for start, end in set(segments)),
        pass_tokens=sum(end - start for start, end in segments),
        val_tokens=sum(end - start - 1 for start, end in layout.held_out),  # the first of each is only context
        baselines=layout.baselines,
        notes=tuple(layout.notes),
    )


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """`text` cut where its tokens meet; together they are the text again.

    Tokens that are parts of one character come as one piece: half a character cannot be shown.
    """
    try:
        ids = tokenizer.encode(text)
    except DataError:  # a sign that no document has: the line ends between two of them, where the text has none itself
        return [text]
    stream = tokenizer.stream()
    cut = [stream.feed(int(token)) for token in ids]
    return [piece for piece in (*cut, stream.close()) if piece]


class Reader:
    """Reads one plan after the other in threads, and tells each stage of the newest.

    A thread cannot be stopped in the middle of a text: the next waits for it and then reads the newest plan only. They
    are no workers of Textual's, which have to end before the program can be left.
    """

    def __init__(
        self, tell: Callable[[RunConfig, Profile | None, Prepared | None, BaseException | None], None]
    ) -> None:
        """`tell` is called in the reading thread."""
        self._tell = tell
        self._one_at_a_time = threading.Lock()
        self.wanted: RunConfig | None = None
        """The plan that is read now or was read last; another one, or None, cancels what was begun."""

    def start(self, config: RunConfig, home: Path, profile: Profile | None = None) -> None:
        """Read the texts of `config`, whose `profile` may be known already."""
        self.wanted = config
        context = contextvars.copy_context()
        work = (self._read, config, home, profile)
        threading.Thread(target=context.run, args=work, name="reading", daemon=True).start()

    def _read(self, config: RunConfig, home: Path, profile: Profile | None) -> None:
        with self._one_at_a_time:
            try:
                if profile is None and self.wanted is config:
                    profile = profiled(config.data)
                    self._tell(config, profile, None, None)
                if self.wanted is config:
                    self._tell(config, profile, prepared(config, home), None)
            except Exception as error:  # the thread's edge: whatever it was, the screen says it
                self._tell(config, profile, None, error)


# ---- what the tokenizer costs -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Price:
    """Where a model's weights go."""

    vocabulary: int
    """Embedding and head: one row for each token in each of them."""
    layers: int

    @property
    def total(self) -> int:
        """All weights, as `Transformer.n_parameters` counts them."""
        return self.vocabulary + self.layers

    @property
    def share(self) -> float:
        """The vocabulary's part of all, from 0 to 1."""
        return self.vocabulary / self.total


def price(model: ModelConfig, vocab_size: int) -> Price:
    """The weights of a model with so many tokens."""
    return Price(counting.embedding_parameters(model, vocab_size), counting.block_parameters(model))


def expected_vocabulary(config: RunConfig, distinct_characters: int | None) -> int | None:
    """How many tokens there will be, before they are made; None where the text has to be read first."""
    match config.tokenizer.kind:
        case "bpe":
            return config.tokenizer.vocab_size
        case "byte":
            return 257
        case "char":
            return None if distinct_characters is None else distinct_characters + 1


def cautions(config: RunConfig, n_bytes: int, found: Prepared | None) -> list[str]:
    """What somebody should know before training on these texts, the gravest first."""
    said: list[str] = []
    if n_bytes < MUCH_TOO_LITTLE:
        said.append("Far too little text: the model will only recite it. Choose stories as well.")
    elif n_bytes < TOO_LITTLE:
        said.append("Too little text to learn from: the model will memorise it.")
    if found is None:
        return said
    size = found.tokenizer.vocab_size
    cost = price(config.model, size)
    if config.tokenizer.kind == "bpe" and found.train_tokens < SEEN_OFTEN_ENOUGH * size:
        times = max(1, round(found.train_tokens / size))
        often = f"{times} time{'s' * (times > 1)}"
        said.append(f"Each of the {size:,} tokens occurs {often} on average: take fewer, or char.")
    elif cost.share > 0.5:
        said.append(f"The vocabulary is {cost.share:.0%} of the weights: a smaller one leaves the layers more.")
    if config.data.val_fraction and not found.val_tokens:
        said.append("The text is too short to hold any out: memorising will not be noticed.")
    return said


# ---- choosing -----------------------------------------------------------------------------------------------------

VOCABULARIES = (300, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
HELD_OUT = (0.0, 0.05, 0.1, 0.2)


def next_vocabulary(size: int, up: bool) -> int:
    """The notch above or below a vocabulary; the same where there is none."""
    others = [notch for notch in VOCABULARIES if (notch > size if up else notch < size)]
    return size if not others else min(others) if up else max(others)


def next_held_out(fraction: float) -> float:
    """The next of the usual shares, and from the largest back to none."""
    return next((share for share in HELD_OUT if share > fraction + 1e-9), HELD_OUT[0])


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """What to call each path: its last part, with as many folders in front as it takes to tell it from the others."""
    parts = {path: [p for p in path.replace(os.sep, "/").split("/") if p] or [path] for path in paths}
    names: dict[str, str] = {}
    for path, own in parts.items():
        others = [other for key, other in parts.items() if key != path and other != own]
        length = 1
        while length < len(own) and any(other[-length:] == own[-length:] for other in others):
            length += 1
        names[path] = "/".join(own[-length:])
    return names
