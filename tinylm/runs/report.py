"""What came of a run, in words: the closing summary of the console and the run folder's card.md."""

from collections.abc import Mapping

from tinylm import files
from tinylm.config.schema import RunConfig
from tinylm.events import Finished
from tinylm.runs.folder import RunFolder

NAME = "card.md"

BASELINES = {
    "blind": "blind guessing",
    "counts": "letter counts",
    "pairs": "pairs of letters",
    "triples": "triples of letters",
    "gzip": "gzip",
    "xz": "xz",
}
"""Simpler ways to tell what comes next, worst first as a rule, as people call them."""


def verdict(val_bpb: float | None, baselines: Mapping[str, float]) -> str:
    """How good the model got, against simpler means on the same held-out text."""
    if val_bpb is None or not baselines:
        return "Nothing was held out, so nobody can say how well it predicts text that it has not seen."
    simpler = {BASELINES[name]: value for name, value in baselines.items() if name in BASELINES}
    told = ", ".join(f"{name} {value:.2f}" for name, value in sorted(simpler.items(), key=lambda item: -item[1]))
    beaten = [name for name, value in simpler.items() if val_bpb < value]
    if len(beaten) == len(simpler):
        ranking = "better than all simpler means"
    elif beaten:
        better = [name for name in simpler if name not in beaten]
        ranking = f"better than {_listed(beaten)}, but not yet than {_listed(better)}"
    else:
        ranking = "not better than blind guessing yet"
    text = f"On held-out text the model needs {val_bpb:.3f} bits per byte: {ranking} ({told})."
    if floor := baselines.get("floor"):
        text += f" No model can stay below {floor:.3f} on average here; this one is {val_bpb / floor - 1:.1%} above."
    return text


def write(run: RunFolder, config: RunConfig, baselines: Mapping[str, float], finished: Finished) -> None:
    """Write card.md: what the model is, what it learnt from, how good it got and how to use it."""
    model = config.model
    lines = [
        f"# {run.name}",
        "",
        f"A language model trained from nothing by tinylm-studio on {_listed(config.data.sources)}.",
        "",
        f"- {model.n_layer} layers, width {model.n_embd}, {model.n_head} heads, context {model.block_size} tokens",
        f"- {finished.step:,} steps, {finished.tokens:,} tokens, {finished.seconds:,.0f} seconds",
        f"- {verdict(finished.val_bpb, baselines)}",
        "",
        f'Talk to it: `tinylm-studio --generate "PROMPT" --run {run.name}`',
        "",
    ]
    files.replace_durably(run.path / NAME, "\n".join(lines).encode("utf-8", "replace"))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
