"""From which values, and how often, the lives of seeded children are made."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Weighted(Generic[V]):
    """Values, each chosen as often as its cumulative weight says."""

    values: Sequence[V]
    cumulated: Sequence[float]

    @staticmethod
    def of(*pairs: tuple[V, float]) -> "Weighted[V]":
        values, weights = zip(*pairs, strict=True)
        return Weighted(values, list(accumulate(weights)))

    @staticmethod
    def by_rank(*values: V) -> "Weighted[V]":
        """The n-th is chosen in proportion to 1 / n: Zipf's law, by which names are given."""
        return Weighted.of(*((value, 1 / rank) for rank, value in enumerate(values, 1)))

    def chosen(self, chance: random.Random) -> V:
        return chance.choices(self.values, cum_weights=self.cumulated)[0]


FIRST_NAMES = Weighted.by_rank(
    *("Mia", "Noah", "Emma", "Liam", "Sofia", "Elias", "Amélie", "Luca", "Zoë", "Ben", "Aya"),
    *("Jürgen", "Łucja", "Søren", "Taro", "Ada", "Omar", "Ines", "Hugo", "Mila", "Théo", "Nora"),
    *("Ivan", "Leila", "Kofi", "Chloé", "Arjun", "Freya", "Mateo", "Yuki", "Anouk", "Björn"),
    *("Siobhán", "Dmitri", "Xiomara", "Quentin", "Wanjiru", "Eirlys", "Zsófia", "Ngozi"),
)
SECOND_NAMES = Weighted.by_rank(
    *("", "Smith", "García", "Müller", "Chen", "Silva", "Okafor", "Svensson", "Kowalski", "Rossi"),
    *("Dubois", "Nguyen", "de la Cruz", "O'Neil", "Öztürk", "Haddad", "Petrov", "Sato", "Novák"),
    *("Hansen", "Mwangi", "Papadopoulos", "van Dijk", "Kaur", "Ferreira", "Lindqvist", "Moreau"),
    *("Castellanos", "Jensen-Bauer", "Wójcik", "Adeyemi", "Horváth", "Mac Giolla", "Quispe"),
)
AGES = Weighted.of(
    *((3, 12.0), (4, 16.0), (5, 18.0), (6, 17.0), (7, 14.0), (8, 10.0), (9, 7.0), (10, 4.5)),
    *((11, 1.2), (12, 0.3)),
)
TALKS = Weighted.of((0, 55.0), (1, 20.0), (2, 12.0), (3, 6.0), (4, 3.0), (6, 2.9), (20, 1.1))
"""Conversations of a child who may talk: every level of engagement has some."""

SEVERITIES = Weighted.of(("low", 4.0), ("medium", 4.0), ("high", 2.0), ("critical", 1.0))
