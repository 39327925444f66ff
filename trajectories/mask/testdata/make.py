"""Makes templates.json and golden.jsonl: what TRL and transformers make of the
conversations in cases.json, with the tokenizer of ../../tokenizer/testdata.

    python -m venv v && v/bin/pip install transformers==5.23.0 jinja2==3.1.6
    v/bin/pip install --no-deps trl==1.16.0
    v/bin/python make.py

spans and mask are there for the templates that mark what is generated, which
only the training variants do.
"""

import hashlib
import json
from importlib.metadata import distribution
from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

HERE = Path(__file__).parent
TEMPLATES = {
    "qwen3": "qwen3.jinja",
    "qwen3-training": "qwen3_training.jinja",
    "qwen3-instruct-2507": "qwen3_instruct_2507.jinja",
    "qwen3-instruct-2507-training": "qwen3_instruct_2507_training.jinja",
}


def jinja(name: str) -> str:
    return Path(distribution("trl").locate_file(f"trl/chat_templates/{TEMPLATES[name]}")).read_text(encoding="utf-8")


def main() -> None:
    tiny = HERE.parent.parent / "tokenizer" / "testdata" / "tiny.json"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_file(str(tiny)))
    cases = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    digests = {name: hashlib.sha256(jinja(name).encode()).hexdigest() for name in TEMPLATES}
    (HERE / "templates.json").write_text(json.dumps(digests, indent=1) + "\n")
    with (HERE / "golden.jsonl").open("w", encoding="utf-8", newline="\n") as f:
        for case in cases:
            for name in TEMPLATES:
                marks = name.endswith("-training")
                shared = {"tools": case["tools"] or None, "chat_template": jinja(name)}
                text = tokenizer.apply_chat_template(case["messages"], tokenize=False, **shared)
                out = tokenizer.apply_chat_template(
                    case["messages"], tokenize=True, return_dict=True, return_assistant_tokens_mask=marks, **shared
                )
                row = {"case": case["case"], "template": name, "text": text, "ids": out["input_ids"]}
                if marks:
                    _, spans = render_jinja_template([case["messages"]], return_assistant_tokens_mask=True, **shared)
                    row |= {"spans": spans[0], "mask": out["assistant_masks"]}
                f.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
