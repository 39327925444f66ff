"""GRPO with TRL, on the tasks of these rows, in the environment that mars serves.

`trl grpo` has no option for tools, so this starts it. The tools, the prompt and
the reward come from the environment server, an Open Reward Standard server;
the rows say which of its tasks to take.
"""

import argparse
import glob
import json
import os
import sys
import urllib.request

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser
from trl.experimental.openreward import OpenRewardSpec


NAME, VERSION = "[%.Reward.Name%]", "[%.Reward.Version%]"  # the reward that the rows are exported for


def check(url: str) -> None:
    """The server must judge by the same reward as reward.py."""
    key = os.environ.get("OPENREWARD_API_KEY", "")
    request = urllib.request.Request(url + "/v1/reward", headers={"Authorization": "Bearer " + key} if key else {})
    with urllib.request.urlopen(request, timeout=60) as reply:
        told = json.load(reply)
    if (told["name"], told["version"]) != (NAME, VERSION):
        sys.exit(f"the environment judges by {told['name']} {told['version']}, the rows are for {NAME} {VERSION}: give mars env and mars export the same --reward")


def main() -> None:
    ours = argparse.ArgumentParser(description=__doc__, add_help=False)
    ours.add_argument("--env", default=os.environ.get("MARS_ENV", "http://127.0.0.1:8090"))
    known, rest = ours.parse_known_args()
    args, model = TrlParser((GRPOConfig, ModelConfig)).parse_args_and_config(rest)

    rows = load_dataset("[%if eq .As "jsonl"%]json[%else%]parquet[%end%]", data_files=sorted(glob.glob("[%.Rows%]")), split="train")
    check(known.env)
    # Otherwise the client puts "sessions." before the host's name.
    os.environ.setdefault("OPENREWARD_SESSION_URL", known.env)
    os.environ.setdefault("OPENREWARD_API_URL", known.env)
    spec = OpenRewardSpec(known.env)
    wanted = set(rows["task_id"])
    everything = spec.train_dataset
    served = everything.filter(lambda row: row["id"] in wanted)
    if len(served) == 0:
        sys.exit("the environment serves none of these tasks: give mars env their task file")
    trainer = GRPOTrainer(
        model=model.model_name_or_path,
        args=args,
        train_dataset=served,
        reward_funcs=spec.reward_funcs,
        environment_factory=spec.environment_factory,
    )
    trainer.train()
    trainer.save_model(args.output_dir)


if __name__ == "__main__":
    main()
