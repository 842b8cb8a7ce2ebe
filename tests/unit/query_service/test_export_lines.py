"""An export is written as it is read, goes on from every cursor, and never hides that it broke."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query_service.queries.export_child import ExportLine
from query_service.queries.exporter import ChildErased, Exporter
from query_service.queries.query import RequestRefused
from query_service.read_store.whole_child import GenerationGone
from shared.events.child import SafetyViolationReported
from tests.support.event_samples import EVENTS
from tests.support.exported_child import (
    LENA,
    WEISS,
    CountedEvents,
    CountedPages,
    Life,
    another_generation,
    exporter_of,
    live,
    write_events,
)
from tests.support.exports import cursors_of, document_of, records_of
from tests.support.query_side import QuerySide, parent

KINDS = ("profile", "safety", "violation", "conversation", "activity", "alert", "event")
SOME_OF_ALL = Life(violations=5, conversations=7, days=3, alerts=4, events=12)

counts = st.integers(min_value=0, max_value=7)
LIVES = st.builds(
    Life, counts, counts, counts, counts, st.integers(0, 12), several=st.integers(1, 3)
)


async def written(exporter: Exporter, cursor: str | None = None) -> bytes:
    start = await exporter.start(LENA, cursor)
    return b"".join([some async for some in exporter.lines(LENA, start)])


async def begun(exporter: Exporter, chunks: int) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first chunks of an export, and the rest of it."""
    lines = exporter.lines(LENA, await exporter.start(LENA, None))
    return b"".join([await anext(lines) for _ in range(chunks)]), lines


def whole_part(body: bytes) -> bytes:
    """Up to the last progress line, as who goes on with its cursor keeps it."""
    kept = body[: body.rindex(b'{"kind":"progress"')]
    return b"\n".join(line for line in kept.split(b"\n") if b'"kind":"progress"' not in line)


@given(life=LIVES, page=st.integers(1, 5))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
async def test_from_every_cursor_follows_exactly_what_is_missing(life: Life, page: int):
    # given
    side = QuerySide()
    await live(side, life)
    exporter = exporter_of(side, page)
    # when
    body = await written(exporter)
    # then
    records = records_of(body)
    assert len(records) == life.records + 1
    identities = [orjson.dumps(one) for one in records]
    assert len(set(identities)) == len(identities)
    for cursor in cursors_of(body):
        end_of_part = body.index(cursor.encode()) + len(cursor) + len(b'"}\n')
        assert await written(exporter, cursor) == body[end_of_part:]


async def test_the_end_counts_all_records_also_behind_a_cursor(side: QuerySide):
    # given
    await live(side, SOME_OF_ALL)
    exporter = exporter_of(side, 2)
    body = await written(exporter)
    # when
    ends = [records_of(await written(exporter, cursor))[-1] for cursor in cursors_of(body)]
    # then
    numbers = (1, 1, 5, 7, 3, 4, 12)
    end = {"kind": "end", "counts": dict(zip(KINDS, numbers, strict=True)), "unreadable": 0}
    assert records_of(body)[-1] == end
    assert all(one == end for one in ends)


async def test_the_documents_of_a_child_come_in_order_then_its_events(side: QuerySide):
    await live(side, SOME_OF_ALL)

    records = records_of(await written(exporter_of(side, 2)))

    kinds = [record["kind"] for record in records[:-1]]
    assert kinds == sorted(kinds, key=KINDS.index)
    times = [record["started_at"] for record in records if record["kind"] == "conversation"]
    assert times == sorted(times)
    versions = [record["version"] for record in records if record["kind"] == "event"]
    assert versions == list(range(1, 13))


async def test_every_line_is_one_that_the_api_describes(side: QuerySide):
    await live(side, SOME_OF_ALL)
    body = (await side.get(f"/v1/children/{LENA}/export", parent(WEISS))).content
    body += await written(exporter_of(side, 2))

    lines = body.splitlines()
    kinds = {ExportLine.model_validate_json(line).root.kind for line in lines}

    assert kinds == {"export", *KINDS, "progress", "end"}


async def test_a_page_is_held_and_no_more_is_read_than_is_taken(side: QuerySide):
    # given
    await live(side, Life(violations=20, conversations=30, events=50))
    pages = CountedPages(side.whole, side.events)
    exporter = exporter_of(side, 5, store=pages, events=CountedEvents(pages))
    start = await exporter.start(LENA, None)
    taken = 0
    # when
    async for _ in exporter.lines(LENA, start):
        taken += 1
        # then: one page for what was taken, and those on which there was nothing
        assert pages.pages <= taken + len(KINDS)
    assert pages.largest == 5
    assert pages.pages >= (20 + 30 + 50) / 5


async def test_between_cursors_there_are_as_many_records_as_were_asked_for(side: QuerySide):
    await live(side, Life(events=100))

    body = await written(exporter_of(side, 10, between_cursors=25))

    parts = body.split(b'{"kind":"progress"')
    assert len(parts) == 4
    assert all(25 <= len(part.splitlines()) <= 36 for part in parts[:-1])


async def test_a_child_that_is_erased_meanwhile_is_written_no_further(side: QuerySide):
    # given an export of which some was written
    await live(side, SOME_OF_ALL)
    _, rest = await begun(exporter_of(side, 2), 3)
    await side.key_store.destroy(LENA)
    with pytest.raises(ChildErased):
        await anext(rest)


async def test_what_was_read_before_an_erasure_is_not_written_after_it(side: QuerySide):
    # given a key that is destroyed while a page is read
    await live(side, SOME_OF_ALL)
    pages = CountedPages(side.whole, side.events)

    class Erasing(CountedEvents):
        async def load(self, *asked: Any) -> Any:
            page = await super().load(*asked)
            await side.key_store.destroy(LENA)
            return page

    written_before, rest = await begun(
        exporter_of(side, 20, store=pages, events=Erasing(pages)), chunks=len(KINDS) - 1
    )
    # when / then
    with pytest.raises(ChildErased):
        await anext(rest)
    kinds = {record["kind"] for record in records_of(written_before)}
    assert kinds == set(KINDS) - {"event"}


async def test_a_child_that_is_named_as_erased_is_written_no_further(side: QuerySide):
    """Also where its key came back with a restored database."""
    await live(side, SOME_OF_ALL)
    _, rest = await begun(exporter_of(side, 2), 3)

    side.service.invalidation.erased([LENA])

    with pytest.raises(ChildErased):
        await anext(rest)


async def test_a_flip_is_not_noticed_while_the_generation_is_kept(side: QuerySide):
    # given
    await live(side, SOME_OF_ALL)
    exporter = exporter_of(side, 2)
    undisturbed = await written(exporter)
    first, rest = await begun(exporter, 4)
    # when
    side.whole.generations[2] = another_generation(side)
    side.whole.generations[2].conversations.clear()
    side.whole.live_number = 2
    # then
    assert first + b"".join([some async for some in rest]) == undisturbed


async def test_an_export_whose_generation_is_dropped_goes_on_in_the_live_one(side: QuerySide):
    # given
    await live(side, SOME_OF_ALL)
    exporter = exporter_of(side, 2)
    undisturbed = records_of(await written(exporter))
    first, rest = await begun(exporter, 5)
    # when
    side.whole.generations = {2: another_generation(side)}
    side.whole.live_number = 2
    with pytest.raises(GenerationGone):
        await anext(rest)
    # then
    last_cursor = cursors_of(first)[-1]
    continued = records_of(await written(exporter, last_cursor))
    assert records_of(whole_part(first)) + continued == undisturbed


async def test_a_cursor_is_good_for_its_child_and_unchanged_only(side: QuerySide):
    await live(side, SOME_OF_ALL)
    exporter = exporter_of(side, 2)
    cursor = cursors_of(await written(exporter))[0]

    for child_id, altered in (("mia", cursor), (LENA, cursor[:-2] + "AA"), (LENA, "x")):
        with pytest.raises(RequestRefused, match="not a cursor of this child's export"):
            await exporter.start(child_id, altered)


async def test_an_event_that_this_release_cannot_read_is_reported_as_such(side: QuerySide):
    # given the second of three events, as a later release would write it
    await side.child(LENA, parent_id=WEISS)
    events = [replace(event, child_id=LENA) for event in EVENTS[:3]]
    await write_events(side, events)
    (_, second, _) = side.events._commits.values()
    later = replace(second, events=(replace(second.events[0], type="ChildTaughtToFly"),))
    side.events._commits[second.place] = later
    # when
    *_, first, unread, third, end = records_of(await written(exporter_of(side, 2)))
    # then
    assert (unread["type"], unread["data"], unread["unreadable"]) == (
        "ChildTaughtToFly",
        None,
        ["data"],
    )
    assert (first["version"], unread["version"], third["version"]) == (1, 2, 3)
    assert (end["counts"]["event"], end["unreadable"]) == (3, 1)


async def test_a_line_ends_where_a_line_feed_stands_and_nowhere_else(side: QuerySide):
    """JSON leaves characters unescaped that some take for the end of a line."""
    # given
    await side.child(LENA, parent_id=WEISS)
    reported = next(event for event in EVENTS if isinstance(event, SafetyViolationReported))
    said = "one\u2028two\u0085three\nfour"
    assert reported.details is not None
    details = replace(reported.details, value=said)
    await write_events(side, [replace(reported, child_id=LENA, details=details)])
    # when
    export = await document_of(await side.get(f"/v1/children/{LENA}/export", parent(WEISS)))
    # then
    assert export["events"][0]["data"]["details"] == said
