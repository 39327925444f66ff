#!/usr/bin/env bash
# Supervised fine-tuning with verl 0.9 on one node. Run it in this folder.
set -euo pipefail
settings=(
  data.train_files="$(ls "$PWD"/[%.Rows%] | paste -sd, | sed 's/^/[/; s/$/]/')"
[%if .Validation%]  # Other users than those that are trained on.
  data.val_files="$(ls "$PWD"/[%.Validating%] | paste -sd, | sed 's/^/[/; s/$/]/')"
  trainer.test_freq=after_each_epoch
[%end%]  # A row that is too long is an error: the default of 1024 would cut the
  # recommendation off if it were not.
  data.max_length=[%if .Max%][%.Max%][%else%]32768[%end%]
  data.truncation=error
  # The tools are a string, and answers of several calls are one turn.
  data.custom_cls.path="$PWD/mars_sft.py"
  data.custom_cls.name=MarsSFTDataset
  # Whole rows, one after another: none is padded to the longest of all.
  data.pad_mode=no_padding
  data.micro_batch_size_per_gpu=1
  data.train_batch_size=16
  model.path="${MODEL:-Qwen/Qwen3-0.6B}"
  optim.lr=1e-5
  trainer.total_epochs=2
  trainer.default_local_dir="$PWD/student"
)
torchrun --standalone --nproc_per_node="${GPUS:-1}" -m verl.trainer.sft_trainer "${settings[@]}"
