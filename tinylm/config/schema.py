"""Every setting, declared once: type, bounds, label and help.

The key in a TOML file and for `--set`, the form field in the app and the error message are all made from the classes
here. Pydantic validates; torch is never imported.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from tinylm.config import encodings
from tinylm.errors import ConfigError
from tinylm.words import counted

FORMAT = 1
"""The format number in every config.toml and state.json."""


SPLIT = 2
"""How `corpus/split.py` divides texts now; a run goes on with the split that it began with."""

MOST_TOKENS = 200_000
"""The largest vocabulary of BPE."""

MOST_STEPS = 10**12
"""The most steps of a run, and the largest amount of a budget."""

MOST_STEP_TOKENS = 1 << 26
"""The most tokens of an optimizer step: twenty times those of the largest trainings, and half a GB of ids."""

STORIES = "stories"
"""The name of the built-in corpus among `data.sources`."""

FITTED = {
    "data": ("windows",),
    "model": ("n_layer", "n_embd", "n_head", "n_kv_head", "mlp_ratio", "block_size", "dropout"),
    "train": ("batch_size", "phases"),
}
"""The settings that `train.fit` chooses; it is turned off where one of them is set by hand."""

_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """How long a run may be: an amount of `time` (seconds), `steps` or `epochs`."""

    kind: Literal["time", "steps", "epochs"]
    amount: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `90s`, `2m`, `1.5h`, `500 steps` or `3 epochs`; ValueError says what would be right."""
        match = re.fullmatch(r"\s*((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*(s|m|h|steps?|epochs?)\s*", text)
        text = text if len(text) <= 40 else f"{text[:37]}..."
        if not match:
            raise ValueError(f"the budget {text!r} cannot be read; write `90s`, `2m`, `1h`, `500 steps` or `3 epochs`")
        amount, unit = float(match[1]), match[2]
        if unit in _SECONDS:
            budget = cls("time", amount * _SECONDS[unit])
        elif unit.startswith("step"):
            budget = cls("steps", amount)
        else:
            budget = cls("epochs", amount)
        if not 0 < budget.amount <= MOST_STEPS:
            raise ValueError(f"the budget {text!r} is too {'little' if budget.amount == 0 else 'much'} to train")
        if budget.kind == "steps" and amount != int(amount):
            raise ValueError(f"the budget {text!r} has a broken number of steps; give a whole one")
        return budget


def _is_source(source: str) -> str:
    if not source or "\0" in source:
        raise ValueError("a text is named by nothing; give --data a file, a folder or `stories`")
    try:
        source.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"The file name {source} is not Unicode, so no run can remember it.", "Rename it.") from None
    return source


Source = Annotated[str, AfterValidator(_is_source)]
"""A file, a folder, or STORIES."""


class Settings(BaseModel):
    """Base of all groups of settings: no unknown keys, no silent conversions, immutable.

    The docstring of a setting is its description, which forms and error messages show (`resolve.settings`).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_default=True, allow_inf_nan=False)


class ModelConfig(Settings):
    """The shape of the transformer."""

    n_layer: int = Field(4, ge=1, le=96, title="Layers")
    """Transformer blocks, one after the other."""
    n_head: int = Field(4, ge=1, le=128, title="Heads")
    """Query heads in each attention."""
    n_kv_head: int = Field(4, ge=1, le=128, title="Key/value heads")
    """Shared by groups of query heads; must divide n_head."""
    n_embd: int = Field(128, ge=8, le=8192, title="Width")
    """Numbers that stand for one token inside."""
    mlp_ratio: int = Field(4, ge=1, le=64, title="Feed-forward")
    """Numbers inside of each feed-forward, in multiples of the width."""
    head_size: int = Field(32, ge=2, le=512, title="Head size")
    """Width of one head; even, for RoPE."""
    block_size: int = Field(256, ge=8, le=65536, title="Context")
    """Tokens that the model sees at once in training."""
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout")
    """Share of each sublayer's output set to zero in training."""
    attention_dropout: float = Field(0.0, ge=0, lt=1, title="Attention dropout")
    """Share of attention weights set to zero; above 0 it rules out the fast attention of CPUs."""
    norm_eps: float = Field(1e-5, gt=0, le=0.1, title="Norm epsilon")
    """Keeps RMSNorm from dividing by 0."""
    rope_theta: float = Field(1e4, gt=1, le=1e9, title="RoPE theta")
    """The slowest wavelength of the rotary positions."""
    qk_norm: bool = Field(False, title="QK norm")
    """Normalise queries and keys; steadier at high rates."""
    attention_scale: float = Field(
        1.0,
        gt=0,
        le=100,
        title="Sharpness",
        description="What attention's scores are multiplied with; QK norm bounds them, and above 1 a head can look at "
        "one token alone.",
    )
    embedding_std: float = Field(1.0, gt=0, le=100, title="Embedding size")
    """Spread of the first embeddings; loud ones are still heard behind many sublayers."""
    zero_head: bool = Field(False, title="Quiet head")
    """Begin with the same score for every token, instead of random ones that must be unlearnt."""
    tie_embeddings: bool = Field(False, title="Tied embeddings")
    """Use one matrix for reading tokens and for predicting them."""

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.n_head % self.n_kv_head:
            raise ValueError(f"model.n_head={self.n_head} is no multiple of model.n_kv_head={self.n_kv_head}")
        if self.head_size % 2:
            raise ValueError(f"model.head_size={self.head_size} is odd, and rotary positions turn pairs")
        return self


class TokenizerConfig(Settings):
    """How text is split into tokens."""

    kind: Literal["bpe", "char", "byte"] = Field("bpe", title="Kind")
    """bpe learns pieces of words from your text; char and byte have none to learn."""
    # Of 512 to 4,096, prose of some size wants more tokens, code and text that is read ten times fewer; 2,048 was close
    # to the best on all texts measured (assets/results/notes.md).
    vocab_size: int = Field(2048, ge=2, le=MOST_TOKENS, title="Vocabulary")
    """Tokens in all, special ones included (bpe only)."""

    @model_validator(mode="after")
    def _bytes_fit(self) -> Self:
        if self.kind == "bpe" and self.vocab_size < 257:
            raise ValueError(f"tokenizer.vocab_size={self.vocab_size} leaves no room for 256 bytes and one special")
        return self


class DataConfig(Settings):
    """Which texts, how they are read, and what is held out."""

    sources: list[Source] = Field(["stories"], min_length=1, title="Texts")
    """Files, folders, or `stories`, the built-in corpus."""
    weights: list[Annotated[int, Field(ge=1, le=100)]] | None = Field(None, title="Weights")
    """How many times each of the texts is read in a pass, in their order; without it, once."""
    val_fraction: float = Field(0.05, ge=0, le=0.5, title="Held out")
    """Share of the text that is kept for measuring; 0 is none."""
    val_placement: Literal["tail", "spans"] = Field("spans", title="Held-out place")
    """At the end of each text, or in a few spans spread over it; of short texts the last ones, or some."""
    windows: Literal["chunked", "every_offset", "documents"] = Field("chunked", title="Windows")
    """chunked: each token once an epoch, cut anew each time; every_offset: the reference recipe's; documents: from the
    beginning of each document."""
    encoding: Annotated[str, AfterValidator(encodings.canonical)] = Field(encodings.AUTO, title="Encoding")
    """Of all text files, by name (windows-1250, shift-jis, koi8-r); auto finds out for each."""
    unwrap: Literal["auto", "on", "off"] = Field("auto", title="Join lines")
    """Join hard-wrapped lines into paragraphs; auto looks whether they are."""
    split: int = Field(SPLIT, ge=1, le=SPLIT, title="Split")
    """2: short texts are held out whole; 1, of earlier versions: each text gives a part of its own."""

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.sources):
            raise ValueError(
                f"data.weights has {counted(len(self.weights), 'number')} for "
                f"{counted(len(self.sources), 'text')} in data.sources; each text needs one"
            )
        return self


class Phase(Settings):
    """A part of the training with a learning-rate schedule of its own."""

    name: str = Field("train", min_length=1, max_length=40, title="Name")
    """As charts and events call it."""
    schedule: Literal["cyclic", "cosine", "wsd", "constant"] = Field("wsd", title="Schedule")
    """cyclic: halving triangles; cosine: warm-up, then cosine; wsd: warm-up, stay, linear decay."""
    share: float | None = Field(None, gt=0, le=1, title="Share")
    """Of the whole length; or give steps."""
    steps: int | None = Field(None, ge=1, le=MOST_STEPS, title="Steps")
    """Length; scales when a budget says otherwise."""
    base_lr: float = Field(0.0, ge=0, le=10, title="Base rate")
    """Where a cyclic schedule starts and returns to."""
    max_lr: float = Field(1e-3, gt=0, le=10, title="Top rate")
    """The highest learning rate."""
    min_lr: float = Field(0.0, ge=0, le=10, title="Last rate")
    """Where cosine and wsd end."""
    warmup_steps: float = Field(0.0, ge=0, le=MOST_STEPS, title="Warm-up")
    """Steps of linear warm-up; below 1 it is a share of the phase."""
    steps_up: float = Field(0.5, ge=0, le=MOST_STEPS, title="Steps up")
    """Cyclic: rising steps of a cycle; below 1 a share of the phase."""
    steps_down: float = Field(0.5, ge=0, le=MOST_STEPS, title="Steps down")
    """Cyclic: falling steps of a cycle; wsd: decaying steps at the end; below 1 a share of the phase."""
    sources: list[Source] | None = Field(None, min_length=1, title="Texts")
    """Texts of this phase alone, instead of data.sources."""

    @model_validator(mode="after")
    def _rates_in_order(self) -> Self:
        if (self.share is None) == (self.steps is None):
            given = "neither" if self.share is None else "both"
            raise ValueError(f"phase {self.name!r} needs either share or steps, and has {given}")
        lowest = self.base_lr if self.schedule == "cyclic" else self.min_lr
        if lowest > self.max_lr:
            raise ValueError(f"phase {self.name!r} has its lowest rate {lowest:g} above max_lr={self.max_lr:g}")
        return self


class TrainConfig(Settings):
    """How the model is trained."""

    batch_size: int = Field(16, ge=1, le=65536, title="Batch")
    """Windows in one forward pass; with accumulation, several passes."""
    accumulation_steps: int = Field(1, ge=1, le=4096, title="Accumulation")
    """Forward passes whose gradients make one step."""
    optimizer: Literal["adamw", "muon"] = Field("adamw", title="Optimizer")
    """muon orthogonalises the hidden matrices' updates; AdamW does the rest."""
    betas: Annotated[tuple[float, float], Field(strict=False)] = Field((0.9, 0.95), title="Betas")
    """How long AdamW remembers gradients and their squares."""
    weight_decay: float = Field(0.1, ge=0, title="Weight decay")
    """Pull of the weights towards zero."""
    decay_epochs: float | None = Field(None, gt=0, le=1e6, title="Memory")
    """Passes over the text that the weights remember; it takes the place of weight decay."""
    embedding_decay: float = Field(1.0, ge=0, le=100, title="Embedding decay")
    """What weight decay is multiplied with for the embedding and the head."""
    embedding_lr: float = Field(1.0, ge=0, le=100, title="Embedding rate")
    """What the learning rate is multiplied with for the embedding and the head."""
    average: float = Field(0.0, ge=0, le=1, title="Average")
    """Share of the steps so far that averaged weights remember; the better ones are used. 0 is off."""
    grad_clip: float = Field(1.0, ge=0, title="Clip")
    """Longest gradient that is applied as it is; 0 turns clipping off."""
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = Field("auto", title="Precision")
    """Of the matrix products; weights stay fp32."""
    compile: Literal["auto", "on", "off"] = Field("auto", title="Compile")
    """Passes by our own code, soon after the start; auto: where a run is long enough and it is faster."""
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = Field("auto", title="Threads")
    """CPU threads; auto measures, and keeps what it found for the whole run."""
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", title="Device")
    """auto takes CUDA, else MPS, else the CPU."""
    seed: int = Field(0, ge=0, lt=2**63, title="Seed")
    """Of weights, batches and dropout."""
    budget: str | None = Field(None, title="Budget")
    """`2m`, `500 steps` or `3 epochs`: sets the whole length; phases scale with it."""
    fit: bool = Field(
        False,
        title="Fit",
        description="Choose size, context, batch, rates and dropout by the text, the time and this machine; what "
        "stands here is where the rule begins.",
    )
    stop_at: int | None = Field(None, ge=1, title="Stop at")
    """End after this step; schedules stay as planned."""
    eval_interval: Literal["auto"] | Annotated[int, Field(ge=1)] = Field("auto", title="Evaluate every")
    """Steps between measurements; auto makes up to 20 in a run."""
    eval_iters: int = Field(20, ge=1, le=100_000, title="Evaluation batches")
    """Batches that one measurement looks at, of each kind of text."""
    patience: int = Field(0, ge=0, title="Patience")
    """Evaluations in a row without a new best after which the run ends early; 0 never does."""
    sample_interval: Literal["auto"] | Annotated[int, Field(ge=1)] = Field("auto", title="Sample every")
    """Steps between samples; auto makes about 10 in a run."""
    checkpoint_interval: int | None = Field(None, ge=1, title="Save every")
    """Steps between checkpoints, besides checkpoint_seconds."""
    checkpoint_seconds: float = Field(15.0, gt=0, title="Save after")
    """Longest time without a checkpoint."""
    keep_checkpoints: int = Field(3, ge=1, title="Keep")
    """Latest checkpoints kept, besides the best."""
    phases: list[Phase] = Field(
        [Phase(schedule="wsd", steps=1000, max_lr=3e-3, warmup_steps=20, steps_down=600)], min_length=1, title="Phases"
    )
    """One after the other, each with its schedule."""

    @field_validator("betas")
    @classmethod
    def _betas_in_range(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"train.betas={list(betas)} must lie between 0 and 1")
        return betas

    @field_validator("budget")
    @classmethod
    def _budget_parses(cls, budget: str | None) -> str | None:
        if budget is not None:
            Budget.parse(budget)
        return budget

    @property
    def sequences_per_step(self) -> int:
        """Training sequences that one optimizer step reads."""
        return self.batch_size * self.accumulation_steps

    @model_validator(mode="after")
    def _phases_fit(self) -> Self:
        shared = [phase.share for phase in self.phases if phase.share is not None]
        if shared and len(shared) < len(self.phases):
            raise ValueError("train.phases mixes share and steps; give all of them the same")
        if shared and abs(sum(shared) - 1) > 1e-6:
            raise ValueError(f"the shares of train.phases add up to {sum(shared):g}, not to 1")
        if shared and self.budget is None:
            raise ValueError("train.phases are shares of a whole, and train.budget does not say how long that is")
        return self


class SampleConfig(Settings):
    """How text is sampled."""

    prompt: str = Field("", title="Prompt")
    """What samples during training go on from; empty is a new text."""
    temperature: float = Field(0.8, ge=0, le=100, title="Temperature")
    """0 always takes the likeliest token."""
    top_k: int = Field(0, ge=0, title="Top-k")
    """Only the k likeliest tokens; 0 is off."""
    top_p: float = Field(1.0, gt=0, le=1, title="Top-p")
    """Only the likeliest tokens that make up this probability; 1 is off."""
    min_p: float = Field(0.0, ge=0, le=1, title="Min-p")
    """Only tokens this likely relative to the likeliest; 0 is off."""
    repetition_penalty: float = Field(1.0, ge=0.01, le=100, title="Repetition penalty")
    """Above 1 makes tokens already written less likely."""
    max_new_tokens: int = Field(256, ge=1, le=100_000, title="Length")
    """Tokens to write at most."""
    seed: int = Field(0, ge=0, lt=2**63, title="Seed")
    """The same seed writes the same text."""


class Decision(Settings):
    """What a run decided after one of its steps because of its clock or a person, and would not decide again."""

    step: int = Field(ge=0, le=MOST_STEPS)
    kind: Literal["plan", "replan", "kernels", "rollback", "close"]
    """plan: all phases laid out over `steps`; replan: what is left of them; kernels: they compute from here on;
    rollback: back to the step `to`; close: it evaluated and sampled, since it seemed to be at its end."""
    steps: int | None = Field(None, ge=1, le=MOST_STEPS**2)
    """The length of the whole run that was planned."""
    eval_interval: int | None = Field(None, ge=1, le=MOST_STEPS**2)
    sample_interval: int | None = Field(None, ge=1, le=MOST_STEPS**2)
    to: int | None = Field(None, ge=0, le=MOST_STEPS)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        needed = {"plan": ("steps", "eval_interval", "sample_interval"), "rollback": ("to",)}
        needed["replan"] = needed["plan"]
        if missing := [name for name in needed.get(self.kind, ()) if getattr(self, name) is None]:
            raise ValueError(f"a {self.kind} in repeat.decisions has no {missing[0]}")
        return self


class Repeat(Settings):
    """What a run measured and decided: with it, another run on the same machine and text repeats it to the bit.

    The trainer writes it into the config.toml of its run; it is no setting that anybody chooses.
    """

    version: str
    """Of this program."""
    torch: str
    machine: str
    device: str
    threads: int
    precision: str
    backend: str
    """How passes are computed now: `eager`, `kernels` or `compiled`."""
    text: str
    """The key of the prepared texts, a hash of their content."""
    settings: str = ""
    """A hash of the settings that have an effect on training."""
    eval_interval: Literal["auto"] | Annotated[int, Field(ge=1)]
    """As it was configured; `train.eval_interval` holds what `auto` became."""
    sample_interval: Literal["auto"] | Annotated[int, Field(ge=1)]
    exact: bool = True
    """False where the way of computing changed in the middle: other threads, another machine, too little memory."""
    decisions: list[Decision] = []
    """In the order in which they were made."""
    ended: int | None = Field(None, ge=1, le=MOST_STEPS)
    """The last step of the run, once it has reached its end."""

    @property
    def compiled_from(self) -> int | None:
        """The last step before the kernels took over; None where they never did."""
        return next((decision.step for decision in self.decisions if decision.kind == "kernels"), None)


class RunConfig(Settings):
    """All settings of a run."""

    format: int = Field(FORMAT, ge=1, le=FORMAT, title="Format")
    """Of this file."""
    preset: str = Field("", title="Preset")
    """The preset this configuration started from."""
    model: ModelConfig = ModelConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    sample: SampleConfig = SampleConfig()
    repeat: Repeat | None = None
    """What a run measured and decided; None in what people write."""

    @property
    def tokens_per_step(self) -> int:
        """Training tokens that one optimizer step reads."""
        return self.train.sequences_per_step * self.model.block_size

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        if self.tokens_per_step > MOST_STEP_TOKENS:
            raise ValueError(
                f"train.batch_size={self.train.batch_size}, train.accumulation_steps={self.train.accumulation_steps} "
                f"and model.block_size={self.model.block_size} make {self.tokens_per_step:,} tokens a step; "
                f"{MOST_STEP_TOKENS:,} are the most"
            )
        return self
