"""A client of mars env: tasks, prompts, tools and rewards, many sessions at once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")


class Unreachable(ValueError):
    """The environment cannot be reached, or refuses what is asked of it."""


@dataclass(frozen=True)
class Outcome:
    """How an episode ended: the reward, its parts, and what is wrong with the form, if anything."""

    reward: float
    parts: dict[str, float]
    note: str


@dataclass(frozen=True)
class Session:
    """An episode over one task."""

    id: str
    task: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]


class Environment:
    """Talks to mars env. Many requests are under way at once, on a loop of its own thread."""

    def __init__(self, url: str, at_once: int = 32) -> None:
        self._url = url.rstrip("/")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="environment", daemon=True)
        self._thread.start()
        self._http = self.run(self._open(at_once))

    async def _open(self, at_once: int) -> aiohttp.ClientSession:
        connections = aiohttp.TCPConnector(limit=at_once)
        return aiohttp.ClientSession(connector=connections, timeout=aiohttp.ClientTimeout(sock_read=60))

    def __enter__(self) -> Environment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.run(self._http.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs what is asked of the environment, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def together(self, works: list[Coroutine[Any, Any, T]]) -> list[T]:
        """Runs many things at once; the answers are in their order."""

        async def gather() -> list[T]:
            return await asyncio.gather(*works)

        return self.run(gather())

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        try:
            async with self._http.request(method, self._url + path, json=body) as r:
                text = await r.text()
        except (aiohttp.ClientError, TimeoutError) as e:
            raise Unreachable(f"{self._url}: {e!r}: is mars env running there?") from e
        if r.status >= 400:
            raise Unreachable(f"{self._url}{path}: status {r.status}: {text[:300]}")
        return json.loads(text) if text else None

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks: id, user and candidates."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.run(self._ask("GET", f"/v1/tasks?offset={len(found)}&limit=1000"))
            found += page["tasks"]
            if len(found) >= page["total"] or not page["tasks"]:
                return found

    async def begin(self, task: str) -> Session:
        """Opens a session on a task."""
        b = await self._ask("POST", "/v1/sessions", {"task": task})
        return Session(b["session"], b["task"], b["messages"], b["tools"])

    async def call(self, session: str, name: str, arguments: str) -> str:
        """Calls a tool; what the student reads."""
        return (await self._ask("POST", f"/v1/sessions/{session}/call", {"name": name, "arguments": arguments}))[
            "content"
        ]

    async def answer(self, session: str, messages: list[dict[str, Any]]) -> Outcome:
        """Ends a session with its conversation; the session is forgotten."""
        o = await self._ask("POST", f"/v1/sessions/{session}/answer", {"messages": messages})
        await self._ask("DELETE", f"/v1/sessions/{session}")
        return Outcome(float(o.get("reward", 0.0)), o.get("parts") or {}, o.get("note") or "")
