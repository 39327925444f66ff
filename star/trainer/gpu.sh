#!/usr/bin/env bash
# A student made from nothing on one GPU, in one go: data, teacher, SFT, GRPO and
# figures, each stage of training under ten minutes. It needs no network.
#
#   gpu.sh LOG OUT      LOG is what mars import reads, say ml-latest-small
#
# MARS is the binary (mars), PYTHON one that has what requirements/ names and a
# PyTorch for the GPU (python3), SIZE the student's (100m: 93 million parameters),
# MINUTES the limit of a stage (9). OUT/figures is small: tables, metrics, cards.
set -euo pipefail
log=$(realpath "$1") out=$2
mars=$(realpath "$(command -v "${MARS:-mars}")") python=${PYTHON:-python3}
size=${SIZE:-100m} minutes=${MINUTES:-9} batch=${BATCH:-64} limit=${LIMIT:-0}
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$here/src" TOKENIZERS_PARALLELISM=false
mkdir -p "$out/figures" && cd "$out"

signals=item_cf,item_cf_recent,item_cf_last,user_cf,popularity,popularity_recent
told=(--detail brief --template qwen3-instruct-2507-training)
star() { "$python" -W ignore -m star_trainer "$@"; }

"$mars" import --in "$log" --out data
"$mars" fit --data data --before q60 --signals $signals --forms standard --out weights.json
"$mars" tasks --data data --after q60 --before q80 --apart --per-user 60 --negatives both --limit "$limit" --out train.jsonl --gold train-gold.jsonl
"$mars" synth --data data --tasks train.jsonl --team "$here/lean.yaml" --model builtin:weights.json --concurrency "$(nproc)" --out train.db
"$mars" export train.db --gold train-gold.jsonl --for trl-sft --all "${told[@]}" --out sft
"$mars" export train.db --gold train-gold.jsonl --for trl-grpo --all "${told[@]}" --out grpo
for n in uniform popular; do
  "$mars" tasks --data data --after q80 --per-user 6 --negatives $n --limit "$limit" --out test-$n.jsonl --gold test-$n-gold.jsonl
  "$mars" synth --data data --tasks test-$n.jsonl --team "$here/lean.yaml" --model builtin --concurrency "$(nproc)" --out rule-$n.db
  "$mars" synth --data data --tasks test-$n.jsonl --team "$here/lean.yaml" --model builtin:weights.json --concurrency "$(nproc)" --out teacher-$n.db
done

# serves starts an environment of a task file and leaves its address in $url.
serves() {
  "$mars" env --data data --tasks "$1.jsonl" --gold "$1-gold.jsonl" --team "$here/lean.yaml" --detail brief --listen 127.0.0.1:0 > env.url 2> env.log &
  served=$!
  trap 'kill $served 2> /dev/null || true' EXIT
  for _ in $(seq 100); do grep -q http env.url && break; sleep 0.2; done
  url=$(cat env.url)
}
# measures NAME: the student's answers to the test, unconstrained.
measures() {
  for n in uniform popular; do
    serves test-$n
    star evaluate "$1" --env "$url" --batch 256 --out "$1-$n.jsonl" | tee "figures/$1-$n.json"
    kill $served
  done
}

star sft sft --from-scratch "$size" --preset scratch --minutes "$minutes" --seed 42 --out student \
  --set per_device_train_batch_size="$batch" --set learning_rate=5e-4 --set max_steps="${STEPS:-4000}" --set warmup_steps=100 | tee sft.log
measures student
serves train
star grpo grpo --model student --preset scratch --minutes "$minutes" --env "$url" --out student-grpo \
  --set per_device_train_batch_size=96 --set gradient_accumulation_steps=1 --set learning_rate=1e-5 --set max_steps="${GRPO_STEPS:-100}" | tee grpo.log
kill $served
measures student-grpo
for n in uniform popular; do
  "$mars" eval student=student-$n.jsonl student-grpo=student-grpo-$n.jsonl teacher=teacher-$n.db rule=rule-$n.db \
    --gold test-$n-gold.jsonl --tasks test-$n.jsonl --data data --baselines | tee figures/table-$n.txt
done
for s in student student-grpo; do cp $s/README.md figures/$s.md; cp $s/metrics.jsonl figures/$s-metrics.jsonl; done
