"""Samples turns with transformers: padded batches, a bound on each, and the reading of a ranking that was asked for."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from star_trainer.labels import label
from star_trainer.vocabulary import NEXT

_OPENS, _CLOSES = '["', '"]'

# How a ranking is read off a student: as it says it, with no label twice, or by how likely each label is to be first.
RANKINGS = ("free", "distinct", "first")


def ranked(how: str, tokenizer: Any, candidates: int) -> list[LogitsProcessor]:
    """What reads the rankings of one batch; candidates: of the widest task."""
    if how not in RANKINGS:
        raise ValueError(f"ranking {how!r}: there are {', '.join(RANKINGS)}")
    if how == "free":
        return []
    return [(DistinctLabels if how == "distinct" else FirstLabel)(tokenizer, candidates)]


class DistinctLabels(LogitsProcessor):
    """Holds a ranking to its form, a JSON array of labels, and to labels that are not in it yet.

        <recommend> ["  c07", "  c12", "  …  c03  "] </recommend>
                        └ any that is left; one without ", " closes it

    Without the form a student from whom its label is withheld goes on with something else, such as a label with a
    level, and does not find the end. It needs a tokenizer in which labels and tags are one token each, as those made
    here have; where the student has left the form on its own before, it is left alone.
    """

    def __init__(self, tokenizer: Any, candidates: int) -> None:
        vocabulary = tokenizer.get_vocab()
        names = [label(i) for i in range(candidates)]
        more = [n + NEXT for n in names]
        missing = [n for n in [*names, *more, "<recommend>", "</recommend>"] if n not in vocabulary]
        if missing:
            raise ValueError(f"the tokenizer has no token for {missing[0]}: labels cannot be kept distinct with it")
        self._last, self._more = ([vocabulary[n] for n in some] for some in (names, more))
        self._open = vocabulary["<recommend>"]
        self._opens, closes = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (_OPENS, _CLOSES))
        self._closes = [*closes, vocabulary["</recommend>"]]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        opened = (input_ids == self._open).any(1)
        for i in opened.nonzero().flatten().tolist():
            row = input_ids[i].tolist()
            allowed = self._allowed(i, row[len(row) - row[::-1].index(self._open) :], scores[i])
            if allowed:
                kept = scores[i, allowed].clone()
                scores[i] = float("-inf")
                scores[i, allowed] = kept
        return scores

    def _allowed(self, row: int, written: list[int], scores: torch.Tensor) -> list[int]:
        """The tokens that may follow what was written since the tag; none where the form has ended or was left.

        The prompt names the tag too, and there something else follows it.
        """
        if written[: len(self._opens)] != self._opens[: len(written)]:
            return []
        if len(written) < len(self._opens):
            return [self._opens[len(written)]]
        said = written[len(self._opens) :]
        used = [t for t in said if t in self._more]
        left = [i for i, t in enumerate(self._more) if t not in used]
        if len(used) == len(said):  # a task of fewer candidates closes before
            more = self._more if len(left) > 1 else []
            named = self._next(row, len(said), left, scores)
            return [*(more[i] for i in named if more), *(self._last[i] for i in named)]
        if said[len(used)] not in [self._last[i] for i in left]:
            return []
        since = said[len(used) + 1 :]
        going = since == self._closes[: len(since)] and len(since) < len(self._closes)
        return [self._closes[len(since)]] if going else []

    def _next(self, row: int, place: int, left: list[int], scores: torch.Tensor) -> list[int]:
        """The labels that may come at this place, from 0."""
        return left


class FirstLabel(DistinctLabels):
    """Ranks all labels by how likely each was to be the first.

    A student that was taught rankings whose first place is right, and whose others are whatever its teacher thought of
    them, knows more of the first place than of all that follow. Its probabilities there are a ranking of their own
    (Reddy et al., FIRST: Faster Improved Listwise Reranking with Single Token Decoding, EMNLP 2024), and what is said
    is that one. It is for one batch: a row keeps its place while its turn is sampled.
    """

    def __init__(self, tokenizer: Any, candidates: int) -> None:
        super().__init__(tokenizer, candidates)
        self._order: dict[int, list[int]] = {}

    def _next(self, row: int, place: int, left: list[int], scores: torch.Tensor) -> list[int]:
        if place == 0:
            likely = scores[self._more]
            self._order[row] = sorted(left, key=lambda i: -float(likely[i]))
        return [self._order[row][place]]


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
