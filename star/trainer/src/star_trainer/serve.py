"""Answers over OpenAI's API, on any machine: what mars serve talks to where there is no vLLM.

Chat template and end of turn are the checkpoint's own; tool calls are read as
vLLM's hermes parser reads them. Requests that come together are answered together.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from star_trainer import student
from star_trainer.calls import parse
from star_trainer.together import Asked, Together

_MOST = 8 << 20  # bytes of a request


class Refused(ValueError):
    """The request cannot be answered as it is."""


class Server:
    """A checkpoint, and what it says to chat requests."""

    def __init__(self, model_dir: str, name: str, ranking: str) -> None:
        import torch

        gpu = torch.cuda.is_available()
        self.name = name
        self._model, self._tokenizer = student.load(model_dir, "bfloat16" if gpu else "float32")
        self._model.to("cuda" if gpu else "cpu").eval()
        self._together = Together(self._model, self._tokenizer, ranking)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a chat request, as OpenAI's API has it."""
        messages = request.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refused("messages is missing")
        prompt = self._tokenizer.apply_chat_template(
            messages, tools=_tools(request.get("tools")), tokenize=False, add_generation_prompt=True
        )
        ids = self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
        room = self._model.config.max_position_embeddings - len(ids)
        if room < 1:
            raise Refused(f"the conversation has {len(ids)} tokens, which is all that the model can read")
        asked = request.get("max_completion_tokens") or request.get("max_tokens") or 1024
        seed = request.get("seed")
        written = self._together.turn(
            Asked(
                ids,
                min(int(asked), room),
                float(request.get("temperature") or 0),
                float(request.get("top_p") or 1),
                int(seed) if seed is not None else None,
            )
        )
        ended = bool(written) and written[-1] == self._tokenizer.convert_tokens_to_ids("<|im_end|>")
        text, stopped = _stop(self._tokenizer.decode(written[:-1] if ended else written), request.get("stop"))
        turn = parse(text)
        message: dict[str, Any] = {"role": "assistant", "content": turn.content or None}
        if turn.calls:
            message["tool_calls"] = [
                {"id": f"call_{uuid.uuid4().hex[:16]}", "type": "function", "function": {"name": n, "arguments": a}}
                for n, a in turn.calls
            ]
        finish = "tool_calls" if turn.calls else "stop" if ended or stopped else "length"
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.name,
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {
                "prompt_tokens": len(ids),
                "completion_tokens": len(written),
                "total_tokens": len(ids) + len(written),
            },
        }


def _tools(told: Any) -> list[dict[str, Any]] | None:
    """The tools with their keys in the order of the rows: the template writes them as they come."""
    if not told:
        return None
    functions = [t["function"] for t in told]
    known = ("name", "description", "parameters")
    return [
        {"type": "function", "function": {k: f[k] for k in known if k in f} | {k: f[k] for k in f if k not in known}}
        for f in functions
    ]


def _stop(text: str, stops: Any) -> tuple[str, bool]:
    """Cuts a text before the first of the stops that is in it."""
    every = [stops] if isinstance(stops, str) else list(stops or [])
    at = min((text.find(s) for s in every if s and s in text), default=-1)
    return (text, False) if at < 0 else (text[:at], True)


def _chunks(answer: dict[str, Any], usage: bool) -> Iterator[dict[str, Any]]:
    """An answer as a stream: what is said, then the calls, then the end."""
    choice = answer["choices"][0]
    head = {k: answer[k] for k in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": choice["message"]["content"] or ""})
    for i, call in enumerate(choice["message"].get("tool_calls") or []):
        yield chunk({"tool_calls": [{"index": i, **call}]})
    yield chunk({}, choice["finish_reason"])
    if usage:
        yield head | {"choices": [], "usage": answer["usage"]}


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/health":
                self._send(200, {"status": "ok"})
            elif self.path == "/v1/models":
                self._send(
                    200, {"object": "list", "data": [{"id": server.name, "object": "model", "owned_by": "mars"}]}
                )
            else:
                self._fail(404, f"there is no {self.path}")

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if self.path != "/v1/chat/completions" or size > _MOST:
                self.close_connection = True
                self._fail(404 if size <= _MOST else 413, f"there is no {self.path}" if size <= _MOST else "too long")
                return
            try:
                request = json.loads(self.rfile.read(size))
                answer = server.answer(request)
            except (Refused, json.JSONDecodeError, TypeError, KeyError) as e:
                self._fail(400, str(e))
                return
            if request.get("stream"):
                self._stream(answer, bool((request.get("stream_options") or {}).get("include_usage")))
            else:
                self._send(200, answer)

        def _stream(self, answer: dict[str, Any], usage: bool) -> None:
            lines = [json.dumps(c, ensure_ascii=False) for c in _chunks(answer, usage)] + ["[DONE]"]
            self._write(200, "text/event-stream", "".join(f"data: {line}\n\n" for line in lines).encode())

        def _send(self, status: int, value: Any) -> None:
            self._write(status, "application/json", json.dumps(value, ensure_ascii=False).encode())

        def _fail(self, status: int, message: str) -> None:
            self._send(status, {"error": {"message": message, "type": "invalid_request_error", "code": status}})

        def _write(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing: what is asked is not for the log."""

    return Handler


def listen(server: Server, address: str) -> ThreadingHTTPServer:
    """Opens the address, "host:port"; port 0 takes a free one."""
    host, _, port = address.rpartition(":")
    http = ThreadingHTTPServer((host or "127.0.0.1", int(port)), _handler(server))
    http.daemon_threads = True
    return http


def run(model_dir: str, address: str, name: str, ranking: str) -> None:
    """Serves until it is interrupted; the URL is printed first."""
    http = listen(Server(model_dir, name, ranking), address)
    host, port = http.server_address[:2]
    print(json.dumps({"event": "serving", "url": f"http://{host!s}:{port}/v1"}), flush=True)
    try:
        http.serve_forever()
    except KeyboardInterrupt:
        http.shutdown()
