"""Samples turns with transformers: padded batches, a bound on each, and if asked never a label twice in a ranking."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from star_trainer.labels import label

_OPENS, _PARTS, _CLOSES = '["', '", "', '"]'


class DistinctLabels(LogitsProcessor):
    """Holds a ranking to its form, a JSON array of labels, and to labels that are not in it yet.

        <recommend> ["  c07  ", "  c12  …  "] </recommend>
                         └ any that is left, until none is: then it is closed

    Without the form a student from whom its label is withheld goes on with something else, such as a label with a
    level, and does not find the end. It needs a tokenizer in which labels and tags are one token each, as those made
    here have; where the student has left the form on its own before, it is left alone.
    """

    def __init__(self, tokenizer: Any, candidates: int) -> None:
        vocabulary = tokenizer.get_vocab()
        names = [label(i) for i in range(candidates)]
        missing = [n for n in [*names, "<recommend>", "</recommend>"] if n not in vocabulary]
        if missing:
            raise ValueError(f"the tokenizer has no token for {missing[0]}: labels cannot be kept distinct with it")
        self._labels = [vocabulary[n] for n in names]
        self._open = vocabulary["<recommend>"]
        opens, parts, closes = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (_OPENS, _PARTS, _CLOSES))
        closes = [*closes, vocabulary["</recommend>"]]
        self._ways = {"first": [opens], "some": [parts, closes], "none": [closes]}
        self._before_label = (opens, parts)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        opened = (input_ids == self._open).any(1)
        for i in opened.nonzero().flatten().tolist():
            row = input_ids[i].tolist()
            allowed = self._allowed(row[len(row) - row[::-1].index(self._open) :])
            if allowed:
                kept = scores[i, allowed].clone()
                scores[i] = float("-inf")
                scores[i, allowed] = kept
        return scores

    def _allowed(self, written: list[int]) -> list[int]:
        """The tokens that may follow what was written since the tag; none where the form has ended or was left.

        The prompt names the tag too, and there something else follows it.
        """
        opens = self._ways["first"][0]
        if written[: len(opens)] != opens[: len(written)]:
            return []
        used = [t for t in written if t in self._labels]
        since = written[len(written) - written[::-1].index(used[-1]) :] if used else written
        if since in self._before_label:
            return [t for t in self._labels if t not in used]
        ways = self._ways["first" if not used else "some" if len(used) < len(self._labels) else "none"]
        return [way[len(since)] for way in ways if way[: len(since)] == since and len(way) > len(since)]


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
