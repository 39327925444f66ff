#!/usr/bin/env bash
# GRPO with verl 0.9 on Ray. Run it in this folder; beside it:
#   mars env --data DATA --tasks TASKS --gold GOLD
set -euo pipefail
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
files="$(ls "$PWD"/[%.Rows%] | paste -sd, | sed 's/^/[/; s/$/]/')"
[%if .Validation%]validation="$(ls "$PWD"/[%.Validating%] | paste -sd, | sed 's/^/[/; s/$/]/')"
[%end%]settings=(
  algorithm.adv_estimator=grpo
  data.train_files="$files"
[%if .Validation%]  data.val_files="$validation"            # other users than those that are trained on
[%else%]  data.val_files="$files"                 # verl wants one; for results, use mars eval
[%end%]  data.return_raw_chat=True               # the agent loop renders the prompt itself
  data.max_prompt_length=8192
  data.max_response_length=8192           # counts what tools answer
  data.truncation=error
  actor_rollout_ref.model.path="${MODEL:-student}"
  actor_rollout_ref.rollout.name=vllm
  actor_rollout_ref.rollout.n=8           # the group
  actor_rollout_ref.rollout.multi_turn.enable=True
  actor_rollout_ref.rollout.multi_turn.format=hermes
  actor_rollout_ref.rollout.multi_turn.tool_config_path="$PWD/tools.yaml"
  # The default of 256 characters cuts every answer of a tool.
  actor_rollout_ref.rollout.multi_turn.max_tool_response_length=4096
  # The default of 1 drops all calls of a message but the first.
  actor_rollout_ref.rollout.multi_turn.max_parallel_calls=4
  actor_rollout_ref.actor.use_kl_loss=False
  actor_rollout_ref.actor.optim.lr=1e-6
  reward.custom_reward_function.path="$PWD/reward.py"
  trainer.n_gpus_per_node="${GPUS:-8}"
  trainer.default_local_dir="$PWD/student-grpo"
)
python3 -m verl.trainer.main_ppo "${settings[@]}"
