"""The ranker of this example in Python: pip install nats-py, then python ranker.py nats://HOST:4222."""

import asyncio
import json
import sys

import nats


async def rank(msg):
    if "Mars-Probe" in (msg.headers or {}):  # another agent asks whether the address is taken
        await msg.respond(b"")
    if not msg.data:  # a probe, or the asker no longer waits
        return
    votes = {}
    for analysis in json.loads(msg.data)["body"].get("analyses", []):
        for evidence in analysis.get("evidence", []):
            for s in evidence.get("ranking", []):
                votes[s["label"]] = votes.get(s["label"], 0) + (s["level"] >= 7)
    ranking = sorted(votes, key=lambda label: (-votes[label], label))
    body = {"ranking": ranking, "justification": f"{ranking[0]} has {votes[ranking[0]]} votes."}
    await msg.respond(json.dumps({"kind": "recommend", "body": body}).encode())


async def main(url):
    connection = await nats.connect(url)
    await connection.subscribe("mars.agents.ranker", "agent", rank)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1]))
