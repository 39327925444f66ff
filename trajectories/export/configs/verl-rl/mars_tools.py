"""The tools of mars for verl: each call goes to the server of `mars env`.

verl makes a tool anew for each call and says which task it is for in
create_kwargs, so a call is one session of the environment.
"""

import asyncio
import json
import os
import urllib.error
import urllib.request
from types import SimpleNamespace
from typing import Any, Optional

from verl.tools.base_tool import BaseTool
from verl.tools.schemas import ToolResponse

SERVER = os.environ.get("MARS_ENV", "http://127.0.0.1:8090")
TOKEN = os.environ.get("MARS_ENV_TOKEN", "")


def send(method: str, path: str, body: Any = None) -> dict:
    headers = {"Content-Type": "application/json"}
    if TOKEN:
        headers["Authorization"] = "Bearer " + TOKEN
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SERVER + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        text = reply.read()
        return json.loads(text) if text else {}


class Schema:
    """A tool's schema as it is, where verl wants a type of its own."""

    def __init__(self, text: str):
        self.whole = json.loads(text)
        self.function = SimpleNamespace(name=self.whole["function"]["name"])

    def model_dump(self, **_) -> dict:
        return self.whole


class MarsTool(BaseTool):
    def get_openai_tool_schema(self) -> Schema:
        return Schema(self.config["schema"])

    async def create(self, instance_id: Optional[str] = None, create_kwargs: Optional[dict] = None, **_) -> tuple[str, ToolResponse]:
        begun = await asyncio.to_thread(send, "POST", "/v1/sessions", {"task": create_kwargs["task_id"]})
        return begun["session"], ToolResponse()

    async def execute(self, instance_id: str, parameters: dict[str, Any], **_) -> tuple[ToolResponse, float, dict]:
        call = {"name": self.name, "arguments": parameters}
        try:
            answer = await asyncio.to_thread(send, "POST", f"/v1/sessions/{instance_id}/call", call)
        except urllib.error.HTTPError as e:
            if e.code >= 500:
                raise
            return ToolResponse(text=e.read().decode(errors="replace")), 0.0, {}
        return ToolResponse(text=answer["content"]), 0.0, {}

    async def release(self, instance_id: str, **_) -> None:
        await asyncio.to_thread(send, "DELETE", f"/v1/sessions/{instance_id}")
