"""Renders a row as the student reads it, and says what of it is trained.

    <|im_start|>assistant\\n ⟦<plan>…</plan>\\n<tool_call>…</tool_call><|im_end|>\\n⟧ <|im_start|>user\\n …

Trained is what stands between ⟦ and ⟧: all that the student has to write itself,
the end of its turn included. That is what TRL's training templates mark and what
mars inspect --mask shows.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from star_trainer.labels import Permutation
from star_trainer.rows import ExportError

IGNORED = -100
_OPEN, _CLOSE = "<|im_start|>assistant\n", "<|im_end|>\n"
_RANKING = re.compile(r"<recommend>.*?</recommend>", re.S)


class Tokenizer(Protocol):
    """What is used of a tokenizer of transformers."""

    def __call__(self, text: str, **kwargs: Any) -> Any: ...

    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> Any: ...


def template(name: str, sha256: str) -> str:
    """The chat template of that name, as TRL ships it; another text under the name is an error."""
    import trl

    path = Path(trl.__file__).parent / "chat_templates" / (name.replace("-", "_") + ".jinja")
    if not path.is_file():
        raise ExportError(f"the export is for the chat template {name}, which TRL {trl.__version__} does not have")
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ExportError(f"the chat template {name} of TRL {trl.__version__} is not the one that the export is for")
    return raw.decode("utf-8")


@dataclass(frozen=True)
class Piece:
    """A stretch of a rendered conversation. ``prompt`` marks what stands before the student's first turn."""

    text: str
    trained: bool
    prompt: bool


@dataclass(frozen=True)
class Conversation:
    """A rendered conversation, in pieces that put together are the text."""

    pieces: tuple[Piece, ...]
    candidates: int

    def text(self, order: Permutation) -> list[Piece]:
        """The pieces under other labels."""
        return [
            Piece(order.prompt(p.text) if p.prompt else order.apply(p.text), p.trained, p.prompt) for p in self.pieces
        ]


def render(tokenizer: Tokenizer, row: dict[str, Any]) -> Conversation:
    """Renders a row of mars export --for trl-sft."""
    text = tokenizer.apply_chat_template(row["messages"], tools=json.loads(row["tools"]), tokenize=False)
    return Conversation(tuple(split(text)), len(row["candidates"]))


def split(text: str) -> list[Piece]:
    """Cuts a rendered conversation at the turns of the assistant."""
    pieces: list[Piece] = []
    at = 0
    while (start := text.find(_OPEN, at)) >= 0:
        start += len(_OPEN)
        end = text.find(_CLOSE, start)
        if end < 0:
            raise ExportError("a turn of the assistant has no end: the chat template is not one of ChatML")
        end += len(_CLOSE)
        pieces.append(Piece(text[at:start], False, not pieces))
        pieces.append(Piece(text[start:end], True, False))
        at = end
    if at < len(text):
        pieces.append(Piece(text[at:], False, not pieces))
    return pieces


@dataclass(frozen=True)
class Encoded:
    """Tokens of a conversation. ``labels`` are -100 where nothing is trained; ``ranking`` marks the ranking's."""

    input_ids: list[int]
    labels: list[int]
    ranking: list[bool]


def encode(tokenizer: Tokenizer, pieces: list[Piece]) -> Encoded:
    """Cuts the whole text into tokens and marks those of trained pieces by their place in the text."""
    text = "".join(p.text for p in pieces)
    trained, ranked = bytearray(len(text)), bytearray(len(text))
    at = 0
    for p in pieces:
        if p.trained:
            trained[at : at + len(p.text)] = b"\1" * len(p.text)
            for m in _RANKING.finditer(p.text):
                ranked[at + m.start() : at + m.end()] = b"\1" * (m.end() - m.start())
        at += len(p.text)
    out = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, spans = out["input_ids"], out["offset_mapping"]
    labels = [i if trained[s] else IGNORED for i, (s, _) in zip(ids, spans, strict=True)]
    ranking = [bool(ranked[s]) for s, _ in spans]
    return Encoded(list(ids), labels, ranking)
