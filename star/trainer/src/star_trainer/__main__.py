"""The command line: star-trainer sft|grpo|evaluate|serve. mars train calls it; it can be called alone."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import yaml


def _settings(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, given, value = pair.partition("=")
        if not given:
            raise SystemExit(f"--set {pair}: want NAME=VALUE")
        try:
            found[name] = float(value) if "e" in value.lower() and value[:1].isdigit() else yaml.safe_load(value)
        except ValueError:
            found[name] = value
    return found


def _training(p: argparse.ArgumentParser, consumer: str) -> None:
    p.add_argument("export", type=Path, help=f"directory that mars export --for {consumer} wrote")
    p.add_argument("--out", type=Path, required=True, help="directory for checkpoints, metrics and the model card")
    p.add_argument("--model", help="checkpoint or name of a model")
    p.add_argument("--preset", help="paper, scratch or smoke")
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of TRL's configuration")
    p.add_argument("--lora", type=int, default=0, metavar="RANK", help="train LoRA of this rank; 0: the whole model")
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--minutes", type=float, help="stop and save after so long")
    p.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    p.add_argument("--permute", action=argparse.BooleanOptionalAction, help="new labels each time a task is drawn")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="star-trainer", description=__doc__)
    commands = p.add_subparsers(dest="command", required=True)
    sft = commands.add_parser("sft", help="supervised fine-tuning")
    _training(sft, "trl-sft")
    sft.add_argument("--from-scratch", metavar="SIZE", help="a student made from nothing: smoke, 1m, 2m, 5m, 20m, 100m")
    grpo = commands.add_parser("grpo", help="GRPO in the environment that mars env serves")
    _training(grpo, "trl-grpo")
    grpo.add_argument("--env", default=os.environ.get("MARS_ENV", "http://127.0.0.1:8090"), help="URL of mars env")
    grpo.add_argument("--distinct", action="store_true", help="never sample a label twice in a ranking")
    evaluate = commands.add_parser("evaluate", help="let a student answer the tasks of an environment")
    evaluate.add_argument("model", help="checkpoint")
    evaluate.add_argument("--env", default=os.environ.get("MARS_ENV", "http://127.0.0.1:8090"), help="URL of mars env")
    evaluate.add_argument("--out", type=Path, required=True, help="file of answers to write, JSON lines")
    evaluate.add_argument("--batch", type=int, default=64)
    evaluate.add_argument("--limit", type=int, help="at most so many tasks")
    evaluate.add_argument("--ranking", default="free", help="how it is read: free, distinct or first")
    evaluate.add_argument("--max-tokens", type=int, default=1024, help="of a conversation after its prompt")
    serve = commands.add_parser("serve", help="answer over OpenAI's API")
    serve.add_argument("model", help="checkpoint")
    serve.add_argument("--listen", default="127.0.0.1:8000", help="address; port 0 takes a free one")
    serve.add_argument("--name", default="star", help="what the model is called")
    serve.add_argument("--ranking", default="free", help="how it is read: free, distinct or first")
    return p


def main(argv: list[str] | None = None) -> int:
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    args = parser().parse_args(argv)
    try:
        if args.command in ("sft", "grpo"):
            common = {
                "export": args.export, "out": args.out, "model": args.model, "preset": args.preset,
                "settings": _settings(args.set), "lora": args.lora, "seed": args.seed, "minutes": args.minutes,
                "resume": args.resume, "permute": args.permute,
            }  # fmt: skip
            if args.command == "sft":
                from star_trainer import sft

                sft.run(sft.Job(size=args.from_scratch, **common))
            else:
                from star_trainer import grpo

                grpo.run(grpo.Job(env=args.env, distinct=args.distinct, **common))
        elif args.command == "evaluate":
            from star_trainer import evaluate

            evaluate.run(args.model, args.env, args.out, args.batch, args.limit, args.ranking, args.max_tokens)
        else:
            from star_trainer import serve

            serve.run(args.model, args.listen, args.name, args.ranking)
    except (ValueError, OSError) as e:
        print(f"star-trainer {args.command}: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
