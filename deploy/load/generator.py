"""Chooses what to wish next for a child: seeded, valid, with some refusals on purpose."""

import random
from dataclasses import replace
from typing import Any
from uuid import UUID

from deploy.load.model import ModelChild, Wish

NAMES = ("Mia", "Noah", "Emma", "Elias", "Zoë", "Jürgen", "Łucja", "Søren", "Amélie", "Taro", "Aya")
SECOND_NAMES = ("", "", "Sophie", "Luca", "Marie", "Chen", "Okafor", "Svensson", "de la Cruz")
TOPICS = ("dinosaurs", "space", "animals", "music", "bedtime", "numbers", "friendship")
SKILLS = ("vocabulary", "counting", "empathy", "memory", "rhythm")
CATEGORIES = ("rude_words", "personal_information", "violence", "scary_content")
STYLES = ("visual", "auditory", "kinesthetic")
CONSENTS = [
    {"purpose": purpose, "notice_version": "2026-11", "method": "payment_card"}
    for purpose in ("account", "conversations", "personalization")
]
CHILDREN_A_PARENT = 3

WEIGHTS = {
    "start": 14,
    "message": 46,
    "end": 12,
    "update": 8,
    "report": 7,
    "resolve": 5,
    "acknowledge": 3,
    "policy": 2,
    "deactivate": 1.5,
    "reactivate": 3,
    "repeat": 2,
    "refused": 2,
    "unknown": 2,
    "erase": 0.4,
    "gone": 1,
}


class Generator:
    """`seed` decides everything: the same seed makes the same wishes in the same order a child."""

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

    def registration(self, child: ModelChild, chance: random.Random) -> Wish:
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
            body["learning_style"] = chance.choice(STYLES)
        key = f"{child.udid}/register"
        return Wish("POST", "/v1/children", body, "parent", child.parent_id, key, 201)

    def next(self, child: ModelChild, chance: random.Random, number: int) -> Wish:
        """The next wish for a registered child; `number` makes its idempotency key."""
        key = f"{child.udid}/{number:06}"
        possible = _possible(child)
        weights = [WEIGHTS[name] for name in possible]
        chosen = chance.choices(possible, weights)[0]
        wish: Wish = getattr(self, f"_{chosen}")(child, chance, key)
        return wish

    def _start(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        body = {"topic": chance.choice(TOPICS)}
        return _bear(child, "/conversations", body, key, made="conversation")

    def _message(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        body: dict[str, Any] = {
            "role": chance.choice(("child", "bear")),
            "word_count": chance.randint(1, 40),
        }
        if chance.random() < 0.3:
            body["topic"] = chance.choice(TOPICS)
        if chance.random() < 0.25:
            body["learning_skills"] = chance.sample(SKILLS, chance.randint(1, 2))
        if chance.random() < 0.04:
            body["flagged_categories"] = [chance.choice(CATEGORIES)]
        return _bear(child, f"/conversations/{child.conversation_id}/messages", body, key)

    def _end(self, child: ModelChild, _chance: random.Random, key: str) -> Wish:
        path = child.path(f"/conversations/{child.conversation_id}/end")
        return Wish("POST", path, None, "device", child.device_id, key, made="ended")

    def _update(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        changes: dict[str, Any] = {"age": chance.randint(3, 12)}
        if chance.random() < 0.4:
            changes["interests"] = chance.choice((None, chance.sample(TOPICS, 3)))
        if chance.random() < 0.3:
            changes["name"] = chance.choice(NAMES)
        if chance.random() < 0.2:
            changes["preferences"] = {"volume": chance.randint(1, 10), "night": {"light": True}}
        path = child.path("/profile")
        return Wish("PATCH", path, changes, "parent", child.parent_id, key)

    def _report(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        severity = chance.choices(("low", "medium", "high", "critical"), (4, 4, 2, 1))[0]
        body = {"type": chance.choice(CATEGORIES), "severity": severity, "details": "Heard it."}
        if child.conversation_id is not None and chance.random() < 0.5:
            body["conversation_id"] = child.conversation_id
        return _violation(child, body, key)

    def _resolve(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        violation_id = child.open_violations[0]
        body = {"outcome": chance.choice(("confirmed", "false_positive"))}
        path = child.path(f"/safety-violations/{violation_id}/resolution")
        return Wish("POST", path, body, "safety_officer", "load-officer", key, made="resolved")

    def _acknowledge(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        violation_id = chance.choice(child.open_violations)
        path = child.path(f"/safety-violations/{violation_id}/acknowledgement")
        return Wish("POST", path, None, "parent", child.parent_id, key)

    def _policy(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        body = {
            "threshold": chance.choice(("medium", "high", "critical")),
            "count": chance.randint(2, 4),
            "window_hours": chance.choice((1, 24, 168)),
            "channels": ["in_app"],
        }
        return Wish("PUT", child.path("/alert-policy"), body, "parent", child.parent_id, key)

    def _deactivate(self, child: ModelChild, _chance: random.Random, key: str) -> Wish:
        body = {"reason": "On holiday."}
        path = child.path("/deactivation")
        return Wish("POST", path, body, "parent", child.parent_id, key, made="deactivated")

    def _reactivate(self, child: ModelChild, _chance: random.Random, key: str) -> Wish:
        path = child.path("/reactivation")
        return Wish("POST", path, None, "parent", child.parent_id, key, made="reactivated")

    def _erase(self, child: ModelChild, _chance: random.Random, key: str) -> Wish:
        path = child.path("/personal-data")
        return Wish("DELETE", path, None, "parent", child.parent_id, key, made="erased")

    def _gone(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        body = {"age": chance.randint(3, 12)}
        path, parent = child.path("/profile"), child.parent_id
        return Wish("PATCH", path, body, "parent", parent, key, 410, "child-erased")

    def _repeat(self, child: ModelChild, _chance: random.Random, _key: str) -> Wish:
        assert child.repeatable is not None
        return child.repeatable

    def _unknown(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        return chance.choice(_of_what_does_not_exist(child, str(_uuid(chance)), key))

    def _refused(self, child: ModelChild, chance: random.Random, key: str) -> Wish:
        return chance.choice(_refusals(child, key))


def _possible(child: ModelChild) -> list[str]:
    if child.status == "erased":
        return ["gone"]
    possible = ["report", "refused", "unknown"]
    if child.open_violations:
        possible += ["resolve", "acknowledge"]
    if child.repeatable is not None:
        possible.append("repeat")
    if child.status == "deactivated":
        return [*possible, "reactivate"]
    possible += ["update", "policy", "deactivate", "erase"]
    return possible + (["message", "end"] if child.conversation_id else ["start"])


def _refusals(child: ModelChild, key: str) -> list[Wish]:
    """Wishes that must be refused, whatever the child's state."""
    profile, parent = child.path("/profile"), child.parent_id
    stranger = f"{parent}-stranger"
    violations = child.path("/safety-violations")
    wrong = {"type": "rude_words", "severity": "awful"}
    empty = {"type": "", "severity": "low"}
    return [
        Wish("PATCH", profile, {"age": 2}, "parent", parent, key, 422, "invalid-request"),
        Wish("PATCH", profile, {"age": "7"}, "parent", parent, key, 422, "invalid-request"),
        Wish("PATCH", profile, {"nickname": "M"}, "parent", parent, key, 422, "invalid-request"),
        Wish("PATCH", profile, {"age": 5}, "parent", stranger, key, 404, "child-not-found"),
        Wish("POST", violations, wrong, "parent", parent, key, 422, "invalid-request"),
        Wish("POST", violations, empty, "parent", parent, key, 422, "invalid-request"),
    ]


def _of_what_does_not_exist(child: ModelChild, unknown: str, key: str) -> list[Wish]:
    """A report counts without the conversation that it names; everything else is not found."""
    report = {"type": "rude_words", "severity": "medium", "conversation_id": unknown}
    resolution = child.path(f"/safety-violations/{unknown}/resolution")
    acknowledgement = child.path(f"/safety-violations/{unknown}/acknowledgement")
    outcome = {"outcome": "confirmed"}
    officer, missing = ("safety_officer", "load-officer"), "violation-not-found"
    wishes = [
        Wish("POST", resolution, outcome, *officer, key, 404, missing),
        Wish("POST", acknowledgement, None, "parent", child.parent_id, key, 404, missing),
        replace(_violation(child, report, key), ignored=("conversation_id",)),
    ]
    if child.status == "active":
        message = {"role": "child", "word_count": 3}
        for rest, body in (("messages", message), ("end", None)):
            path = child.path(f"/conversations/{unknown}/{rest}")
            refused = (404, "conversation-not-found")
            wishes.append(Wish("POST", path, body, "device", child.device_id, key, *refused))
    return wishes


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


def _violation(child: ModelChild, body: dict[str, Any], key: str) -> Wish:
    """The bear reports on its child; of one that is deactivated only the parent still does."""
    if child.status == "active":
        return _bear(child, "/safety-violations", body, key, made="violation")
    path = child.path("/safety-violations")
    return Wish("POST", path, body, "parent", child.parent_id, key, 201, made="violation")


def _bear(
    child: ModelChild, rest: str, body: dict[str, Any], key: str, made: str | None = None
) -> Wish:
    return Wish("POST", child.path(rest), body, "device", child.device_id, key, 201, made=made)
