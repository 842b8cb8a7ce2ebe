"""What happened to each seeded child: the commands that a parent, a bear and a safety officer would
have sent, and when. Pure: the seed and the child's number decide everything."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

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
LEAST_EVENTS = 2 + 2 * MAY_TALK + 0.42
"""Of a child that never talks, on average: it is registered, with its consents, and whatever else.
"""
OFFICER = Principal("seed-officer", Role.SAFETY_OFFICER)


@dataclass(frozen=True, slots=True)
class Step:
    """One command, in its normal form, and who sent it. `request`: in which a registration came;
    the other commands have no idempotency key."""

    principal: Principal
    command: ChildCommand
    request: SentRequest | None = None


@dataclass(frozen=True, slots=True)
class Lives:
    """`until`: nothing happens later. `events`: of a child, on average; at least
    LEAST_EVENTS."""

    seed: int
    until: datetime
    keys: RequestKeys
    events: float

    @property
    def talk_share(self) -> float:
        """Of the children who may talk, how many ever do."""
        return min(1.0, (self.events - LEAST_EVENTS) / (2 * TALKS_A_CHILD))

    @property
    def messages(self) -> float:
        """Of a conversation, on average."""
        return max(0.0, self.events - LEAST_EVENTS - 2 * TALKS_A_CHILD) / TALKS_A_CHILD

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

    def steps(self) -> Iterator[Step]:
        chance = self._chance
        yield self._registration()
        if chance.random() < 0.06:
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                yield from self._violation()
        if chance.random() < 0.2:
            self._later()
            yield self._by(self._parent, UpdateChildProfile, age=AGES.chosen(chance))
        if self._may_talk and chance.random() < self._lives.talk_share:
            for _ in range(TALKS.chosen(chance)):
                yield from self._conversation()
        if self._may_talk and chance.random() < 0.02:
            self._later()
            yield self._by(self._parent, WithdrawConsent, purpose=ConsentPurpose.CONVERSATIONS)
        if chance.random() < 0.06:
            self._later()
            yield self._by(self._parent, DeactivateChild, reason="On holiday.")

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
        request = self._request(purposes, child)
        self._child_id = request.derived_id("child")
        consents = tuple(Consent(purpose, NOTICE_VERSION, method) for purpose in purposes)
        step = self._by(
            *(self._parent, RegisterChild),
            **{**child, "parent_id": self._parent.subject, "consents": consents},
        )
        return replace(step, request=request)

    def _request(self, purposes: Sequence[ConsentPurpose], child: dict[str, Any]) -> SentRequest:
        """As the parent's app sends it: sent again, it is answered as the first time."""
        method = ConsentMethod.PAYMENT_CARD
        consents = [
            {"purpose": purpose, "notice_version": NOTICE_VERSION, "method": method}
            for purpose in purposes
        ]
        body = orjson.dumps({**child, "consents": consents})
        key, path = registration_key(self._name), "/v1/children"
        sent = self._lives.keys.sent(key, self._parent, "POST", path, body, "")
        assert sent is not None
        return sent

    def _violation(self) -> Iterator[Step]:
        self._later(timedelta(hours=3))
        violation_id, severity = self._new_id(), Severity(SEVERITIES.chosen(self._chance))
        yield self._by(
            *(self._bear, ReportSafetyViolation),
            violation_id=violation_id,
            violation_type=self._chance.choice(CATEGORIES),
            severity=severity,
        )
        if self._chance.random() < 0.5:
            self._later(timedelta(hours=1))
            yield self._by(
                *(OFFICER, ResolveSafetyViolation),
                violation_id=violation_id,
                outcome=self._chance.choice(tuple(Outcome)),
                resolved_by=OFFICER.subject,
            )

    def _conversation(self) -> Iterator[Step]:
        self._later()
        talk, topic = self._new_id(), self._chance.choice(TOPICS)
        yield self._by(self._bear, StartConversation, conversation_id=talk, topic=topic)
        whole, rest = divmod(self._lives.messages, 1)
        for _ in range(int(whole) + (self._chance.random() < rest)):
            self._later(timedelta(minutes=2))
            yield self._message(talk)
        self._later(timedelta(minutes=10))
        yield self._by(self._bear, EndConversation, conversation_id=talk)

    def _message(self, talk: str) -> Step:
        practised = self._chance.random() < 0.25
        return self._by(
            *(self._bear, RecordMessage),
            conversation_id=talk,
            speaker=self._chance.choice(tuple(Speaker)),
            word_count=self._chance.randint(1, 40),
            learning_skills=(self._chance.choice(SKILLS),) if practised else (),
        )

    def _by(self, principal: Principal, command: type[ChildCommand], **given: Any) -> Step:
        return Step(principal, command(child_id=self._child_id, at=self._at, **given))

    def _new_id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def _later(self, at_most: timedelta | None = None) -> None:
        """Some time passes: never so much that `until` is reached."""
        left = (self._lives.until - self._at) * 0.3
        self._at = _in_ms(self._at + min(at_most or left, left) * self._chance.random())


def registration_key(name: str) -> str:
    """The idempotency key of the registration of `<seed>-<number>`."""
    return f"seed-{name}"


def _in_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
