"""Load the files of mars export with the loaders of those who train on them.

    python -m venv env && env/bin/pip install -r requirements.txt
    env/bin/pip install --no-deps verl==0.9.1 llamafactory==0.9.5 ms-swift==4.6.0 axolotl==0.19.0
    for c in trl-sft trl-grpo verl-sft verl-rl llamafactory swift axolotl openai text; do
        mars export run.db --gold gold.jsonl --for $c --out rows/$c; done
    env/bin/python check.py rows --tokenizer tokenizer.json

The tokenizer is Qwen3's. No model is downloaded and no GPU is needed: TRL gets a
Qwen3 of two small layers. For each consumer the trained tokens, decoded, must be
what the assistant wrote, and nothing else; where two consumers use the same
template, their tokens must be the same. A consumer that is not installed, or
cannot be imported here, is named and counted as not run.
"""

import argparse
import json
import os
import sys
import traceback
from pathlib import Path

os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
ROWS = Path()
THINK = "<think>\n\n</think>\n\n"


def lines(name: str) -> list[dict]:
    with (ROWS / name / "train.jsonl").open() as f:
        return [json.loads(line) for line in f]


def written(messages: list[dict], think: str) -> str:
    """What the assistant writes, as docs/training-data.md says."""
    out = []
    for m in messages:
        if m["role"] == "assistant":
            parts = [m["content"]] if m["content"] else []
            for call in m.get("tool_calls") or []:
                f = call["function"]
                parts.append(f'<tool_call>\n{{"name": "{f["name"]}", "arguments": {f["arguments"]}}}\n</tool_call>')
            out.append(think + "\n".join(parts) + "<|im_end|>\n")
    return "".join(out)


def same(got: str, want: str, where: str) -> None:
    if got != want:
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        raise AssertionError(f"{where}: at {at}: {got[max(0, at - 60) : at + 60]!r}, want {want[max(0, at - 60) : at + 60]!r}")


def load_tokenizer(path: str, template: str):
    import trl
    from transformers import PreTrainedTokenizerFast

    t = PreTrainedTokenizerFast(tokenizer_file=path, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    t.chat_template = (Path(trl.__file__).parent / "chat_templates" / template).read_text()
    return t


def trl_tokens(args) -> list[tuple[list[int], list[int]]]:
    """The rows as TRL's SFTTrainer prepares them: tokens, and which are trained."""
    import torch
    import yaml
    from transformers import Qwen3Config, Qwen3ForCausalLM
    from trl import SFTConfig, SFTTrainer
    from trl.scripts.utils import DatasetConfig, DatasetMixtureConfig, get_dataset

    config = yaml.safe_load((ROWS / "trl-sft" / "sft.yaml").read_text())
    source = config["datasets"][0]
    source["data_files"] = str(ROWS / "trl-sft" / source["data_files"])
    rows = get_dataset(DatasetMixtureConfig(datasets=[DatasetConfig(**source)]))["train"]
    tokenizer = load_tokenizer(args.tokenizer, "qwen3.jinja")
    torch.manual_seed(0)
    tiny = Qwen3ForCausalLM(Qwen3Config(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=2,
                                        num_attention_heads=2, num_key_value_heads=1, head_dim=8))
    trainer = SFTTrainer(
        model=tiny, processing_class=tokenizer, train_dataset=rows,
        args=SFTConfig(output_dir="/tmp/trl-check", use_cpu=True, bf16=False, report_to=[], max_steps=1,
                       assistant_only_loss=config["assistant_only_loss"], max_length=config["max_length"], packing=config["packing"]),
    )
    return [(r["input_ids"], [int(label != -100) for label in r["labels"]]) for r in trainer.train_dataset]


def check_trl_sft(args) -> str:
    tokenizer = load_tokenizer(args.tokenizer, "qwen3_training.jinja")
    args.trl = trl_tokens(args)
    tokens = trained = 0
    for (ids, mask), row in zip(args.trl, lines("trl-sft"), strict=True):
        same(tokenizer.decode([i for i, m in zip(ids, mask) if m]), written(row["messages"], THINK), row["run"])
        tokens, trained = tokens + len(ids), trained + sum(mask)
    return f"{len(args.trl)} rows prepared by SFTTrainer, {tokens} tokens, {trained} trained"


def check_trl_grpo(args) -> str:
    from datasets import load_dataset

    rows = load_dataset("json", data_files=str(ROWS / "trl-grpo" / "train.jsonl"), split="train")
    sys.path.insert(0, str(ROWS / "trl-grpo"))
    from reward import mars_reward

    said = {r["run"]: r["messages"][2:] for r in lines("trl-sft")}
    done = [r for r in rows if r["task_id"] in said]
    rewards = mars_reward([said[r["task_id"]] for r in done], [r["ground_truth"] for r in done], [r["candidates"] for r in done], prompts=[r["prompt"] for r in done])
    if not done or set(rewards) != {2.0}:
        raise AssertionError(f"rewards {sorted(set(rewards))} of runs that rank the right item first")
    for r in rows:
        if sum(line.split(" | ")[0] in (f"c{i + 1:02d}" for i in range(len(r["candidates"]))) for line in r["prompt"][1]["content"].splitlines()) != len(r["candidates"]):
            raise AssertionError(r["task_id"])
    return f"{len(rows)} rows loaded by datasets; reward.py gives 2 to each of {len(done)} runs"


def check_verl_sft(args) -> str:
    from types import ModuleType

    from omegaconf import OmegaConf

    try:
        import verl.models.transformers.qwen2_vl  # noqa: F401
    except ImportError:  # written for an older transformers; only rows with images need it
        vision = ModuleType("verl.models.transformers.qwen2_vl")
        vision.get_rope_index = None
        sys.modules[vision.__name__] = vision
    sys.path.insert(0, str(ROWS / "verl-sft"))
    from mars_sft import MarsSFTDataset

    tokenizer = load_tokenizer(args.tokenizer, "qwen3_training.jinja")
    config = OmegaConf.create({"max_length": 65536, "truncation": "error", "pad_mode": "no_padding"})
    rows = MarsSFTDataset(str(ROWS / "verl-sft" / "train.parquet"), tokenizer, config)
    for i, row in enumerate(lines("trl-sft")):
        got = rows[i]
        ids, mask = got["input_ids"].tolist(), got["loss_mask"].tolist()
        same(tokenizer.decode(ids), tokenizer.decode(args.trl[i][0]), row["run"])
        if ids != args.trl[i][0]:
            raise AssertionError(f"{row['run']}: other tokens than TRL's")
        if mask != list(args.trl[i][1]):
            same(tokenizer.decode([t for t, m in zip(ids, mask) if m]), written(row["messages"], THINK), row["run"])
            raise AssertionError(f"{row['run']}: another mask than TRL's")
    return f"{len(rows)} rows read by MultiTurnSFTDataset with mars_sft.py: tokens and mask are TRL's"


def check_verl_rl(args) -> str:
    from omegaconf import OmegaConf
    from verl.tools.tool_registry import initialize_tools_from_config
    from verl.utils.dataset.rl_dataset import RLHFDataset

    folder = ROWS / "verl-rl"
    sys.path.insert(0, str(folder))
    config = OmegaConf.create({"max_prompt_length": 8192, "return_raw_chat": True, "cache_dir": "/tmp/verl-check", "filter_overlong_prompts": False})
    rows = RLHFDataset(str(folder / "train.parquet"), load_tokenizer(args.tokenizer, "qwen3.jinja"), config)
    tools = initialize_tools_from_config(str(folder / "tools.yaml"))
    names = {t.name for t in tools}
    if [t.tool_schema.model_dump(exclude_unset=True, exclude_none=True) for t in tools] != json.loads(lines("trl-sft")[0]["tools"]):
        raise AssertionError("other schemas than those of supervised training")
    for i, want in enumerate(lines("trl-grpo")):
        row = rows[i]
        if set(row["tools_kwargs"]) != names or any(k["create_kwargs"]["task_id"] != want["task_id"] for k in row["tools_kwargs"].values()):
            raise AssertionError(f"row {i}: {row['tools_kwargs']}")
        if list(row["raw_prompt"]) != want["prompt"] or row["reward_model"]["ground_truth"] not in want["ground_truth"]:
            raise AssertionError(f"row {i}")
    return f"{len(rows)} rows read by RLHFDataset; tools.yaml gives {len(tools)} tools with the schemas of supervised training"


def check_llamafactory(args) -> str:
    import importlib.machinery
    from types import ModuleType, SimpleNamespace

    if "torchaudio" not in sys.modules:  # imported for rows with sound, of which there are none
        sys.modules["torchaudio"] = ModuleType("torchaudio")
        sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    from datasets import load_dataset
    from llamafactory.data.converter import SharegptDatasetConverter
    from llamafactory.data.parser import DatasetAttr
    from llamafactory.data.template import TEMPLATES

    info = json.loads((ROWS / "llamafactory" / "dataset_info.json").read_text())["mars"]
    attr = DatasetAttr("file", info["file_name"])
    attr.join(info)
    convert = SharegptDatasetConverter(attr, SimpleNamespace(media_dir="", train_on_prompt=False))
    template = TEMPLATES["qwen3_nothink"]
    tokenizer = load_tokenizer(args.tokenizer, "qwen3_instruct_2507.jinja")
    rows = load_dataset("json", data_files=str(ROWS / "llamafactory" / info["file_name"]), split="train")
    n = 0
    for row, want in zip(rows, lines("trl-sft"), strict=True):
        c = convert(row)
        if not c["_prompt"]:
            raise AssertionError(f"{want['run']}: the converter skips the row")
        pairs = template.encode_multiturn(tokenizer, c["_prompt"] + c["_response"], c["_system"], c["_tools"])
        same("".join(tokenizer.decode(answer) for _, answer in pairs), written(want["messages"], ""), want["run"])
        whole = "".join(tokenizer.decode(question) + tokenizer.decode(answer) for question, answer in pairs)
        text = tokenizer.apply_chat_template(want["messages"], tools=json.loads(want["tools"]), tokenize=False)
        same(whole, text, want["run"])
        n += 1
    return f"{n} rows converted and encoded with qwen3_nothink: the text is that of the Instruct-2507 template, trained is what the assistant wrote"


def check_swift(args) -> str:
    from swift.agent_template import agent_template_map
    from swift.template.template_inputs import normalize_openai_tool_calls

    agent = agent_template_map["hermes"]()
    n = 0
    for row, want in zip(lines("swift"), lines("trl-sft"), strict=True):
        messages = normalize_openai_tool_calls(row["messages"])
        got, i = [], 0
        while i < len(messages):
            if messages[i]["role"] == "assistant" or messages[i]["role"] == "tool_call":
                parts = []
                if messages[i]["role"] == "assistant":
                    parts.append(messages[i]["content"])
                    i += 1
                calls = []
                while i < len(messages) and messages[i]["role"] == "tool_call":
                    calls.append({"role": "tool_call", "content": json.dumps(messages[i]["content"], ensure_ascii=False)})
                    i += 1
                if calls:
                    parts.append(agent._format_tool_calls(calls))
                got.append("\n".join(parts) + "<|im_end|>\n")
                continue
            i += 1
        same("".join(got), written(want["messages"], ""), want["run"])
        n += 1
    return f"{n} rows: its normalizer and its hermes agent template write what the assistant wrote (its whole encoder was not run)"


def check_axolotl(args) -> str:
    from axolotl.prompt_strategies.chat_template import ChatTemplatePrompter, ChatTemplateStrategy

    tokenizer = load_tokenizer(args.tokenizer, "qwen3_instruct_2507.jinja")
    prompter = ChatTemplatePrompter(tokenizer, tokenizer.chat_template, field_messages="messages", message_property_mappings={"role": "role", "content": "content"})
    strategy = ChatTemplateStrategy(prompter, tokenizer=tokenizer, train_on_inputs=False, sequence_len=65536, roles_to_train=["assistant"], train_on_eos="turn")
    n = 0
    for row in lines("axolotl"):
        got = strategy.tokenize_prompt(row)
        trained = tokenizer.decode([i for i, l in zip(got["input_ids"], got["labels"]) if l != -100])
        same(trained.replace("<|im_end|>", "<|im_end|>\n"), written(row["messages"], ""), row["run"])
        n += 1
    return f"{n} rows encoded: trained is what the assistant wrote, without the line end after <|im_end|>"


def check_openai(args) -> str:
    for row in lines("openai"):
        waiting: list[str] = []
        for m in row["messages"]:
            if m["role"] == "tool":
                waiting.remove(m["tool_call_id"])
            elif waiting:
                raise AssertionError("a call without an answer")
            for call in m.get("tool_calls", []):
                json.loads(call["function"]["arguments"])
                waiting.append(call["id"])
        if waiting or not isinstance(row["tools"], list) or set(row) != {"messages", "tools"}:
            raise AssertionError("form")
    return f"{len(lines('openai'))} rows hold to the published form (no loader is published)"


def check_text(args) -> str:
    sys.path.insert(0, str(ROWS / "trl-grpo"))
    import reward

    for row, want in zip(lines("text"), lines("trl-sft"), strict=True):
        got = "".join(row["text"][a:b] for a, b in row["trained"])
        same(got.replace("<tool_call>", "<tool_call>\n").replace("</tool_call>", "\n</tool_call>"),
             written(want["messages"], "").replace("<|im_end|>", ""), row["run"])
        said = reward.conversation(row["text"][row["trained"][0][0] :])
        if reward.parts(said, row["candidates"][0], row["candidates"], which=[])["format"] != 1:
            raise AssertionError(f"{row['run']}: reward.py does not take its form")
    return f"{len(lines('text'))} rows: the spans are what the assistant wrote, and reward.py reads them"


def main() -> None:
    global ROWS
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rows", type=Path)
    p.add_argument("--tokenizer", required=True, help="Qwen3's tokenizer.json")
    p.add_argument("--only", nargs="*", help="consumers; trl-sft always runs")
    args = p.parse_args()
    ROWS = args.rows.resolve()
    failed = 0
    for name, check in list(globals().items()):
        consumer = name.removeprefix("check_").replace("_", "-")
        if not name.startswith("check_") or args.only and consumer not in [*args.only, "trl-sft"]:
            continue
        try:
            print(f"{consumer}: {check(args)}", flush=True)
        except ImportError as e:
            print(f"{consumer}: not run: {e}", flush=True)
        except Exception:
            failed += 1
            print(f"{consumer}: FAILED", flush=True)
            traceback.print_exc()
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
