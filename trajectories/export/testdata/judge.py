"""Judge conversations, one JSON object a line, by the reward.py of a folder:
all parts, and what verl gets of the answer told as one text."""

import json
import sys

sys.path.insert(0, sys.argv[1])
import reward


def text(messages: list[dict]) -> str:
    """What verl hands to a reward: the answer as Qwen3's template renders it,
    without the tokens that decoding leaves out."""
    out, before = [], ""
    for m in messages:
        turn, before = "user\n" if m["role"] == "tool" != before else "", m["role"]
        if m["role"] == "tool":
            out.append(f"{turn}<tool_response>\n{m['content']}\n</tool_response>")
        elif m["role"] == "assistant":
            out.append("assistant\n" + m["content"])
            out += [f'<tool_call>\n{{"name": {json.dumps(c["name"])}, "arguments": {c["arguments"]}}}\n</tool_call>' for c in m.get("tool_calls") or []]
    return "\n".join(out)


for line in sys.stdin:
    v = json.loads(line)
    prompt = [m for m in v["messages"] if m["role"] in ("system", "user")]
    said = [m for m in v["messages"] if m["role"] not in ("system", "user")]
    candidates, right = v["task"]["candidates"], v["gold"]["gold"]
    reward.ROLES, reward.WITHOUT = v["roles"], v.get("without") or []
    print(json.dumps({
        "parts": reward.parts(v["messages"], right, candidates),
        "trl": reward.mars_reward([said], [right], [candidates], prompts=[prompt])[0],
        "verl": reward.compute_score("star", text(said), right[0], {"candidates": candidates, "prompt": prompt}),
    }))
