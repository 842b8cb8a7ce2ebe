"""The aggregate of the release that forgot nothing, made from its events in the plainest way."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from rpds import HashTrieMap

from command_service.child.decider import evolve
from command_service.child.state import Child, Newest, Violation
from shared.events.child import (
    ChildErased,
    ChildEvent,
    ConversationEnded,
    ConversationStarted,
    SafetyViolationAcknowledged,
    SafetyViolationAssigned,
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
)

EVER = 10**9


def unbounded(events: Iterable[ChildEvent]) -> Child:
    """Everything about conversations and violations is as these lines say, the rest as today."""
    child, ids = Child(), _Ids()
    for event in events:
        child = evolve(child, event)
        ids.take(event)
    return replace(
        child,
        open_conversations=HashTrieMap(ids.open),
        ended_conversations=Newest(EVER, HashTrieMap(dict.fromkeys(ids.used - ids.open.keys()))),
        open_violations=HashTrieMap({k: v for k, v in ids.violations.items() if k not in ids.done}),
        resolved_violations=Newest(
            EVER, HashTrieMap({k: v for k, v in ids.violations.items() if k in ids.done})
        ),
    )


class _Ids:
    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.open: dict[str, datetime] = {}
        self.used: set[str] = set()
        self.violations: dict[str, Violation] = {}
        self.done: set[str] = set()

    def take(self, event: ChildEvent) -> None:
        match event:
            case ConversationStarted():
                self.open[event.conversation_id] = event.at
                self.used.add(event.conversation_id)
            case ConversationEnded():
                self.open.pop(event.conversation_id, None)
                self.used.add(event.conversation_id)
            case SafetyViolationReported():
                new = Violation(event.violation_type, event.severity)
                self.violations[event.violation_id] = new
                self.done.discard(event.violation_id)
            case SafetyViolationResolved():
                known = Violation(event.violation_type, event.severity)
                before = self.violations.get(event.violation_id, known)
                self.violations[event.violation_id] = replace(before, outcome=event.outcome)
                self.done.add(event.violation_id)
            case SafetyViolationReopened():
                known = Violation(event.violation_type, event.severity)
                before = self.violations.get(event.violation_id, known)
                self.violations[event.violation_id] = replace(before, outcome=None)
                self.done.discard(event.violation_id)
            case SafetyViolationAssigned() if event.violation_id in self.violations:
                before = self.violations[event.violation_id]
                self.violations[event.violation_id] = replace(before, assignee=event.assignee)
            case SafetyViolationAcknowledged() if event.violation_id in self.violations:
                before = self.violations[event.violation_id]
                self.violations[event.violation_id] = replace(before, acknowledged=True)
            case ChildErased():
                self.clear()
