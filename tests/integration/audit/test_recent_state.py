"""Whether the trail is being signed, as the query API sees it, by what processes wrote."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest_asyncio

from shared.audit.process import AuditProcess
from shared.audit.recent_state import TrailState, Unsigned, recent_state
from shared.audit.writer import GAP, UNRECORDED
from shared.clock import utc_now
from shared.signing import StatementVerifier, read_jwks
from tests.integration.audit.conftest import World, look

State = Callable[[World], Awaitable[TrailState]]


@pytest_asyncio.fixture
async def state() -> AsyncIterator[State]:
    """As of a world's last hour."""
    readers: list[AuditProcess] = []

    async def read(world: World) -> TrailState:
        reader = AuditProcess(world.settings, "reader")
        readers.append(reader)
        verifier = StatementVerifier(read_jwks(world.folder / "proof-keys.json"))
        since = utc_now() - timedelta(hours=1)
        return await recent_state(reader.readable(20), verifier, since)

    yield read
    for reader in readers:
        await reader.mongo.close()


async def test_what_ended_in_order_is_signed_to_its_end(world: World, state: State) -> None:
    found = await state(world)
    assert found.head_at is not None
    assert utc_now() - found.head_at < timedelta(minutes=10)
    assert found == TrailState(found.head_at, Unsigned(0, None), 0, ())


async def test_records_of_a_killed_process_are_unsigned_and_its_gaps_are_counted(
    world: World, state: State
) -> None:
    # given
    killed = AuditProcess(world.settings, "killed")
    at = utc_now() - timedelta(minutes=3)
    await killed.trail.record(look("officer-3", at))
    await killed.trail.record(look("", at)._replace(operation=GAP, outcome=f"5 {UNRECORDED}"))
    await killed.mongo.close()
    # when
    found = await state(world)
    # then
    assert found.unsigned.number == 2
    assert found.unsigned.since is not None
    assert abs(found.unsigned.since - at) < timedelta(milliseconds=1)
    assert found.unrecorded == 5


async def test_what_was_taken_from_the_end_of_a_segment_is_missed(
    world: World, state: State
) -> None:
    # given
    with world.collection("audit_blocks") as blocks:
        last = blocks.find_one({}, sort=[("_id", -1)])
        assert last is not None
        blocks.delete_one({"_id": last["_id"]})
    # when
    (finding,) = (await state(world)).findings
    # then
    assert "truncated" in str(finding)


async def test_what_retention_removed_is_no_gap(aged: World, state: State) -> None:
    # given
    said = await aged.retention("apply")
    assert said.code == 0, said.err
    with aged.collection("audit_purges") as purges:
        assert purges.count_documents({}) == 1
    # when
    found = await state(aged)
    # then
    assert found.findings == ()
    assert found.unsigned.number == 0
