"""The peer of the benchmarks: our architecture in Hugging Face transformers, Gemma 2 without soft caps and windows.

transformers is an optional extra (`pip install -e '.[bench]'`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tinylm.config.schema import ModelConfig, RunConfig
from tinylm.errors import ConfigError
from tinylm.hardware import device
from tinylm.hardware.device import Precision
from tinylm.training.step import micro_batch_size


def gemma(model: ModelConfig, vocab_size: int) -> Any:
    """A Gemma2ForCausalLM of the same shape; ImportError without transformers, ConfigError if Gemma 2 cannot do it."""
    from transformers import Gemma2Config, Gemma2ForCausalLM  # noqa: PLC0415

    if model.qk_norm:
        raise ConfigError("Gemma 2 normalises no queries and keys.", "Measure a model without model.qk_norm.")
    config = Gemma2Config(
        vocab_size=vocab_size,
        hidden_size=model.n_embd,
        intermediate_size=model.mlp_ratio * model.n_embd,
        num_hidden_layers=model.n_layer,
        num_attention_heads=model.n_head,
        num_key_value_heads=model.n_kv_head,
        head_dim=model.head_size,
        query_pre_attn_scalar=model.head_size,
        rms_norm_eps=model.norm_eps,
        hidden_activation="gelu_pytorch_tanh",
        max_position_embeddings=model.block_size,
        rope_theta=model.rope_theta,
        attn_logit_softcapping=None,
        final_logit_softcapping=None,
        layer_types=["full_attention"] * model.n_layer,
        tie_word_embeddings=model.tie_embeddings,
        pad_token_id=None,
        bos_token_id=vocab_size - 1,
        eos_token_id=vocab_size - 1,
        use_cache=False,
    )
    return Gemma2ForCausalLM(config)


class HuggingFace:
    """Optimizer steps of Gemma 2, compiled, with micro-batches as large as ours."""

    def __init__(self, config: RunConfig, vocab_size: int, precision: Precision) -> None:
        self._device = device.choose_device(config.train.device)
        self._precision, self._micro_batch_size = precision, micro_batch_size(config, self._device)
        self._model = gemma(config.model, vocab_size).to(self._device)
        self._fast: Any = torch.compile(self._model, dynamic=False)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=1e-5, fused=True)
        shape = config.train.sequences_per_step, config.model.block_size
        generator = torch.Generator().manual_seed(0)
        self._ids = torch.randint(vocab_size, shape, generator=generator).to(self._device)

    def take(self) -> float:
        """One step; returns the mean loss, after waiting for the device."""
        losses: list[Tensor] = []
        for ids in torch.split(self._ids, self._micro_batch_size):
            with device.autocast(self._precision, self._device):
                loss = self._fast(input_ids=ids, labels=ids).loss
            torch.autograd.backward(loss * len(ids) / len(self._ids))
            losses.append(loss.detach())
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(torch.stack(losses).mean())
