"""Answers requests together that come at the same time, each drawn as if it were alone.

    requests ──> queue ──> [all that wait, at most so many] ──> one padded batch ──> their turns
                  ^ while a batch is sampled, the next one gathers

A request has its own temperature and seed. Sampling is the largest of the logits
after noise (the Gumbel trick), and each row draws its noise from a generator of
its own: what is said to a request depends on its seed, not on its company, but
for the rounding of padded batches.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import LogitsProcessor

from star_trainer import sample

_WIDEST = 20  # candidates of a task


@dataclass
class Asked:
    """A prompt, the tokens that its turn may have, and how it is sampled."""

    prompt: list[int]
    room: int
    temperature: float = 0.0  # 0: greedily
    top_p: float = 1.0
    seed: int | None = None
    written: list[int] = field(default_factory=list)
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Noise(LogitsProcessor):
    """Makes the largest logit of each row a sample of its distribution."""

    def __init__(self, asked: list[Asked], device: Any) -> None:
        self._asked = asked
        self._generators = [torch.Generator() for _ in asked]
        for a, g in zip(asked, self._generators, strict=True):
            g.manual_seed(a.seed) if a.seed is not None else g.seed()
        warm = torch.tensor([a.temperature for a in asked], device=device)[:, None]
        self._drawn, self._warm = warm > 0, warm.where(warm > 0, 1.0)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        rows = scores.float() / self._warm
        uniform = torch.empty(rows.shape)
        for i, (a, g) in enumerate(zip(self._asked, self._generators, strict=True)):
            uniform[i].uniform_(generator=g)
            if a.top_p < 1:
                down, order = rows[i].softmax(0).sort(descending=True)
                rows[i, order[down.cumsum(0) - down >= a.top_p]] = float("-inf")
        noise = -(-uniform.clamp_(1e-20, 1 - 1e-7).log()).log()
        return torch.where(self._drawn, rows + noise.to(rows.device), scores.float())


class Together:
    """Samples turns of one model in batches of what waits."""

    def __init__(self, model: Any, tokenizer: Any, ranking: str, most: int = 96) -> None:
        sample.ranked(ranking, tokenizer, _WIDEST)  # what cannot be read is an error now
        self._model, self._tokenizer, self._ranking, self._most = model, tokenizer, ranking, most
        self._waiting: queue.Queue[Asked] = queue.Queue()
        threading.Thread(target=self._work, daemon=True).start()

    def turn(self, asked: Asked) -> list[int]:
        """The tokens of the turn; called by many threads."""
        self._waiting.put(asked)
        asked.done.wait()
        if asked.error is not None:
            raise asked.error
        return asked.written

    def _work(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < self._most and not self._waiting.empty():
                batch.append(self._waiting.get())
            try:
                self._sample(batch)
            except Exception as e:  # whoever asked is told; the next ones are served
                for a in batch:
                    a.error = e
            for a in batch:
                a.done.set()

    def _sample(self, batch: list[Asked]) -> None:
        processors = sample.ranked(self._ranking, self._tokenizer, _WIDEST)
        if any(a.temperature > 0 for a in batch):
            processors.append(Noise(batch, self._model.device))
        written = sample.turns(
            self._model, self._tokenizer, [a.prompt for a in batch], [a.room for a in batch],
            sample.generation(self._tokenizer, 0), processors,
        )  # fmt: skip
        for a, w in zip(batch, written, strict=True):
            a.written = w
