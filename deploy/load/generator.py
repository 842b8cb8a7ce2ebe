"""Chooses the next command for a child: seeded, valid, with some refusals on purpose."""

import random
from typing import Any

from deploy.load.kinds import KINDS, NAMES, NOTICE_VERSION, TOPICS
from deploy.load.model import CONSENT_PURPOSES, ModelChild, Request

SECOND_NAMES = ("", "", "Sophie", "Luca", "Marie", "Chen", "Okafor", "Svensson", "de la Cruz")
CONSENTS = [
    {"purpose": purpose, "notice_version": NOTICE_VERSION, "method": "payment_card"}
    for purpose in CONSENT_PURPOSES
]
CHILDREN_A_PARENT = 3


class Generator:
    """`seed` decides everything: the same seed makes the same requests for a child."""

    def __init__(self, seed: int, run: str) -> None:
        self._seed = seed
        self._run = run

    def child(self, number: int) -> tuple[ModelChild, random.Random]:
        """The child of this number, and the randomness of everything that will happen to it."""
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - repeatable, guards nothing
        family = number // CHILDREN_A_PARENT
        child = ModelChild(
            number=number,
            parent_id=f"load-parent-{self._run}-{family}",
            device_id=f"load-bear-{self._run}-{number}",
            udid=f"load-udid-{self._run}-{number:08}",
        )
        return child, chance

    def registration(self, child: ModelChild, chance: random.Random) -> Request:
        name = " ".join(filter(None, (chance.choice(NAMES), chance.choice(SECOND_NAMES))))
        body: dict[str, Any] = {
            "name": name,
            "age": chance.randint(3, 12),
            "udid": child.udid,
            "device_id": child.device_id,
            "consents": CONSENTS,
        }
        if chance.random() < 0.5:
            body["interests"] = chance.sample(TOPICS, 2)
        if chance.random() < 0.3:
            body["learning_style"] = chance.choice(("visual", "auditory", "kinesthetic"))
        key = f"{child.udid}/register"
        return Request("POST", "/v1/children", body, "parent", child.parent_id, key, 201)

    def next(self, child: ModelChild, chance: random.Random, number: int) -> Request:
        """The next request for a registered child; `number` makes its idempotency key."""
        possible = [kind for kind in KINDS if kind.is_possible(child)]
        (kind,) = chance.choices(possible, [kind.share for kind in possible])
        return kind.request(child, chance, f"{child.udid}/{number:06}")
