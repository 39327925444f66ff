"""Attention on a processor, in float32 within a training in bfloat16.

PyTorch multiplies matrices of bfloat16 twice as fast as those of float32 where
the processor can, but its blocked attention over a few hundred tokens takes
twice as long in bfloat16, backwards above all.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "sdpa_float32"


def forward(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention of transformers, in float32 whatever is around it."""
    with torch.autocast(query.device.type, enabled=False):
        out, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), *args, **kwargs)
    return out, None


def use(model: Any) -> None:
    """Lets the model attend so until it is saved: its configuration keeps the name that every transformers knows."""
    AttentionInterface.register(NAME, forward)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.config._attn_implementation = NAME
