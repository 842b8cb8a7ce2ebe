"""Records that no head covers are excused for two intervals; whoever is left to, signs for others.

What is not signed can be rewritten by anybody who may write there.
"""

from datetime import timedelta

import pytest

from shared.audit.process import AuditProcess
from shared.clock import utc_now
from shared.event_store.envelope import StreamPosition
from tests.integration.audit.conftest import World, look
from tests.support.child_facts import ADA
from tests.support.consents import BORN
from tests.support.waiting import eventually


async def _killed(world: World, age: timedelta) -> str:
    """The segment of a process that was killed after a record of that age."""
    killed = AuditProcess(world.settings, "killed")
    await killed.trail.record(look("officer-3", utc_now() - age))
    await killed.mongo.close()
    return killed.trail.segment


@pytest.mark.parametrize(
    ("age", "what"),
    [
        (timedelta(minutes=3), "not signed, the oldest since 2"),
        (timedelta(days=-1), "not signed, and the newest is in the future: 2"),
    ],
    ids=["old", "of tomorrow"],
)
async def test_records_that_should_be_signed_long_ago_are_a_finding(
    world: World, age: timedelta, what: str
) -> None:
    segment = await _killed(world, age)

    said = await world.teddy("audit", "verify")

    assert said.code == 1
    assert f"audit segment {segment}, records 1 to 1: {what}" in said.out


async def test_the_newest_records_are_a_note(world: World) -> None:
    segment = await _killed(world, timedelta(seconds=90))

    said = await world.teddy("audit", "verify")

    assert said.code == 0, said.out
    assert f"note: audit segment {segment}: the last 1 records are not signed" in said.out


async def test_how_often_heads_are_signed_is_a_setting(world: World) -> None:
    await _killed(world, timedelta(seconds=90))

    said = await world.teddy("audit", "verify", settings={"TEDDY_AUDIT_HEAD_SECONDS": "40"})

    assert said.code == 1
    assert "heads are signed every 40 s" in said.out


async def test_a_process_that_has_nothing_to_record_signs_for_one_that_was_killed(
    world: World,
) -> None:
    # given
    await _killed(world, timedelta(minutes=3))
    often = world.settings.model_copy(update={"audit_head_seconds": 0.05})
    # when / then
    async with AuditProcess(often, "idle").running():
        await eventually(lambda: world.teddy("audit", "verify"), wanted=lambda said: said.code == 0)
        with world.collection("audit_heads") as heads:
            signed = heads.count_documents({"segment": {"$regex": "^idle-"}})
    assert signed == 1  # once for all: nothing has moved since


async def test_a_segment_whose_end_could_not_be_signed_stays_open_for_others(world: World) -> None:
    # given a file of heads that cannot be written
    no_file = world.settings.model_copy(update={"audit_heads_file": world.folder / "no" / "file"})
    # when
    async with AuditProcess(no_file, "mute").running() as trail:
        await trail.record(look("officer-3"))
    # then
    said = await world.teddy("audit", "verify")
    assert f"note: audit segment {trail.segment}: still open" in said.out


async def test_a_commit_of_which_two_records_tell_differently_is_found(world: World) -> None:
    # given a record that somebody put into the trail; it needs no key while nobody signs for it
    anchor = StreamPosition(BORN + 3, "0" * 64)
    forged = AuditProcess(world.settings, "forged")
    await forged.trail.record(look("officer-3")._replace(anchor=anchor))
    await forged.mongo.close()
    # when
    said = await world.teddy("audit", "verify")
    # then
    assert said.code == 1
    reported = f"child {ADA}, version {BORN + 3}: two audit records name different commits"
    assert reported in said.out
