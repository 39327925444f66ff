"""Rows and an environment of a small generated world, made by the mars program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@dataclass(frozen=True)
class World:
    mars: str
    directory: Path

    def run(self, *args: str) -> str:
        done = subprocess.run([self.mars, *args], cwd=self.directory, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"mars {' '.join(args)}: {done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def mars(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program: $MARS, or what go builds of this checkout."""
    if given := os.environ.get("MARS"):
        return given
    if shutil.which("go") is None:
        pytest.skip("no program mars: name it in MARS, or install Go")
    out = tmp_path_factory.mktemp("bin") / "mars"
    subprocess.run(["go", "build", "-o", str(out), "./cmd/mars"], cwd=ROOT, check=True)
    return str(out)


@pytest.fixture(scope="session")
def world(mars: str, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Trajectories of a few readers, exported full and brief."""
    w = World(mars, tmp_path_factory.mktemp("world"))
    lean = str(HERE.parent / "lean.yaml")
    w.run("demo", "--out", "demo", "--users", "100")
    w.run(
        "synth",
        "--data",
        "demo/data",
        "--tasks",
        "demo/tasks.jsonl",
        "--team",
        lean,
        "--out",
        "run.db",
        "--limit",
        "24",
    )
    brief = ("--detail", "brief", "--template", "qwen3-instruct-2507-training")
    for name, more in {"full": (), "brief": brief}.items():
        for consumer in ("sft", "grpo"):
            w.run("export", "run.db", "--gold", "demo/gold.jsonl", "--for", f"trl-{consumer}", "--all",
                  "--out", f"{name}-{consumer}", *more)  # fmt: skip
    return w


@pytest.fixture(scope="session")
def environment(world: World) -> Iterator[str]:
    """The URL of mars env over the tasks of the brief rows."""
    command = [world.mars, "env", "--data", "demo/data", "--tasks", "demo/tasks.jsonl", "--gold", "demo/gold.jsonl",
               "--team", str(HERE.parent / "lean.yaml"), "--detail", "brief", "--listen", "127.0.0.1:0"]  # fmt: skip
    with subprocess.Popen(command, cwd=world.directory, stdout=subprocess.PIPE, stderr=sys.stderr, text=True) as p:
        assert p.stdout is not None
        yield p.stdout.readline().strip()
        p.terminate()
