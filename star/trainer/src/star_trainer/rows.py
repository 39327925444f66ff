"""Reads a directory that mars export wrote: rows, manifest and the configuration beside them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ExportError(ValueError):
    """The directory is not an export of the kind that is asked for, or it was changed."""


@dataclass(frozen=True)
class Export:
    """An export: its rows, in order, and what is told of them."""

    directory: Path
    manifest: dict[str, Any]
    rows: list[dict[str, Any]]
    config: dict[str, Any]

    @property
    def template(self) -> tuple[str, str]:
        """Name and SHA-256 of the chat template that the rows are trained with."""
        return self.manifest["template"]["name"], self.manifest["template"]["sha256"]

    @property
    def detail(self) -> str:
        return self.manifest.get("detail") or "full"


def read(directory: Path, consumer: str) -> Export:
    """Reads an export for a consumer ("trl-sft", "trl-grpo") and checks every file against its hash."""
    path = directory / "manifest.json"
    if not path.is_file():
        raise ExportError(f"{directory}: there is no manifest.json: give a directory that mars export wrote")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get("for") != consumer:
        raise ExportError(f"{directory}: its rows are for {manifest.get('for')}: export with --for {consumer}")
    rows: list[dict[str, Any]] = []
    for file in manifest["files"]:
        rows += _rows(directory / file["name"], file["sha256"])
    if not rows:
        raise ExportError(f"{directory}: there are no rows: see the counts of the filters in manifest.json")
    name = "sft.yaml" if consumer == "trl-sft" else "grpo.yaml"
    beside = directory / name
    config = yaml.safe_load(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    return Export(directory, manifest, rows, config or {})


def _rows(path: Path, sha256: str) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ExportError(f"{path}: it is not the file that manifest.json tells of: export anew")
    if path.suffix == ".parquet":
        import io

        import pyarrow.parquet

        return [_without_nulls(row) for row in pyarrow.parquet.read_table(io.BytesIO(raw)).to_pylist()]
    return [json.loads(line) for line in raw.decode("utf-8").splitlines() if line]


def _without_nulls(value: Any) -> Any:
    """Drops the nulls that columns bring."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
