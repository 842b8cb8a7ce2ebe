"""What commits of earlier releases hold is found, and only there."""

from dataclasses import replace
from typing import Any

import pytest

from shared.event_store.envelope import Actor, EncodedEvent, NewCommit, StreamPosition
from shared.event_store.mongo import MongoEventStore
from shared.event_store.mongo_snapshots import older_content
from shared.event_store.port import OlderContent
from tests.contract.conftest import Stores
from tests.fakes.event_store import older_content_of
from tests.support.commits import an_offer

OLDER_KEY = "0d" * 32
KEY = "k-" + "0d" * 16
OLDER_BEAR = Actor("bear-0123456789abcdef01234567", "device")
BEAR = Actor("bear-0123456789abcdef", "device")
PRINTS, LABELS = OlderContent.PRINTS, OlderContent.LABELS


async def test_a_commit_is_found_by_either_form_of_its_key(stores: Stores) -> None:
    # given
    older = await stores.events.append(an_offer("child-1", key=OLDER_KEY))
    today = await stores.events.append(an_offer("child-2", key=KEY))
    # when / then
    assert await stores.events.find_by_idempotency_key("k-other", OLDER_KEY) == older
    assert await stores.events.find_by_idempotency_key(KEY, "0e" * 32) == today
    assert await stores.events.find_by_idempotency_key("k-other", "0e" * 32) is None
    assert await stores.events.find_by_idempotency_key("k-other") is None


async def test_a_store_has_older_keys_once_one_is_stored(stores: Stores) -> None:
    # given
    assert not await stores.events.has_older_keys()
    await stores.events.append(an_offer("child-1", key=KEY))
    await stores.events.append(an_offer("child-2"))
    assert not await stores.events.has_older_keys()
    # when
    await stores.events.append(an_offer("child-3", key=OLDER_KEY))
    # then
    assert await stores.events.has_older_keys()


def _of(type_: str, schema_version: int) -> EncodedEvent:
    return replace(an_offer("child-1").events[0], type=type_, schema_version=schema_version)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"actor": BEAR}, set()),
        ({"actor": OLDER_BEAR}, {PRINTS}),
        ({"actor": replace(OLDER_BEAR, role="parent")}, set()),
        ({"events": (_of("MessageRecorded", 1),)}, {LABELS}),
        ({"events": (_of("ChildReactivated", 1), _of("ChildRegistered", 1))}, {LABELS}),
        ({"events": (_of("MessageRecorded", 2), _of("ChildReactivated", 1))}, set()),
    ],
)
async def test_what_a_child_s_commits_hold_of_earlier_releases_is_reported(
    stores: Stores, changes: dict[str, Any], expected: set[OlderContent]
) -> None:
    # given others with everything
    labelled = (_of("MessageRecorded", 1),)
    for child_id in ("child-0", "child-11", "child-2"):
        await stores.events.append(
            replace(an_offer(child_id, key=f"0{child_id}"), actor=OLDER_BEAR, events=labelled)
        )
    offer: NewCommit = replace(an_offer("child-1", key=KEY), **changes)
    # when
    commit = await stores.events.append(offer)
    # then
    assert await stores.events.older_content("child-1") == expected
    assert older_content_of([commit]) == expected


async def test_the_key_of_a_command_that_changed_nothing_counts_too(stores: Stores) -> None:
    # given
    first = await stores.events.append(an_offer("child-1"))
    # when
    await stores.events.append(an_offer("child-1", first.position, events=0, key=OLDER_KEY))
    # then
    assert await stores.events.older_content("child-1") == {PRINTS}


async def test_looking_for_older_keys_reads_no_more_than_the_index(stores: Stores) -> None:
    # given
    for number in range(20):
        await stores.events.append(an_offer(f"child-{number}", key=f"{KEY}{number}"))
    if not isinstance(stores.events, MongoEventStore):
        assert not await stores.events.has_older_keys()
        return
    # when
    commits = stores.events._commits
    plan = await commits.find({"idempotency.key": {"$lt": "g"}}).explain()
    # then
    winning = str(plan["queryPlanner"]["winningPlan"])
    assert "'indexName': 'idempotency_key'" in winning
    assert plan["executionStats"]["totalDocsExamined"] == 0


@pytest.mark.parametrize("older_at", range(6))
async def test_whatever_the_steps_of_the_look_older_content_is_found_in_all_of_them(
    stores: Stores, older_at: int
) -> None:
    # given a stream of six commits, the one at `older_at` of an earlier release
    position = StreamPosition()
    for number in range(6):
        offer = an_offer("child-1", position)
        if number == older_at:
            offer = replace(offer, actor=OLDER_BEAR, events=(_of("MessageRecorded", 1),))
        position = (await stores.events.append(offer)).position
    # then
    if not isinstance(stores.events, MongoEventStore):
        assert await stores.events.older_content("child-1") == {PRINTS, LABELS}
        return
    for step in range(1, 8):
        found = await older_content(stores.events._commits, "child-1", 60.0, step)
        assert found == {PRINTS, LABELS}
        assert not await older_content(stores.events._commits, "child-2", 60.0, step)
