import json

import pytest

from star_trainer import rows


def test_an_export_is_read_as_it_is(world):
    e = rows.read(world.directory / "brief-sft", "trl-sft")
    assert len(e.rows) == 24 and e.detail == "brief" and e.config["assistant_only_loss"] is True
    assert e.template[0] == "qwen3-instruct-2507-training"


def test_parquet_and_lines_are_the_same_rows(world):
    world.run(
        "export",
        "run.db",
        "--gold",
        "demo/gold.jsonl",
        "--all",
        "--as",
        "parquet",
        "--shard-rows",
        "10",
        "--out",
        "columns",
    )
    assert (
        rows.read(world.directory / "columns", "trl-sft").rows
        == rows.read(world.directory / "full-sft", "trl-sft").rows
    )


def test_what_is_no_export_is_an_error(world, tmp_path):
    with pytest.raises(rows.ExportError, match=r"manifest\.json"):
        rows.read(tmp_path, "trl-sft")
    with pytest.raises(rows.ExportError, match="--for trl-grpo"):
        rows.read(world.directory / "brief-sft", "trl-grpo")
    (tmp_path / "manifest.json").write_text(
        json.dumps({"for": "trl-sft", "files": [{"name": "train.jsonl", "sha256": "0"}]})
    )
    (tmp_path / "train.jsonl").write_text("{}\n")
    with pytest.raises(rows.ExportError, match="not the file"):
        rows.read(tmp_path, "trl-sft")
