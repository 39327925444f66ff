"""Reads tool calls out of a turn, as vLLM's hermes parser does.

One bad call makes the whole turn content; text after the first call is dropped.
A student is trained and served behind the same rule.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_CALL = re.compile(r"<tool_call>(.*?)</tool_call>|<tool_call>(.*)", re.S)
_THINK = re.compile(r"^\s*<think>.*?</think>\s*", re.S)


@dataclass(frozen=True)
class Turn:
    """A turn of the assistant: what it said, and the calls it made."""

    content: str
    calls: tuple[tuple[str, str], ...]  # name, arguments as JSON

    def message(self) -> dict[str, Any]:
        """The turn as chat APIs tell it."""
        m: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.calls:
            m["tool_calls"] = [{"type": "function", "function": {"name": n, "arguments": a}} for n, a in self.calls]
        return m


def parse(text: str) -> Turn:
    """Reads a turn without its end token. A leading think block is no content."""
    text = _THINK.sub("", text)
    if "<tool_call>" not in text:
        return Turn(text.strip(), ())
    calls: list[tuple[str, str]] = []
    for closed, rest in _CALL.findall(text):
        try:
            call = json.loads(closed or rest)
            name, arguments = call["name"], call["arguments"]
            if not isinstance(name, str) or not isinstance(arguments, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            return Turn(text.strip(), ())
        calls.append((name, json.dumps(arguments, ensure_ascii=False)))
    return Turn(text[: text.find("<tool_call>")].strip(), tuple(calls))
