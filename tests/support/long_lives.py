"""Very long lives of one child, with everything as large as it may be and no two labels alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, TypeVar, cast

from command_service.child.field_checks import (
    ALERT_COUNT,
    ALERT_WINDOW_HOURS,
    DETAILS,
    LABEL,
    LABELS,
    NAME,
    NOTICE_VERSION,
    PREFERENCES_BYTES,
    REASON,
    UDID,
)
from shared.auth.access import MAX_SUBJECT_CHARACTERS
from shared.event_store.envelope import RecordedEvent
from shared.events.child import (
    AlertChannel,
    AlertPolicy,
    AlertPolicyConfigured,
    ChildEvent,
    ChildProfileUpdated,
    ChildRegistered,
    ConsentMethod,
    ConsentPurpose,
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    Outcome,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
    SafetyViolationAcknowledged,
    SafetyViolationAssigned,
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
    Speaker,
)
from shared.events.personal import Personal
from shared.keyring.keyring import ChildCipher
from shared.keyring.search_index import SearchIndex
from shared.serialization.events import decode, encode

CHILD = "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a22"
BORN = datetime(2020, 1, 1, tzinfo=UTC)
WIDE = "\N{MUSICAL SYMBOL G CLEF}"
"""Four bytes in UTF-8."""
FIRST = 0x4E00
"""Of the ideographs: names of a script without spaces are found by all parts of them."""
CIPHER = ChildCipher(CHILD, bytes(32))
INDEX = SearchIndex(bytes(32))
Stored = TypeVar("Stored", ChildRegistered, SafetyViolationReported)
EXCHANGE = timedelta(seconds=25)


def long_life(events: int, seed: int = 0) -> Iterator[ChildEvent]:
    """`events` of one child, of all kinds but those that end an account; the first registers it."""
    life = _Life(Random(seed))
    yield life.registered()
    for _ in range(events - 1):
        yield life.next_event()


class _Life:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._numbers = count()
        self._about: dict[str, Any] = {"child_id": CHILD, "at": BORN}
        self._talk, self._talk_began = "talk", BORN
        self._violation = "violation"
        self._details = _stored(self._report(Personal(WIDE * DETAILS.maximum))).details

    def registered(self) -> ChildEvent:
        words = [WIDE * LABEL.maximum] * LABELS.maximum
        return _stored(
            ChildRegistered(
                **self._about,
                parent_id="parent",
                name=Personal("".join(map(chr, range(FIRST, FIRST + NAME.maximum)))),
                age=7,
                udid=Personal("U" * UDID.maximum),
                device_id=Personal("D" * UDID.maximum),
                preferences=Personal({"note": "p" * (PREFERENCES_BYTES - 20)}),
                learning_style=Personal(words[0]),
                interests=Personal(words),
            )
        )

    def next_event(self) -> ChildEvent:
        self._about["at"] += EXCHANGE * self._random.expovariate(1.0)
        kinds = (self._message, self._report, self._policy, self._consent, self._profile)
        (kind,) = self._random.choices(
            (*kinds, self._start, self._end, self._resolve, self._acknowledge, self._look_into),
            (40, 10, 1, 1, 1, 4, 4, 6, 6, 3),
        )
        return kind()

    def _label(self) -> str:
        number = str(next(self._numbers))
        return number + WIDE * (LABEL.maximum - len(number))

    def _new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012}"

    def _message(self) -> ChildEvent:
        labels = tuple(self._label() for _ in range(self._random.choice((0, 1, 20))))
        return MessageRecorded(
            **self._about,
            conversation_id=self._talk,
            speaker=self._random.choice(list(Speaker)),
            word_count=5,
            topic=self._label(),
            flagged_categories=labels[:2],
            learning_skills=labels,
        )

    def _report(self, details: Personal[str] | None = None) -> SafetyViolationReported:
        self._violation = self._new_id()
        return SafetyViolationReported(
            **self._about,
            violation_id=self._violation,
            violation_type=self._label(),
            severity=self._random.choice(list(Severity)),
            details=details or self._details,
            conversation_id=self._talk,
        )

    def _resolve(self) -> ChildEvent:
        return SafetyViolationResolved(
            **self._about,
            violation_id=self._violation,
            violation_type=self._label(),
            severity=Severity.HIGH,
            outcome=self._random.choice(list(Outcome)),
        )

    def _look_into(self) -> ChildEvent:
        if self._random.random() < 0.5:
            assignee = "O" * MAX_SUBJECT_CHARACTERS
            return SafetyViolationAssigned(
                **self._about, violation_id=self._violation, assignee=assignee
            )
        return SafetyViolationReopened(
            **self._about,
            violation_id=self._violation,
            violation_type=self._label(),
            severity=Severity.HIGH,
            outcome=self._random.choice(list(Outcome)),
            reason=Personal("r" * REASON.maximum),
        )

    def _acknowledge(self) -> ChildEvent:
        return SafetyViolationAcknowledged(**self._about, violation_id=self._violation)

    def _policy(self) -> ChildEvent:
        policy = AlertPolicy(
            self._random.choice([Severity.HIGH, Severity.CRITICAL]),
            self._random.randint(ALERT_COUNT.minimum, ALERT_COUNT.maximum),
            ALERT_WINDOW_HOURS.maximum,
            tuple(AlertChannel),
        )
        return AlertPolicyConfigured(**self._about, policy=policy)

    def _consent(self) -> ChildEvent:
        purpose = self._random.choice(list(ConsentPurpose))
        if self._random.random() < 0.3:
            return ParentalConsentWithdrawn(**self._about, purpose=purpose)
        return ParentalConsentGiven(
            **self._about,
            purpose=purpose,
            notice_version=WIDE * NOTICE_VERSION.maximum,
            method=ConsentMethod.SIGNED_FORM,
        )

    def _profile(self) -> ChildEvent:
        return ChildProfileUpdated(**self._about, age=self._random.randint(3, 12))

    def _start(self) -> ChildEvent:
        self._talk, self._talk_began = self._new_id(), self._about["at"]
        return ConversationStarted(**self._about, conversation_id=self._talk, topic=self._label())

    def _end(self) -> ChildEvent:
        return ConversationEnded(
            **self._about, conversation_id=self._talk, started_at=self._talk_began
        )


def _stored(event: Stored) -> Stored:
    """As it is after it was stored: with the ciphertext and the search tokens."""
    encoded = encode(event, 1, CIPHER)
    recorded = RecordedEvent(
        CHILD, 1, encoded.type, encoded.schema_version, event.at, event.at, encoded.data, "c"
    )
    return cast(Stored, replace(decode(recorded, CIPHER, INDEX), at=event.at))
