"""What Data shows of texts: their size on disk, profile, tokens, and the share of the vocabulary in the weights.

No widgets. Slow functions run in worker threads and import `tinylm.data` there, so that the screen paints first.
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
from tinylm.model.size import block_parameters, embedding_parameters
from tinylm.paths import expanded
from tinylm.runs.folder import list_runs
from tinylm.words import counted

if TYPE_CHECKING:
    from tinylm.corpus.profile import Profile
    from tinylm.data.tokenizer import Tokenizer

TOO_LITTLE, MUCH_TOO_LITTLE = 20_000, 10_000
"""Bytes of text below which a model mostly memorises, and below which it does nothing else."""

MIN_OCCURRENCES = 30
"""How often a token should occur in the training text, on average, for its embedding to be learnt."""

MAX_FILES = 20_000
"""Files of a folder that are counted at most: a whole disk would take minutes."""


# ---- paths ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PathSize:
    """Size of the file or folder at a path."""

    bytes: int
    files: int | None = None
    """Number of files of a folder; None for a file."""


def path_size(path: str) -> PathSize | None:
    """Size of a file or of all files in a folder, hidden ones left out; None if it cannot be read."""
    target = Path(expanded(path))
    try:
        if target.is_dir():
            sizes = [size for _, size in zip(range(MAX_FILES), _sizes(target), strict=False)]
            return PathSize(sum(sizes), len(sizes))
        return PathSize(target.stat().st_size)
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
    """Paths that the runs of a home were trained on, newest run first, each once, without the built-in stories."""
    dated: list[tuple[float, list[str]]] = []
    for run in list_runs(home):
        try:
            written, config = run.config_file.stat().st_mtime, run.config()
        except (OSError, TinyLMError):  # a run that is being deleted, or is damaged
            continue
        phases = [source for phase in config.train.phases for source in phase.sources or []]
        dated.append((written, [*config.data.sources, *phases]))
    dated.sort(key=lambda pair: pair[0], reverse=True)
    return [source for source in dict.fromkeys(s for _, sources in dated for s in sources) if source != STORIES]


# ---- contents ---------------------------------------------------------------------------------------------------


def profile_texts(data: DataConfig) -> Profile:
    """Statistics and excerpts of the texts; DataError if they cannot be read."""
    from tinylm.corpus.profile import profile

    return profile(data, size=1200)


def excerpt_in(sources: Sequence[str], encoding: str) -> str:
    """A piece of the texts as they read in an encoding, or a sentence that says why there is none."""
    from tinylm.corpus.reading import excerpt

    paths = [source for source in sources if source != STORIES]
    if not paths:
        return "The built-in stories need no encoding: choose a text of your own first."
    try:
        return excerpt(paths, encoding) or "There is no text to show."
    except TinyLMError as error:
        return f"{error.message} {error.hint}"


@dataclass(frozen=True)
class PreparedTexts:
    """Texts as a training uses them: tokenizer, token counts, baselines."""

    tokenizer: Tokenizer
    bytes: int
    train_tokens: int
    pass_tokens: int
    """Training tokens of one epoch: more than `train_tokens` if a text has a weight above 1."""
    val_tokens: int
    baselines: dict[str, float]
    notes: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """Training and held-out tokens."""
        return self.train_tokens + self.val_tokens


def prepare_texts(config: RunConfig, home: Path) -> PreparedTexts:
    """The texts of a plan, from the cache or prepared now; TinyLMError if that fails."""
    from tinylm.data.dataset import Layout
    from tinylm.data.prepare import prepare
    from tinylm.data.tokenizer import Tokenizer

    folder = prepare(config, home)
    layout = Layout.from_json((folder / "data" / "data.json").read_text(encoding="utf-8"))
    segments = [(part.start, part.end) for parts in layout.groups.values() for part in parts]
    return PreparedTexts(
        tokenizer=Tokenizer.from_json((folder / "tokenizer.json").read_text(encoding="utf-8")),
        bytes=layout.bytes,
        train_tokens=sum(end - start for start, end in set(segments)),
        pass_tokens=sum(end - start for start, end in segments),
        val_tokens=sum(
            end - start - 1 for start, end in layout.held_out
        ),  # the first token of each part is only context
        baselines=layout.baselines,
        notes=tuple(layout.notes),
    )


def token_pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """`text` split at token boundaries; joined, the pieces are `text` again.

    Tokens that are parts of one character come as one piece: half a character cannot be shown.
    """
    try:
        ids = tokenizer.encode(text)
    except DataError:  # the line ends between two documents, in a vocabulary of characters that has none
        return [text]
    stream = tokenizer.stream()
    cut = [stream.feed(int(token)) for token in ids]
    return [piece for piece in (*cut, stream.close()) if piece]


class TextReader:
    """Reads the texts of one plan at a time in a thread, and reports each stage of the newest plan.

    A thread cannot be stopped in the middle of a text: the next one waits for it, then reads only the newest plan.
    Plain threads, since Textual's workers have to end before the program can be left.
    """

    def __init__(
        self, report: Callable[[RunConfig, Profile | None, PreparedTexts | None, BaseException | None], None]
    ) -> None:
        """`report` is called in the reading thread with plan, profile, prepared texts and error."""
        self._report = report
        self._lock = threading.Lock()
        self.wanted: RunConfig | None = None
        """The plan that is read now or was read last; setting another one, or None, cancels the reading."""

    def start(self, config: RunConfig, home: Path, profile: Profile | None = None) -> None:
        """Read the texts of `config`; `profile` is what is known of them already."""
        self.wanted = config
        context = contextvars.copy_context()
        work = (self._read, config, home, profile)
        threading.Thread(target=context.run, args=work, name="reading", daemon=True).start()

    def _read(self, config: RunConfig, home: Path, profile: Profile | None) -> None:
        with self._lock:
            try:
                if profile is None and self.wanted is config:
                    profile = profile_texts(config.data)
                    self._report(config, profile, None, None)
                if self.wanted is config:
                    self._report(config, profile, prepare_texts(config, home), None)
            except Exception as error:  # the edge of this thread: the screen shows it
                self._report(config, profile, None, error)


# ---- size of the vocabulary ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WeightSplit:
    """How many weights of a model belong to the vocabulary, and how many to the layers."""

    vocabulary: int
    """Embedding and head."""
    layers: int

    @property
    def total(self) -> int:
        """All weights, as `Transformer.n_parameters` counts them."""
        return self.vocabulary + self.layers

    @property
    def share(self) -> float:
        """Share of the vocabulary, from 0 to 1."""
        return self.vocabulary / self.total


def weight_split(model: ModelConfig, vocab_size: int) -> WeightSplit:
    """The weights of a model with this vocabulary."""
    return WeightSplit(embedding_parameters(model, vocab_size), block_parameters(model))


def expected_vocabulary(config: RunConfig, distinct_characters: int | None = None) -> int | None:
    """Size of the vocabulary before the tokenizer is trained; None if it depends on the characters of the text."""
    match config.tokenizer.kind:
        case "bpe":
            return config.tokenizer.vocab_size
        case "byte":
            return 257
        case "char":
            return None if distinct_characters is None else distinct_characters + 1


def cautions(config: RunConfig, n_bytes: int, prepared: PreparedTexts | None) -> list[str]:
    """Warnings before training on these texts, the most serious first."""
    warnings: list[str] = []
    if n_bytes < MUCH_TOO_LITTLE:
        warnings.append("Far too little text: the model will only recite it. Choose stories as well.")
    elif n_bytes < TOO_LITTLE:
        warnings.append("Too little text to learn from: the model will memorise it.")
    if prepared is None:
        return warnings
    size = prepared.tokenizer.vocab_size
    split = weight_split(config.model, size)
    fewer = config.tokenizer.kind == "bpe" and size > VOCABULARIES[0]
    if config.tokenizer.kind == "bpe" and prepared.train_tokens < MIN_OCCURRENCES * size:
        times = max(1, round(prepared.train_tokens / size))
        often = counted(times, "time")
        mend = "take fewer, or char" if fewer else "take char"
        warnings.append(f"Each of the {size:,} tokens occurs {often} on average: {mend}.")
    elif split.share > 0.5:
        mend = "a smaller one leaves the layers more" if fewer else "more layers put that right"
        warnings.append(f"The vocabulary is {split.share:.0%} of the weights: {mend}.")
    if config.data.val_fraction and not prepared.val_tokens:
        warnings.append("The text is too short to hold any out: memorising will not be noticed.")
    return warnings


# ---- steps of settings --------------------------------------------------------------------------------------------

VOCABULARIES = (300, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
HELD_OUT = (0.0, 0.05, 0.1, 0.2)


def next_vocabulary(size: int, up: bool) -> int:
    """The next larger or smaller usual vocabulary; the same size if there is none."""
    others = [notch for notch in VOCABULARIES if (notch > size if up else notch < size)]
    return size if not others else min(others) if up else max(others)


def next_held_out(fraction: float) -> float:
    """The next of the usual held-out shares; after the largest comes none."""
    return next((share for share in HELD_OUT if share > fraction + 1e-9), HELD_OUT[0])


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """A name for each path: its last part, with as many folders before it as make it unique."""
    parts = {path: [p for p in path.replace(os.sep, "/").split("/") if p] or [path] for path in paths}
    names: dict[str, str] = {}
    for path, own in parts.items():
        others = [other for key, other in parts.items() if key != path and other != own]
        length = 1
        while length < len(own) and any(other[-length:] == own[-length:] for other in others):
            length += 1
        names[path] = "/".join(own[-length:])
    return names
