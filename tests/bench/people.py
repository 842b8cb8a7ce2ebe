"""Parents, bears and their requests. Each subject stays below its rate limits."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson

from shared.auth.access import Principal, Role
from shared.clock import utc_now
from tests.bench.load_generator import answers
from tests.bench.system import System
from tests.support.consents import BORN, CONSENTS
from tests.support.raw_http import request

CHILDREN_A_PARENT = 3
TOKEN_LIFE = timedelta(hours=1)
_numbers = itertools.count(time.time_ns())


@dataclass(slots=True)
class Bear:
    """A child, its bear and its parent, and a conversation that is open. `version`: what the
    benchmark expects of the child once everything sent so far is projected."""

    child_id: str
    bearer: str
    parent_s_bearer: str
    conversation_id: str = ""
    version: int = BORN

    def message(self) -> bytes:
        """The next RecordMessage."""
        self.version += 1
        return request("POST", self.messages, self.bearer, MESSAGE)

    @property
    def messages(self) -> str:
        return f"/v1/children/{self.child_id}/conversations/{self.conversation_id}/messages"


MESSAGE = orjson.dumps({"role": "bear", "word_count": 12})


def child_body(number: int | None = None) -> bytes:
    """A registration as a family sends it, 770 bytes with its head."""
    number = next(_numbers) if number is None else number
    bear = {"udid": f"bench-{number}", "device_id": f"bear-{number}"}
    profile = {"name": f"Mia {number % 1_000}", "age": 7, "interests": ["space", "music"]}
    return orjson.dumps(profile | bear | {"consents": CONSENTS})


def registrations(system: System, children: int) -> list[bytes]:
    """Requests of new parents, three children each."""
    parents = -(-children // CHILDREN_A_PARENT)
    bearers = [system.stack.parent_s_bearer(f"parent-{next(_numbers)}") for _ in range(parents)]
    return [
        request("POST", "/v1/children", bearers[n // CHILDREN_A_PARENT], child_body())
        for n in range(children)
    ]


def talking_bears(system: System, bears: int) -> list[Bear]:
    """Newly registered children, each with a bear and an open conversation."""
    address, stack = system.stack.address("command"), system.stack
    numbers = [next(_numbers) for _ in range(bears)]
    parents = [stack.parent_s_bearer(f"parent-{number}") for number in numbers]
    made = [
        request("POST", "/v1/children", parent, child_body(number))
        for number, parent in zip(numbers, parents, strict=True)
    ]
    answered = answers(address, made, 16).bodies
    found = [
        Bear(orjson.loads(body)["child_id"], _bear_s_bearer(system, number), parent)
        for number, parent, body in zip(numbers, parents, answered, strict=True)
    ]
    starts = [
        request("POST", f"/v1/children/{bear.child_id}/conversations", bear.bearer, b"{}")
        for bear in found
    ]
    for bear, body in zip(found, answers(address, starts, 16).bodies, strict=True):
        bear.conversation_id = orjson.loads(body)["conversation_id"]
        bear.version += 1
    return found


def _bear_s_bearer(system: System, number: int) -> str:
    bear = Principal(f"bear-{number}", Role.DEVICE)
    return system.stack.issuer.issue(bear, utc_now(), TOKEN_LIFE)


def versions(bears: Sequence[Bear]) -> dict[str, int]:
    """As `System.until_projected` takes them."""
    return {bear.child_id: bear.version for bear in bears}
