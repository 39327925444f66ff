"""Supervised fine-tuning on the rows of mars export --for trl-sft.

TRL's trainer does the work. The rows are rendered once; each time one is drawn
its labels are permuted and it is cut into tokens, with everything masked that
the student does not write itself. The loss on the ranking is told apart from the
rest: the skill appears suddenly, and the mean over all tokens hides it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from star_trainer import attention, presets, record, rows, student
from star_trainer.conversation import IGNORED, Conversation, Encoded, encode, render, template
from star_trainer.labels import Permutation


@dataclass
class Job:
    """What to train, on what, and where to."""

    export: Path
    out: Path
    model: str | None = None
    size: str | None = None  # of a student made from nothing, one of student.SIZES
    preset: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    lora: int = 0
    seed: int = 42
    permute: bool | None = None  # None: where labels are all that is told of a candidate
    resume: bool = False
    minutes: float | None = None


class Collator:
    """Draws rows: permutes their labels, cuts them into tokens, pads them to the longest."""

    def __init__(self, tokenizer: Any, conversations: list[Conversation], permute: bool, seed: int) -> None:
        self._tokenizer, self._conversations, self._permute = tokenizer, conversations, permute
        self._rng = random.Random(seed)

    def draw(self, i: int) -> Encoded:
        c = self._conversations[i]
        order = Permutation.draw(c.candidates, self._rng) if self._permute else Permutation.none(c.candidates)
        return encode(self._tokenizer, c.text(order))

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        drawn = [self.draw(e["row"]) for e in examples]
        width = max(len(d.input_ids) for d in drawn)

        def padded(lists: list[list[Any]], value: Any) -> torch.Tensor:
            return torch.tensor([x + [value] * (width - len(x)) for x in lists])

        pad = self._tokenizer.pad_token_id
        return {
            "input_ids": padded([d.input_ids for d in drawn], pad),
            # Padding is on the right, where causal attention never looks: without a mask it runs in blocks.
            "attention_mask": torch.ones(len(drawn), width, dtype=torch.long),
            "labels": padded([d.labels for d in drawn], IGNORED),
            "ranking": padded([d.ranking for d in drawn], False),
        }


class Trainer(SFTTrainer):
    """TRL's trainer, which also tells the loss on the ranking."""

    def __init__(self, **kwargs: Any) -> None:
        self._ranking: torch.Tensor | None = None
        self._sums = torch.zeros(4)
        super().__init__(**kwargs)
        base = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        base.register_forward_hook(self._measure)

    def _measure(self, _: Any, __: Any, out: Any) -> None:
        if self._ranking is None or getattr(out, "log_probs", None) is None:
            return
        with torch.no_grad():
            ranking = self._ranking[:, 1:] & out.label_mask
            other = out.label_mask & ~ranking
            loss = -out.log_probs.detach().float()
            self._sums += torch.stack([(loss * ranking).sum(), ranking.sum(), (loss * other).sum(), other.sum()]).cpu()

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        self._ranking = inputs.pop("ranking", None)
        return super().compute_loss(model, inputs, *args, **kwargs)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """The card is ours, written at the end."""

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        ranked, n, other, m = self._sums.tolist()
        if "loss" in logs and n and m:
            logs["loss/ranking"], logs["loss/other"] = ranked / n, other / m
            self._sums.zero_()
        super().log(logs, *args, **kwargs)


def run(job: Job) -> dict[str, Any]:
    """Trains and saves a student; returns the facts of its card."""
    export = rows.read(job.export, "trl-sft")
    text = template(*export.template)
    candidates = max(len(row["candidates"]) for row in export.rows)
    settings = presets.settle(export.config, presets.SFT, job.preset, job.settings)
    changed = presets.fit_to_machine(settings)
    max_length = settings.pop("max_length", None)
    for name in ("assistant_only_loss", "packing", "max_length"):
        settings.pop(name, None)  # the collator masks, and puts one row into one context

    if job.size:
        if job.model:
            raise ValueError("give a model or a size of a student made from nothing, one of the two")
        plain = _Renderer(text)
        texts = ["".join(p.text for p in render(plain, row).pieces) for row in export.rows[:2000]]
        model, tokenizer = student.from_scratch(student.SIZES[job.size], texts, candidates, text, job.seed)
    elif job.model:
        coarse = settings.get("bf16") and not student.small(job.model)
        model, tokenizer = student.load(job.model, "bfloat16" if coarse else "float32")
        tokenizer.chat_template = text
    else:
        raise ValueError("give --model, or --from-scratch with a size")

    if settings.get("use_cpu") and settings.get("bf16"):
        attention.use(model)

    told = [render(tokenizer, row) for row in export.rows]
    lengths = [len(encode(tokenizer, list(c.pieces)).input_ids) for c in told]
    kept = [i for i, n in enumerate(lengths) if max_length is None or n <= max_length]
    if not kept:
        raise ValueError(f"each row is longer than {max_length} tokens: raise max_length")
    permute = export.detail != "full" if job.permute is None else job.permute
    args = SFTConfig(
        output_dir=str(job.out),
        seed=job.seed,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        save_strategy=settings.pop("save_strategy", "steps"),
        save_total_limit=settings.pop("save_total_limit", 2),
        **settings,
    )
    metrics, stop = record.Metrics("sft", job.out), record.Stop(job.minutes)
    stop.install()
    metrics.tell(
        "data", rows=len(kept), too_long=len(told) - len(kept), longest=max(lengths), tokens=sum(lengths),
        parameters=sum(p.numel() for p in model.parameters()), vocabulary=len(tokenizer), changed=changed,
    )  # fmt: skip
    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=Dataset.from_dict({"row": kept, "length": [lengths[i] for i in kept]}),
        data_collator=Collator(tokenizer, told, permute, job.seed + record.rank()),
        processing_class=tokenizer,
        peft_config=student.lora(job.lora),
        callbacks=[metrics, stop],
    )
    trainer.remove_callback(PrinterCallback)
    result = trainer.train(resume_from_checkpoint=True if job.resume else None)
    trainer.save_model(str(job.out))
    tokenizer.save_pretrained(str(job.out))
    facts = {
        "rows": {"used": len(kept), "too long": len(told) - len(kept), "files": _hashes(export)},
        "source": export.manifest["source"],
        "detail": export.detail,
        "chat template": {"name": export.template[0], "sha256": export.template[1]},
        "prompt sha256": export.manifest["prompt"],
        "tools sha256": export.manifest["tools"],
        "model": job.model or f"made from nothing, {job.size}",
        "parameters": sum(p.numel() for p in model.parameters()),
        "lora": job.lora,
        "seed": job.seed,
        "labels permuted": permute,
        "settings": settings | {"max_length": max_length},
        "results": {"steps": trainer.state.global_step, "loss": result.training_loss} | _last(trainer),
    }
    record.card(job.out, "sft", facts, job.model)
    metrics.tell(
        "end", step=trainer.state.global_step, steps=trainer.state.max_steps, stopped=stop.asked, out=str(job.out)
    )
    return facts


class _Renderer:
    """Renders by a chat template where there is no tokenizer yet."""

    def __init__(self, text: str) -> None:
        self._template = text

    def __call__(self, text: str, **_: Any) -> Any:
        raise TypeError("there is no vocabulary yet")

    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> str:
        from transformers.utils.chat_template_utils import render_jinja_template

        rendered, _ = render_jinja_template([conversation], tools=kwargs.get("tools"), chat_template=self._template)
        return rendered[0]


def _hashes(export: rows.Export) -> dict[str, str]:
    return {file["name"]: file["sha256"] for file in export.manifest["files"]}


def _last(trainer: Any) -> dict[str, float]:
    """The last losses that were logged."""
    names = ("loss/ranking", "loss/other", "mean_token_accuracy")
    found: dict[str, float] = {}
    for entry in trainer.state.log_history:
        found.update({k: v for k, v in entry.items() if k in names})
    return found
