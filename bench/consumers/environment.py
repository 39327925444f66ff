"""Reach the environment by clients that are not ours.

    env/bin/pip install openreward==0.1.167 mcp==1.30.0
    env/bin/python environment.py --mars bin/mars --data demo/data --tasks demo/tasks.jsonl --gold demo/gold.jsonl

It starts `mars env` with a token and a reward of weighted parts, plays an episode
with the right item at some ranks through the openreward client and through the
MCP client, over streamable HTTP and over standard input and output, and compares
each reward with reward.py's of the same conversation (--reward-py, as mars export
puts it beside rows with the same recipe).
"""

import argparse
import asyncio
import importlib.util
import json
import os
import subprocess
import tempfile
from pathlib import Path

RECIPE = "name: shaped\nparts: {format: {weight: 1}, ndcg: {weight: 0.5, at: 10}, mrr: {weight: 0.25}, economy: {weight: 0.1, calls: 4}}\n"
WEIGHTS = {"format": 1, "ndcg": 0.5, "mrr": 0.25, "economy": 0.1}
TOKEN = "a-token-of-this-check"
RANKS = (1, 3, 6, 20)


def words(labels: list[str], right: str, rank: int) -> str:
    """All that the student says; the right label at a rank."""
    rest = [label for label in labels if label != right]
    ranked = rest[: rank - 1] + [right] + rest[rank - 1 :]
    return ("<plan>\nLook.\n- recent (collaborative): it\n</plan>\n<analysis role=\"recent\">\nThin.\n- c01 leads\n</analysis>\n"
            "<reflection>\nVerdict: accept\nIssues:\n- thin\n</reflection>\n<recommend>" + json.dumps(ranked) + "</recommend>")


class Check:
    def __init__(self, args):
        spec = importlib.util.spec_from_file_location("reward", args.reward_py)
        self.reward = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.reward)
        with open(args.tasks) as f:
            self.task = json.loads(f.readline())
        with open(args.gold) as f:
            self.right = next(g for g in map(json.loads, f) if g["id"] == self.task["id"])["gold"]
        self.labels = [f"c{i + 1:02d}" for i in range(len(self.task["candidates"]))]

    def text(self, rank: int) -> str:
        return words(self.labels, self.labels[self.task["candidates"].index(self.right[0])], rank)

    def want(self, rank: int, answers: list[str]) -> float:
        calls = [{"id": f"c{i}", "function": {"name": "item_cf", "arguments": a}} for i, a in enumerate(('{"window": "all"}', '{"k": -1}'))]
        said = [{"role": "assistant", "content": "", "tool_calls": calls},
                *({"role": "tool", "tool_call_id": c["id"], "name": "item_cf", "content": a} for c, a in zip(calls, answers)),
                {"role": "assistant", "content": self.text(rank)}]
        parts = self.reward.parts(said, self.right, self.task["candidates"], which=["ndcg", "mrr"])
        return sum(WEIGHTS[p] * v for p, v in parts.items() if p in WEIGHTS) + WEIGHTS["economy"] * 0.5  # one call of two was a mistake

    def same(self, who: str, rank: int, got: float, answers: list[str], told: dict) -> None:
        want = self.want(rank, answers)
        if abs(got - want) > 1e-12 or told.get("scorer") != "shaped" or set(told["parts"]) != set(WEIGHTS):
            raise AssertionError(f"{who}: rank {rank}: {got} {told}, want {want}")


def by_openreward(check: Check, url: str) -> None:
    os.environ["OPENREWARD_SESSION_URL"] = os.environ["OPENREWARD_API_URL"] = url
    from openreward import OpenReward

    try:
        OpenReward(api_key="another", base_url=url).environments.get("mars").list_tasks("train")
    except Exception as e:  # noqa: BLE001
        print(f"openreward: a wrong token: {type(e).__name__}")
    else:
        raise AssertionError("a wrong token is let in")
    env = OpenReward(api_key=TOKEN, base_url=url).environments.get("mars")
    tasks = env.list_tasks("train")
    for rank in RANKS:
        with env.session(task=next(t for t in tasks if t.task_spec["id"] == check.task["id"])) as session:
            answers = [session.call_tool("item_cf", a).blocks[0].text for a in ({"window": "all"}, {"k": -1})]
            end = session.call_tool("answer", {"text": check.text(rank)})
            if not end.finished or not answers[1].startswith("error: "):
                raise AssertionError(f"openreward: {end}, {answers[1]}")
            check.same("openreward", rank, end.reward, answers, end.metadata)
    print(f"openreward: {len(tasks)} tasks listed, {len(RANKS)} episodes, each with reward.py's reward", flush=True)


async def by_mcp(check: Check, who: str, transport) -> None:
    from mcp import ClientSession

    async with transport() as (reader, writer, *_), ClientSession(reader, writer) as session:
        await session.initialize()
        begun = await session.call_tool("begin", {"task": check.task["id"]})
        if "Rank the candidates" not in begun.content[0].text:
            raise AssertionError(begun)
        results = [await session.call_tool("item_cf", a) for a in ({"window": "all"}, {"k": -1})]
        answers = [r.content[0].text for r in results]
        end = await session.call_tool("answer", {"text": check.text(3)})
        check.same(who, 3, end.structuredContent["reward"], answers, end.structuredContent)
        again = await session.call_tool("answer", {"text": check.text(1)})
        if not again.isError or not results[1].isError:
            raise AssertionError(again)
    print(f"{who}: an episode with reward.py's reward; a second answer is refused", flush=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("mars", "data", "tasks", "gold", "reward-py"):
        p.add_argument("--" + name, required=True)
    args = p.parse_args()
    check = Check(args)
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "reward.yaml"
        recipe.write_text(RECIPE)
        world = ["--data", args.data, "--tasks", args.tasks, "--gold", args.gold, "--reward", str(recipe)]
        server = subprocess.Popen([args.mars, "env", *world, "--listen", "127.0.0.1:0", "--token-env", "CHECK_TOKEN"],
                                  stdout=subprocess.PIPE, text=True, env={**os.environ, "CHECK_TOKEN": TOKEN})
        try:
            url = server.stdout.readline().strip()
            by_openreward(check, url)
            from mcp import StdioServerParameters
            from mcp.client.stdio import stdio_client
            from mcp.client.streamable_http import streamablehttp_client

            asyncio.run(by_mcp(check, "mcp over HTTP", lambda: streamablehttp_client(url + "/mcp", headers={"Authorization": "Bearer " + TOKEN})))
            asyncio.run(by_mcp(check, "mcp over standard input and output", lambda: stdio_client(StdioServerParameters(command=args.mars, args=["mcp", *world]))))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
