"""Candidates have labels, c01 to cNN, in the order in which they are shown.

A student that sees each task under one order learns the order. So the labels are
permuted each time a task is drawn: what was c07 is c12 throughout, in calls,
answers, analyses and the ranking. A prompt that lists the candidates lists them
in the order of their new labels, as mars shows them.
"""

from __future__ import annotations

import random
import re

LABEL = re.compile(r"(?<![\w<])c(\d\d+)(?![\w])")
_LINE = re.compile(r"^c\d\d+ \| .*$", re.M)


def label(i: int) -> str:
    """The label of the i-th candidate, from 0."""
    return f"c{i + 1:02d}"


class Permutation:
    """Renames labels: the candidate of label i gets label ``to[i]``."""

    def __init__(self, to: list[int]) -> None:
        if sorted(to) != list(range(len(to))):
            raise ValueError(f"{to} is no permutation")
        self._to = {label(i): label(j) for i, j in enumerate(to)}
        self._from = {new: old for old, new in self._to.items()}

    @classmethod
    def draw(cls, n: int, rng: random.Random) -> Permutation:
        to = list(range(n))
        rng.shuffle(to)
        return cls(to)

    @classmethod
    def none(cls, n: int) -> Permutation:
        return cls(list(range(n)))

    def apply(self, text: str) -> str:
        """From the labels of the task to those that the student sees."""
        return _rename(text, self._to)

    def undo(self, text: str) -> str:
        """From the labels that the student sees to those of the task."""
        return _rename(text, self._from)

    def prompt(self, text: str) -> str:
        """A prompt under the new labels: its candidates are listed in their order."""
        if not _LINE.search(text):
            return text  # labels alone, in order: they read the same under any permutation
        lines = self.apply(text).split("\n")
        at = [i for i, line in enumerate(lines) if _LINE.match(line)]
        for i, line in zip(at, sorted(lines[i] for i in at), strict=True):
            lines[i] = line
        return "\n".join(lines)


def _rename(text: str, names: dict[str, str]) -> str:
    return LABEL.sub(lambda m: names.get(m.group(0), m.group(0)), text)
