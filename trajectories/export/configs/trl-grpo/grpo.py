"""GRPO with TRL, on the tasks of these rows, in the environment that mars serves.

`trl grpo` has no option for tools, so this starts it. The tools, the prompt and
the reward come from the environment server, an Open Reward Standard server;
the rows say which of its tasks to take.
"""

import argparse
import glob
import os
import sys

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser
from trl.experimental.openreward import OpenRewardSpec


def main() -> None:
    ours = argparse.ArgumentParser(description=__doc__, add_help=False)
    ours.add_argument("--env", default=os.environ.get("MARS_ENV", "http://127.0.0.1:8090"))
    known, rest = ours.parse_known_args()
    args, model = TrlParser((GRPOConfig, ModelConfig)).parse_args_and_config(rest)

    rows = load_dataset("[%if eq .As "jsonl"%]json[%else%]parquet[%end%]", data_files=sorted(glob.glob("[%.Rows%]")), split="train")
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
