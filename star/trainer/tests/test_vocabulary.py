import pytest

from star_trainer import rows, sft, student, vocabulary
from star_trainer.conversation import IGNORED, encode, render, template


@pytest.fixture(scope="module")
def told(world):
    export = rows.read(world.directory / "brief-sft", "trl-sft")
    text = template(*export.template)
    plain = sft._Renderer(text)
    texts = ["".join(p.text for p in render(plain, row).pieces) for row in export.rows]
    _, tokenizer = student.from_scratch(student.SIZES["smoke"], texts, 20, text, 1)
    return tokenizer, [render(tokenizer, row) for row in export.rows]


def test_what_every_conversation_says_is_one_token(told):
    tokenizer, conversations = told
    for c in conversations:
        words = [tokenizer.decode([i]) for i in encode(tokenizer, list(c.pieces)).input_ids]
        assert words[0] == c.pieces[0].text and words[0].endswith(vocabulary.TURN)
        assert words.count('"]') == 1 and sum(w.endswith(vocabulary.NEXT) for w in words) == 19
        assert words.index("<recommend>") + 23 == words.index("</recommend>")
        assert "".join(words) == "".join(p.text for p in c.pieces)


def test_no_token_reaches_over_what_is_trained(told):
    tokenizer, conversations = told
    for c in conversations:
        e = encode(tokenizer, list(c.pieces))
        trained = tokenizer.decode([i for i, label in zip(e.input_ids, e.labels, strict=True) if label != IGNORED])
        assert trained == "".join(p.text for p in c.pieces if p.trained)


def test_another_prompt_is_read_too(told):
    tokenizer, _ = told
    text = '<|im_start|>user\nRank these.<|im_end|>\n<|im_start|>assistant\n<recommend>["c20", "c01"]</recommend>'
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_prompts_that_differ_are_no_token():
    assert vocabulary._opening([f"a{vocabulary.TURN}x", f"b{vocabulary.TURN}x"]) == []
    assert vocabulary._opening([f"a{vocabulary.TURN}x", f"a{vocabulary.TURN}y"]) == [f"a{vocabulary.TURN}"]
