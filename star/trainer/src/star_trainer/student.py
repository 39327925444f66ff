"""Makes a student from nothing, or loads one, whole or with LoRA."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from star_trainer import vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Size:
    """A Qwen3-shaped decoder: hidden units, layers, heads of 64 units, and the most tokens of a context."""

    hidden: int
    layers: int
    heads: int
    context: int = 4096

    @property
    def inner(self) -> int:
        return self.hidden * 3


SIZES = {
    "smoke": Size(64, 2, 1),
    "2m": Size(192, 4, 3),
    "5m": Size(256, 6, 4),
    "20m": Size(448, 8, 7),
    "100m": Size(768, 12, 12),
}


def from_scratch(
    size: Size, texts: Iterable[str], candidates: int, template: str, seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model with random weights and the tokenizer that is made from the texts."""
    from transformers import Qwen3Config, Qwen3ForCausalLM, set_seed

    tokenizer = vocabulary.make(texts, candidates, template)
    tokenizer.model_max_length = size.context
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        head_dim=64,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    set_seed(seed)
    return Qwen3ForCausalLM(config), tokenizer


def load(where: str, dtype: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A checkpoint, or a model by the name that transformers knows; an adapter of LoRA with its base model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(where)
    kind: Any = getattr(torch, dtype)
    if (Path(where) / "adapter_config.json").is_file():
        from peft import AutoPeftModelForCausalLM

        return AutoPeftModelForCausalLM.from_pretrained(where, dtype=kind).merge_and_unload(), tokenizer
    return AutoModelForCausalLM.from_pretrained(where, dtype=kind), tokenizer


def lora(rank: int) -> Any:
    """LoRA on all linear layers; None for rank 0, which trains the whole model."""
    if rank == 0:
        return None
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
