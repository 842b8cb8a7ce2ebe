"""What the generator knows of the children it has made: enough to wish only what is allowed."""

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
