"""A byte-level BPE tokenizer made from the trajectories, for a student made from nothing.

What a small model pays for is tokens, so what is said over and over is one:

    [all that stands before the student's first turn, the same in each conversation]
    <plan>⏎ | a line that every plan has⏎ | … | </tool_call>⏎<tool_call>⏎ | …
    item_cf: |  c05:9 |  c09:8 | … | <recommend> | [" | c05", " | c09", " | … | c12 | "] | </recommend>

Text is cut at line ends only, so a line that every conversation has becomes one
token or a few. Labels (c07), labels with their level ( c07:9) and labels in a
list (c07", ") are added tokens: byte pairs would never join letters, digits and
colons the same way for each, and a small model learns to rank only where a
label is one thing. It would say a label twice if the first of a ranking were
another token than those after it, or one that stands in analyses too. What
joins two parts, tags with their line ends, is one token; none reaches over the
end of a turn, where what is trained begins or ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from star_trainer.labels import label

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END, PAD = "<|im_end|>", "<|endoftext|>"
TURN = "<|im_start|>assistant\n"
NEXT = '", "'  # after a label of a ranking, but for the last
AND = ", "  # after a label in a sentence, but for the last
_SPECIAL = [PAD, "<|im_start|>", END]
_TAGS = [
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
    *("<plan>", "</plan>", "</analysis>", "<reflection>", "</reflection>", "<recommend>", "</recommend>"),
]
_JOINTS = [
    *(TURN, "<|im_start|>user\n", "<|im_start|>user\n<tool_response>\n"),
    *("<plan>\n", "</plan>\n", "</plan>\n<tool_call>\n", "<tool_call>\n", "</tool_call>\n<tool_call>\n"),
    *("<tool_response>\n", "\n</tool_response>", "\n</tool_response>\n<tool_response>\n"),
    *("</analysis>\n", "</analysis>\n<tool_call>\n", "</analysis>\n<reflection>\n"),
    *("<reflection>\n", "</reflection>\n"),
]
_LINE = r"[^\n]*\n+|[^\n]+"


def make(texts: Iterable[str], candidates: int, template: str, size: int = 2048) -> PreTrainedTokenizerFast:
    """Trains a tokenizer of at most ``size`` tokens on rendered conversations, for so many candidates."""
    import re

    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = list(texts)
    names = [label(i) for i in range(candidates)]
    levels = [f" {name}:{level}" for name in names for level in range(10)]
    listed = [name + after for after in (NEXT, AND) for name in names]
    added = [*_TAGS, *_JOINTS, *levels, *names, *listed, *_opening(texts)]
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


def _opening(texts: list[str]) -> list[str]:
    """What stands before the first turn of the assistant, if it is the same in all texts."""
    first = {text[: text.find(TURN) + len(TURN)] for text in texts if TURN in text}
    return list(first) if len(first) == 1 else []
