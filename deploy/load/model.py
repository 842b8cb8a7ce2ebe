"""What the generator knows of the children it has made, and what came of its wishes."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Wish:
    """One command as it goes over HTTP, and what must come of it.

    `expected`: the status. `code`: of the problem, when a refusal is expected. `key`: the
    idempotency key. `made`: where the answer's new id is to be remembered. `ignored`: the fields
    that the answer must say were left out.
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

    `repeatable`: the newest accepted wish; sent again, it must get `first_answer` again.
    """

    number: int
    parent_id: str
    device_id: str
    udid: str
    child_id: str = ""
    status: str = "new"
    conversation_id: str | None = None
    open_violations: list[str] = field(default_factory=list)
    repeatable: Wish | None = None
    first_answer: dict[str, Any] = field(default_factory=dict)

    def path(self, rest: str) -> str:
        return f"/v1/children/{self.child_id}{rest}"


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
    child: ModelChild, wish: Wish, status: int, answer: dict[str, Any], tally: Tally
) -> None:
    """Compare an answer with what was expected, and let the model of the child follow."""
    kind = f"{wish.method} {wish.path.rpartition('/')[2] or 'children'}"
    as_wished = (wish.expected, wish.code, wish.ignored)
    if (status, answer.get("code"), tuple(answer.get("ignored", ()))) != as_wished:
        tally.surprise(f"{kind}: expected {wish.expected} {wish.code or ''}, got {status} {answer}")
        return
    if wish.code is not None:
        tally.refused += 1
        return
    if wish is child.repeatable:
        if answer == child.first_answer:
            tally.repeated += 1
        else:
            tally.surprise(f"{kind}: first {child.first_answer}, repeated {answer}")
        return
    tally.accepted += 1
    tally.events += len(answer["events"])
    tally.by_kind[(answer["events"] or ["nothing to change"])[0]] += 1
    child.repeatable, child.first_answer = wish, answer
    _follow(child, wish, answer)


def _follow(child: ModelChild, wish: Wish, answer: dict[str, Any]) -> None:
    match wish.made:
        case "conversation":
            child.conversation_id = answer["conversation_id"]
        case "ended":
            child.conversation_id = None
        case "violation":
            child.open_violations.append(answer["violation_id"])
        case "resolved":
            child.open_violations.pop(0)
        case "deactivated":
            child.status = "deactivated"
        case "reactivated":
            child.status = "active"
        case "erased":
            child.status = "erased"
        case _:
            if child.status == "new":
                child.child_id, child.status = answer["child_id"], "active"
