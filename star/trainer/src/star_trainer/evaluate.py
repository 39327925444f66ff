"""Lets a student answer every task of an environment, greedily, and writes what it answered.

A file of rankings, {"id": TASK, "ranking": [ITEM, ...]}, is what mars eval reads;
beside it FILE.details.jsonl has form, calls, tokens and the conversation.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from star_trainer import sample, student
from star_trainer.environment import Environment
from star_trainer.rollout import Episode, Limits, Rollout


def run(
    model_dir: str, url: str, out: Path, batch: int, limit: int | None, ranking: str, max_tokens: int
) -> dict[str, float]:
    """Writes a line for each task: ranking, form, calls, tokens. Returns the shares."""
    import torch

    model, tokenizer = student.load(model_dir, "float32")
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    tokenizer.padding_side = "left"
    with Environment(url) as environment:
        return _answer(model, tokenizer, environment, out, batch, limit, ranking, max_tokens)


def _answer(
    model: Any,
    tokenizer: Any,
    environment: Environment,
    out: Path,
    batch: int,
    limit: int | None,
    ranking: str,
    max_tokens: int,
) -> dict[str, float]:
    tasks = environment.tasks()[:limit]
    rollout = Rollout(environment, tokenizer, Limits(max_tokens), 0, permute=False)
    config = sample.generation(tokenizer, 0)
    widest = max(len(t["candidates"]) for t in tasks)

    def greedy(prompts: list[list[int]], rooms: list[int]) -> list[list[int]]:
        """What is asked alike is asked once: told in brief, tasks of as many candidates begin alike."""
        asked = list(dict.fromkeys((tuple(p), r) for p, r in zip(prompts, rooms, strict=True)))
        ids, room = [list(p) for p, _ in asked], [r for _, r in asked]
        said = sample.turns(model, tokenizer, ids, room, config, sample.ranked(ranking, tokenizer, widest))
        known = dict(zip(asked, said, strict=True))
        return [known[tuple(p), r] for p, r in zip(prompts, rooms, strict=True)]

    began = time.monotonic()
    sums = {
        "tasks": 0.0,
        "valid": 0.0,
        "valid first five": 0.0,
        "calls": 0.0,
        "turns": 0.0,
        "written": 0.0,
        "read": 0.0,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_suffix(".details.jsonl")
    with out.open("w", encoding="utf-8") as f, beside.open("w", encoding="utf-8") as details:
        for at in range(0, len(tasks), batch):
            part = tasks[at : at + batch]
            for t, e in zip(part, rollout.play([(t["id"], t["candidates"]) for t in part], greedy), strict=True):
                line = _line(t["user"], e)
                f.write(json.dumps({"id": e.task, "ranking": e.ranking()}) + "\n")
                details.write(json.dumps(line) + "\n")
                sums["tasks"] += 1
                for name in ("valid", "calls", "turns", "written", "read"):
                    sums[name] += line[name]
                sums["valid first five"] += line["valid_first_five"]
            print(f"{at + len(part)}/{len(tasks)} tasks, {time.monotonic() - began:.0f} s", file=sys.stderr)
    n = sums.pop("tasks")
    told = {"tasks": n, **{k: v / n for k, v in sums.items()}}
    print(json.dumps({"event": "evaluated", **told}), flush=True)
    return told


def _line(user: str, e: Episode) -> dict[str, object]:
    assert e.outcome is not None
    return {
        "id": e.task,
        "user": user,
        "valid": e.outcome.parts.get("format", -1) > 0,
        "valid_first_five": e.first_valid(5),
        "reward": e.outcome.reward,
        "note": e.outcome.note,
        "calls": e.calls,
        "turns": e.turns,
        "written": sum(e.mask),
        "read": len(e.prompt) + len(e.mask) - sum(e.mask),
        "messages": e.messages,
    }
