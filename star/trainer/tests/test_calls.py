import pytest

from star_trainer.calls import parse


@pytest.mark.parametrize(
    ("text", "content", "calls"),
    [
        ("<plan>\nx\n</plan>", "<plan>\nx\n</plan>", ()),
        ('Look.\n<tool_call>\n{"name": "f", "arguments": {"a": "é"}}\n</tool_call>', "Look.", (("f", '{"a": "é"}'),)),
        ('<tool_call>{"name": "f", "arguments": {}}</tool_call>dropped<tool_call>{"name": "g", "arguments": {}}', "",
         (("f", "{}"), ("g", "{}"))),
        ('a<tool_call>{"name": "f"}</tool_call>', 'a<tool_call>{"name": "f"}</tool_call>', ()),
        ('a<tool_call>{"name": "f", "arguments": {}}</tool_call><tool_call>{oops</tool_call>',
         'a<tool_call>{"name": "f", "arguments": {}}</tool_call><tool_call>{oops</tool_call>', ()),
        ("<think>\n\n</think>\n\nsaid", "said", ()),
    ],
)  # fmt: skip
def test_a_turn_is_read_as_hermes_reads_it(text, content, calls):
    turn = parse(text)
    assert (turn.content, turn.calls) == (content, calls)
    assert ("tool_calls" in turn.message()) == bool(calls)
