"""GRPO with TRL, on these rows, with the tools that mars serves.

`trl grpo` has no option for tools, so this starts it. The prompts are those of
the rows, the tools are told as in supervised training (tools.json), their
answers come from `mars env`, and the whole conversation is judged by reward.py,
which has the right items from the rows. A student says its answer as it was
taught to; it calls no tool for it.
"""

import argparse
import asyncio
import glob
import json
import os
import urllib.request
from pathlib import Path

from datasets import load_dataset
from reward import mars_reward
from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser

HERE = Path(__file__).parent
TOOLS = json.loads((HERE / "tools.json").read_text(encoding="utf-8"))


def send(url: str, method: str, body=None) -> dict:
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("MARS_ENV_TOKEN", ""):
        headers["Authorization"] = "Bearer " + token
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as reply:
        return json.loads(reply.read() or "{}")


def environment(server: str) -> type:
    """A class whose objects are one session each; its methods are the tools."""

    class Session:
        url = None

        def reset(self, task_id: str, **row) -> None:  # the prompt is in the row
            old, self.url = self.url, None
            if old:
                try:
                    send(old, "DELETE")
                except OSError:
                    pass  # it was idle for too long
            begun = send(server + "/v1/sessions", "POST", {"task": task_id})
            self.url = f"{server}/v1/sessions/{begun['session']}"

    for tool in TOOLS:
        setattr(Session, tool["function"]["name"], method(tool["function"]["name"]))
    return Session


def method(name: str):
    async def call(self, **arguments: str) -> str:
        """A tool of the student's.

        Args:
            arguments: as tools.json has them
        """
        answer = await asyncio.to_thread(send, self.url + "/call", "POST", {"name": name, "arguments": arguments})
        return answer["content"]

    call.__name__ = name
    return call


def main() -> None:
    ours = argparse.ArgumentParser(description=__doc__, add_help=False)
    ours.add_argument("--env", default=os.environ.get("MARS_ENV", "http://127.0.0.1:8090"))
    known, rest = ours.parse_known_args()
    args, model = TrlParser((GRPOConfig, ModelConfig)).parse_args_and_config(rest)

    rows = load_dataset("[%if eq .As "jsonl"%]json[%else%]parquet[%end%]", data_files=sorted(glob.glob(str(HERE / "[%.Rows%]"))), split="train")
    trainer = GRPOTrainer(
        model=model.model_name_or_path,
        args=args,
        train_dataset=rows,
        reward_funcs=mars_reward,
        environment_factory=environment(known.env),
    )
    # TRL would make schemas of its own from the methods, and the prompt would be
    # another than in supervised training.
    trainer.tools = TOOLS
    trainer._env_tools = {name: TOOLS for name in trainer._env_tools}
    trainer.train()
    trainer.save_model(args.output_dir)


if __name__ == "__main__":
    main()
