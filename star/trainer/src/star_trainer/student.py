"""Makes a student from nothing, or loads one, whole or with LoRA."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from star_trainer import vocabulary
from star_trainer.labels import label

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Size:
    """A Qwen3-shaped decoder: hidden units, layers, heads of 32 units, and the most tokens of a context."""

    hidden: int
    layers: int
    heads: int
    context: int = 4096

    @property
    def inner(self) -> int:
        return self.hidden * 3


SIZES = {
    "smoke": Size(64, 2, 2),
    "1m": Size(128, 4, 4),
    "2m": Size(192, 4, 6),
    "5m": Size(256, 6, 8),
    "20m": Size(448, 8, 14),
    "100m": Size(768, 12, 24),
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
        head_dim=32,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    set_seed(seed)
    model = Qwen3ForCausalLM(config)
    _relate(model, tokenizer, candidates)
    return model, tokenizer


def _relate(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, candidates: int) -> None:
    """Begins where copying is near, which a small model otherwise spends most of its minutes on finding.

    A label with its level ( c07:9) begins near its label (c07), the nearer the higher the level, and so does a label in
    a list: twelve tokens more speak of one candidate. And attention begins by passing on what it looks at: values and
    outputs are each other's inverse, as in the mimetic initialization of Trockman and Kolter (2023), besides their
    noise. Training is free to leave it.
    """
    import torch

    known, table = tokenizer.get_vocab(), model.get_input_embeddings().weight
    with torch.no_grad():
        for layer in model.model.layers:
            attention = layer.self_attn
            turn, _ = torch.linalg.qr(torch.randn(attention.v_proj.weight.shape))
            attention.v_proj.weight.add_(0.3 * turn)
            attention.o_proj.weight.add_(0.1 * turn.T)
        marks = torch.randn(12, table.shape[1]) * table.std()
        for name in map(label, range(candidates)):
            for level in range(10):
                table[known[f" {name}:{level}"]] = table[known[name]] * (0.25 + level / 6) + marks[level]
            for mark, after in ((10, vocabulary.NEXT), (11, vocabulary.AND)):
                table[known[name + after]] = table[known[name]] + marks[mark]


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


def small(where: str) -> bool:
    """Whether a checkpoint is under a gigabyte: then its weights are kept in float32 while it is trained.

    In bfloat16 a step that is smaller than a hundredth or so of a weight is rounded away.
    """
    return sum(f.stat().st_size for f in Path(where).glob("*.safetensors")) < 1 << 30 if Path(where).is_dir() else False


def lora(rank: int) -> Any:
    """LoRA on all linear layers; None for rank 0, which trains the whole model."""
    if rank == 0:
        return None
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
