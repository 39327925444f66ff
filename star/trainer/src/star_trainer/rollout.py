"""Lets a student act: turn by turn it writes, its calls are made, it reads the answers, and at the end it is judged.

    prompt ─> turn ─> calls ─> answers ─> turn ─> … ─> <recommend>…  ─> reward
              1…1              0……0       1…1          1…………………1       (mask)

All episodes of a batch take their turns together. The tokens that were sampled
are kept as they are; what tools answer is rendered by the chat template and
masked. Under a permutation the student sees other labels than the environment:
they are renamed on the way in and out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from star_trainer.calls import Turn, parse
from star_trainer.environment import Environment, Outcome, Session
from star_trainer.labels import LABEL, Permutation, label

# Sample takes the tokens of each prompt, and how many new ones each may have, and returns the new ones, the end of
# the turn included where it was reached.
Sample = Callable[[list[list[int]], list[int]], list[list[int]]]

# Characters of a turn. What is longer has lost its way, and is more than the environment takes: one token of a student
# made from nothing may be a whole prompt.
_LONGEST = 1 << 16

_RANKED = re.compile(r"<recommend>(.*?)(?:</recommend>|$)", re.S)


@dataclass
class Episode:
    """One student on one task. ``mask`` is 1 where the student wrote the token of ``completion``."""

    task: str
    candidates: list[str]
    order: Permutation
    session: Session | None = None
    prompt: list[int] = field(default_factory=list)
    completion: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)  # in the labels of the task
    turns: int = 0
    calls: int = 0
    truncated: bool = False
    outcome: Outcome | None = None

    def ranking(self) -> list[str]:
        """The items as they are ranked, as far as the words can be read: known labels, each once."""
        text = self.messages[-1]["content"] if self.messages else ""
        found = _RANKED.findall(text)
        known = {label(i): item for i, item in enumerate(self.candidates)}
        labels = dict.fromkeys(m.group(0) for m in LABEL.finditer(found[-1])) if found else {}
        return [known[name] for name in labels if name in known]

    def first_valid(self, k: int) -> bool:
        """Whether the first k that are read are k different labels of candidates, at the end of the conversation."""
        found = _RANKED.findall(self.messages[-1]["content"]) if self.messages else []
        known = {label(i) for i in range(len(self.candidates))}
        first = [m.group(0) for m in LABEL.finditer(found[-1])][:k] if found else []
        return len(first) == k == len(set(first)) and set(first) <= known


@dataclass(frozen=True)
class Limits:
    """Of one episode: tokens after the prompt, those that tools answer included, and turns."""

    tokens: int = 1024
    turns: int = 12


class Rollout:
    """Plays batches of episodes in an environment."""

    def __init__(self, environment: Environment, tokenizer: Any, limits: Limits, seed: int, permute: bool) -> None:
        self._env, self._tokenizer, self._limits, self._permute = environment, tokenizer, limits, permute
        self._rng = random.Random(seed)
        self._end = tokenizer.convert_tokens_to_ids("<|im_end|>")

    def play(self, tasks: list[tuple[str, list[str]]], sample: Sample) -> list[Episode]:
        """Plays one episode for each task, given with its candidates, and has each judged."""
        orders = [Permutation.draw(len(c), self._rng) if self._permute else Permutation.none(len(c)) for _, c in tasks]
        episodes = [Episode(task, c, order) for (task, c), order in zip(tasks, orders, strict=True)]
        for e, session in zip(episodes, self._env.together([self._env.begin(e.task) for e in episodes]), strict=True):
            self._open(e, session)
        active = episodes
        while active:
            rooms = [self._limits.tokens - len(e.completion) for e in active]
            written = sample([e.prompt + e.completion for e in active], rooms)
            turns = [self._write(e, ids) for e, ids in zip(active, written, strict=True)]
            answers = self._env.together([self._call(e, t) for e, t in zip(active, turns, strict=True)])
            active = [e for e, a in zip(active, answers, strict=True) if self._read(e, a)]
        outcomes = self._env.together([self._env.answer(_id(e), e.messages) for e in episodes])
        for e, outcome in zip(episodes, outcomes, strict=True):
            e.outcome = outcome
        return episodes

    def _open(self, e: Episode, session: Session) -> None:
        e.session = session
        shown = [{**m, "content": e.order.prompt(m["content"])} for m in session.messages]
        text = self._render(shown, session, opens=True)
        e.prompt = self._tokenizer(text, add_special_tokens=False)["input_ids"]

    def _render(self, messages: list[dict[str, Any]], session: Session, opens: bool) -> str:
        return self._tokenizer.apply_chat_template(
            messages, tools=session.tools, tokenize=False, add_generation_prompt=opens
        )

    def _write(self, e: Episode, ids: list[int]) -> Turn:
        """Adds what the student wrote."""
        e.completion += ids
        e.mask += [1] * len(ids)
        e.turns += 1
        e.truncated = not ids or ids[-1] != self._end
        text = self._tokenizer.decode(ids if e.truncated else ids[:-1], skip_special_tokens=False)
        if len(text) > _LONGEST:
            text, e.truncated = text[:_LONGEST], True
        turn = parse(e.order.undo(text))
        e.messages.append(turn.message())
        e.calls += len(turn.calls)
        return turn

    async def _call(self, e: Episode, turn: Turn) -> list[str]:
        if e.truncated:
            return []
        return [await self._env.call(_id(e), name, arguments) for name, arguments in turn.calls]

    def _read(self, e: Episode, answers: list[str]) -> bool:
        """Adds what the tools answered; False where the episode has ended."""
        if not answers:
            if e.truncated and "tool_calls" in e.messages[-1]:
                e.messages[-1].pop("tool_calls")  # nobody answered them
            return False
        names = [call["function"]["name"] for call in e.messages[-1]["tool_calls"]]
        told = [{"role": "tool", "name": n, "content": a} for n, a in zip(names, answers, strict=True)]
        ids = self._suffix(e, [{**m, "content": e.order.apply(m["content"])} for m in told])
        e.messages += told
        if len(e.completion) + len(ids) >= self._limits.tokens or e.turns >= self._limits.turns:
            e.truncated = True
            return False
        e.completion += ids
        e.mask += [0] * len(ids)
        return True

    def _suffix(self, e: Episode, told: list[dict[str, Any]]) -> list[int]:
        """The tokens between the end of the student's turn and the beginning of its next one."""
        assert e.session is not None
        calls = [{"type": "function", "function": {"name": m["name"], "arguments": "{}"}} for m in told]
        before = [{"role": "user", "content": "."}, {"role": "assistant", "content": ".", "tool_calls": calls}]
        head = self._render(before, e.session, opens=False)
        text = self._render([*before, *told], e.session, opens=True)
        cut = head.rindex("<|im_end|>") + len("<|im_end|>")
        if not text.startswith(head[:cut]):
            raise ValueError("the chat template writes an earlier turn anew when tools answer: it cannot be trained on")
        return self._tokenizer(text[cut:], add_special_tokens=False)["input_ids"]


def _id(e: Episode) -> str:
    assert e.session is not None
    return e.session.id
