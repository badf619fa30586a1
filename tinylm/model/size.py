"""How large a model is and what it computes, counted without building it. No torch here."""

from tinylm.config.schema import ModelConfig


def layers(model: ModelConfig) -> int:
    """Weights of all blocks: queries, keys, values and the way out of attention; gate, up and down."""
    attention = (2 * model.n_head + 2 * model.n_kv_head) * model.head_size * model.n_embd
    return model.n_layer * (attention + 3 * model.mlp_ratio * model.n_embd**2)


def tables(model: ModelConfig, vocab_size: int) -> int:
    """Weights that the vocabulary costs: embedding and head, which may be one."""
    return (1 if model.tie_embeddings else 2) * vocab_size * model.n_embd


def parameters(model: ModelConfig, vocab_size: int) -> int:
    """All weights, as many as `tinylm.model.transformer.Transformer.n_parameters` counts."""
    return layers(model) + tables(model, vocab_size)


def flops_per_token(model: ModelConfig, vocab_size: int) -> int:
    """Floating-point operations of training on one token, forward and backward.

    6 for each weight that takes part in a matrix product (2 forward, 4 backward; the embedding only looks up), plus
    attention's 12 n_layer n_head D T, as PaLM counts (Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
    """
    weights = layers(model) + vocab_size * model.n_embd  # the head, also where it is the embedding's matrix
    return 6 * weights + 12 * model.n_layer * model.n_head * model.head_size * model.block_size
