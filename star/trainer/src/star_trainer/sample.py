"""Samples turns with transformers: padded batches, a bound on each, and if asked never a label twice in a ranking."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from star_trainer.labels import label


class DistinctLabels(LogitsProcessor):
    """Within <recommend> a label that has been written is not written again.

    It needs a tokenizer in which labels and the tag are one token each, as those made here have.
    """

    def __init__(self, tokenizer: Any, candidates: int) -> None:
        vocabulary = tokenizer.get_vocab()
        names = [label(i) for i in range(candidates)]
        missing = [n for n in [*names, "<recommend>"] if n not in vocabulary]
        if missing:
            raise ValueError(f"the tokenizer has no token for {missing[0]}: labels cannot be kept distinct with it")
        self._labels = torch.tensor([vocabulary[n] for n in names])
        self._open = vocabulary["<recommend>"]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        labels = self._labels.to(input_ids.device)
        inside = (input_ids == self._open).int().cumsum(1) - (input_ids == self._open).int().cumsum(1)[:, -1:] == 0
        inside &= (input_ids == self._open).any(1, keepdim=True)
        used = ((input_ids[:, :, None] == labels) & inside[:, :, None]).any(1)
        scores[:, labels] = scores[:, labels].masked_fill(used, float("-inf"))
        return scores


def turns(
    model: Any,
    tokenizer: Any,
    prompts: list[list[int]],
    rooms: list[int],
    config: GenerationConfig,
    processors: list[LogitsProcessor] | None = None,
) -> list[list[int]]:
    """Samples the rest of a turn for each prompt, at most so many tokens each."""
    end, pad = tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.pad_token_id
    width = max(len(p) for p in prompts)
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    config.max_new_tokens = max(1, max(rooms))
    with torch.no_grad():
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=LogitsProcessorList(processors or []),
        )
    written = []
    for row, room in zip(out[:, width:].tolist(), rooms, strict=True):
        row = row[: row.index(end) + 1] if end in row else [t for t in row if t != pad]
        written.append(row[: max(room, 0)])
    return written


def generation(tokenizer: Any, temperature: float, top_p: float = 1.0, top_k: int = 0) -> GenerationConfig:
    """Greedy where the temperature is 0."""
    warm: dict[str, Any] = {"do_sample": False}
    if temperature > 0:
        warm = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": top_k}
    return GenerationConfig(
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"), pad_token_id=tokenizer.pad_token_id, **warm
    )
