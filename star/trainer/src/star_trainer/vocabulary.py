"""A byte-level BPE tokenizer made from the trajectories, for a student made from nothing.

Text is cut at line ends only, so a line that every conversation has, such as a
sentence of the prompt or the specification of a tool, becomes one token or a few.
Labels (c07) and labels with their level ( c07:9) are added tokens: byte pairs
would never join letters, digits and colons the same way for each, and a small
model learns to rank only where a label is one thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from star_trainer.labels import label

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END, PAD = "<|im_end|>", "<|endoftext|>"
_SPECIAL = [PAD, "<|im_start|>", END]
_TAGS = [
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
    *("<plan>", "</plan>", "</analysis>", "<reflection>", "</reflection>", "<recommend>", "</recommend>"),
]
_LINE = r"[^\n]*\n+|[^\n]+"


def make(texts: Iterable[str], candidates: int, template: str, size: int = 2048) -> PreTrainedTokenizerFast:
    """Trains a tokenizer of at most ``size`` tokens on rendered conversations, for so many candidates."""
    import re

    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    names = [label(i) for i in range(candidates)]
    levels = [f" {name}:{level}" for name in names for level in range(10)]
    added = [*_TAGS, *levels, *names]
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_LINE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    t.decoder = decoders.ByteLevel()
    cut = re.compile("|".join(re.escape(a) for a in sorted([*_SPECIAL, *added], key=len, reverse=True)))
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(added),
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=2,
    )
    t.train_from_iterator((piece for text in texts for piece in cut.split(text) if piece), trainer)
    t.add_tokens([AddedToken(a, normalized=False) for a in added])
    fast = PreTrainedTokenizerFast(tokenizer_object=t, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False)
    fast.chat_template = template
    return fast
