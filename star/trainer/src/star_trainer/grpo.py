"""GRPO in the environment that mars env serves, by TRL's trainer.

TRL would tell the student of its tools in words of its own. Here the rollout is
ours: prompt, tools and answers are the bytes of the environment, as they are in
the rows of supervised training and when the student is served. TRL gets the
tokens, a mask of what the student wrote, and the environment's reward.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from star_trainer import attention, presets, record, rows, sample, sft, student
from star_trainer.conversation import template
from star_trainer.environment import Environment
from star_trainer.rollout import Episode, Limits, Rollout


@dataclass
class Job(sft.Job):
    """What to train, on what, and where the environment is."""

    env: str = "http://127.0.0.1:8090"
    distinct: bool = False  # never sample a label twice in a ranking; by transformers only


class Watch:
    """Counts what goes wrong in rollouts, since training began and since it was last asked."""

    def __init__(self, group: int) -> None:
        self._group = group
        self.total: Counter[str] = Counter()
        self._since: Counter[str] = Counter()
        self._rewards: list[float] = []
        self._still = 0

    def add(self, episodes: list[Episode]) -> None:
        c: Counter[str] = Counter()
        for e in episodes:
            assert e.outcome is not None
            c["completions"] += 1
            c["truncated"] += e.truncated
            c["malformed"] += e.outcome.parts.get("format", -1) < 0
            c["without a call"] += e.calls == 0
            c["calls"] += e.calls
            self._rewards.append(e.outcome.reward)
        rewards = [e.outcome.reward for e in episodes if e.outcome is not None]
        for i in range(0, len(rewards), self._group):
            c["groups"] += 1
            c["groups without variance"] += len(set(rewards[i : i + self._group])) == 1
        self._since += c
        self.total += c

    def counters(self) -> dict[str, float]:
        """Shares since the last time, and whether the reward has collapsed."""
        c, rewards = self._since, self._rewards
        if not rewards:
            return {}
        n, groups = c["completions"], c["groups"]
        # Collapsed: nearly nothing is well formed, or no group tells anything, five times in a row.
        flat = c["malformed"] > 0.9 * n or c["groups without variance"] == groups
        self._still = self._still + 1 if flat else 0
        told = {
            "rollout/reward": statistics.fmean(rewards),
            "rollout/truncated": c["truncated"] / n,
            "rollout/malformed": c["malformed"] / n,
            "rollout/without_call": c["without a call"] / n,
            "rollout/calls": c["calls"] / n,
            "rollout/groups_without_variance": c["groups without variance"] / max(groups, 1),
            "rollout/collapsed": float(self._still >= 5),
        }
        self._since, self._rewards = Counter(), []
        return told


class Player:
    """What TRL calls for completions."""

    def __init__(self, rollout: Rollout, candidates: dict[str, list[str]], watch: Watch, distinct: bool) -> None:
        self._rollout, self._candidates, self._watch, self._distinct = rollout, candidates, watch, distinct

    def __call__(self, prompts: list[list[dict[str, Any]]], trainer: Any) -> dict[str, Any]:
        ids = [p[-1]["task"] for p in prompts]
        tokenizer, args = trainer.processing_class, trainer.args

        def by_transformers(told: list[list[int]], rooms: list[int]) -> list[list[int]]:
            config = sample.generation(tokenizer, args.temperature, args.top_p, args.top_k)
            model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
            widest = max(map(len, self._candidates.values()))
            processors = sample.ranked("distinct" if self._distinct else "free", tokenizer, widest)
            model.eval()
            try:
                return sample.turns(model, tokenizer, told, rooms, config, processors)
            finally:
                model.train()

        def by_vllm(told: list[list[int]], rooms: list[int]) -> list[list[int]]:
            _, written, _, _ = trainer.vllm_generation.generate(prompts=told, images=None, num_generations=1)
            return [w[: max(room, 0)] for w, room in zip(written, rooms, strict=True)]

        episodes = self._rollout.play(
            [(i, self._candidates[i]) for i in ids], by_vllm if args.use_vllm else by_transformers
        )
        self._watch.add(episodes)
        outcomes = [e.outcome for e in episodes if e.outcome is not None]
        return {
            "prompt_ids": [e.prompt for e in episodes],
            "completion_ids": [e.completion for e in episodes],
            "logprobs": None,
            "env_mask": [e.mask for e in episodes],
            "judged": [o.reward for o in outcomes],
        }


class _Trainer(GRPOTrainer):
    """TRL's trainer, whose card of a checkpoint would take the place of ours."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """The card is ours, written at the end."""


def reward(completions: list[Any], judged: list[float], **_: Any) -> list[float]:
    """The environment's reward of each conversation."""
    return judged


def run(job: Job) -> dict[str, Any]:
    """Trains and saves a student; returns the facts of its card."""
    if not job.model:
        raise ValueError("give --model: the checkpoint that came of supervised fine-tuning")
    export = rows.read(job.export, "trl-grpo")
    settings = presets.settle(export.config, presets.GRPO, job.preset, job.settings)
    changed = presets.fit_to_machine(settings)
    limits = Limits(settings.get("max_completion_length", 8192), settings.pop("max_tool_calling_iterations", 16) + 1)
    coarse = settings.get("bf16") and not student.small(job.model)
    model, tokenizer = student.load(job.model, "bfloat16" if coarse else "float32")
    if settings.get("use_cpu") and settings.get("bf16"):
        attention.use(model)
    if not tokenizer.chat_template:
        tokenizer.chat_template = template(*export.template)
    tokenizer.padding_side = "left"
    permute = export.detail != "full" if job.permute is None else job.permute

    with Environment(job.env) as environment:
        return _train(job, export, settings, changed, limits, model, tokenizer, permute, environment)


def _train(
    job: Job,
    export: rows.Export,
    settings: dict[str, Any],
    changed: list[str],
    limits: Limits,
    model: Any,
    tokenizer: Any,
    permute: bool,
    environment: Environment,
) -> dict[str, Any]:
    served = {t["id"] for t in environment.tasks()}
    missing = [r["task_id"] for r in export.rows if r["task_id"] not in served]
    if missing:
        raise ValueError(f"the environment does not serve {len(missing)} of the tasks, {missing[0]} for one: "
                         "give mars env the task file that the rows were made of")  # fmt: skip
    first = environment.run(environment.begin(export.rows[0]["task_id"]))
    if [m["content"] for m in first.messages] != [m["content"] for m in export.rows[0]["prompt"]]:
        raise ValueError("the environment's prompt is not that of the rows: give mars env the --detail of the export")

    args = GRPOConfig(
        output_dir=str(job.out),
        seed=job.seed,
        report_to="none",
        disable_tqdm=True,
        save_strategy=settings.pop("save_strategy", "steps"),
        save_total_limit=settings.pop("save_total_limit", 2),
        **settings,
    )
    watch, stop = Watch(args.num_generations), record.Stop(job.minutes)
    metrics = record.Metrics("grpo", job.out, watch.counters)
    stop.install()
    metrics.tell(
        "data", rows=len(export.rows), parameters=sum(p.numel() for p in model.parameters()),
        vocabulary=len(tokenizer), changed=changed,
    )  # fmt: skip
    # The task is named within the prompt: it is all that TRL hands to a rollout.
    data = [{"prompt": [*r["prompt"][:-1], {**r["prompt"][-1], "task": r["task_id"]}]} for r in export.rows]
    trainer = _Trainer(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(data),
        reward_funcs=reward,
        rollout_func=Player(
            Rollout(environment, tokenizer, limits, job.seed + record.rank(), permute),
            {r["task_id"]: r["candidates"] for r in export.rows},
            watch,
            job.distinct,
        ),
        processing_class=tokenizer,
        peft_config=student.lora(job.lora),
        callbacks=[metrics, stop],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=True if job.resume else None)
    trainer.save_model(str(job.out))
    tokenizer.save_pretrained(str(job.out))
    log = [e for e in trainer.state.log_history if "reward" in e]
    facts = {
        "rows": {"used": len(export.rows), "files": {f["name"]: f["sha256"] for f in export.manifest["files"]}},
        "source": export.manifest["source"],
        "detail": export.detail,
        "chat template": {"name": export.template[0], "sha256": export.template[1]},
        "prompt sha256": export.manifest["prompt"],
        "tools sha256": export.manifest["tools"],
        "model": job.model,
        "lora": job.lora,
        "seed": job.seed,
        "labels permuted": permute,
        "labels kept distinct": job.distinct,
        "settings": settings,
        "rollouts": dict(watch.total),
        "results": {
            "steps": trainer.state.global_step,
            "reward, first fifth": _mean(log[: math.ceil(len(log) / 5)], "reward"),
            "reward, last fifth": _mean(log[-math.ceil(len(log) / 5) :], "reward"),
            "kl, last fifth": _mean(log[-math.ceil(len(log) / 5) :], "kl"),
        },
    }
    record.card(job.out, "grpo", facts, job.model)
    metrics.tell(
        "end", step=trainer.state.global_step, steps=trainer.state.max_steps, stopped=stop.asked, out=str(job.out)
    )
    return facts


def _mean(log: list[dict[str, Any]], name: str) -> float | None:
    values = [e[name] for e in log if name in e]
    return statistics.fmean(values) if values else None
