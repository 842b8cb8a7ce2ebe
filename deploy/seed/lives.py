"""What happened to each seeded child: the commands that a parent, a bear and a safety officer would
have sent, and when. Pure: the seed and the child's number decide everything."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from command_service.api.command_route import RequestKeys
from command_service.bus.command_bus import SentRequest
from command_service.child.commands import (
    ChildCommand,
    Consent,
    DeactivateChild,
    EndConversation,
    RecordMessage,
    RegisterChild,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    StartConversation,
    UpdateChildProfile,
    WithdrawConsent,
)
from deploy.load.kinds import CATEGORIES, NOTICE_VERSION, SKILLS, TOPICS
from deploy.seed.tables import AGES, FIRST_NAMES, SECOND_NAMES, SEVERITIES, TALKS
from shared.auth.access import Principal, Role
from shared.events.child import ConsentMethod, ConsentPurpose, Outcome, Severity, Speaker
from shared.read_models.deliveries import NOTIFIED_WITHIN

CHILDREN_A_PARENT = 3
YEAR = timedelta(days=365)
LEAST_AGE = NOTIFIED_WITHIN + timedelta(days=1)
"""Of an account. What alerts its parent happens in its first hours: nobody is notified of it now.
"""
MAY_TALK = 0.85
TALKS_A_CHILD = MAY_TALK * 1.124
"""Conversations of a child, on average."""
EVENTS_BESIDE_MESSAGES = 2 + 2 * MAY_TALK + 2 * TALKS_A_CHILD + 0.42
"""Of a child, on average: it is registered, with its consents, it talks, and whatever else."""
OFFICER = Principal("seed-officer", Role.SAFETY_OFFICER)


@dataclass(frozen=True, slots=True)
class Step:
    """One command, who sent it, and the request in which it would have come."""

    principal: Principal
    request: SentRequest
    command: ChildCommand


@dataclass(frozen=True, slots=True)
class Lives:
    """`until`: nothing happens later. `messages`: in a conversation, on average."""

    seed: int
    until: datetime
    keys: RequestKeys
    messages: float = 0.0

    def of(self, number: int) -> list[Step]:
        """The life of the child with this number, from its registration on."""
        return list(_Life(self, number).steps())


class _Life:
    def __init__(self, lives: Lives, number: int) -> None:
        self._lives = lives
        self._name = f"{lives.seed}-{number}"
        self._chance = random.Random(self._name)  # noqa: S311 - repeatable, guards nothing
        family = f"{lives.seed}-{number // CHILDREN_A_PARENT}"
        self._parent = Principal(f"seed-parent-{family}", Role.PARENT)
        self._bear = Principal(f"seed-bear-{self._name}", Role.DEVICE)
        age = LEAST_AGE + (YEAR - LEAST_AGE) * self._chance.random()
        self._at = _in_ms(lives.until - age)
        self._may_talk = self._chance.random() < MAY_TALK
        self._child_id = ""
        self._steps = 0

    def steps(self) -> Iterator[Step]:
        chance = self._chance
        yield self._registration()
        if chance.random() < 0.06:
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                yield from self._violation()
        if chance.random() < 0.2:
            yield self._update()
        for _ in range(TALKS.chosen(chance) if self._may_talk else 0):
            yield from self._conversation()
        if self._may_talk and chance.random() < 0.02:
            yield self._withdrawal()
        if chance.random() < 0.06:
            yield self._deactivation()

    def _registration(self) -> Step:
        chance = self._chance
        purposes = tuple(ConsentPurpose) if self._may_talk else (ConsentPurpose.ACCOUNT,)
        method = ConsentMethod.PAYMENT_CARD
        child: dict[str, Any] = {
            "name": f"{FIRST_NAMES.chosen(chance)} {SECOND_NAMES.chosen(chance)}".strip(),
            "age": AGES.chosen(chance),
            "udid": f"seed-udid-{self._name}",
            "device_id": self._bear.subject,
        }
        if self._may_talk and chance.random() < 0.3:
            child["interests"] = tuple(chance.sample(TOPICS, 2))
        consents = [
            {"purpose": purpose, "notice_version": NOTICE_VERSION, "method": method}
            for purpose in purposes
        ]
        request = self._request(self._parent, "POST", "", {**child, "consents": consents})
        self._child_id = request.derived_id("child")
        command = RegisterChild(
            child_id=self._child_id,
            at=self._at,
            parent_id=self._parent.subject,
            consents=tuple(Consent(purpose, NOTICE_VERSION, method) for purpose in purposes),
            **child,
        )
        return Step(self._parent, request, command)

    def _violation(self) -> Iterator[Step]:
        self._later(timedelta(hours=3))
        severity = Severity(SEVERITIES.chosen(self._chance))
        kind, path = self._chance.choice(CATEGORIES), "/safety-violations"
        request = self._request(self._bear, "POST", path, {"type": kind, "severity": severity})
        violation_id = request.derived_id("violation")
        yield Step(
            self._bear,
            request,
            ReportSafetyViolation(
                **self._common(), violation_id=violation_id, violation_type=kind, severity=severity
            ),
        )
        if self._chance.random() < 0.5:
            self._later(timedelta(hours=1))
            outcome = self._chance.choice(tuple(Outcome))
            path = f"{path}/{violation_id}/resolution"
            resolve = ResolveSafetyViolation(
                **self._common(), violation_id=violation_id, outcome=outcome
            )
            body = {"outcome": outcome}
            yield Step(OFFICER, self._request(OFFICER, "POST", path, body), resolve)

    def _update(self) -> Step:
        self._later()
        age = AGES.chosen(self._chance)
        request = self._request(self._parent, "PATCH", "/profile", {"age": age})
        return Step(self._parent, request, UpdateChildProfile(**self._common(), age=age))

    def _conversation(self) -> Iterator[Step]:
        self._later()
        chance, path = self._chance, "/conversations"
        topic = chance.choice(TOPICS)
        request = self._request(self._bear, "POST", path, {"topic": topic})
        talk = request.derived_id("conversation")
        start = StartConversation(**self._common(), conversation_id=talk, topic=topic)
        yield Step(self._bear, request, start)
        for _ in range(self._number_of_messages()):
            self._later(timedelta(minutes=2))
            yield self._message(talk)
        self._later(timedelta(minutes=10))
        request = self._request(self._bear, "POST", f"{path}/{talk}/end")
        yield Step(self._bear, request, EndConversation(**self._common(), conversation_id=talk))

    def _message(self, talk: str) -> Step:
        speaker, words = self._chance.choice(tuple(Speaker)), self._chance.randint(1, 40)
        skills = (self._chance.choice(SKILLS),) if self._chance.random() < 0.25 else ()
        body = {"role": speaker, "word_count": words, "learning_skills": skills}
        request = self._request(self._bear, "POST", f"/conversations/{talk}/messages", body)
        command = RecordMessage(
            **self._common(),
            conversation_id=talk,
            speaker=speaker,
            word_count=words,
            learning_skills=skills,
        )
        return Step(self._bear, request, command)

    def _number_of_messages(self) -> int:
        whole, rest = divmod(self._lives.messages, 1)
        return int(whole) + (self._chance.random() < rest)

    def _withdrawal(self) -> Step:
        self._later()
        purpose = ConsentPurpose.CONVERSATIONS
        request = self._request(self._parent, "DELETE", f"/consents/{purpose}")
        return Step(self._parent, request, WithdrawConsent(**self._common(), purpose=purpose))

    def _deactivation(self) -> Step:
        self._later()
        reason = "On holiday."
        request = self._request(self._parent, "POST", "/deactivation", {"reason": reason})
        return Step(self._parent, request, DeactivateChild(**self._common(), reason=reason))

    def _common(self) -> dict[str, Any]:
        return {"child_id": self._child_id, "at": self._at}

    def _later(self, at_most: timedelta | None = None) -> None:
        """Some time passes: never so much that `until` is reached."""
        left = (self._lives.until - self._at) * 0.3
        self._at = _in_ms(self._at + min(at_most or left, left) * self._chance.random())

    def _request(
        self, principal: Principal, method: str, path: str, body: dict[str, Any] | None = None
    ) -> SentRequest:
        """`path`: behind the child's, which a registration does not have yet."""
        key, self._steps = f"seed-{self._name}-{self._steps}", self._steps + 1
        child = f"/{self._child_id}" if self._child_id else ""
        raw = b"" if body is None else orjson.dumps(body)
        whole = f"/v1/children{child}{path}"
        sent = self._lives.keys.sent(key, principal, method, whole, raw, self._child_id)
        assert sent is not None
        return sent


def _in_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
