"""A redrive of many children: whoever fails keeps no other back, and is told of."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from pymongo.errors import AutoReconnect

from projection_worker.dead_letters.redrive import Redriven
from projection_worker.operations import works
from projection_worker.operations.agent import InVain
from projection_worker.operations.works import RedriveChildrenWork
from projection_worker.session import Failed
from shared.operations import OperationKind, OperationRequest
from shared.read_models.operation_states import Attempt
from tests.support.read_model_builders import NOON


@dataclass
class Broken:
    """The dead-lettered children, and what redriving one of them raises; `redriven`: the others,
    as they were redriven."""

    children: tuple[str, ...]
    errors: Mapping[str, BaseException]
    redriven: list[str] = field(default_factory=list)
    progress: list[tuple[int, int]] = field(default_factory=list)

    async def find(self) -> list[Any]:
        return [SimpleNamespace(child_id=one) for one in self.children]

    async def plan(self, child_id: str) -> Redriven:
        return Redriven(child_id, (), 2, 0, ())

    async def carry_out(self, redriven: Redriven, _producer: object) -> None:
        if (error := self.errors.get(redriven.child_id)) is not None:
            raise error
        self.redriven.append(redriven.child_id)

    async def redrive(self, child_ids: tuple[str, ...] | None = None, attempt: int = 1) -> str:
        async def note(done: int, total: int) -> None:
            self.progress.append((done, total))

        on = SimpleNamespace(database=None, store=None, settings=SimpleNamespace(kafka=None))
        request = OperationRequest(
            "op-1", OperationKind.REDRIVE_CHILDREN, "admin-1", NOON, child_ids=child_ids
        )
        return await RedriveChildrenWork(cast(Any, on)).carry_out(
            request, Attempt(attempt, 1), note
        )


@asynccontextmanager
async def no_broker(_servers: object) -> AsyncIterator[None]:
    yield


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Broken:
    """Of five children those in the test's parameter fail."""
    broken = Broken(tuple("edcba"), getattr(request, "param", {}))
    monkeypatch.setattr(works, "DeadLetteredSequences", lambda _database: broken)
    monkeypatch.setattr(works, "Redrive", lambda *_, **__: broken)
    monkeypatch.setattr(works, "open_producer", no_broker)
    return broken


def failing(**errors: BaseException) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("broken", [errors], indirect=True)


async def test_all_are_redriven_in_order(broken: Broken):
    outcome = await broken.redrive()
    assert outcome == "records published again: 10, of 5 children"
    assert broken.redriven == ["a", "b", "c", "d", "e"]
    assert broken.progress == [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


@failing(b=ValueError("Mia is 7"), d=MessageSizeTooLargeError())
async def test_the_others_are_redriven_and_it_is_said_how_many_failed_and_why_the_first(
    broken: Broken,
):
    with pytest.raises(InVain) as failed:
        await broken.redrive()
    assert str(failed.value) == (
        "records published again: 6, of 3 children; 2 failed, the first, b by ValueError"
    )
    assert broken.redriven == ["a", "c", "e"]
    assert broken.progress[-1] == (3, 5)


@failing(b=ValueError("Mia is 7"))
async def test_one_that_would_fail_again_is_not_tried_again(broken: Broken):
    with pytest.raises(Failed) as failed:
        await broken.redrive(("a", "b", "unknown"))
    assert str(failed.value) == (
        "records published again: 2, of 1 child; 1 named were not dead-lettered; "
        "1 failed, the first, b by ValueError"
    )


@failing(a=KafkaConnectionError(), b=KafkaConnectionError(), c=AutoReconnect(), d=AutoReconnect())
async def test_while_a_server_is_away_not_every_child_is_tried(broken: Broken):
    with pytest.raises(InVain, match="3 failed, the first, a by KafkaConnectionError"):
        await broken.redrive()
    assert broken.redriven == []
    assert broken.progress == [(0, 5)]


@failing(a=MessageSizeTooLargeError(), b=MessageSizeTooLargeError(), c=MessageSizeTooLargeError())
async def test_children_that_fail_at_each_attempt_do_not_keep_others_back_for_ever(broken: Broken):
    for attempt in (1, 2):
        with pytest.raises(InVain, match="3 failed"):
            await broken.redrive(attempt=attempt)
    assert broken.redriven == ["d", "e"]


@failing(b=ValueError("Mia is 7"))
async def test_at_a_later_attempt_nobody_is_said_to_have_not_been_dead_lettered(broken: Broken):
    with pytest.raises(Failed) as failed:
        await broken.redrive(("b", "redriven-before"), attempt=2)
    assert "dead-lettered" not in str(failed.value)


async def test_one_that_is_stopped_goes_on_with_no_other_child(
    broken: Broken, monkeypatch: pytest.MonkeyPatch
):
    # given a driver that raises an error of its own when it is cancelled
    begun = asyncio.Event()

    async def until_cancelled(_redriven: Redriven, _producer: object) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise AutoReconnect from None

    monkeypatch.setattr(broken, "carry_out", until_cancelled)
    task = asyncio.create_task(broken.redrive())
    await begun.wait()
    # when
    task.cancel()
    # then
    with pytest.raises(asyncio.CancelledError):
        await task
