"""What a training run leaves beside the checkpoint: metrics.jsonl and a model card."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

METRICS = "metrics.jsonl"


def rank() -> int:
    """Which of the processes that train together this is; the first writes and tells."""
    return int(os.environ.get("RANK", "0"))


class Metrics(TrainerCallback):
    """Appends a line of JSON to metrics.jsonl for each record of the trainer, and prints it to standard output.

    ``extra`` returns what only the launcher knows: counters that are added to each record.
    """

    def __init__(self, stage: str, directory: Path, extra: Callable[[], dict[str, float]] | None = None) -> None:
        self._stage, self._path, self._extra = stage, directory / METRICS, extra
        self._began = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.tell("begin", step=state.global_step, steps=state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        numbers = {k: v for k, v in (logs or {}).items() if isinstance(v, int | float)}
        numbers.update(self._extra() if self._extra else {})
        self.tell("step", step=state.global_step, steps=state.max_steps, **numbers)

    def tell(self, event: str, **fields: Any) -> None:
        """Writes one record."""
        if rank() > 0:
            return
        seconds = round(time.monotonic() - self._began, 3)
        line = json.dumps({"event": event, "stage": self._stage, "seconds": seconds, **fields})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as f:
            f.write(line + "\n")
        print(line, flush=True)


class Stop(TrainerCallback):
    """Ends training after the step in which it was asked to, or when its time is up; the checkpoint is saved as ever.

    The first interrupt lets the step finish, a second one ends the process.
    """

    def __init__(self, minutes: float | None) -> None:
        self._asked = False
        self._until = None if minutes is None else time.monotonic() + 60 * minutes

    def install(self) -> None:
        import signal

        def ask(number: int, _: Any) -> None:
            if self._asked:
                sys.exit(128 + number)
            self._asked = True
            print("stopping after this step; again stops at once", file=sys.stderr)

        signal.signal(signal.SIGINT, ask)
        signal.signal(signal.SIGTERM, ask)

    @property
    def asked(self) -> bool:
        return self._asked

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._asked or (self._until is not None and time.monotonic() >= self._until):
            control.should_training_stop = True


def card(directory: Path, stage: str, facts: dict[str, Any], origin: str | None = None) -> None:
    """Writes README.md of a checkpoint: what it was made from and with, and what came of it.

    Of several processes the first writes. The facts are added to those of earlier stages, in training.json; those of
    the checkpoint that it began with, the origin, come first.
    """
    if rank() > 0:
        return
    path = directory / "training.json"
    earlier, here = _stages(Path(origin) / "training.json" if origin else None), _stages(path)
    stages = {f"earlier {name}" if name == stage else name: told for name, told in earlier.items()} | here
    stages[stage] = facts
    path.write_text(json.dumps(stages, indent=2, default=str) + "\n", encoding="utf-8")
    lines = ["---", "library_name: transformers", "pipeline_tag: text-generation", "tags: [mars, recommendation]"]
    lines += ["---", "", "# Student", "", "A recommender that plans, calls tools, reflects and ranks in one context,"]
    lines += ["trained on trajectories of a team of agents by mars. It loads in transformers as it is."]
    for name, told in stages.items():
        lines += ["", f"## {name}", "", "| | |", "|---|---|"]
        lines += [f"| {key} | `{value}` |" for key, value in _flat("", told)]
    (directory / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _stages(path: Path | None) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path is not None and path.is_file() else {}


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for k, v in value.items() for pair in _flat(f"{prefix}.{k}" if prefix else str(k), v)]
    return [(prefix, str(value).replace("|", "\\|").replace("\n", " "))]
