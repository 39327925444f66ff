import random

import pytest

from star_trainer.labels import Permutation, label

PROMPT = "Candidates:\nc01 | Dune\nc02 | Emma\nc03 | Ulysses"


def test_a_permutation_renames_and_undoes():
    p = Permutation([2, 0, 1])
    text = 'popularity: c01:9 c03:4\n["c02", "c01"] abc01 c01x c099'
    assert p.apply(text) == 'popularity: c03:9 c02:4\n["c01", "c03"] abc01 c01x c099'
    assert p.undo(p.apply(text)) == text


def test_a_prompt_lists_candidates_in_the_order_of_their_new_labels():
    assert Permutation([2, 0, 1]).prompt(PROMPT) == "Candidates:\nc01 | Emma\nc02 | Ulysses\nc03 | Dune"
    assert Permutation([2, 0, 1]).prompt("Candidates: 3, from c01 on.") == "Candidates: 3, from c01 on."


def test_draws_are_seeded_and_differ():
    draws = [Permutation.draw(20, random.Random(s)).apply(" ".join(map(label, range(20)))) for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_what_is_no_permutation_is_an_error():
    with pytest.raises(ValueError, match="no permutation"):
        Permutation([0, 0])
