"""The paper's reward of a whole answer: format, +1 or -1, and outcome.

Format asks for every phase, in order and closed: a plan first, a tool call, a
reflection, and last a ranking of all labels, each once. Without it the reward
is -1 and there is no outcome. Outcome is 1 where the right item is ranked
first, 2/3 within three, 1/3 within five, 0 otherwise.

Text within answers of tools counts for nothing.
"""

import json
import re

RESPONSE = re.compile(r"<tool_response>.*?</tool_response>", re.S)
THOUGHT = re.compile(r"<think>.*?</think>", re.S)
CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.S)
TAG = re.compile(r'<(/?)(plan|analysis|reflection|recommend)(?: role="([^"<>]*)")?>')


def ranking(text: str, labels: list[str]) -> list[str] | None:
    """The labels as they are ranked; None where the form is not held."""
    text = THOUGHT.sub("", RESPONSE.sub("", text))
    calls = CALL.findall(text)
    text = CALL.sub("", text)
    if not calls or "<tool_" in text or "</tool_" in text:
        return None
    for call in calls:
        try:
            if not isinstance(json.loads(call)["arguments"], dict):
                return None
        except (ValueError, KeyError, TypeError):
            return None
    phases, open_tag = [], None
    for m in TAG.finditer(text):
        close, tag = m.group(1) == "/", m.group(2)
        if open_tag is None and not close:
            open_tag = (tag, m.end())
        elif open_tag is not None and close and open_tag[0] == tag:
            body = text[open_tag[1] : m.start()].strip()
            if not body:
                return None
            phases.append((tag, body))
            open_tag = None
        else:
            return None
    tags = [tag for tag, _ in phases]
    if open_tag or not tags or tags[0] != "plan" or tags[-1] != "recommend":
        return None
    if tags.count("plan") != 1 or tags.count("recommend") != 1 or "reflection" not in tags:
        return None
    try:
        ranked = json.loads(phases[-1][1])
    except ValueError:
        return None
    if not isinstance(ranked, list) or any(not isinstance(r, str) for r in ranked):
        return None
    return ranked if sorted(ranked) == sorted(labels) else None


def score(text: str, right: str | list[str], candidates: list[str]) -> float:
    right = {right} if isinstance(right, str) else set(right)
    labels = [f"c{i:02d}" for i in range(1, len(candidates) + 1)]
    ranked = ranking(text, labels)
    if ranked is None:
        return -1.0
    item = dict(zip(labels, candidates))
    rank = next((i for i, label in enumerate(ranked, 1) if item[label] in right), 0)
    outcome = 0.0 if rank == 0 or rank > 5 else 1.0 if rank == 1 else 2 / 3 if rank <= 3 else 1 / 3
    return 1.0 + outcome


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_) -> float:
    """What verl calls."""
    return score(solution_str, ground_truth, list(extra_info["candidates"]))


def whole_text(messages: list[dict]) -> str:
    """A completion of TRL, which is a list of messages, as one text."""
    parts = []
    for m in messages:
        if m["role"] == "tool":
            parts.append(f"<tool_response>{m['content']}</tool_response>")
            continue
        parts.append(m.get("content") or "")
        for call in m.get("tool_calls") or []:
            function = call.get("function", call)
            arguments = function["arguments"]
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments, ensure_ascii=False)
            parts.append(f'<tool_call>{{"name": "{function["name"]}", "arguments": {arguments}}}</tool_call>')
    return "\n".join(parts)


def mars_reward(completions, ground_truth, candidates, **_) -> list[float]:
    """What TRL calls: one list of messages for each completion."""
    return [score(whole_text(c), g, k) for c, g, k in zip(completions, ground_truth, candidates)]
