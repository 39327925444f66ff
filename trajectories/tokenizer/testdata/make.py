"""Makes the files of this folder with the tokenizers library.

    python -m venv v && v/bin/pip install tokenizers==0.23.3
    v/bin/python make.py [QWEN3]

tiny.json is a byte-level BPE of 420 tokens, learnt here from sentences made up
for it, with the settings of Qwen3's: NFC, its pattern, its kind of added
tokens; and labels as added tokens, as a tokenizer for a student from scratch
has them. golden.jsonl holds texts and what the library makes of them; with the
path of Qwen3's own tokenizer.json, qwen3.jsonl is written too.
"""

import json
import random
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = Path(__file__).parent
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SENTENCES = [
    "The planner looks at the last items of the user and asks the neighbours.",
    "c02 leads in item_cf: 12 users who read Emma also read Persuasion.",
    '<plan>\nLook at the recent items.\n- recent (collaborative): the last ten\n</plan>',
    '<recommend>["c03", "c01", "c02"]</recommend>',
    '{"name": "item_cf", "arguments": {"window": "all", "k": 20}}',
    "<reflection>\nVerdict: accept\n</reflection>",
    "Der Rezensent lobt das Buch, die Leserin nicht; naïve façade, Ærø, Łódź.",
    "本を読む人は、同じ作者の本も読む。",
    "Читатели этой книги читают и другие.",
    "It's what they'll say, isn't it? They've read 1984, we'd wait.",
    "    if n > 0 {\n\t\treturn n\n    }\n",
]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
LABELS = ["c01", "c02", "c02:7", "c02:9", "é:1"]


def tiny() -> Tokenizer:
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    t.train_from_iterator(SENTENCES * 3, trainer)
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    t.add_tokens([AddedToken(s, special=False, normalized=False) for s in TAGS])
    t.add_tokens([AddedToken(s, special=False, normalized=True) for s in LABELS])
    return t


def texts() -> list[str]:
    rng = random.Random(11)
    pools = [
        "abcdefghij XYZ", "'sStTrReEvVmMlLdD \u017f", "0123456789\u0660\u00b2\u2167\u00bd", "  \t\n\r\u00a0\u2003\u0085\u2028",
        "漢字かなカナ한국어", "ÀéñüßøåĀ", "e\u0301a\u0300\u0327o\u0308\u0323q\u0307 :1", "😀👩\u200d👧🏳️\u200d🌈🇩🇪👍🏽",
        "!@#$%^&*()_+-=[]{}|;:\",./<>?", "العربية עברית हिन्दी ไทย", "\u200b\ufeff\u202e\x00\x1c\x7f",
    ]
    added = SPECIAL + TAGS + LABELS + ["<|im_", "<tool", "c0", "c02:", "<<|im_end|>>", "e\u0301:1"]
    out = ["", *SENTENCES, "\n".join(SENTENCES), "a" * 300, "ab" * 200, " " * 50 + "x", "\n" * 9]
    for _ in range(400):
        s = ""
        for _ in range(rng.randint(1, 8)):
            if rng.random() < 0.25:
                s += rng.choice(added)
            else:
                pool = rng.choice(pools)
                s += "".join(rng.choice(pool) for _ in range(rng.randint(1, 8)))
        out.append(s)
    return out


def golden(t: Tokenizer, path: Path, some: list[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as f:
        for s in some:
            e = t.encode(s, add_special_tokens=False)
            f.write(json.dumps({"text": s, "ids": e.ids, "characters": e.offsets}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    small = tiny()
    small.save(str(HERE / "tiny.json"), pretty=False)
    golden(Tokenizer.from_file(str(HERE / "tiny.json")), HERE / "golden.jsonl", texts())
    if len(sys.argv) > 1:
        golden(Tokenizer.from_file(sys.argv[1]), HERE / "qwen3.jsonl", texts()[:200])
