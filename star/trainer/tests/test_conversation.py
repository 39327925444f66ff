"""What is trained: held to TRL's own mask."""

import json
import random

import pytest

from star_trainer import rows, sft, student
from star_trainer.conversation import IGNORED, encode, render, template
from star_trainer.labels import Permutation


@pytest.fixture(scope="module", params=["brief", "full"])
def made(request, world):
    export = rows.read(world.directory / f"{request.param}-sft", "trl-sft")
    text = template(*export.template)
    texts = ["".join(p.text for p in render(sft._Renderer(text), row).pieces) for row in export.rows]
    model, tokenizer = student.from_scratch(student.SIZES["smoke"], texts, 20, text, 1)
    return export, model, tokenizer


def test_tokens_and_mask_are_those_of_trl(made):
    export, _, tokenizer = made
    for row in export.rows[:5]:
        got = encode(tokenizer, list(render(tokenizer, row).pieces))
        want = tokenizer.apply_chat_template(
            row["messages"], tools=json.loads(row["tools"]), return_dict=True, return_assistant_tokens_mask=True
        )
        assert got.input_ids == want["input_ids"]
        assert [label != IGNORED for label in got.labels] == [bool(m) for m in want["assistant_masks"]]


def test_the_ranking_is_marked_and_nothing_else(made):
    export, _, tokenizer = made
    row = export.rows[0]
    e = encode(tokenizer, list(render(tokenizer, row).pieces))
    marked = tokenizer.decode([i for i, r in zip(e.input_ids, e.ranking, strict=True) if r])
    assert marked == row["messages"][-1]["content"][-len(marked) :] and marked.startswith("<recommend>")


def test_a_permuted_conversation_tells_the_same(made):
    export, _, tokenizer = made
    c = render(tokenizer, export.rows[0])
    order = Permutation.draw(20, random.Random(3))
    pieces = c.text(order)
    assert [order.undo(p.text) for p in pieces[1:]] == [p.text for p in c.pieces[1:]]
    assert [p.text for p in pieces] != [p.text for p in c.pieces]
    ranked = json.loads(pieces[-1].text.split("<recommend>")[1].split("</recommend>")[0])
    assert sorted(ranked) == [f"c{i:02d}" for i in range(1, 21)]


def test_labels_and_levels_are_one_token(made):
    _, _, tokenizer = made
    ids = tokenizer(" c07:9 c20:0", add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode([i]) for i in ids] == [" c07:9", " c20:0"]
    assert len(tokenizer("c13", add_special_tokens=False)["input_ids"]) == 1
    text = "café — c07, c08\n\n<recommend>"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_another_template_is_refused(world):
    export = rows.read(world.directory / "brief-sft", "trl-sft")
    with pytest.raises(rows.ExportError, match="not the one"):
        template(export.template[0], "0" * 64)
    with pytest.raises(rows.ExportError, match="does not have"):
        template("no-such", "0" * 64)
