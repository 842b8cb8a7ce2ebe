"""From poison to dead-lettered to redriven, over a real broker."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from deploy.topics import apply_topics
from projection_worker.dead_letters.redrive import (
    Discard,
    Redrive,
    Redriven,
    Verdict,
    open_producer,
    publish,
)
from projection_worker.dead_letters.store import DeadLetteredSequences
from projection_worker.projecting import decoding
from projection_worker.projections import registry
from projection_worker.projections.registry import Folding
from projection_worker.records import Delivered, RawRecord, deliver, raw_record
from shared.clock import new_id
from shared.events.child import ChildEvent, SafetyViolationReported, Severity
from shared.kafka import CHILD_EVENTS, READ_MODEL_CHANGES
from shared.read_models.generations import Generation, KeptGeneration
from shared.read_models.indexes import count_dead_lettered, stale_since
from shared.read_models.notices import ChangeNotice
from shared.serialization.events import decode_what_opens
from shared.serialization.schema import UndecodableEvent
from tests.support.kafka import REPLICATION, read_all_records
from tests.support.projection_facts import registered, reported, updated
from tests.support.projection_side import GENERATION, ProjectionSide


@dataclass
class Operator:
    """Somebody with the commands' means; `child` and `other` are nobody else's."""

    side: ProjectionSide
    bootstrap: str
    child: str
    other: str

    @property
    def dead_lettered(self) -> DeadLetteredSequences:
        return DeadLetteredSequences(self.side.database)

    def redrive(self, *, from_store: bool = False) -> Redrive:
        return Redrive(
            self.side.database, self.dead_lettered, self.side.store, from_store=from_store
        )

    async def carry_out(self, redriven: Redriven) -> None:
        async with open_producer(self.bootstrap) as producer:
            await self.redrive().carry_out(redriven, producer)

    async def redriven(self, *, from_store: bool = False) -> Redriven:
        redriven = await self.redrive(from_store=from_store).plan(self.child)
        await self.carry_out(redriven)
        return redriven

    async def on_the_topic(self) -> list[Delivered]:
        """All records of the child that came to the broker, in order."""
        records = await read_all_records(self.bootstrap, CHILD_EVENTS.name)
        return [deliver(raw_record(one)) for one in records if one.key == self.child.encode()]

    async def happened(self, *events: ChildEvent) -> list[Delivered]:
        return await self.side.happened(*(replace(one, child_id=self.child) for one in events))

    async def assert_nothing_is_dead_lettered_and_all_is_well(self, version: int) -> None:
        assert await self.dead_lettered.find() == []
        assert (await self.side.child(self.child))["version"] == version
        assert (await self.side.verify()).clean


@pytest_asyncio.fixture
async def operator(side: ProjectionSide, kafka_bootstrap: str) -> AsyncIterator[Operator]:
    await apply_topics(kafka_bootstrap, REPLICATION, [CHILD_EVENTS, READ_MODEL_CHANGES])
    yield Operator(side, kafka_bootstrap, new_id(), new_id())


@pytest.fixture(autouse=True)
def _in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories are longer than a page."""
    monkeypatch.setattr("shared.event_store.port.PAGE", 2)


def broken(delivered: Delivered) -> Delivered:
    return deliver(replace(delivered.raw, value=b"\x00not json", headers=()))


def redriven(records: Sequence[Delivered]) -> list[tuple[object, ...]]:
    return [(one.raw.key, one.raw.value, one.raw.headers) for one in records]


async def test_poison_dead_letters_its_child_until_the_code_can_read_it(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a worker that does not know an event
    side = operator.side
    first, unknown, later = await operator.happened(registered(), updated(age=8), updated(age=9))
    (of_other,) = await side.happened(replace(registered(), child_id=operator.other))

    def too_old(recorded, cipher, index):
        if recorded.child_id == operator.child and recorded.version == 2:
            raise UndecodableEvent("no such event here")
        return decode_what_opens(recorded, cipher, index)

    monkeypatch.setattr(decoding, "decode_what_opens", too_old)
    await side.project([first, of_other, unknown, later])
    (sequence,) = await operator.dead_lettered.find()
    assert (sequence.child_id, sequence.records, sequence.marked) == (operator.child, 2, True)
    assert "no such event here" in sequence.reason
    assert (await side.child(operator.other))["version"] == 1
    # when the worker is renewed
    monkeypatch.undo()
    await operator.redriven()
    again = await operator.on_the_topic()
    await side.project(again)
    # then
    assert redriven(again) == redriven([unknown, later])
    await operator.assert_nothing_is_dead_lettered_and_all_is_well(version=3)


fold = Folding.add


def as_before_this_release(
    folding: Folding, event: ChildEvent, version: int, event_id: str
) -> None:
    """A fold that refuses what names a conversation that was never started."""
    if isinstance(event, SafetyViolationReported) and event.conversation_id is not None:
        raise ValueError("SafetyViolationReported of a conversation that was never started")
    fold(folding, event, version, event_id)


@pytest.mark.parametrize("from_store", [False, True], ids=["dead-lettered bytes", "from the store"])
async def test_a_child_that_older_folds_refused_is_whole_after_a_redrive(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, *, from_store: bool
) -> None:
    # given a child that an older release dead-lettered for good
    monkeypatch.setattr(Folding, "add", as_before_this_release)
    critical = reported(2, Severity.CRITICAL)
    happened = await operator.happened(
        registered(), reported(1, conversation_id="nobody-knows"), critical
    )
    before = await operator.side.project(happened)
    assert (len(before.dead_lettered), before.alerts) == (2, ())
    # when this release redrives it
    monkeypatch.undo()
    await operator.redriven(from_store=from_store)
    projected = await operator.side.project(await operator.on_the_topic())
    # then
    assert [alert["violation_id"] for alert in projected.alerts] == [critical.violation_id]
    child = await operator.side.child(operator.child)
    assert (child["safety_violations_count"], child["safety_score"]) == (2, 50.0)
    await operator.assert_nothing_is_dead_lettered_and_all_is_well(version=3)


async def test_who_asks_for_a_dead_lettered_child_is_told_at_once_and_no_longer_once_it_is_redriven(
    operator: Operator,
) -> None:
    # given
    side = operator.side
    first, second = await operator.happened(registered(), updated(age=8))
    await side.project([first])
    # when
    dead_lettered = await side.project([broken(second)])
    # then answers of whatever version are dropped
    assert dead_lettered.notices == (ChangeNotice(operator.child, "parent-1", 1, marked=True),)
    assert await count_dead_lettered(side.database, GENERATION) == 1
    since = await stale_since(side.database, GENERATION, [operator.child, operator.other])
    assert list(since) == [operator.child]
    # when
    await operator.redriven(from_store=True)
    # then
    assert await stale_since(side.database, GENERATION, [operator.child]) == {}
    records = await read_all_records(operator.bootstrap, READ_MODEL_CHANGES.name)
    noted = [ChangeNotice.from_json(one.value) for one in records]
    assert ChangeNotice(operator.child, "parent-1", 1, marked=True) in noted


async def test_what_is_still_poison_is_dead_lettered_again_and_the_store_has_it_whole(
    operator: Operator,
) -> None:
    # given bytes that were broken on the way
    first, second, third = await operator.happened(registered(), updated(age=8), updated(age=9))
    await operator.side.project([first, broken(second), third])
    # when
    await operator.redriven()
    await operator.side.project(await operator.on_the_topic())
    # then
    (sequence,) = await operator.dead_lettered.find(operator.child)
    assert (sequence.records, sequence.marked) == (2, True)
    letters = await operator.dead_lettered.letters_of(operator.child)
    assert [letter.dead_lettered.raw.value for letter in letters] == [
        b"\x00not json",
        third.raw.value,
    ]
    assert all(letter.dead_lettered.stack for letter in letters)
    # when
    before = len(await operator.on_the_topic())
    await operator.redriven(from_store=True)
    await operator.side.project((await operator.on_the_topic())[before:])
    # then
    await operator.assert_nothing_is_dead_lettered_and_all_is_well(version=3)


async def test_redriving_twice_changes_nothing(operator: Operator) -> None:
    # given two operators at once
    first, *rest = await operator.happened(registered(), updated(age=8), updated(age=9))
    await operator.side.project([first, broken(rest[0]), rest[1]])
    plan = await operator.redrive(from_store=True).plan(operator.child)
    # when
    await operator.carry_out(plan)
    await operator.carry_out(plan)
    await operator.side.project(await operator.on_the_topic())
    # then
    await operator.assert_nothing_is_dead_lettered_and_all_is_well(version=3)
    assert (await operator.redriven()).records == ()


@pytest.mark.parametrize("published", [False, True], ids=["before", "after"])
async def test_a_crash_before_or_after_publishing_leaves_letters_that_can_be_redriven_again(
    operator: Operator, *, published: bool
) -> None:
    # given
    first, second, third = await operator.happened(registered(), updated(age=8), updated(age=9))
    await operator.side.project([first, broken(second), third])
    plan = await operator.redrive(from_store=True).plan(operator.child)
    await operator.dead_lettered.unmark(operator.child)
    if published:
        async with open_producer(operator.bootstrap) as producer:
            await publish(producer, plan.records)
    # then
    (left,) = await operator.dead_lettered.find(operator.child)
    assert (left.records, left.marked) == (2, False)
    # when
    await operator.redriven(from_store=True)
    await operator.side.project(await operator.on_the_topic())
    # then
    await operator.assert_nothing_is_dead_lettered_and_all_is_well(version=3)


async def test_what_the_read_models_have_meanwhile_is_not_published(operator: Operator) -> None:
    # given a child whose dead-lettered records came in otherwise, e.g. by a rebuild
    first, second, third = await operator.happened(registered(), updated(age=8), updated(age=9))
    await operator.side.project([first, broken(second), third])
    await operator.dead_lettered.unmark(operator.child)
    await operator.side.project([second, third])
    # when
    letters = await operator.dead_lettered.letters_of(operator.child)
    redriven = await operator.redriven()
    # then: only what cannot be read, and so might be anything
    assert [record.value for record in redriven.records] == [b"\x00not json"]
    assert redriven.skipped == len(letters) - 1


async def test_a_child_that_one_of_two_generations_cannot_fold_is_whole_in_both_afterwards(
    operator: Operator,
) -> None:
    # given
    side, newer = operator.side, Generation(2)
    await side.keep(*(KeptGeneration(one, registry.VERSION) for one in (GENERATION, newer)))
    beside = side.another_projector(newer)
    first, second = await operator.happened(registered(), updated(age=8))
    await side.project([first, second])
    await beside.project([first, broken(second)])
    # when
    await operator.redriven(from_store=True)
    again = await operator.on_the_topic()
    await side.project(again)
    await beside.project(again)
    # then
    await operator.assert_nothing_is_dead_lettered_and_all_is_well(version=2)
    assert (await side.on_generation(newer).verify()).clean


async def test_garbage_under_a_childs_key_is_discarded_and_the_child_goes_on(
    operator: Operator,
) -> None:
    # given
    (first,) = await operator.happened(registered())
    garbage = deliver(RawRecord(CHILD_EVENTS.name, 0, 999, operator.child.encode(), b"?", ()))
    await operator.side.project([first, garbage])
    discard = Discard(operator.side.database, operator.dead_lettered, operator.side.store)
    # when
    judged = await discard.judge(await operator.dead_lettered.letters_at(garbage.raw.identity))
    await discard.carry_out([one.letter for one in judged])
    # then
    assert [one.verdict for one in judged] == [Verdict.NO_EVENT]
    await operator.side.project(await operator.happened(updated(age=8)))
    await operator.assert_nothing_is_dead_lettered_and_all_is_well(version=2)


async def test_what_the_read_models_lack_is_told_to_be_needed(operator: Operator) -> None:
    # given
    first, second, third = await operator.happened(registered(), updated(age=8), updated(age=9))
    await operator.side.project([first, broken(second), third])
    discard = Discard(operator.side.database, operator.dead_lettered, operator.side.store)
    # when
    judged = await discard.judge(await operator.dead_lettered.letters_of(operator.child))
    # then
    assert {one.verdict for one in judged} == {Verdict.NEEDED}
    # when one of them is discarded all the same
    await discard.carry_out([judged[0].letter])
    # then the child stays dead-lettered for the other
    (sequence,) = await operator.dead_lettered.find()
    assert (sequence.records, sequence.marked) == (1, True)
    assert GENERATION.number == sequence.generation
