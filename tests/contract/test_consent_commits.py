"""The commits of a child's consents are found without its others being read."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.event_store.envelope import Commit, StreamPosition
from shared.event_store.mongo import MongoEventStore
from shared.event_store.port import StoreUnavailable
from shared.events.child import CONSENTING
from tests.contract.conftest import Stores
from tests.support.commits import an_offer

GIVEN, WITHDRAWN = CONSENTING
OTHER = "MessageRecorded"


async def a_stream(stores: Stores, child_id: str, *commits: Sequence[str]) -> list[Commit]:
    """One commit of these types of events after the other."""
    position, made = StreamPosition(), []
    for types in commits:
        offer = an_offer(child_id, position, len(types))
        events = [replace(one, type=to) for one, to in zip(offer.events, types, strict=True)]
        made.append(await stores.events.append(replace(offer, events=tuple(events))))
        position = made[-1].position
    return made


async def test_the_commits_of_a_childs_consents_are_found_the_newest_first(stores: Stores) -> None:
    # given
    registered, _, withdrawn, _, again = await a_stream(
        stores,
        "child-1",
        ("ChildRegistered", GIVEN, GIVEN),
        (OTHER,),
        (WITHDRAWN, WITHDRAWN),
        (OTHER,),
        (GIVEN,),
    )
    await a_stream(stores, "child-2", (GIVEN,), (OTHER,))
    # when
    found = await stores.events.consents("child-1", None, 10)
    # then
    assert found == [again, withdrawn, registered]
    assert await stores.events.consents("nobody", None, 10) == []


async def test_so_many_commits_of_consents_are_found_as_are_wanted_from_a_version_on(
    stores: Stores,
) -> None:
    # given versions 1, 2 to 3, 4, 5
    first, second, _, last = await a_stream(
        stores, "child-1", (GIVEN,), (WITHDRAWN, WITHDRAWN), (OTHER,), (GIVEN,)
    )
    # when
    newest = await stores.events.consents("child-1", None, 2)
    # then
    assert newest == [last, second]
    assert await stores.events.consents("child-1", 5, 1) == [second]
    # one that begins below a version may go on beyond it
    assert await stores.events.consents("child-1", 3, 10) == [second, first]
    assert await stores.events.consents("child-1", 1, 10) == []


async def test_what_was_recorded_between_two_consents_is_not_read(stores: Stores) -> None:
    # given
    await a_stream(stores, "child-1", (GIVEN,), *[(OTHER,)] * 200, (WITHDRAWN,), (GIVEN,))
    if not isinstance(stores.events, MongoEventStore):
        assert len(await stores.events.consents("child-1", None, 2)) == 2
        return
    # when
    database = stores.events._commits.database
    await database.command({"profile": 2})
    try:
        found = await stores.events.consents("child-1", None, 2)
    finally:
        await database.command({"profile": 0})
    # then
    assert len(found) == 2
    (read,) = await database["system.profile"].find({"command.find": "commits"}).to_list(None)
    assert (read["docsExamined"], read["planSummary"]) == (
        2,
        "IXSCAN { child_id: 1, first_version: -1 }",
    )


async def test_without_the_index_consents_are_not_looked_for_among_all_commits(
    stores: Stores,
) -> None:
    # given a store of the release before, whose command API was not upgraded first
    await a_stream(stores, "child-1", (GIVEN,))
    if not isinstance(stores.events, MongoEventStore):
        return
    await stores.events._commits.drop_index("consents")
    # then
    with pytest.raises(StoreUnavailable):
        await stores.events.consents("child-1", None, 2)
