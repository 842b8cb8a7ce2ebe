import asyncio
from dataclasses import replace

import pytest

from shared.event_store.envelope import (
    ChainBroken,
    Commit,
    NewCommit,
    StreamPosition,
    seal_commit,
    verify_chain,
)
from shared.event_store.port import AlreadyCommitted, VersionConflict
from tests.contract.conftest import Stores
from tests.support.commits import an_offer, append_streams


async def _a_stream(stores: Stores, child_id: str, *events_a_commit: int) -> list[Commit]:
    position = StreamPosition()
    commits = []
    for events in events_a_commit:
        commits.append(await stores.events.append(an_offer(child_id, position, events)))
        position = commits[-1].position
    return commits


async def _outcomes(stores: Stores, offers: list[NewCommit]) -> list[Commit | BaseException]:
    return await asyncio.gather(
        *(stores.events.append(offer) for offer in offers), return_exceptions=True
    )


async def test_a_commit_of_several_events_is_stored_as_one(stores: Stores) -> None:
    # given
    offer = an_offer("child-1", events=3, key="key-1")
    # when
    commit = await stores.events.append(offer)
    # then
    assert await stores.events.load("child-1") == [commit]
    assert commit.position == StreamPosition(3, commit.hash)
    assert [e.version for e in commit.recorded_events()] == [1, 2, 3]


async def test_what_is_loaded_equals_what_was_offered(stores: Stores) -> None:
    # given
    offer = an_offer("child-1", events=2, key="key-1")
    await stores.events.append(offer)
    # when
    (loaded,) = await stores.events.load("child-1")
    # then
    for name in ("child_id", "events", "recorded_at", "actor", "causality", "idempotency"):
        assert getattr(loaded, name) == getattr(offer, name)
    assert loaded.result == offer.result


async def test_a_child_without_commits_loads_as_an_empty_stream(stores: Stores) -> None:
    assert await stores.events.load("child-unknown") == []


async def test_the_last_commit_of_a_stream_is_the_one_that_ends_it(stores: Stores) -> None:
    # given others beside, and a key of a command that changed nothing
    for child_id in ("child-0", "child-10", "child-2"):
        await _a_stream(stores, child_id, 1)
    assert await stores.events.last("child-1") is None
    commits = await _a_stream(stores, "child-1", *[1] * 11, 3)
    await stores.events.append(an_offer("child-1", commits[-1].position, events=0, key="key-1"))
    # then
    assert await stores.events.last("child-1") == commits[-1]


async def test_an_append_behind_the_end_of_the_stream_is_refused(stores: Stores) -> None:
    # given
    first, _ = await _a_stream(stores, "child-1", 1, 1)
    # when
    with pytest.raises(VersionConflict) as refused:
        await stores.events.append(an_offer("child-1", first.position))
    # then
    assert refused.value.child_id == "child-1"
    assert refused.value.expected_version == 1
    assert len(await stores.events.load("child-1")) == 2


async def test_of_fifty_appends_at_one_version_exactly_one_wins(stores: Stores) -> None:
    # given
    (registered,) = await _a_stream(stores, "child-1", 1)
    offers = [an_offer("child-1", registered.position) for _ in range(50)]
    # when
    outcomes = await _outcomes(stores, offers)
    # then
    winners = [outcome for outcome in outcomes if isinstance(outcome, Commit)]
    assert len(winners) == 1
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 49
    assert await stores.events.load("child-1") == [registered, *winners]


async def test_of_fifty_appends_with_one_idempotency_key_one_is_stored(stores: Stores) -> None:
    # given
    offers = [an_offer("child-1", key="key-1") for _ in range(50)]
    # when
    outcomes = await _outcomes(stores, offers)
    # then
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Commit)]
    repeated = [outcome for outcome in outcomes if isinstance(outcome, AlreadyCommitted)]
    assert len(repeated) == 49
    assert all(outcome.commit == winner for outcome in repeated)
    assert await stores.events.load("child-1") == [winner]


async def test_an_idempotency_key_is_found_again_at_a_later_version(stores: Stores) -> None:
    # given
    first = await stores.events.append(an_offer("child-1", key="key-1"))
    # when
    with pytest.raises(AlreadyCommitted) as refused:
        await stores.events.append(an_offer("child-1", first.position, key="key-1"))
    # then
    assert refused.value.commit == first
    assert await stores.events.find_by_idempotency_key("key-1") == first
    assert await stores.events.find_by_idempotency_key("key-2") is None


async def test_a_used_key_counts_more_than_a_lost_race(stores: Stores) -> None:
    # given a stream whose second place is taken by another request
    first = await stores.events.append(an_offer("child-1", key="key-1"))
    await stores.events.append(an_offer("child-1", first.position, key="key-2"))
    # when
    with pytest.raises(AlreadyCommitted) as refused:
        await stores.events.append(an_offer("child-1", first.position, key="key-1"))
    # then
    assert refused.value.commit == first


@pytest.mark.parametrize("key", [None, "key-1"])
async def test_the_same_offer_made_again_finds_its_own_commit(
    stores: Stores, key: str | None
) -> None:
    # given a caller that did not hear back
    offer = an_offer("child-1", key=key)
    first = await stores.events.append(offer)
    # when
    again = await stores.events.append(offer)
    # then
    assert again == first
    assert await stores.events.load("child-1") == [first]


async def test_appends_to_many_children_do_not_disturb_each_other(stores: Stores) -> None:
    # given
    offers = [an_offer(f"child-{number:03d}", events=2) for number in range(200)]
    # when
    outcomes = await _outcomes(stores, offers)
    # then
    assert [o.child_id for o in outcomes if isinstance(o, Commit)] == [o.child_id for o in offers]


async def test_a_loaded_history_verifies_as_a_hash_chain(stores: Stores) -> None:
    # given
    commits = await _a_stream(stores, "child-1", 1, 3, 1, 2)
    # when
    end = verify_chain(await stores.events.load("child-1"))
    # then
    assert end == commits[-1].position == StreamPosition(7, commits[-1].hash)


async def test_a_tampered_commit_breaks_the_chain(stores: Stores) -> None:
    # given
    await _a_stream(stores, "child-1", 1, 2, 1)
    first, second, third = await stores.events.load("child-1")
    forged = replace(second, events=(replace(second.events[0], data="{}"), *second.events[1:]))
    # when
    with pytest.raises(ChainBroken) as broken:
        verify_chain([first, forged, third])
    # then
    assert broken.value.version == 2


@pytest.mark.parametrize(
    ("after", "first_versions"),
    [(0, [1, 2, 5]), (1, [2, 5]), (2, [2, 5]), (3, [2, 5]), (4, [5]), (5, []), (9, [])],
)
async def test_a_commit_that_ends_after_the_version_is_loaded_whole(
    stores: Stores, after: int, first_versions: list[int]
) -> None:
    # given commits with versions 1, 2 to 4, 5
    await _a_stream(stores, "child-1", 1, 3, 1)
    await _a_stream(stores, "child-2", 1)
    # when
    commits = await stores.events.load("child-1", after)
    # then
    assert [commit.first_version for commit in commits] == first_versions


async def test_a_scan_gives_every_commit_by_child_and_version(stores: Stores) -> None:
    # given
    for child_id in ("child-b", "child-c", "child-a"):
        await _a_stream(stores, child_id, *([1] * 11))
    # when
    places = [(c.child_id, c.first_version) async for c in stores.events.scan()]
    # then
    children = ("child-a", "child-b", "child-c")
    assert places == [(child, version) for child in children for version in range(1, 12)]


async def test_a_scan_resumes_after_a_child(stores: Stores) -> None:
    # given
    for child_id in ("child-a", "child-b", "child-c"):
        await _a_stream(stores, child_id, 1, 1)
    # when
    children = [commit.child_id async for commit in stores.events.scan(after_child="child-a")]
    # then
    assert children == ["child-b", "child-b", "child-c", "child-c"]


async def test_a_scan_longer_than_one_batch_misses_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr("shared.event_store.mongo.SCAN_BATCH", 3)
    await _outcomes(stores, [an_offer(f"child-{number}") for number in range(9)])
    # when
    children = [commit.child_id async for commit in stores.events.scan()]
    # then
    assert children == [f"child-{number}" for number in range(9)]


async def test_a_child_of_whom_only_a_key_is_kept_has_no_newest_commit(stores: Stores) -> None:
    await stores.events.append(an_offer("child-1", events=0, key="key-1"))

    assert await stores.events.last("child-1") is None


async def test_the_commits_that_erased_children_are_found(stores: Stores) -> None:
    await append_streams(stores.events, {"child-1": [1, 1, 1], "child-2": [2]}, erased_at=2)
    await append_streams(stores.events, {"child-3": [1, 1]})

    erasures = await stores.events.erasures(["child-1", "child-3", "nobody"])

    assert {child: commit.first_version for child, commit in erasures.items()} == {"child-1": 2}
    assert await stores.events.erasures([]) == {}


async def _chained(child_id: str, position: StreamPosition, count: int, key: str) -> list[Commit]:
    commits = []
    for number in range(count):
        commits.append(seal_commit(an_offer(child_id, position, 1 + number % 2, f"{key}-{number}")))
        position = commits[-1].position
    return commits


async def test_commits_in_order_land_as_single_ones_do(stores: Stores) -> None:
    # given
    first = (await _a_stream(stores, "child-1", 3))[-1]
    commits = await _chained("child-1", first.position, 20, "key")
    # when
    landed = await stores.events.append_in_order(commits)
    # then
    assert landed == 20
    assert await stores.events.load("child-1") == [first, *commits]
    assert verify_chain([first, *commits]) == commits[-1].position
    assert await stores.events.find_by_idempotency_key("key-7") == commits[7]


async def test_of_commits_in_order_none_lands_behind_one_whose_place_is_taken(
    stores: Stores,
) -> None:
    # given what another process appended meanwhile
    first = (await _a_stream(stores, "child-1", 1))[-1]
    commits = await _chained("child-1", first.position, 5, "key")
    taken = await stores.events.append(an_offer("child-1", first.position, 1))
    # when
    landed = await stores.events.append_in_order(commits)
    # then
    assert landed == 0
    assert await stores.events.load("child-1") == [first, taken]


async def test_of_commits_in_order_none_lands_behind_one_whose_key_was_used(stores: Stores) -> None:
    # given
    await stores.events.append(an_offer("child-2", key="key-3"))
    commits = await _chained("child-1", StreamPosition(), 6, "key")
    # when
    landed = await stores.events.append_in_order(commits)
    # then
    assert landed == 3
    assert await stores.events.load("child-1") == commits[:3]


async def test_commits_in_order_that_landed_before_are_not_appended_again(stores: Stores) -> None:
    # given
    commits = await _chained("child-1", StreamPosition(), 4, "key")
    await stores.events.append_in_order(commits[:2])
    # when
    landed = await stores.events.append_in_order(commits)
    # then
    assert landed == 0
    assert await stores.events.load("child-1") == commits[:2]


async def test_no_commits_in_order_are_none_that_landed(stores: Stores) -> None:
    assert await stores.events.append_in_order([]) == 0
