"""A model's parameters and training FLOPs, counted from its configuration. Needs no torch."""

from tinylm.config.schema import ModelConfig


def block_parameters(model: ModelConfig) -> int:
    """Weights of all blocks: qkv and out of attention; gate, up and down of the feed-forward."""
    attention = (2 * model.n_head + 2 * model.n_kv_head) * model.head_size * model.n_embd
    return model.n_layer * (attention + 3 * model.mlp_ratio * model.n_embd**2)


def embedding_parameters(model: ModelConfig, vocab_size: int) -> int:
    """Weights of embedding and head, which are one matrix if they are tied."""
    return (1 if model.tie_embeddings else 2) * vocab_size * model.n_embd


def parameters(model: ModelConfig, vocab_size: int) -> int:
    """All weights, the same number as `Transformer.n_parameters`."""
    return block_parameters(model) + embedding_parameters(model, vocab_size)


def flops_per_token(model: ModelConfig, vocab_size: int) -> int:
    """Floating-point operations of training on one token, forward and backward.

    6 for each weight of a matrix product (2 forward, 4 backward; the embedding is a look-up and costs none), plus
    12 n_layer n_head D T for attention, as PaLM counts (Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
    """
    weights = block_parameters(model) + vocab_size * model.n_embd  # the head, also if tied to the embedding
    return 6 * weights + 12 * model.n_layer * model.n_head * model.head_size * model.block_size
