#!/usr/bin/env bash
# The trainer's tests: a real student is made, trained by SFT and GRPO, saved,
# loaded and served. make test calls this last. It fetches nothing.
set -euo pipefail
cd "$(dirname "$0")"
mars="$PWD/../../bin/mars"
if ! python="$("$mars" train prepare --ready 2>/dev/null)"; then
  echo "not run: the trainer's tests, for its Python environment is not there."
  echo "  bin/mars train prepare   makes it (bin/mars doctor tells what that takes); then make test again"
  exit 0
fi
"$python" -m ruff check .
"$python" -m ruff format --check .
MARS="$mars" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" "$python" -m pytest -q -p no:cacheprovider
