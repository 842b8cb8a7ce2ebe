"""What the generator knows of its children, and how the API answered."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from shared.events.child import ConsentPurpose

CONSENT_PURPOSES = tuple(purpose.value for purpose in ConsentPurpose)


@dataclass(frozen=True, slots=True)
class Request:
    """One command as it goes over HTTP, and what must come of it.

    `expected`: the status. `code`: of the problem, when a refusal is expected. `key`: the
    idempotency key. `made`: what the model of the child is to remember of it. `ignored`: the
    fields that the answer must say were left out.
    """

    method: str
    path: str
    body: dict[str, Any] | None
    role: str
    subject: str
    key: str
    expected: int = 200
    code: str | None = None
    made: str | None = None
    ignored: tuple[str, ...] = ()


@dataclass(slots=True)
class ModelChild:
    """One child as the generator believes it to be. `child_id` is known after registration.

    `repeatable`: the newest accepted request; sent again, it must get `first_answer` again.
    """

    number: int
    parent_id: str
    device_id: str
    udid: str
    child_id: str = ""
    status: str = "new"
    conversation_id: str | None = None
    consents: set[str] = field(default_factory=lambda: set(CONSENT_PURPOSES))
    open_violations: list[str] = field(default_factory=list)
    last_resolved: str | None = None
    repeatable: Request | None = None
    first_answer: dict[str, Any] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        return self.status in ("active", "deactivated")

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    @property
    def may_talk(self) -> bool:
        return self.is_active and "conversations" in self.consents

    def request(
        self,
        role: str,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        key: str,
        expected: int = 200,
        code: str | None = None,
        **more: Any,
    ) -> Request:
        """A request about this child; `path` is relative to the child's."""
        subjects = {"parent": self.parent_id, "device": self.device_id}
        subject = subjects.get(role, "load-officer")
        whole = f"/v1/children/{self.child_id}{path}"
        return Request(method, whole, body, role, subject, key, expected, code, **more)


MOST_SURPRISES = 20


@dataclass(slots=True)
class Tally:
    """Numbers of a run. `seconds`: how long each command took, its retries included.

    `unexpected` counts what `surprises` describes, of which only the first ones are kept.
    """

    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    unexpected: int = 0
    events: int = 0
    seconds: list[float] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.seconds)

    def surprise(self, text: str) -> None:
        self.unexpected += 1
        if len(self.surprises) < MOST_SURPRISES:
            self.surprises.append(text)


def settle(
    child: ModelChild, request: Request, status: int, answer: dict[str, Any], tally: Tally
) -> None:
    """Compare an answer with what was expected, and let the model of the child follow."""
    kind = f"{request.method} {request.path.rpartition('/')[2] or 'children'}"
    as_expected = (request.expected, request.code, request.ignored)
    if (status, answer.get("code"), tuple(answer.get("ignored", ()))) != as_expected:
        tally.surprise(
            f"{kind}: expected {request.expected} {request.code or ''}, got {status} {answer}"
        )
        return
    if request.code is not None:
        tally.refused += 1
        return
    if request is child.repeatable:
        if answer == child.first_answer:
            tally.repeated += 1
        else:
            tally.surprise(f"{kind}: first {child.first_answer}, repeated {answer}")
        return
    tally.accepted += 1
    tally.events += len(answer["events"])
    tally.by_kind[(answer["events"] or ["nothing to change"])[0]] += 1
    child.repeatable, child.first_answer = request, answer
    _follow(child, request, answer)


def _follow(child: ModelChild, request: Request, answer: dict[str, Any]) -> None:
    last = request.path.rpartition("/")[2]
    match request.made:
        case "conversation":
            child.conversation_id = answer["conversation_id"]
        case "ended":
            child.conversation_id = None
        case "violation":
            child.open_violations.append(answer["violation_id"])
        case "resolved":
            child.last_resolved = child.open_violations.pop(0)
        case "reopened" if child.last_resolved is not None:
            child.open_violations.append(child.last_resolved)
            child.last_resolved = None
        case "consent":
            child.consents.add(last)
        case "withdrawal":
            child.consents -= set(CONSENT_PURPOSES) if last == "account" else {last}
        case "reactivated":
            child.status = "active"
        case "deactivated" | "erased":
            child.status = request.made
        case _:
            if child.status == "new":
                child.child_id, child.status = answer["child_id"], "active"
