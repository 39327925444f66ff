"""The rows of mars, as verl's supervised trainer reads them.

Two things are other than in verl's own class. The column tools is a string of
JSON, for as objects parquet would fill the keys that other tools have with
nulls, and the chat template would print them. And a message is tokenized as
what it adds to those before it, not alone: alone, each of several answers would
be a turn of its own, and the text another than when the student is served.

The tokenizer must have the template [%.Template.Name%]
(sha256 [%.Template.SHA256%]),
under which what is said does not change with what follows.
"""

import json

import torch
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset


def present(message: dict) -> dict:
    """A message without what parquet filled in."""
    out = {k: v for k, v in message.items() if v is not None}
    if out.get("tool_calls"):
        out["tool_calls"] = [{k: v for k, v in c.items() if v is not None} for c in out["tool_calls"]]
    else:
        out.pop("tool_calls", None)
    return out


class MarsSFTDataset(MultiTurnSFTDataset):
    def _read_files_and_process(self):
        super()._read_files_and_process()
        self.messages = [[present(m) for m in row] for row in self.messages]
        self.tools = [json.loads(t) for t in self.tools]

    def _build_messages(self, example: dict) -> list[dict]:
        return [present(m) for m in super()._build_messages(example)]

    def _process_single_message(self, index, message, full_message, tools=None, enable_thinking=None):
        if index == 0:
            self._row_tools = tools
        more = {} if enable_thinking is None else {"enable_thinking": enable_thinking}

        def text(n: int) -> str:
            if n == 0:
                return ""
            return self.tokenizer.apply_chat_template(
                full_message[:n], tools=self._row_tools, tokenize=False, **self.apply_chat_template_kwargs, **more
            )

        end = index + 1
        answers = message["role"] == "tool"
        if answers and index + 1 < len(full_message) and full_message[index + 1]["role"] == "tool":
            added = ""  # with the last answer of the turn
        else:
            start = index
            while answers and full_message[start - 1]["role"] == "tool":
                start -= 1
            before, whole = text(start), text(end)
            if not whole.startswith(before):
                raise ValueError("the chat template changes earlier turns: give the training template")
            added = whole[len(before) :]
        ids = torch.tensor(self.tokenizer.encode(added, add_special_tokens=False), dtype=torch.long)
        mask = torch.zeros_like(ids)
        if message["role"] == "assistant":
            opening = self.tokenizer.encode("<|im_start|>assistant\n", add_special_tokens=False)
            mask[len(opening) :] = 1
        return ids, mask, torch.ones_like(ids), {}
