"""Take a few steps of training with the files of mars export as they are.

    env/bin/pip install -r requirements.txt
    mars export run.db --gold gold.jsonl --for trl-sft --out rows/trl-sft
    mars export run.db --gold gold.jsonl --for trl-grpo --all --out rows/trl-grpo
    mars env --data data --tasks tasks.jsonl --gold gold.jsonl &
    env/bin/python train.py rows --env http://127.0.0.1:8090

sft.yaml and grpo.yaml are run by their own commands; what is given over them is
what a processor without a GPU and a minute allow: two steps, no bf16, short
answers, and a Qwen3 of two tiny layers, made here, with a tokenizer that is
learnt from the rows. GRPO is run twice. First by grpo.py, where that model says
nothing of use and each reward is -1. Then with the same environment and reward,
where in the place of what the model says stands what the teacher said: TRL takes
the calls out of it, the server answers them as it did the teacher, the prompt is
that of supervised training, and each reward is 2.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TEMPLATE = "qwen3.jinja"


def tiny(rows: Path, out: Path) -> None:
    """A Qwen3 that fits anywhere, as a folder that trainers load."""
    import torch
    import trl
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    with (rows / "train.jsonl").open() as f:
        texts = [m["content"] for _, line in zip(range(20), f) for m in json.loads(line)["messages"]]
    learn = trainers.BpeTrainer(vocab_size=4000, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    t.train_from_iterator(texts, learn)
    t.add_tokens(["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=t, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = (Path(trl.__file__).parent / "chat_templates" / TEMPLATE).read_text()
    tokenizer.save_pretrained(out)
    torch.manual_seed(0)
    config = Qwen3Config(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1, head_dim=16, max_position_embeddings=65536, eos_token_id=tokenizer.eos_token_id,
                         pad_token_id=tokenizer.pad_token_id)
    Qwen3ForCausalLM(config).save_pretrained(out)


def run(what: str, command: list[str], where: Path) -> None:
    print(f"{what}: {' '.join(command)}", flush=True)
    subprocess.run(command, cwd=where, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""})


def sft(rows: Path, model: Path, out: Path) -> None:
    over = {"model_name_or_path": model, "output_dir": out / "sft", "use_cpu": True, "bf16": False, "max_steps": 2,
            "gradient_accumulation_steps": 1, "logging_steps": 1, "report_to": "none", "save_strategy": "no"}
    run("sft", [sys.executable, "-m", "trl.cli.main", "sft", "--config", "sft.yaml", *flags(over)], rows / "trl-sft")


def flags(over: dict) -> list[str]:
    return [part for key, value in over.items() for part in ("--" + key, str(value))]


SHORT = {"use_cpu": True, "bf16": False, "use_vllm": False, "max_steps": 2, "num_generations": 2, "per_device_train_batch_size": 2,
         "gradient_accumulation_steps": 1, "max_completion_length": 64, "report_to": "none", "save_strategy": "no"}


def grpo_in_the_environment(rows: Path, model: Path, out: Path, url: str) -> None:
    over = {"env": url, "model_name_or_path": model, "output_dir": out / "grpo", **SHORT}
    run("grpo.py", [sys.executable, "grpo.py", "--config", "grpo.yaml", *flags(over)], rows / "trl-grpo")


def grpo_by_the_teachers_words(rows: Path, model: Path, out: Path, url: str) -> None:
    """The settings of grpo.yaml, but for what is generated."""
    import yaml
    from datasets import load_dataset
    from trl import GRPOConfig, GRPOTrainer

    sys.path.insert(0, str(rows / "trl-grpo"))
    import grpo
    from reward import mars_reward

    with (rows / "trl-sft" / "train.jsonl").open() as f:
        taught = {r["run"]: r for r in map(json.loads, f)}
    data = load_dataset("json", data_files=str(rows / "trl-grpo" / "train.jsonl"), split="train")
    data = data.filter(lambda row: row["task_id"] in taught)  # the teacher was right
    settings = yaml.safe_load((rows / "trl-grpo" / "grpo.yaml").read_text())
    settings = {k: v for k, v in settings.items() if k not in ("model_name_or_path", "vllm_mode")}
    settings |= SHORT | {"report_to": [], "max_completion_length": 60_000, "output_dir": str(out / "teacher")}

    class Trainer(GRPOTrainer):
        def _generate_single_turn(self, prompt_ids, *_, **__):
            said = []
            for ids in prompt_ids:
                text = self.processing_class.decode(ids)
                row = next(r for r in taught.values() if r["messages"][1]["content"] in text)
                before = self.processing_class.apply_chat_template(row["messages"][:2], tools=json.loads(row["tools"]), add_generation_prompt=True, tokenize=False)
                if not text.startswith(before):
                    raise AssertionError(f"{row['run']}: another prompt than in supervised training")
                heard = re.findall(r"<tool_response>\n(.*?)\n</tool_response>", text[len(before) :], re.S)
                if heard != [m["content"] for m in row["messages"] if m["role"] == "tool"][: len(heard)]:
                    raise AssertionError(f"{row['run']}: other answers of tools than the teacher's")
                turns = [m for m in row["messages"] if m["role"] == "assistant"]
                m = turns[text[len(before) :].count("<|im_start|>assistant")]
                calls = [f'<tool_call>\n{{"name": "{c["function"]["name"]}", "arguments": {c["function"]["arguments"]}}}\n</tool_call>' for c in m.get("tool_calls") or []]
                said.append(self.processing_class.encode("\n".join([m["content"], *calls]) + "<|im_end|>"))
            return said, None

    trainer = Trainer(model=str(model), args=GRPOConfig(**settings), train_dataset=data, reward_funcs=mars_reward, environment_factory=grpo.environment(url))
    trainer.tools = grpo.TOOLS
    trainer._env_tools = {name: grpo.TOOLS for name in trainer._env_tools}
    trainer.train()
    told = [h["reward"] for h in trainer.state.log_history if "reward" in h]
    calls = [h["tools/call_frequency"] for h in trainer.state.log_history if "tools/call_frequency" in h]
    print(f"the teacher's words: {len(told)} steps, mean rewards {told}, calls of each {calls}", flush=True)
    if not told or any(abs(r - 2) > 1e-6 for r in told):
        raise AssertionError("the teacher is right, and is not rewarded for it")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rows", type=Path)
    p.add_argument("--env", required=True, help="URL of mars env")
    args = p.parse_args()
    rows = args.rows.resolve()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        tiny(rows / "trl-sft", out / "tiny")
        sft(rows, out / "tiny", out)
        grpo_in_the_environment(rows, out / "tiny", out, args.env)
        grpo_by_the_teachers_words(rows, out / "tiny", out, args.env)


if __name__ == "__main__":
    main()
